#pragma once
// BMI1 and BMI2 as functions. SDM 2 "BEXTR", "BZHI", "PDEP", "PEXT".

#include "model/cpu/flags.h"

namespace vtsim::cpu {

template <class T>
constexpr T bit_field(T value, T control) {
  const unsigned start = static_cast<unsigned>(bits(control, 7, 0));
  const unsigned length = static_cast<unsigned>(bits(control, 15, 8));
  if (start >= sizeof(T) * 8) return 0;
  return static_cast<T>((value >> start) & low_mask(length));
}

template <class T>
constexpr T low_bits(T value, unsigned count) {
  return static_cast<T>(value & low_mask(count));
}

// Bits of `source`, lowest first, to the places that `mask` names.
template <class T>
constexpr T deposit_bits(T source, T mask) {
  T result = 0;
  for (; mask != 0; mask &= static_cast<T>(mask - 1), source >>= 1) {
    if (source & 1) result |= mask & static_cast<T>(-mask);
  }
  return result;
}

// Bits of `source` at the places that `mask` names, packed.
template <class T>
constexpr T extract_bits(T source, T mask) {
  T result = 0;
  for (T place = 1; mask != 0; mask &= static_cast<T>(mask - 1), place <<= 1) {
    if (source & mask & static_cast<T>(-mask)) result |= place;
  }
  return result;
}

}  // namespace vtsim::cpu
