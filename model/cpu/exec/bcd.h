#pragma once
// Decimal adjustment as functions of AX and RFLAGS. SDM 2 "AAA", "AAD", "AAM", "AAS", "DAA", "DAS".
// SDM-NOTE: flags that the manual leaves undefined follow the result, OF is cleared.

#include "model/cpu/flags.h"

namespace vtsim::cpu {

struct Adjusted {
  u16 ax;
  u64 flags;
};

constexpr u64 adjusted_flags(u8 al, bool carry, bool adjust) {
  return Reg<Rflags>(flags_of<u8>(FlagKind::kLogic, al, 0))
      .with(Rflags::CF, carry)
      .with(Rflags::AF, adjust)
      .value;
}

constexpr u16 ax_of(u8 ah, u8 al) { return static_cast<u16>(ah << 8 | al); }
constexpr u8 low_digit(u8 al) { return al & 0xF; }

constexpr Adjusted aaa(u16 ax, u64 flags) {
  const bool adjust = low_digit(static_cast<u8>(ax)) > 9 || Reg<Rflags>(flags)[Rflags::AF];
  if (adjust) ax = static_cast<u16>(ax + 0x106);
  const u8 al = low_digit(static_cast<u8>(ax));
  return {ax_of(static_cast<u8>(ax >> 8), al), adjusted_flags(al, adjust, adjust)};
}

constexpr Adjusted aas(u16 ax, u64 flags) {
  const bool adjust = low_digit(static_cast<u8>(ax)) > 9 || Reg<Rflags>(flags)[Rflags::AF];
  if (adjust) ax = static_cast<u16>(ax - 0x106);
  const u8 al = low_digit(static_cast<u8>(ax));
  return {ax_of(static_cast<u8>(ax >> 8), al), adjusted_flags(al, adjust, adjust)};
}

constexpr Adjusted daa(u16 ax, u64 flags) {
  const Reg<Rflags> old(flags);
  const u8 old_al = static_cast<u8>(ax);
  u8 al = old_al;
  const bool adjust = low_digit(old_al) > 9 || old[Rflags::AF];
  if (adjust) al = static_cast<u8>(al + 6);
  const bool carry = old_al > 0x99 || old[Rflags::CF];
  if (carry) al = static_cast<u8>(al + 0x60);
  return {ax_of(static_cast<u8>(ax >> 8), al), adjusted_flags(al, carry, adjust)};
}

constexpr Adjusted das(u16 ax, u64 flags) {
  const Reg<Rflags> old(flags);
  const u8 old_al = static_cast<u8>(ax);
  u8 al = old_al;
  const bool adjust = low_digit(old_al) > 9 || old[Rflags::AF];
  bool carry = false;
  if (adjust) {
    carry = old[Rflags::CF] || al < 6;
    al = static_cast<u8>(al - 6);
  }
  if (old_al > 0x99 || old[Rflags::CF]) {
    al = static_cast<u8>(al - 0x60);
    carry = true;
  }
  return {ax_of(static_cast<u8>(ax >> 8), al), adjusted_flags(al, carry, adjust)};
}

constexpr Adjusted aad(u16 ax, u8 base) {
  const u8 al = static_cast<u8>(ax + (ax >> 8) * base);
  return {al, adjusted_flags(al, false, false)};
}

// `base` is not zero.
constexpr Adjusted aam(u16 ax, u8 base) {
  const u8 old_al = static_cast<u8>(ax);
  const u8 al = old_al % base;
  return {ax_of(old_al / base, al), adjusted_flags(al, false, false)};
}

}  // namespace vtsim::cpu
