#pragma once
// One counter of an 8254, as a pure function of the number of clock pulses ("ticks") since
// power-on: nothing counts, the counting element's value and OUT follow from the tick of the last
// load.
//
// Source: Intel 8254 data sheet, "Mode Definitions" and "Operation Common to All Modes". A write in
// tick t takes effect with the CLK pulse at t + 1; ticks never go backwards.

#include <limits>

#include "model/base/bits.h"

namespace vtsim::chipset {

using Tick = i64;  // signed: a load in mid-period moves the period's begin before power-on
inline constexpr Tick kNoTick = std::numeric_limits<Tick>::max();

struct ControlWord {
  static constexpr Flag BCD{0};
  static constexpr Field M{3, 1};
  static constexpr Field RW{5, 4};
  static constexpr Field SC{7, 6};
};

enum class PitMode : u8 {
  kInterruptOnTerminalCount,
  kOneShot,
  kRateGenerator,
  kSquareWave,
  kSoftwareStrobe,
  kHardwareStrobe,
};

struct PitCounter {
  Reg<ControlWord> control;  // as last written
  u16 count_register = 0;    // CR as written, binary or BCD
  bool count_written = false;
  bool null_count = true;  // CR has not reached the counting element
  bool gate = true;

  // The counting element.
  bool loaded = false;     // it has been loaded since the control word (mode 0: since the count)
  bool counting = false;   // CLK reaches it
  u32 initial = 0;         // the count in use, 1 to 65536
  Tick start = 0;          // while counting: the tick at which it held `initial`
  Tick held = 0;           // while not counting: ticks counted so far
  Tick load_at = kNoTick;  // when CR goes to the counting element
  u16 idle_value = 0;      // what it shows while not loaded

  PitMode mode() const;

  // Transfers CR if that is due by `tick`. To be called before everything below.
  void advance(Tick tick);

  void write_control(Reg<ControlWord> word, Tick tick);
  // The first of two bytes of a count: stops mode 0.
  void begin_count(Tick tick);
  void write_count(u16 value, Tick tick);
  void set_gate(bool level, Tick tick);

  bool out(Tick tick) const;
  // As software reads it: 16 bits, in BCD if the control word says so.
  u16 value(Tick tick) const;
  // The first tick after `tick` at which OUT may change by itself, or kNoTick.
  Tick next_edge(Tick tick) const;

 private:
  bool reloads() const;
  bool is_triggered() const;
  Tick elapsed(Tick tick) const { return counting ? tick - start : held; }
  Tick high_ticks() const { return (Tick{initial} + 1) / 2; }
  Tick phase(Tick tick) const { return elapsed(tick) % Tick{initial}; }
  Tick next_reload(Tick tick) const;
  void stop(Tick tick);
  void load();
};

}  // namespace vtsim::chipset
