#include "model/chipset/acpi_pm.h"

#include <algorithm>
#include <utility>

namespace vtsim::chipset {
namespace {

constexpr u64 kPm1Sts = 0x00;
constexpr u64 kPm1En = 0x02;
constexpr u64 kPm1Cnt = 0x04;
constexpr u64 kPm1Tmr = 0x08;
constexpr u64 kGpe0Sts = 0x20;
constexpr u64 kGpe0En = 0x28;
constexpr u64 kSmiEn = 0x30;
constexpr u64 kSmiSts = 0x34;
constexpr u64 kGpeCntl = 0x42;
constexpr u64 kTco = AcpiPm::kTcoOffset;
constexpr u64 kApmCnt = AcpiPm::kBlockSize;

struct Pm1 {  // PM1_STS and PM1_EN
  static constexpr Flag TMROF{0};
  static constexpr Flag GBL{5};
  static constexpr Flag PWRBTN{8};
  static constexpr Flag RTC{10};
  static constexpr Flag WAK{15};
  static constexpr u64 kEvents = TMROF.mask() | GBL.mask() | PWRBTN.mask() | RTC.mask();
};
struct Pm1Cnt {
  static constexpr Flag SCI_EN{0};
  static constexpr Flag GBL_RLS{2};
  static constexpr Field SLP_TYP{12, 10};
  static constexpr Flag SLP_EN{13};
};
struct Gpe0 {
  static constexpr Flag SWGPE{2};
};
struct Smi {  // SMI_EN and SMI_STS
  static constexpr Flag GBL_SMI_EN{0};
  static constexpr Flag BIOS{2};
  static constexpr Flag SLP_EN{4};
  static constexpr Flag APM{5};
  static constexpr Flag BIOS_RLS{7};
  static constexpr Flag PM1{8};
  static constexpr Flag GPE0{9};
  static constexpr Flag TCO{13};
};
struct GpeCntl {
  static constexpr Flag SWGPE{1};
};

constexpr u64 kGpes = 0xFFFF'2FC7;

constexpr std::array kRows{
    RegisterRow{kPm1Sts, 2, "PM1_STS", 0, 0, 0xCD31},
    RegisterRow{kPm1En, 2, "PM1_EN", 0, 0x4521, 0},
    RegisterRow{kPm1Cnt, 4, "PM1_CNT", 0, 0x1C03, 0},
    RegisterRow{kPm1Tmr, 4, "PM1_TMR", 0, 0, 0},
    RegisterRow{0x10, 4, "PROC_CNT", 0, 0x01FE, 0},
    RegisterRow{kGpe0Sts, 8, "GPE0_STS", 0, 0, kGpes},
    RegisterRow{kGpe0En, 8, "GPE0_EN", 0, kGpes, 0},
    RegisterRow{kSmiEn, 4, "SMI_EN", 0x0002, 0x6687F, 0},
    RegisterRow{kSmiSts, 4, "SMI_STS", 0, 0, 0x1F'F87C},
    RegisterRow{0x38, 2, "ALT_GP_SMI_EN", 0, 0xFFFF, 0},
    RegisterRow{0x3A, 2, "ALT_GP_SMI_STS", 0, 0, 0xFFFF},
    RegisterRow{kGpeCntl, 1, "GPE_CNTL", 0, 0x02, 0},
    RegisterRow{0x44, 2, "DEVACT_STS", 0, 0, 0x1FC1},
    RegisterRow{0x50, 1, "PM2_CNT", 0, 0x01, 0},
};
static_assert(well_formed(kRows));
static_assert(kRows.back().offset < kTco);

constexpr Field lane(unsigned i) { return {8 * i + 7, 8 * i}; }

// True when an access begins before the watchdog's ports and ends in them.
constexpr bool straddles_tco(u64 offset, unsigned size) {
  return offset < kTco && offset + size > kTco;
}

// SLP_TYP 0 to 7.
constexpr std::array<SleepState, 8> kSleepTypes{
    SleepState::kS5, SleepState::kS3, SleepState::kS4, SleepState::kS0,
    SleepState::kS0, SleepState::kS3, SleepState::kS4, SleepState::kS5,
};

}  // namespace

AcpiPm::AcpiPm(EventQueue& events, const AcpiPmConfig& config, AcpiPmSinks sinks)
    : events_(events),
      overflow_(events.add("acpi.pm1_tmr", [this](Ps now) { drive(now); })),
      config_(config),
      sinks_(std::move(sinks)),
      tco_(
          events, [this](ResetKind kind, Ps now) { sinks_.reset(kind, now); },
          [this](Ps now) { raise_smi(Smi::TCO, Smi::TCO, now); }) {
  reset(0);
}

void AcpiPm::reset(Ps now) {
  if (state_.sleeping == SleepState::kS3) {
    state_.sleeping = SleepState::kS0;
  } else {
    const bool rtc_line = state_.rtc_line;
    state_ = {};
    state_.rtc_line = rtc_line;
    state_.registers.reset(kRows);
    state_.timer_toggles = kClock.cycles_at(now) >> (timer_bits() - 1);
    if (config_.smm == AcpiPmConfig::Smm::kAbsent) {
      state_.registers.set(kSmiEn, 4, state_.registers.get(kSmiEn, 4) | Smi::APM.mask());
    }
  }
  tco_.reset();
  drive(now);
}

// --- Timer ---

void AcpiPm::advance(Ps now) {
  const u64 ticks = kClock.cycles_at(now);
  state_.registers.set(kPm1Tmr, 4, ticks & low_mask(timer_bits()));
  const u64 toggles = bits(ticks, 63, timer_bits() - 1);
  if (toggles <= state_.timer_toggles) return;
  state_.timer_toggles = toggles;
  state_.registers.set(kPm1Sts, 2, state_.registers.get(kPm1Sts, 2) | Pm1::TMROF.mask());
}

// --- Interrupts ---

bool AcpiPm::pm1_active() const {
  return (state_.registers.get(kPm1Sts, 2) & state_.registers.get(kPm1En, 2) & Pm1::kEvents) != 0;
}

bool AcpiPm::gpe0_active() const {
  return (state_.registers.get(kGpe0Sts, 8) & state_.registers.get(kGpe0En, 8)) != 0;
}

void AcpiPm::raise_smi(Flag status, Flag enable, Ps now) {
  state_.registers.set(kSmiSts, 4, state_.registers.get(kSmiSts, 4) | status.mask());
  const Reg<Smi> enables(state_.registers.get(kSmiEn, 4));
  if (enables[Smi::GBL_SMI_EN] && enables[enable]) smi_.pulse(now);
}

// "SCI_EN": events are SCIs in ACPI mode and SMIs in legacy mode.
void AcpiPm::drive(Ps now) {
  advance(now);
  auto& registers = state_.registers;
  const bool sci_enabled = Reg<Pm1Cnt>(registers.get(kPm1Cnt, 4))[Pm1Cnt::SCI_EN];
  const bool active = pm1_active() || gpe0_active();
  sci_.set(active && sci_enabled, now);
  registers.set(kSmiSts, 4,
                Reg<Smi>(registers.get(kSmiSts, 4))
                    .with(Smi::PM1, pm1_active() && !sci_enabled)
                    .with(Smi::GPE0, gpe0_active() && !sci_enabled)
                    .value);
  const bool smi_enabled = Reg<Smi>(registers.get(kSmiEn, 4))[Smi::GBL_SMI_EN];
  const bool newly_active = active && !state_.events_active;
  state_.events_active = active;
  if (newly_active && !sci_enabled && smi_enabled) smi_.pulse(now);

  // The timer needs an event only while its overflow can be seen to come.
  const bool waits = Reg<Pm1>(registers.get(kPm1En, 2))[Pm1::TMROF] &&
                     !Reg<Pm1>(registers.get(kPm1Sts, 2))[Pm1::TMROF];
  const Flag toggle{timer_bits() - 1};
  events_.schedule(overflow_,
                   waits ? kClock.first_ps_of((state_.timer_toggles + 1) * toggle.mask()) : kNever);
}

void AcpiPm::press_power_button(Ps now) {
  state_.registers.set(kPm1Sts, 2, state_.registers.get(kPm1Sts, 2) | Pm1::PWRBTN.mask());
  drive(now);
  wake_if_due(now);
}

void AcpiPm::set_rtc_line(bool level, Ps now) {
  const bool rises = level && !state_.rtc_line;
  state_.rtc_line = level;
  if (!rises) return;
  state_.registers.set(kPm1Sts, 2, state_.registers.get(kPm1Sts, 2) | Pm1::RTC.mask());
  drive(now);
  wake_if_due(now);
}

void AcpiPm::raise_gpe(unsigned event, Ps now) {
  const u64 status = (state_.registers.get(kGpe0Sts, 8) | Flag{event}.mask()) & kGpes;
  state_.registers.set(kGpe0Sts, 8, status);
  drive(now);
  wake_if_due(now);
}

bool AcpiPm::wakes_on_rtc() const {
  return Reg<Pm1>(state_.registers.get(kPm1En, 2))[Pm1::RTC];
}

// ACPI "Waking Up From a Sleeping State": the power button always wakes, other events if enabled.
void AcpiPm::wake_if_due(Ps now) {
  if (state_.sleeping != SleepState::kS3) return;
  const Reg<Pm1> status(state_.registers.get(kPm1Sts, 2));
  const Reg<Pm1> enables(state_.registers.get(kPm1En, 2));
  const bool rtc = status[Pm1::RTC] && enables[Pm1::RTC];
  if (!status[Pm1::PWRBTN] && !rtc && !gpe0_active()) return;
  state_.registers.set(kPm1Sts, 2, status.with(Pm1::WAK, 1).value);
  sinks_.wake(now);
}

// --- Registers ---

u64 AcpiPm::read(u64 offset, unsigned size, Ps now) {
  if (straddles_tco(offset, size)) {
    u64 value = 0;
    for (unsigned i = 0; i < size; ++i) value = lane(i).put(value, read(offset + i, 1, now));
    return value;
  }
  if (offset >= kApmCnt) {
    const u64 both = Field{15, 8}.put(state_.apm_cnt, state_.apm_sts);
    return bits(both, static_cast<unsigned>(8 * (offset - kApmCnt)) + 8 * size - 1,
                static_cast<unsigned>(8 * (offset - kApmCnt)));
  }
  if (offset >= kTco) return tco_.read(offset - kTco, size, now);
  advance(now);
  return state_.registers.get(offset, size);
}

void AcpiPm::write(u64 offset, unsigned size, u64 value, Ps now) {
  if (straddles_tco(offset, size)) {
    for (unsigned i = 0; i < size; ++i) write(offset + i, 1, lane(i).get(value), now);
  } else if (offset >= kApmCnt) {
    for (unsigned i = 0; i < size; ++i) {
      write_apm(offset + i, static_cast<u8>(lane(i).get(value)), now);
    }
  } else if (offset >= kTco) {
    tco_.write(offset - kTco, size, value, now);
  } else {
    advance(now);
    state_.registers.write(kRows, offset, size, value, [&](const RegisterRow& row, u64 written) {
      register_written(row.offset, written, now);
    });
  }
  drive(now);
}

void AcpiPm::register_written(u64 offset, u64 written, Ps now) {
  auto& registers = state_.registers;
  switch (offset) {
    case kPm1Cnt:
      if (Reg<Pm1Cnt>(written)[Pm1Cnt::GBL_RLS]) raise_smi(Smi::BIOS, Smi::BIOS, now);
      if (Reg<Pm1Cnt>(written)[Pm1Cnt::SLP_EN]) {
        sleep(Pm1Cnt::SLP_TYP.get(registers.get(kPm1Cnt, 4)), now);
      }
      break;
    case kSmiEn:
      if (!Reg<Smi>(written)[Smi::BIOS_RLS]) break;
      registers.set(kPm1Sts, 2, registers.get(kPm1Sts, 2) | Pm1::GBL.mask());
      break;
    case kGpeCntl:
      if (Reg<GpeCntl>(written)[GpeCntl::SWGPE]) raise_gpe(Gpe0::SWGPE.position, now);
      break;
    default:
      break;
  }
}

void AcpiPm::sleep(u64 type, Ps now) {
  if (Reg<Smi>(state_.registers.get(kSmiEn, 4))[Smi::SLP_EN]) {
    raise_smi(Smi::SLP_EN, Smi::SLP_EN, now);  // firmware decides
    return;
  }
  const SleepState target = kSleepTypes[type];
  if (target == SleepState::kS0) return;
  state_.sleeping = target;
  sinks_.sleep(target, now);
  wake_if_due(now);
}

void AcpiPm::write_apm(u64 offset, u8 value, Ps now) {
  if (offset != kApmCnt) {
    state_.apm_sts = value;
    return;
  }
  state_.apm_cnt = value;
  const bool enables = value == config_.acpi_enable_command;
  const bool disables = value == config_.acpi_disable_command;
  if (config_.acpi_enable == AcpiPmConfig::AcpiEnable::kDirect && (enables || disables)) {
    const Reg<Pm1Cnt> control(state_.registers.get(kPm1Cnt, 4));
    state_.registers.set(kPm1Cnt, 4, control.with(Pm1Cnt::SCI_EN, enables).value);
  }
  raise_smi(Smi::APM, Smi::APM, now);
}

}  // namespace vtsim::chipset
