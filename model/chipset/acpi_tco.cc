#include "model/chipset/acpi_tco.h"

#include <utility>

namespace vtsim::chipset {
namespace {

constexpr u64 kRld = 0x00;
constexpr u64 kDatIn = 0x02;
constexpr u64 kDatOut = 0x03;
constexpr u64 kTco1Sts = 0x04;
constexpr u64 kTco2Sts = 0x06;
constexpr u64 kTco1Cnt = 0x08;
constexpr u64 kTmr = 0x12;

struct Tco1Sts {
  static constexpr Flag SW_TCO_SMI{1};
  static constexpr Flag TCO_INT{2};
  static constexpr Flag TIMEOUT{3};
};
struct Tco2Sts {
  static constexpr Flag SECOND_TO{1};
};
struct Tco1Cnt {
  static constexpr Flag TMR_HLT{11};
  static constexpr Flag LOCK{12};
};
struct Timer {
  static constexpr Field VALUE{9, 0};
};
constexpr u64 kShortest = 2;  // "values of 0 and 1 will be ignored"

constexpr std::array kRows{
    //          offset     width  name           reset   rw      w1c
    RegisterRow{kRld, 2, "TCO_RLD", 0, 0, 0},
    RegisterRow{kDatIn, 1, "TCO_DAT_IN", 0, 0xFF, 0},
    RegisterRow{kDatOut, 1, "TCO_DAT_OUT", 0, 0xFF, 0},
    RegisterRow{kTco1Sts, 2, "TCO1_STS", 0, 0, 0x178E},
    RegisterRow{kTco2Sts, 2, "TCO2_STS", 0, 0, 0x0017},
    RegisterRow{kTco1Cnt, 2, "TCO1_CNT", 0x0800, 0x1A00, 0},
    RegisterRow{0x0A, 2, "TCO2_CNT", 0x0008, 0x003E, 0},
    RegisterRow{0x0C, 1, "TCO_MESSAGE1", 0, 0xFF, 0},
    RegisterRow{0x0D, 1, "TCO_MESSAGE2", 0, 0xFF, 0},
    RegisterRow{0x0E, 1, "TCO_WDCNT", 0, 0xFF, 0},
    RegisterRow{0x10, 1, "SW_IRQ_GEN", 0x03, 0x03, 0},
    RegisterRow{kTmr, 2, "TCO_TMR", 0x0004, 0x03FF, 0},
};
static_assert(well_formed(kRows));

}  // namespace

AcpiTco::AcpiTco(EventQueue& events, ResetSink reset, EventSink on_event)
    : events_(events),
      expires_(events.add("tco", [this](Ps now) { expire(now); })),
      reset_sink_(std::move(reset)),
      on_event_(std::move(on_event)) {
  this->reset();
}

void AcpiTco::reset() {
  state_.registers.reset(kRows);
  state_.left = Timer::VALUE.get(state_.registers.get(kTmr, 2));
  events_.cancel(expires_);
}

bool AcpiTco::halted() const {
  return Reg<Tco1Cnt>(state_.registers.get(kTco1Cnt, 2))[Tco1Cnt::TMR_HLT];
}

u64 AcpiTco::ticks_left(Ps now) const {
  const Ps deadline = events_.deadline(expires_);
  if (deadline == kNever) return state_.left;
  return deadline > now ? (deadline - now + kTick - 1) / kTick : 0;
}

void AcpiTco::start(u64 ticks, Ps now) {
  state_.left = ticks;
  events_.schedule(expires_, halted() ? kNever : now + ticks * kTick);
}

void AcpiTco::expire(Ps now) {
  RegisterImage<kSize>& registers = state_.registers;
  Reg<Tco1Sts> status(registers.get(kTco1Sts, 2));
  if (status[Tco1Sts::TIMEOUT]) {
    registers.set(kTco2Sts, 2, registers.get(kTco2Sts, 2) | Tco2Sts::SECOND_TO.mask());
    if (state_.reboot == Reboot::kAllowed) reset_sink_(ResetKind::kHard, now);
  }
  status.set(Tco1Sts::TIMEOUT, 1);
  registers.set(kTco1Sts, 2, status.value);
  start(Timer::VALUE.get(registers.get(kTmr, 2)), now);
  on_event_(now);
}

u64 AcpiTco::read(u64 offset, unsigned size, Ps now) {
  state_.registers.set(kRld, 2, Timer::VALUE.get(ticks_left(now)));
  return state_.registers.get(offset, size);
}

// Halting keeps what is left; LOCK, once set, keeps the halt bit and itself until reset.
void AcpiTco::control_written(bool was_halted, Ps now) {
  if (halted() == was_halted) return;
  if (halted()) {
    state_.left = ticks_left(now);
    events_.cancel(expires_);
  } else {
    start(state_.left, now);
  }
}

void AcpiTco::write(u64 offset, unsigned size, u64 value, Ps now) {
  RegisterImage<kSize>& registers = state_.registers;
  const bool was_halted = halted();
  const u64 old_control = registers.get(kTco1Cnt, 2);
  const u64 old_timer = registers.get(kTmr, 2);
  const auto set_status = [&](Flag flag) {
    registers.set(kTco1Sts, 2, registers.get(kTco1Sts, 2) | flag.mask());
  };
  registers.write(kRows, offset, size, value, [&](const RegisterRow& row, u64) {
    switch (row.offset) {
      case kRld:
        start(Timer::VALUE.get(registers.get(kTmr, 2)), now);
        break;
      case kDatIn:
        set_status(Tco1Sts::SW_TCO_SMI);
        on_event_(now);
        break;
      case kDatOut:
        set_status(Tco1Sts::TCO_INT);
        break;
      case kTco1Cnt:
        if (Reg<Tco1Cnt>(old_control)[Tco1Cnt::LOCK]) {
          constexpr u64 kLocked = Tco1Cnt::LOCK.mask() | Tco1Cnt::TMR_HLT.mask();
          const u64 written = registers.get(kTco1Cnt, 2);
          registers.set(kTco1Cnt, 2, (written & ~kLocked) | (old_control & kLocked));
        }
        control_written(was_halted, now);
        break;
      case kTmr:
        if (registers.get(kTmr, 2) < kShortest) registers.set(kTmr, 2, old_timer);
        break;
      default:
        break;
    }
  });
}

}  // namespace vtsim::chipset
