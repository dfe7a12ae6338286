#include "model/chipset/rtc_cmos.h"

#include <algorithm>
#include <numeric>

#include "model/chipset/rtc_calendar.h"

namespace vtsim::chipset {
namespace {

struct IndexPort {
  static constexpr Field INDEX{6, 0};
  static constexpr Flag NMI_MASKED{7};
};
struct RegisterA {
  static constexpr Field RS{3, 0};
  static constexpr Field DV{6, 4};
  static constexpr Flag UIP{7};
};
struct RegisterC {
  static constexpr Flag UF{4};
  static constexpr Flag AF{5};
  static constexpr Flag PF{6};
  static constexpr Flag IRQF{7};
};
// PF, AF and UF stand at the places of PIE, AIE and UIE.
constexpr u64 kInterrupts = RegisterC::PF.mask() | RegisterC::AF.mask() | RegisterC::UF.mask();

struct BootFlag {
  static constexpr Field FIRST{3, 0};
  static constexpr Field SECOND{7, 4};  // in 0x38 the third device
};
struct Equipment {
  static constexpr Flag FPU{1};
  static constexpr Flag MOUSE{2};
};

constexpr u64 kTicksPerSecond = RtcCmos::kClock.hz;
constexpr u64 kUpdateTicks = 8 + 65;  // 244 us of UIP, then 1984 us of update, in 30.5 us
constexpr u8 kExtendedBank = 0x80;
constexpr u64 kLastRunningDv = 2;  // 010; above, the divider is held in reset

constexpr u64 kKiB = 1024;
constexpr u64 kMiB = kKiB * kKiB;

// "Periodic Interrupt Selection" at 32.768 kHz: RS 1 and 2 give 256 and 128 Hz, as 8 and 9 do;
// from 3 (8192 Hz) each step halves the rate.
u64 period_ticks(u64 rs) {
  if (rs == 0) return 0;
  return Flag{static_cast<unsigned>((rs < 3 ? rs + 7 : rs) - 1)}.mask();
}

// A value of several bytes, the lowest at the lowest index, cut off at the largest it can hold.
void put_bytes(CmosBytes bytes, u8 index, unsigned count, u64 value) {
  const u64 shown = std::min(value, low_mask(8 * count));
  for (unsigned i = 0; i < count; ++i) {
    bytes[index + i] = static_cast<u8>(Field{8 * i + 7, 8 * i}.get(shown));
  }
}

u64 above(u64 memory, u64 base) { return memory > base ? memory - base : 0; }

void put_memory(CmosBytes bytes, const CmosSetup& setup) {
  const u64 low = setup.memory_below_4g;
  put_bytes(bytes, 0x15, 2, std::min<u64>(low / kKiB, 640));
  put_bytes(bytes, 0x17, 2, above(low, kMiB) / kKiB);
  put_bytes(bytes, 0x30, 2, above(low, kMiB) / kKiB);
  put_bytes(bytes, 0x34, 2, above(low, 16 * kMiB) / (64 * kKiB));
  put_bytes(bytes, 0x5B, 3, setup.memory_above_4g / (64 * kKiB));
}

void put_setup(CmosBytes bytes, const CmosSetup& setup) {
  put_memory(bytes, setup);
  bytes[0x14] = static_cast<u8>(Equipment::FPU.mask() | Equipment::MOUSE.mask());
  bytes[0x5F] = static_cast<u8>(setup.cores - 1);
  const auto code = [&](unsigned n) { return static_cast<u64>(setup.boot_order[n]); };
  bytes[0x3D] = static_cast<u8>(BootFlag::SECOND.put(BootFlag::FIRST.put(0, code(0)), code(1)));
  bytes[0x38] = static_cast<u8>(BootFlag::SECOND.put(0, code(2)));
  // The AT's checksum over 0x10-0x2D, high byte first.
  const u64 sum = std::accumulate(&bytes[0x10], &bytes[0x2E], u64{0});
  bytes[0x2E] = static_cast<u8>(Field{15, 8}.get(sum));
  bytes[0x2F] = static_cast<u8>(Field{7, 0}.get(sum));
}

}  // namespace

RtcCmos::RtcCmos(EventQueue& events, const CmosSetup& setup)
    : events_(events), event_(events.add("rtc", [this](Ps now) {
        advance(now);
        drive(now);
      })) {
  CmosBytes bytes(state_.bytes);
  bytes[cmos::kRegisterA] =
      static_cast<u8>(Reg<RegisterA>().with(RegisterA::DV, 2).with(RegisterA::RS, 6).value);
  bytes[cmos::kRegisterB] = static_cast<u8>(RegisterB::HOUR24.mask());
  bytes[cmos::kRegisterD] = static_cast<u8>(RegisterD::VRT.mask());
  put_setup(bytes, setup);
  set_date(bytes, setup.date);
  state_.index = static_cast<u8>(IndexPort::NMI_MASKED.mask());
}

bool RtcCmos::nmi_masked() const { return Reg<IndexPort>(state_.index)[IndexPort::NMI_MASKED]; }

bool RtcCmos::may_interrupt() const {
  return events_.deadline(event_) != kNever && !interrupt_.level();
}

// DV 000 and 001 are for other crystals; they run at this one's rate.
bool RtcCmos::divider_runs() const {
  return RegisterA::DV.get(state_.bytes[cmos::kRegisterA]) <= kLastRunningDv;
}

bool RtcCmos::updates() const {
  return divider_runs() && !Reg<RegisterB>(state_.bytes[cmos::kRegisterB])[RegisterB::SET];
}

u64 RtcCmos::ticks_at(Ps now) const {
  const Ps elapsed = now > state_.divider_start ? now - state_.divider_start : 0;
  return state_.divider_base + kClock.cycles_at(elapsed);
}

Ps RtcCmos::time_of(u64 tick) const {
  return state_.divider_start + kClock.first_ps_of(tick - state_.divider_base);
}

bool RtcCmos::update_in_progress() const {
  return updates() && state_.ticks_seen % kTicksPerSecond >= kTicksPerSecond - kUpdateTicks;
}

void RtcCmos::advance(Ps now) {
  if (!divider_runs()) return;
  CmosBytes bytes(state_.bytes);
  const u64 ticks = std::max(ticks_at(now), state_.ticks_seen);
  const u64 period = period_ticks(RegisterA::RS.get(bytes[cmos::kRegisterA]));
  Reg<RegisterC> flags(bytes[cmos::kRegisterC]);
  if (period != 0 && ticks / period != state_.ticks_seen / period) flags.set(RegisterC::PF, 1);
  const u64 seconds = ticks / kTicksPerSecond - state_.ticks_seen / kTicksPerSecond;
  state_.ticks_seen = ticks;
  for (u64 n = 0; updates() && n < seconds; ++n) {
    increment_date(bytes);
    flags.set(RegisterC::UF, 1);
    if (alarm_matches(bytes)) flags.set(RegisterC::AF, 1);
  }
  bytes[cmos::kRegisterC] = static_cast<u8>(flags.value);
}

void RtcCmos::drive(Ps now) {
  const u64 requests = state_.bytes[cmos::kRegisterB] & state_.bytes[cmos::kRegisterC];
  interrupt_.set((requests & kInterrupts) != 0, now);
  schedule();
}

// The next tick at which an enabled flag that is not yet set may be.
void RtcCmos::schedule() {
  const Reg<RegisterB> missing(state_.bytes[cmos::kRegisterB] &
                               ~u64{state_.bytes[cmos::kRegisterC]});
  const auto next_multiple = [&](u64 of) { return (state_.ticks_seen / of + 1) * of; };
  const u64 period = period_ticks(RegisterA::RS.get(state_.bytes[cmos::kRegisterA]));
  Ps when = kNever;
  if (divider_runs() && missing[RegisterB::PIE] && period != 0) {
    when = time_of(next_multiple(period));
  }
  if (updates() && (missing[RegisterB::UIE] || missing[RegisterB::AIE])) {
    when = std::min(when, time_of(next_multiple(kTicksPerSecond)));
  }
  events_.schedule(event_, when);
}

u8 RtcCmos::read_byte(u64 offset, Ps now) {
  switch (offset) {
    case 0:
      return 0xFF;
    case 1:
      return read_cmos(static_cast<u8>(IndexPort::INDEX.get(state_.index)), now);
    case 2:
      return state_.extended_index;
    default:
      return state_.bytes[kExtendedBank + state_.extended_index];
  }
}

u8 RtcCmos::read_cmos(u8 index, Ps now) {
  advance(now);
  u8& byte = state_.bytes[index];
  Reg<RegisterA> a(byte);
  Reg<RegisterC> c(byte);
  switch (index) {
    case cmos::kRegisterA:
      return static_cast<u8>(a.with(RegisterA::UIP, update_in_progress()).value);
    case cmos::kRegisterC:
      c.set(RegisterC::IRQF, (state_.bytes[cmos::kRegisterB] & c.value & kInterrupts) != 0);
      byte = 0;
      drive(now);
      return static_cast<u8>(c.value);
    default:
      return byte;
  }
}

void RtcCmos::write_byte(u64 offset, u8 value, Ps now) {
  switch (offset) {
    case 0:
      state_.index = value;
      break;
    case 1:
      write_cmos(static_cast<u8>(IndexPort::INDEX.get(state_.index)), value, now);
      break;
    case 2:
      state_.extended_index = static_cast<u8>(IndexPort::INDEX.get(value));
      break;
    default:
      state_.bytes[kExtendedBank + state_.extended_index] = value;
  }
}

void RtcCmos::write_cmos(u8 index, u8 value, Ps now) {
  advance(now);
  switch (index) {
    case cmos::kRegisterA:
      write_register_a(value, now);
      break;
    case cmos::kRegisterB:
      write_register_b(value);
      break;
    case cmos::kRegisterC:
      return;
    case cmos::kRegisterD:
      state_.bytes[index] = static_cast<u8>(
          Reg<RegisterD>(RegisterD::DATE_ALARM.get(value)).with(RegisterD::VRT, 1).value);
      break;
    default:
      state_.bytes[index] = value;
  }
  drive(now);
}

// "DV2-DV0": when the divider is released from reset, the first update comes half a second later.
void RtcCmos::write_register_a(u8 value, Ps now) {
  const bool ran = divider_runs();
  state_.bytes[cmos::kRegisterA] =
      static_cast<u8>(Reg<RegisterA>(value).with(RegisterA::UIP, 0).value);
  if (ran || !divider_runs()) return;
  state_.divider_start = now;
  state_.divider_base = kTicksPerSecond / 2;
  state_.ticks_seen = state_.divider_base;
}

void RtcCmos::write_register_b(u8 value) {
  Reg<RegisterB> b(value);
  if (b[RegisterB::SET]) b.set(RegisterB::UIE, 0);
  state_.bytes[cmos::kRegisterB] = static_cast<u8>(b.value);
}

void RtcCmos::reset(Ps now) {
  advance(now);
  constexpr u64 kKept = ~(kInterrupts | RegisterB::SQWE.mask());
  state_.bytes[cmos::kRegisterB] = static_cast<u8>(state_.bytes[cmos::kRegisterB] & kKept);
  state_.bytes[cmos::kRegisterC] = 0;
  state_.index = static_cast<u8>(IndexPort::NMI_MASKED.mask());
  state_.extended_index = 0;
  drive(now);
}

}  // namespace vtsim::chipset
