#pragma once
// Values of the x87 FPU. SDM 1 "Numeric Data Types > Floating-Point Data Types", "x87 FPU Data
// Types".

#include <cstddef>
#include <cstring>

#include "model/base/bits.h"

namespace vtsim::cpu {

//   double extended precision, as it lies in memory: 10 bytes
//   63:0 significand, bit 63 the integer bit | 78:64 biased exponent | 79 sign
struct Float80 {
  u64 significand = 0;
  u16 sign_exponent = 0;

  static constexpr unsigned kMaxExponent = 0x7FFF;
  static constexpr int kBias = 16383;

  constexpr bool negative() const { return bit(sign_exponent, 15); }
  constexpr unsigned exponent() const { return static_cast<unsigned>(bits(sign_exponent, 14, 0)); }
  constexpr bool operator==(const Float80&) const = default;

  // To and from the ten bytes in memory.
  static constexpr std::size_t kBytes = 10;
  static Float80 from(const u8* bytes) {
    Float80 value;
    std::memcpy(&value.significand, bytes, sizeof value.significand);
    std::memcpy(&value.sign_exponent, bytes + 8, sizeof value.sign_exponent);
    return value;
  }
  void to(u8* bytes) const { std::memcpy(bytes, this, kBytes); }
};
static_assert(offsetof(Float80, sign_exponent) == 8);

// m32fp and m64fp, in their encodings.
struct Single {
  u32 bits = 0;
};
struct Double {
  u64 bits = 0;
};

enum class FloatClass : u8 {
  kZero,
  kDenormal,  // pseudo-denormals too
  kNormal,
  kInfinity,
  kQuietNan,
  kSignalingNan,
  kUnsupported,  // unnormals, pseudo-infinities, pseudo-NaNs
};

inline constexpr u64 kIntegerBit = u64{1} << 63;
inline constexpr u64 kQuietBit = u64{1} << 62;

constexpr FloatClass class_of(const Float80& x) {
  if (x.exponent() == 0) return x.significand == 0 ? FloatClass::kZero : FloatClass::kDenormal;
  if ((x.significand & kIntegerBit) == 0) return FloatClass::kUnsupported;
  if (x.exponent() != Float80::kMaxExponent) return FloatClass::kNormal;
  if (x.significand == kIntegerBit) return FloatClass::kInfinity;
  return (x.significand & kQuietBit) ? FloatClass::kQuietNan : FloatClass::kSignalingNan;
}
constexpr bool is_nan_or_unsupported(const Float80& x) {
  return class_of(x) >= FloatClass::kQuietNan;
}

constexpr Float80 make_float80(bool negative, unsigned exponent, u64 significand) {
  return {significand, static_cast<u16>((negative ? 0x8000 : 0) | exponent)};
}
constexpr Float80 zero80(bool negative) { return make_float80(negative, 0, 0); }
constexpr Float80 infinity80(bool negative) {
  return make_float80(negative, Float80::kMaxExponent, kIntegerBit);
}
inline constexpr Float80 kOne80{kIntegerBit, Float80::kBias};
// SDM 1 "QNaN Floating-Point Indefinite".
inline constexpr Float80 kIndefinite80{kIntegerBit | kQuietBit, 0xFFFF};

// Exact.
constexpr Float80 float80_of(i64 value) {
  if (value == 0) return {};
  const bool negative = value < 0;
  const u64 magnitude = negative ? ~static_cast<u64>(value) + 1 : static_cast<u64>(value);
  const int shift = __builtin_clzll(magnitude);
  return make_float80(negative, static_cast<unsigned>(Float80::kBias + 63 - shift),
                      magnitude << shift);
}

}  // namespace vtsim::cpu
