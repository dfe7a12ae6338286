#include "model/chipset/pit_counter.h"

#include <algorithm>

namespace vtsim::chipset {
namespace {

constexpr u32 kBcdModulus = 10'000;
constexpr u32 kBinaryModulus = 65'536;

constexpr Field digit(unsigned n) { return {4 * n + 3, 4 * n}; }

u32 from_bcd(u16 value) {
  u64 sum = 0;
  for (unsigned n = 4; n-- > 0;) sum = sum * 10 + digit(n).get(value);
  return static_cast<u32>(sum);
}

u16 to_bcd(u64 value) {
  u64 result = 0;
  for (unsigned n = 0; n < 4; ++n, value /= 10) result = digit(n).put(result, value % 10);
  return static_cast<u16>(result);
}

}  // namespace

PitMode PitCounter::mode() const {
  constexpr u64 kDontCareM2 = 4;  // modes 2 and 3 are X10 and X11
  const u64 m = control[ControlWord::M];
  return static_cast<PitMode>(m > 5 ? m - kDontCareM2 : m);
}

bool PitCounter::reloads() const {
  return mode() == PitMode::kRateGenerator || mode() == PitMode::kSquareWave;
}

bool PitCounter::is_triggered() const {
  return mode() == PitMode::kOneShot || mode() == PitMode::kHardwareStrobe;
}

void PitCounter::advance(Tick tick) {
  if (load_at <= tick) load();
}

// "Mode 3": a count written in mid-cycle begins with the next half-cycle, so that a low half may
// begin with the new count. Every other load begins a new cycle.
void PitCounter::load() {
  const bool in_cycle = mode() == PitMode::kSquareWave && loaded && counting;
  const bool to_low_half = in_cycle && phase(load_at) != 0;
  const bool bcd = control[ControlWord::BCD];
  initial = bcd ? from_bcd(count_register) : count_register;
  if (initial == 0) initial = bcd ? kBcdModulus : kBinaryModulus;
  held = to_low_half ? high_ticks() : 0;
  start = load_at - held;
  load_at = kNoTick;
  loaded = true;
  null_count = false;
  counting = gate || is_triggered();
}

void PitCounter::stop(Tick tick) {
  held = elapsed(tick);
  counting = false;
}

void PitCounter::write_control(Reg<ControlWord> word, Tick tick) {
  idle_value = value(tick);
  control = word;
  count_written = false;
  null_count = true;
  loaded = false;
  counting = false;
  held = 0;
  load_at = kNoTick;
}

void PitCounter::begin_count(Tick tick) {
  if (mode() != PitMode::kInterruptOnTerminalCount) return;
  idle_value = value(tick);
  loaded = false;
  counting = false;
  held = 0;
  load_at = kNoTick;
}

void PitCounter::write_count(u16 value, Tick tick) {
  begin_count(tick);
  count_register = value;
  count_written = true;
  null_count = true;
  if (is_triggered()) return;
  if (!reloads() || !loaded) {
    load_at = tick + 1;
  } else if (counting && load_at == kNoTick) {
    load_at = next_reload(tick);
  }
}

void PitCounter::set_gate(bool level, Tick tick) {
  if (level == gate) return;
  gate = level;
  if (level) {
    if (is_triggered() || reloads()) {
      if (count_written) load_at = tick + 1;
    } else if (loaded) {
      start = tick - held;
      counting = true;
    }
  } else if (!is_triggered() && loaded) {
    stop(tick);
    // A reload due at the cycle's end waits for the trigger instead.
    if (reloads()) load_at = kNoTick;
  }
}

bool PitCounter::out(Tick tick) const {
  const Tick n{initial};
  switch (mode()) {
    case PitMode::kInterruptOnTerminalCount:
      return loaded && elapsed(tick) >= n;
    case PitMode::kOneShot:
      return !(loaded && elapsed(tick) < n);
    case PitMode::kRateGenerator:
      return !(loaded && counting && phase(tick) == n - 1);
    case PitMode::kSquareWave:
      return !(loaded && counting && phase(tick) >= high_ticks());
    case PitMode::kSoftwareStrobe:
    case PitMode::kHardwareStrobe:
      break;
  }
  return !(loaded && counting && elapsed(tick) == n);
}

u16 PitCounter::value(Tick tick) const {
  if (!loaded) return idle_value;
  const bool bcd = control[ControlWord::BCD];
  const Tick modulus = bcd ? kBcdModulus : kBinaryModulus;
  const Tick n{initial};
  Tick left = 0;
  if (mode() == PitMode::kSquareWave) {
    // Counts by two from an even number; the odd count's extra pulse shows zero.
    const Tick p = phase(tick);
    left = n - n % 2 - 2 * (p < high_ticks() ? p : p - high_ticks());
  } else if (mode() == PitMode::kRateGenerator) {
    left = n - phase(tick);
  } else {
    left = (n - elapsed(tick)) % modulus + modulus;
  }
  const auto shown = static_cast<u64>(left % modulus);
  return bcd ? to_bcd(shown) : static_cast<u16>(shown);
}

// The end of the cycle, in mode 3 of the half-cycle, that `tick` is in.
Tick PitCounter::next_reload(Tick tick) const {
  const Tick p = phase(tick);
  const bool in_high_half = mode() == PitMode::kSquareWave && p < high_ticks();
  return tick - p + (in_high_half ? high_ticks() : Tick{initial});
}

Tick PitCounter::next_edge(Tick tick) const {
  if (!loaded || !counting) return load_at;
  const Tick n{initial};
  const Tick k = elapsed(tick);
  Tick edge = kNoTick;
  switch (mode()) {
    case PitMode::kInterruptOnTerminalCount:
    case PitMode::kOneShot:
      if (k < n) edge = start + n;
      break;
    case PitMode::kRateGenerator:
      // A count of 1 is illegal here; OUT then stays low.
      if (n > 1) edge = phase(tick) < n - 1 ? tick - phase(tick) + n - 1 : tick + 1;
      break;
    case PitMode::kSquareWave:
      if (n > 1) edge = next_reload(tick);
      break;
    case PitMode::kSoftwareStrobe:
    case PitMode::kHardwareStrobe:
      if (k <= n) edge = k < n ? start + n : tick + 1;
      break;
  }
  return std::min(edge, load_at);
}

}  // namespace vtsim::chipset
