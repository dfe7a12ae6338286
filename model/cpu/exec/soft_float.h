#pragma once
// IEEE arithmetic on bit patterns, with every detail of MXCSR: for what the host's instructions
// don't tell (unmasked underflow and overflow) or may lack (FMA, half precision). SDM 1 "SIMD
// Floating-Point Exceptions", "Underflow", "Flush-To-Zero", "Denormals-Are-Zeros".

#include "model/base/bits.h"

namespace vtsim::cpu {

struct Mxcsr {
  static constexpr Flag IE{0}, DE{1}, ZE{2}, OE{3}, UE{4}, PE{5}, DAZ{6}, OM{10}, UM{11}, FTZ{15};
  static constexpr Field FLAGS{5, 0}, MASKS{12, 7}, RC{14, 13};
  static constexpr u32 kDefault = 0x1F80;  // all masked, to nearest
};

enum class Rounding : u8 { kNearest, kDown, kUp, kZero };

// Controls come in, flags go out.
struct FloatEnv {
  u32 mxcsr;
  u32 flags = 0;

  void signal(Flag flag) { flags |= static_cast<u32>(flag.mask()); }
  bool has(Flag flag) const { return (mxcsr & flag.mask()) != 0; }
  Rounding rounding() const { return static_cast<Rounding>(Mxcsr::RC.get(mxcsr)); }
};

template <unsigned exponent_bits, unsigned fraction_bits>
struct FloatFormat {
  static constexpr unsigned kFraction = fraction_bits;
  static constexpr unsigned kSignBit = exponent_bits + fraction_bits;
  static constexpr int kBias = (1 << (exponent_bits - 1)) - 1;
  static constexpr int kMin = 1 - kBias;  // exponent of the smallest normal number
  static constexpr int kMax = kBias;
  static constexpr u64 kSign = u64{1} << kSignBit;
  static constexpr u64 kFractionMask = low_mask(fraction_bits);
  static constexpr u64 kInfinity = low_mask(exponent_bits) << fraction_bits;
  static constexpr u64 kQuiet = u64{1} << (fraction_bits - 1);
  static constexpr u64 kIndefinite = kSign | kInfinity | kQuiet;

  static constexpr u64 magnitude(u64 x) { return x & (kSign - 1); }
  static constexpr bool is_nan(u64 x) { return magnitude(x) > kInfinity; }
  static constexpr bool is_signaling(u64 x) { return is_nan(x) && (x & kQuiet) == 0; }
  static constexpr bool is_infinite(u64 x) { return magnitude(x) == kInfinity; }
  static constexpr bool is_zero(u64 x) { return magnitude(x) == 0; }
  static constexpr bool is_denormal(u64 x) {
    return (x & kInfinity) == 0 && (x & kFractionMask) != 0;
  }
};
using Half = FloatFormat<5, 10>;
using Single = FloatFormat<8, 23>;
using Double = FloatFormat<11, 52>;

// The format of an element of type u32 or u64.
template <class T>
struct FormatOfElement;
template <>
struct FormatOfElement<u32> {
  using type = Single;
};
template <>
struct FormatOfElement<u64> {
  using type = Double;
};
template <class T>
using FormatOf = typename FormatOfElement<T>::type;

// The result of the sources' NaNs: the first source that is one, quieted. Signals IE for signaling
// ones. SDM 1 "Operating on SNaNs and QNaNs".
template <class F>
u64 propagate_nan(FloatEnv& env, u64 a, u64 b);

template <class F>
u64 soft_add(FloatEnv& env, u64 a, u64 b);
template <class F>
u64 soft_sub(FloatEnv& env, u64 a, u64 b);
template <class F>
u64 soft_mul(FloatEnv& env, u64 a, u64 b);
template <class F>
u64 soft_div(FloatEnv& env, u64 a, u64 b);

// x * y + z, the product and z negated first where asked for (which changes no NaN).
struct FmaSigns {
  bool negate_product;
  bool negate_addend;
};
template <class F>
u64 soft_fma(FloatEnv& env, u64 x, u64 y, u64 z, FmaSigns signs);

// Between formats; the environment decides about denormals, rounding and flushing.
template <class To, class From>
u64 soft_convert(FloatEnv& env, u64 x);

// To an integral value in the same format. Precision is signaled unless suppressed.
struct RoundControl {
  Rounding rounding;
  bool suppress_precision;
};
template <class F>
u64 soft_round(FloatEnv& env, u64 x, RoundControl control);

}  // namespace vtsim::cpu
