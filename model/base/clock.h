#pragma once
// Simulated time. One unit for every clock of the machine: the picosecond (64 bits last 213 days).

#include "model/base/types.h"

namespace vtsim {

using Ps = u64;  // picoseconds since power-on

inline constexpr Ps kNever = ~Ps{0};
inline constexpr u64 kPsPerSecond = 1'000'000'000'000;
inline constexpr u64 kPsPerNs = 1'000;

// A free-running counter that started from 0 at power-on. Conversions are exact (128-bit) and
// consistent: cycles_at(first_ps_of(n)) == n, and cycles_at(first_ps_of(n) - 1) == n - 1.
struct Frequency {
  u64 hz = 1;

  // Whole cycles that have passed at `time`.
  constexpr u64 cycles_at(Ps time) const {
    return static_cast<u64>(static_cast<u128>(time) * hz / kPsPerSecond);
  }
  // The first picosecond at which the counter shows `cycle`.
  constexpr Ps first_ps_of(u64 cycle) const {
    return static_cast<Ps>((static_cast<u128>(cycle) * kPsPerSecond + hz - 1) / hz);
  }
};

}  // namespace vtsim
