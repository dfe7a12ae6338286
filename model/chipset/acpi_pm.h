#pragma once
// The ICH9's ACPI power-management block (128 bytes of ports at PMBASE) and the APM ports.
//
//   offset  register        meaning
//   0x00    PM1_STS         15 WAK  11 PRBTNOR  10 RTC  8 PWRBTN  5 GBL  4 BM  0 TMROF     (W1C)
//   0x02    PM1_EN          10 RTC  8 PWRBTN  5 GBL  0 TMROF
//   0x04    PM1_CNT         13 SLP_EN (WO)  12:10 SLP_TYP  2 GBL_RLS (WO)  1 BM_RLD  0 SCI_EN
//   0x08    PM1_TMR         3.579545 MHz, 24 bits (or 32: a parameter)
//   0x20    GPE0_STS, 0x28 GPE0_EN     31:16 GPI  13 PME_B0  11 PME  6 TCOSCI  2 SWGPE  1 HOT_PLUG
//   0x30    SMI_EN, 0x34 SMI_STS       13 TCO  9 GPE0  8 PM1  5 APM  4 SLP_EN  2 BIOS
//   0x42    GPE_CNTL        1 SWGPE: sets that event
//   0x60    the TCO watchdog: acpi_tco.h
//   0x80    port 0xB2 APM_CNT: a write is a command to firmware     0x81  port 0xB3 APM_STS: a
//   latch
//
// Source: ICH9 data sheet, "Power Management I/O Registers"; ACPI, "ACPI Hardware Specification".
// SLP_TYP means what QEMU's Q35 makes of it, which OVMF and kvm-unit-tests take for granted (0 S5,
// 1 S3, 2 S4), and for the higher values what the ICH9 says (5 S3, 6 S4, 7 S5).
// Not modelled: the EOS handshake (every SMI is delivered; the firmware named above never sets EOS
// again), processor C-states and throttling (registers hold their values), device activity traps.

#include <array>
#include <functional>

#include "model/base/event_queue.h"
#include "model/chipset/acpi_tco.h"
#include "model/chipset/port_range.h"
#include "model/chipset/register_image.h"

namespace vtsim::chipset {

enum class SleepState : u8 { kS0, kS3, kS4, kS5 };

struct AcpiPmConfig {
  enum class TimerWidth : u8 { k24 = 24, k32 = 32 };
  // Who sets SCI_EN when the system asks for ACPI mode at the APM port: the chipset itself, as
  // QEMU's does for firmware that leaves it out, or the firmware's SMI handler.
  enum class AcpiEnable : u8 { kDirect, kByFirmware };
  // Without system-management mode APMC_EN reads as set, which tells firmware that SMM is taken.
  enum class Smm : u8 { kAbsent, kPresent };

  TimerWidth timer_width = TimerWidth::k24;
  AcpiEnable acpi_enable = AcpiEnable::kDirect;
  Smm smm = Smm::kPresent;
  u8 acpi_enable_command = 0x02;  // the values that the FADT names
  u8 acpi_disable_command = 0x03;
};

// Called inside the guest's access or an event; the machine acts once that instruction is over.
struct AcpiPmSinks {
  // The system goes to sleep (S3) or turns itself off (S4, S5).
  std::function<void(SleepState state, Ps now)> sleep;
  // An enabled event ends S3: the processors start at the reset vector.
  std::function<void(Ps now)> wake;
  // The watchdog's.
  ResetSink reset;
};

class AcpiPm : public RegisterTarget {
 public:
  static constexpr Frequency kClock{3'579'545};
  static constexpr u16 kDefaultBase = 0x600;  // PMBASE, as firmware for Q35 sets it
  static constexpr u64 kTcoOffset = 0x60;
  static constexpr u64 kBlockSize = kTcoOffset + AcpiTco::kSize;
  static constexpr std::array<PortRange, 2> kPorts{{
      {kDefaultBase, kBlockSize, 0, "acpi.pm"},
      {0xB2, 2, kBlockSize, "apm"},
  }};

  struct State {
    RegisterImage<kTcoOffset> registers;  // up to the watchdog's
    u64 timer_toggles = 0;                // changes of the timer's top bit that TMROF_STS has seen
    SleepState sleeping = SleepState::kS0;
    bool events_active = false;  // enabled PM1 or GPE0 events, as last signalled
    bool rtc_line = false;
    u8 apm_cnt = 0;
    u8 apm_sts = 0;
  };

  AcpiPm(EventQueue& events, const AcpiPmConfig& config, AcpiPmSinks sinks);
  AcpiPm(const AcpiPm&) = delete;
  AcpiPm& operator=(const AcpiPm&) = delete;

  // IRQ9, level-triggered, active high.
  Wire& sci() { return sci_; }
  // A pulse to every processor for each SMI.
  Wire& smi() { return smi_; }
  AcpiTco& tco() { return tco_; }

  u64 read(u64 offset, unsigned size, Ps now) override;
  void write(u64 offset, unsigned size, u64 value, Ps now) override;

  void press_power_button(Ps now);
  // The level of IRQ8: its rise sets RTC_STS and may wake the system.
  void set_rtc_line(bool level, Ps now);
  // Sets bit `event` of GPE0_STS; 0 to 31.
  void raise_gpe(unsigned event, Ps now);

  bool is_suspended() const { return state_.sleeping == SleepState::kS3; }
  // Whether a rise of IRQ8 would end S3.
  bool wakes_on_rtc() const;

  // PLTRST#. After S3 it only ends the sleep: the block is on standby power and keeps its contents.
  void reset(Ps now);

  // The watchdog's state is its own: tco().state().
  const State& state() const { return state_; }
  void restore(const State& state) { state_ = state; }

 private:
  unsigned timer_bits() const { return static_cast<unsigned>(config_.timer_width); }
  void advance(Ps now);
  void register_written(u64 offset, u64 written, Ps now);
  void write_apm(u64 offset, u8 value, Ps now);
  void sleep(u64 type, Ps now);
  void raise_smi(Flag status, Flag enable, Ps now);
  bool pm1_active() const;
  bool gpe0_active() const;
  void drive(Ps now);
  void wake_if_due(Ps now);

  EventQueue& events_;
  EventQueue::Id overflow_;
  AcpiPmConfig config_;
  AcpiPmSinks sinks_;
  State state_;
  AcpiTco tco_;
  Wire sci_;
  Wire smi_;
};

static_assert(disjoint(AcpiPm::kPorts));

}  // namespace vtsim::chipset
