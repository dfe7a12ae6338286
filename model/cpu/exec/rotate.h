#pragma once
// Rotates and double shifts as functions of value, masked count and RFLAGS bits. SDM 2 "RCL/RCR/ROL/
// ROR", "SHLD", "SHRD".
//
// SDM-NOTE: OF is undefined for counts other than 1. We compute it from the result as for 1, which
// is what the processors show.

#include "model/cpu/flags.h"

namespace vtsim::cpu {

template <class T>
inline constexpr unsigned kCountMask = sizeof(T) == 8 ? 63 : 31;

template <class T>
inline constexpr unsigned kBitsOf = sizeof(T) * 8;

template <class T>
constexpr bool top_bit(T value) {
  return (value & kSignBit<T>) != 0;
}
template <class T>
constexpr bool second_bit(T value) {
  return (value & (kSignBit<T> >> 1)) != 0;
}

constexpr u64 with_carry_and_overflow(u64 flags, bool carry, bool overflow) {
  return Reg<Rflags>(flags).with(Rflags::CF, carry).with(Rflags::OF, overflow).value;
}

template <class T>
constexpr T rotated_left(T value, unsigned count) {
  count %= kBitsOf<T>;
  if (count == 0) return value;
  return static_cast<T>(static_cast<T>(value << count) | (value >> (kBitsOf<T> - count)));
}

struct Rol {
  static constexpr bool kReadsCarry = false;
  template <class T>
  static constexpr T apply(T value, unsigned count, u64& flags) {
    const T result = rotated_left(value, count);
    const bool carry = result & 1;
    if (count != 0) flags = with_carry_and_overflow(flags, carry, top_bit(result) != carry);
    return result;
  }
};

struct Ror {
  static constexpr bool kReadsCarry = false;
  template <class T>
  static constexpr T apply(T value, unsigned count, u64& flags) {
    const T result = rotated_left(value, kBitsOf<T> - count % kBitsOf<T>);
    if (count != 0)
      flags = with_carry_and_overflow(flags, top_bit(result), top_bit(result) != second_bit(result));
    return result;
  }
};

// Through CF: a rotation of one bit more than the operand has. Counts that are multiples of that
// change nothing.
struct Rcl {
  static constexpr bool kReadsCarry = true;
  template <class T>
  static constexpr T apply(T value, unsigned count, u64& flags) {
    count %= kBitsOf<T> + 1;
    bool carry = Reg<Rflags>(flags)[Rflags::CF];
    if (count == 0) return value;
    const u128 ring = static_cast<u128>(carry) << kBitsOf<T> | value;
    const u128 turned = ring << count | ring >> (kBitsOf<T> + 1 - count);
    const T result = static_cast<T>(turned);
    carry = static_cast<bool>((turned >> kBitsOf<T>) & 1);
    flags = with_carry_and_overflow(flags, carry, top_bit(result) != carry);
    return result;
  }
};

struct Rcr {
  static constexpr bool kReadsCarry = true;
  template <class T>
  static constexpr T apply(T value, unsigned count, u64& flags) {
    count %= kBitsOf<T> + 1;
    if (count == 0) return value;
    const bool carry_in = Reg<Rflags>(flags)[Rflags::CF];
    const u128 ring = static_cast<u128>(carry_in) << kBitsOf<T> | value;
    const u128 turned = ring >> count | ring << (kBitsOf<T> + 1 - count);
    const T result = static_cast<T>(turned);
    const bool carry = static_cast<bool>((turned >> kBitsOf<T>) & 1);
    flags = with_carry_and_overflow(flags, carry, top_bit(result) != second_bit(result));
    return result;
  }
};

// SDM-NOTE: SHLD and SHRD of 16 bits are undefined for counts above 16: Intel's processors go on
// with the source once more, as if it stood twice behind the destination.
template <class T>
constexpr u64 double_shift_flags(T result, bool carry, bool overflow) {
  return with_carry_and_overflow(flags_of<T>(FlagKind::kLogic, result, 0), carry, overflow);
}

struct Shld {
  template <class T>
  static constexpr T apply(T value, T source, unsigned count, u64& flags) {
    if (count == 0) return value;
    T result;
    bool carry;
    if constexpr (sizeof(T) == 2) {
      const u64 chain = static_cast<u64>(value) << 32 | static_cast<u64>(source) << 16 | source;
      result = static_cast<T>(chain << count >> 32);
      carry = bit(chain, 48 - count);
    } else {
      result = static_cast<T>(value << count | source >> (kBitsOf<T> - count));
      carry = bit(value, kBitsOf<T> - count);
    }
    flags = double_shift_flags(result, carry, top_bit(result) != carry);
    return result;
  }
};

struct Shrd {
  template <class T>
  static constexpr T apply(T value, T source, unsigned count, u64& flags) {
    if (count == 0) return value;
    T result;
    bool carry;
    if constexpr (sizeof(T) == 2) {
      const u64 chain = static_cast<u64>(source) << 32 | static_cast<u64>(source) << 16 | value;
      result = static_cast<T>(chain >> count);
      carry = bit(chain, count - 1);
    } else {
      result = static_cast<T>(value >> count | source << (kBitsOf<T> - count));
      carry = bit(value, count - 1);
    }
    flags = double_shift_flags(result, carry, top_bit(result) != second_bit(result));
    return result;
  }
};

}  // namespace vtsim::cpu
