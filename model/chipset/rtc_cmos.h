#pragma once
// The ICH9's real-time clock (an MC146818A) and its 256 bytes of battery-backed RAM.
//
//   offset  port  register
//   0       0x70  7 NMI masked, 6:0 index (write-only: reads as all ones)
//   1       0x71  the byte at the index: clock, alarm, registers A-D, RAM
//   2       0x72  6:0 index of the extended bank
//   3       0x73  the byte at that index
//
//   A 0x0A  7 UIP (RO)   6:4 DV divider   3:0 RS periodic rate
//   B 0x0B  7 SET  6 PIE  5 AIE  4 UIE  3 SQWE  2 DM binary  1 24 hours  0 DSE (no function)
//   C 0x0C  7 IRQF 6 PF   5 AF   4 UF            (RO, a read clears it)
//   D 0x0D  7 VRT (RO 1)  5:0 date alarm, 0: any day
//
// Source: Motorola MC146818A data sheet; ICH9 data sheet, "Real Time Clock Registers". The date
// given at construction is the date at power-on; from there it follows simulated time only.
// An update takes the 1984 us before the full second, and UIP is set 244 us before that.

#include <array>

#include "model/base/event_queue.h"
#include "model/chipset/port_range.h"

namespace vtsim::chipset {

struct DateTime {
  unsigned year = 2025;
  unsigned month = 1;
  unsigned day = 1;
  unsigned hour = 0;
  unsigned minute = 0;
  unsigned second = 0;
};

// The date, UTC, of a time in seconds since 1970-01-01.
DateTime date_of(u64 unix_seconds);

enum class BootDevice : u8 { kNone, kFloppy, kDisk, kCdrom, kNetwork };

// What PC firmware (SeaBIOS, OVMF) reads from the RAM bytes, as QEMU fills them in.
struct CmosSetup {
  DateTime date;
  u64 memory_below_4g = 0;  // bytes
  u64 memory_above_4g = 0;  // bytes
  unsigned cores = 1;
  std::array<BootDevice, 3> boot_order{BootDevice::kDisk, BootDevice::kCdrom, BootDevice::kNone};
};

class RtcCmos : public ByteTarget {
 public:
  static constexpr Frequency kClock{32'768};
  static constexpr std::array<PortRange, 1> kPorts{{{0x70, 4, 0, "rtc"}}};

  struct State {
    std::array<u8, 256> bytes{};
    u8 index = 0;
    u8 extended_index = 0;
    // The divider's tick count is `divider_base` plus the ticks since `divider_start`.
    Ps divider_start = 0;
    u64 divider_base = 0;
    u64 ticks_seen = 0;  // up to which updates and periodic flags are accounted for
  };

  RtcCmos(EventQueue& events, const CmosSetup& setup);

  // IRQ8, while an enabled flag of register C is set.
  Wire& interrupt() { return interrupt_; }

  // A flag that is enabled may yet be set, and would raise IRQ8.
  bool may_interrupt() const;

  // Bit 7 of port 0x70 keeps NMIs of the chipset from the processor.
  bool nmi_masked() const;

  // Writes RAM as the board does: byte 0x0F = 0xFE, say, tells firmware that it wakes from S3.
  void set_ram(u8 index, u8 value) { state_.bytes[index] = value; }

  // What RESET# clears: interrupt enables and flags. Time and RAM live on the battery.
  void reset(Ps now);

  const State& state() const { return state_; }
  void restore(const State& state) { state_ = state; }

 private:
  u8 read_byte(u64 offset, Ps now) override;
  void write_byte(u64 offset, u8 value, Ps now) override;
  u8 read_cmos(u8 index, Ps now);
  void write_cmos(u8 index, u8 value, Ps now);
  void write_register_a(u8 value, Ps now);
  void write_register_b(u8 value);

  bool divider_runs() const;
  bool updates() const;
  u64 ticks_at(Ps now) const;
  Ps time_of(u64 tick) const;
  bool update_in_progress() const;
  void advance(Ps now);
  void drive(Ps now);
  void schedule();

  EventQueue& events_;
  EventQueue::Id event_;
  State state_;
  Wire interrupt_;
};

}  // namespace vtsim::chipset
