#include "model/chipset/hpet.h"

#include <cstring>
#include <string>
#include <utility>

#include "model/base/bits.h"

namespace vtsim::chipset {
namespace {

constexpr u64 kCapabilities = 0x000, kConfig = 0x010, kStatus = 0x020, kCounter = 0x0f0;
constexpr u64 kFirstTimer = 0x100, kTimerStride = 0x20;
constexpr u64 kTimerConfig = 0x00, kComparator = 0x08, kFsbRoute = 0x10;
constexpr u64 kFemtosecondsPerSecond = 1'000'000'000'000'000;

struct Capabilities {
  static constexpr Field PERIOD{63, 32};
  static constexpr Field VENDOR{31, 16};
  static constexpr Flag LEG_RT_CAP{15};
  static constexpr Flag COUNT_SIZE_CAP{13};
  static constexpr Field LAST_TIMER{12, 8};
  static constexpr Field REVISION{7, 0};
};
struct Config {
  static constexpr Flag LEG_RT{1};
  static constexpr Flag ENABLE{0};
  static constexpr u64 kWritable = 0x3;
};
struct TimerConfig {
  static constexpr Field ROUTE_CAP{63, 32};
  static constexpr Flag FSB_CAP{15};
  static constexpr Flag FSB_EN{14};
  static constexpr Field INT_ROUTE{13, 9};
  static constexpr Flag MODE_32{8};
  static constexpr Flag VAL_SET{6};
  static constexpr Flag SIZE_CAP{5};
  static constexpr Flag PER_CAP{4};
  static constexpr Flag PERIODIC{3};
  static constexpr Flag INT_ENB{2};
  static constexpr Flag LEVEL{1};
  static constexpr u64 kWritable = 0x3f4e;  // without FSB_EN, which needs FSB_CAP
};
struct FsbRoute {
  static constexpr Field ADDRESS{63, 32};
  static constexpr Field VALUE{31, 0};
};

constexpr u64 kRoutable = 0x00f0'0000;  // I/O APIC inputs 20-23
constexpr std::array<u8, 2> kLegacyIrqs{0, 8};

using TimerReg = Reg<TimerConfig>;

}  // namespace

Hpet::Hpet(EventQueue& events, Frequency clock, Fsb fsb, MemoryPort& interconnect, Sink sink)
    : events_(events),
      clock_(clock),
      fsb_(fsb),
      interconnect_(interconnect),
      sink_(std::move(sink)) {
  for (unsigned i = 0; i < kTimers; ++i) {
    matches_[i] = events_.add("hpet.timer" + std::to_string(i), [this, i](Ps now) { match(i, now); });
  }
}

bool Hpet::runs() const { return Reg<Config>(state_.config)[Config::ENABLE]; }
bool Hpet::replaces_legacy() const { return Reg<Config>(state_.config)[Config::LEG_RT]; }

u64 Hpet::counter(Ps now) const {
  return runs() ? clock_.cycles_at(now) + state_.counter_base : state_.halted_at;
}

bool Hpet::is_periodic(const Timer& timer) const {
  return TimerReg(timer.config)[TimerConfig::PERIODIC];
}

bool Hpet::writes_period(const Timer& timer) const {
  return is_periodic(timer) && !TimerReg(timer.config)[TimerConfig::VAL_SET];
}

unsigned Hpet::width(const Timer& timer) const {
  return TimerReg(timer.config)[TimerConfig::MODE_32] ? 32 : 64;
}

Hpet::Route Hpet::route(unsigned index) const {
  if (replaces_legacy() && index < kLegacyIrqs.size()) {
    return {.is_legacy = true, .line = kLegacyIrqs[index]};
  }
  const TimerReg config(state_.timers[index].config);
  return {.is_legacy = false, .line = static_cast<u8>(config[TimerConfig::INT_ROUTE])};
}

// ---- time -------------------------------------------------------------------------------------

// A periodic comparator shows its next match. While interrupts are on, each match is an event that
// moves it on; else the matches since the last look are made up for here.
void Hpet::catch_up(Timer& timer, Ps now) {
  const u64 mask = low_mask(width(timer));
  const u64 period = timer.period & mask;
  if (!runs() || !is_periodic(timer) || period == 0) return;
  if (TimerReg(timer.config)[TimerConfig::INT_ENB]) return;
  const u64 behind = (counter(now) - timer.comparator) & mask;
  const bool passed = behind <= mask / 2;  // else the match is yet to come
  if (passed) timer.comparator = (timer.comparator + (behind / period + 1) * period) & mask;
}

void Hpet::schedule(unsigned index, Ps now) {
  const Timer& timer = state_.timers[index];
  if (!runs() || !TimerReg(timer.config)[TimerConfig::INT_ENB]) {
    events_.cancel(matches_[index]);
    return;
  }
  const u64 mask = low_mask(width(timer));
  const u64 ahead = (timer.comparator - counter(now)) & mask;
  const u64 ticks = clock_.cycles_at(now);
  // Just matched: the next is a whole turn of the counter away; in 64 bits that is centuries.
  const u64 turn = mask == ~u64{0} ? mask : mask + 1;
  const u64 distance = ahead == 0 ? turn : ahead;
  const bool representable = distance <= clock_.cycles_at(kNever) - ticks - 1;
  events_.schedule(matches_[index],
                   representable ? clock_.first_ps_of(ticks + distance) : kNever);
}

void Hpet::match(unsigned index, Ps now) {
  Timer& timer = state_.timers[index];
  interrupt(index, now);
  if (is_periodic(timer)) {
    timer.comparator = (timer.comparator + timer.period) & low_mask(width(timer));
  }
  schedule(index, now);
}

// ---- interrupts -------------------------------------------------------------------------------

void Hpet::interrupt(unsigned index, Ps now) {
  const Timer& timer = state_.timers[index];
  const TimerReg config(timer.config);
  if (!config[TimerConfig::INT_ENB]) return;
  if (config[TimerConfig::LEVEL]) {
    state_.status |= Flag{index}.mask();
    drive(index, true, now);
    return;
  }
  if (config[TimerConfig::FSB_EN]) {
    const u32 value = static_cast<u32>(FsbRoute::VALUE.get(timer.fsb));
    std::array<u8, sizeof value> bytes;
    std::memcpy(bytes.data(), &value, bytes.size());
    interconnect_.write(Hpa(FsbRoute::ADDRESS.get(timer.fsb)), bytes, now);
    return;
  }
  drive(index, true, now);
  drive(index, false, now);
}

void Hpet::drive(unsigned index, bool level, Ps now) { sink_(index, route(index), level, now); }

// ---- registers --------------------------------------------------------------------------------

u64 Hpet::read(u64 offset, unsigned size, Ps now) {
  const u64 value = read_register(align_down(offset, 8), now);
  const unsigned low = static_cast<unsigned>(8 * (offset % 8));
  return bits(value, low + 8 * size - 1, low);
}

u64 Hpet::read_register(u64 offset, Ps now) {
  if (offset == kCapabilities) {
    return Reg<Capabilities>()
        .with(Capabilities::PERIOD, kFemtosecondsPerSecond / clock_.hz)
        .with(Capabilities::VENDOR, 0x8086)
        .with(Capabilities::LEG_RT_CAP, 1)
        .with(Capabilities::COUNT_SIZE_CAP, 1)
        .with(Capabilities::LAST_TIMER, kTimers - 1)
        .with(Capabilities::REVISION, 1)
        .value;
  }
  if (offset == kConfig) return state_.config;
  if (offset == kStatus) return state_.status;
  if (offset == kCounter) return counter(now);
  if (offset < kFirstTimer || offset >= kFirstTimer + kTimers * kTimerStride) return 0;
  Timer& timer = state_.timers[(offset - kFirstTimer) / kTimerStride];
  switch ((offset - kFirstTimer) % kTimerStride) {
    case kTimerConfig:
      return TimerReg(timer.config)
          .with(TimerConfig::ROUTE_CAP, kRoutable)
          .with(TimerConfig::FSB_CAP, fsb_ == Fsb::kPresent)
          .with(TimerConfig::SIZE_CAP, 1)
          .with(TimerConfig::PER_CAP, 1)
          .value;
    case kComparator:
      catch_up(timer, now);
      return timer.comparator & low_mask(width(timer));
    case kFsbRoute:
      return timer.fsb;
    default:
      return 0;
  }
}

// A write of a part leaves the rest as it is; status bits are cleared by ones only, so that the rest
// of that register is written as zero.
void Hpet::write(u64 offset, unsigned size, u64 value, Ps now) {
  const u64 at = align_down(offset, 8);
  const unsigned low = static_cast<unsigned>(8 * (offset % 8));
  const Field lanes{low + 8 * size - 1, low};
  write_register(at, lanes.put(rest_of_write(at, now), value), now);
}

// What the bytes that a write does not carry are: a periodic comparator's write goes to the period.
u64 Hpet::rest_of_write(u64 offset, Ps now) {
  if (offset == kStatus) return 0;
  const bool is_timer = offset >= kFirstTimer && offset < kFirstTimer + kTimers * kTimerStride;
  if (is_timer && (offset - kFirstTimer) % kTimerStride == kComparator) {
    const Timer& timer = state_.timers[(offset - kFirstTimer) / kTimerStride];
    if (writes_period(timer)) return timer.period;
  }
  return read_register(offset, now);
}

void Hpet::write_register(u64 offset, u64 value, Ps now) {
  if (offset == kConfig) return write_config(value, now);
  if (offset == kStatus) return write_status(value, now);
  if (offset == kCounter) {
    if (!runs()) state_.halted_at = value;  // writes to a running counter have no defined meaning
    return;
  }
  if (offset < kFirstTimer || offset >= kFirstTimer + kTimers * kTimerStride) return;
  const unsigned index = static_cast<unsigned>((offset - kFirstTimer) / kTimerStride);
  switch ((offset - kFirstTimer) % kTimerStride) {
    case kTimerConfig:
      return write_timer_config(index, value, now);
    case kComparator:
      return write_comparator(index, value, now);
    case kFsbRoute:
      if (fsb_ == Fsb::kPresent) state_.timers[index].fsb = value;
      return;
    default:
      return;
  }
}

void Hpet::write_config(u64 value, Ps now) {
  const u64 at = counter(now);
  for (Timer& timer : state_.timers) catch_up(timer, now);
  const bool replaced = replaces_legacy();
  state_.config = value & Config::kWritable;
  state_.halted_at = at;
  state_.counter_base = at - clock_.cycles_at(now);
  for (unsigned i = 0; i < kTimers; ++i) schedule(i, now);
  if (replaced != replaces_legacy() && on_legacy_change_) on_legacy_change_(now);
}

void Hpet::write_status(u64 value, Ps now) {
  for (unsigned i = 0; i < kTimers; ++i) {
    if (!bit(value, i) || !bit(state_.status, i)) continue;
    state_.status &= ~Flag{i}.mask();
    drive(i, false, now);
  }
}

void Hpet::write_timer_config(unsigned index, u64 value, Ps now) {
  Timer& timer = state_.timers[index];
  catch_up(timer, now);
  const u64 fsb = fsb_ == Fsb::kPresent ? TimerConfig::FSB_EN.mask() : 0;
  const TimerReg old(timer.config);
  TimerReg config(value & (TimerConfig::kWritable | fsb));
  const bool was_level = bit(state_.status, index);
  if (was_level && (!config[TimerConfig::LEVEL] ||
                    config[TimerConfig::INT_ROUTE] != old[TimerConfig::INT_ROUTE])) {
    drive(index, false, now);  // where the line was until now
    state_.status &= ~Flag{index}.mask();
  }
  if (!config[TimerConfig::PERIODIC]) config.set(TimerConfig::VAL_SET, 0);
  timer.config = config.value;
  schedule(index, now);
}

// HPET "Timer n Comparator Value Register": of a periodic timer a write gives the period, unless
// VAL_SET asks for the accumulator; that bit clears itself.
void Hpet::write_comparator(unsigned index, u64 value, Ps now) {
  Timer& timer = state_.timers[index];
  TimerReg config(timer.config);
  const u64 mask = low_mask(width(timer));
  (writes_period(timer) ? timer.period : timer.comparator) = value & mask;
  config.set(TimerConfig::VAL_SET, 0);
  timer.config = config.value;
  schedule(index, now);
}

void Hpet::reset(Ps now) {
  write_status(~u64{0}, now);
  const bool replaced = replaces_legacy();
  state_ = {};
  for (unsigned i = 0; i < kTimers; ++i) schedule(i, now);
  if (replaced && on_legacy_change_) on_legacy_change_(now);
}

}  // namespace vtsim::chipset
