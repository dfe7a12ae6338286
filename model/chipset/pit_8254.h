#pragma once
// The 8254 interval timer of the ICH9 and port 0x61, which gates its counter 2.
//
//   offset  port   register
//   0-2     0x40   counter 0 (IRQ0), 1 (refresh), 2 (speaker)
//   3       0x43   control word, counter latch, read-back (write-only: reads as all ones)
//   4       0x61   NMI status and control:
//                  7 SERR# NMI status (RO 0)      3 IOCHK# NMI disable (RW)
//                  6 IOCHK# NMI status (RO 0)     2 SERR# NMI disable (RW)
//                  5 counter 2's OUT (RO)         1 speaker data (RW)
//                  4 refresh toggle (RO)          0 counter 2's gate (RW)
//
// Source: Intel 8254 data sheet; ICH9 data sheet, "8254 Timers", "NMI_SC". Nothing ticks: values
// follow from the time, and one event moves counter 0's OUT at the picosecond of each of its edges.

#include <array>

#include "model/base/event_queue.h"
#include "model/chipset/pit_counter.h"
#include "model/chipset/port_range.h"

namespace vtsim::chipset {

class Pit8254 : public ByteTarget {
 public:
  static constexpr Frequency kClock{1'193'182};
  static constexpr std::array<PortRange, 2> kPorts{{
      {0x40, 4, 0, "pit"},
      {0x61, 1, 4, "pit.nmi_sc"},
  }};

  // Counter and the part of its bus interface that software walks through byte by byte.
  struct Channel {
    PitCounter counter;
    u8 first_byte = 0;
    bool expects_second_byte = false;
    bool reads_high_byte = false;
    u16 latched_count = 0;
    u8 latched_bytes = 0;  // still to be read
    u8 latched_status = 0;
    bool status_latched = false;
  };
  struct State {
    std::array<Channel, 3> channels;
    u8 nmi_sc = 0;    // the writable bits of port 0x61
    Tick latest = 0;  // the latest tick at which anyone looked
  };

  explicit Pit8254(EventQueue& events);

  // Counter 0's OUT: IRQ0.
  Wire& out0() { return out0_; }

  // The level of a counter's OUT.
  bool out(unsigned channel, Ps now);

  // All counters wait for a control word; counter 2's gate is low.
  void reset(Ps now);

  const State& state() const { return state_; }
  void restore(const State& state) { state_ = state; }

 private:
  u8 read_byte(u64 offset, Ps now) override;
  void write_byte(u64 offset, u8 value, Ps now) override;
  u8 read_counter(Channel& channel, Tick tick);
  void write_counter(Channel& channel, u8 value, Tick tick);
  void write_control(u8 value, Tick tick);
  void read_back(u8 command, Tick tick);
  Tick advance(Ps now);
  void drive_out0(Ps now);

  EventQueue& events_;
  EventQueue::Id edge_;
  State state_;
  Wire out0_;
};

static_assert(disjoint(Pit8254::kPorts));

}  // namespace vtsim::chipset
