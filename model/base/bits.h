#pragma once
// Bit fields in the manual's notation: Flag{n} is bit n, Field{hi, lo} is bits hi:lo.
//   struct Cr4 { static constexpr Flag PAE{5}; };
//   Reg<Cr4> cr4;   cr4[Cr4::PAE]   cr4.with(Cr4::PAE, 1)
// This header and the declarations of registers are the only places with shifts and masks.

#include "model/base/types.h"

namespace vtsim {

// The low `count` bits set; count 0..64.
constexpr u64 low_mask(unsigned count) { return count >= 64 ? ~u64{0} : (u64{1} << count) - 1; }

// Bits hi:lo of `value`, right-aligned.
constexpr u64 bits(u64 value, unsigned hi, unsigned lo) {
  return (value >> lo) & low_mask(hi - lo + 1);
}

constexpr bool bit(u64 value, unsigned n) { return (value >> n) & 1; }

// The low `width` bits of `value` as a two's complement number; width 1..64.
constexpr i64 sign_extend(u64 value, unsigned width) {
  return static_cast<i64>(value << (64 - width)) >> (64 - width);
}

// True when all bits above `width - 1` equal bit `width - 1` (width 48 or 57).
constexpr bool is_canonical(u64 linear, unsigned width) {
  return static_cast<u64>(sign_extend(linear, width)) == linear;
}

constexpr u64 align_down(u64 value, u64 power_of_two) { return value & ~(power_of_two - 1); }
constexpr u64 align_up(u64 value, u64 power_of_two) {
  return (value + power_of_two - 1) & ~(power_of_two - 1);
}

struct Flag {
  unsigned position;
  constexpr u64 mask() const { return u64{1} << position; }
};

struct Field {
  unsigned hi;
  unsigned lo;
  constexpr u64 mask() const { return low_mask(hi - lo + 1) << lo; }
  constexpr u64 get(u64 value) const { return bits(value, hi, lo); }
  constexpr u64 put(u64 value, u64 field) const {
    return (value & ~mask()) | ((field << lo) & mask());
  }
};

// A register's value; `Layout` declares its Flags and Fields.
template <class Layout>
struct Reg {
  u64 value = 0;

  constexpr Reg() = default;
  constexpr explicit Reg(u64 v) : value(v) {}

  constexpr bool operator[](Flag f) const { return (value >> f.position) & 1; }
  constexpr u64 operator[](Field f) const { return f.get(value); }
  constexpr Reg with(Flag f, u64 on) const {
    return Reg(on ? value | f.mask() : value & ~f.mask());
  }
  constexpr Reg with(Field f, u64 field) const { return Reg(f.put(value, field)); }
  constexpr void set(Flag f, u64 on) { *this = with(f, on); }
  constexpr void set(Field f, u64 field) { *this = with(f, field); }
  constexpr bool operator==(const Reg&) const = default;
};

}  // namespace vtsim
