#include "model/cpu/exec/soft_float.h"

#include <utility>

namespace vtsim::cpu {

namespace {

using u128 = unsigned __int128;

// sign * significand * 2^exponent
struct Finite {
  bool negative;
  int exponent;
  u128 significand;
};

unsigned leading_zeros(u128 x) {
  const u64 high = static_cast<u64>(x >> 64);
  return high != 0 ? static_cast<unsigned>(__builtin_clzll(high))
                   : 64 + static_cast<unsigned>(__builtin_clzll(static_cast<u64>(x)));
}

template <class F>
bool is_negative(u64 x) {
  return (x & F::kSign) != 0;
}
template <class F>
u64 signed_zero(bool negative) {
  return negative ? F::kSign : 0;
}

// The operand as the operation sees it.
template <class F>
u64 with_denormals_are_zeros(const FloatEnv& env, u64 x) {
  return env.has(Mxcsr::DAZ) && F::is_denormal(x) ? x & F::kSign : x;
}

template <class F>
void signal_denormal(FloatEnv& env, u64 x) {
  if (F::is_denormal(x)) env.signal(Mxcsr::DE);
}

template <class F>
Finite unpack(u64 x) {
  const int biased = static_cast<int>((x & F::kInfinity) >> F::kFraction);
  const u64 fraction = x & F::kFractionMask;
  if (biased == 0) return {is_negative<F>(x), F::kMin - static_cast<int>(F::kFraction), fraction};
  return {is_negative<F>(x), biased - F::kBias - static_cast<int>(F::kFraction),
          fraction | (u64{1} << F::kFraction)};
}

// The low `count` bits are dropped. False: they were all zero.
struct Rounded {
  u128 value;
  bool inexact;
};
Rounded drop_bits(u128 value, unsigned count, Rounding rounding, bool negative) {
  if (count == 0) return {value, false};
  if (count > 127) {  // less than one unit is left; exactly 128 tells how much
    const bool above_half = count == 128 && value > u128{1} << 127;
    const bool up = rounding == Rounding::kNearest
                        ? above_half
                        : rounding == (negative ? Rounding::kDown : Rounding::kUp);
    return {u128{up}, true};
  }
  const u128 kept = value >> count;
  const u128 rest = value & ((u128{1} << count) - 1);
  if (rest == 0) return {kept, false};
  const u128 half = u128{1} << (count - 1);
  bool up = false;
  switch (rounding) {
    case Rounding::kNearest:
      up = rest > half || (rest == half && (kept & 1) != 0);
      break;
    case Rounding::kDown:
      up = negative;
      break;
    case Rounding::kUp:
      up = !negative;
      break;
    case Rounding::kZero:
      break;
  }
  return {kept + up, true};
}

template <class F>
u64 overflowed(FloatEnv& env, bool negative, bool inexact) {
  env.signal(Mxcsr::OE);
  if (inexact || env.has(Mxcsr::OM)) env.signal(Mxcsr::PE);
  const Rounding rounding = env.rounding();
  const bool to_infinity =
      rounding == Rounding::kNearest || rounding == (negative ? Rounding::kDown : Rounding::kUp);
  return signed_zero<F>(negative) | (to_infinity ? F::kInfinity : F::kInfinity - 1);
}

// The result's format and flags. Tininess is detected after rounding.
template <class F>
u64 round_and_pack(FloatEnv& env, Finite x) {
  if (x.significand == 0) return signed_zero<F>(x.negative);
  const unsigned shift = leading_zeros(x.significand);
  x.significand <<= shift;
  int top = x.exponent + 127 - static_cast<int>(shift);  // exponent of the leading bit
  constexpr unsigned kDropped = 128 - (F::kFraction + 1);
  const Rounding rounding = env.rounding();

  Rounded normal = drop_bits(x.significand, kDropped, rounding, x.negative);
  if (normal.value >> (F::kFraction + 1) != 0) {
    normal.value >>= 1;
    ++top;
  }
  if (top < F::kMin) {
    if (!env.has(Mxcsr::UM)) {  // unmasked: whether exact or not
      env.signal(Mxcsr::UE);
      if (normal.inexact) env.signal(Mxcsr::PE);
      return signed_zero<F>(x.negative);
    }
    if (env.has(Mxcsr::FTZ)) {
      env.signal(Mxcsr::UE);
      env.signal(Mxcsr::PE);
      return signed_zero<F>(x.negative);
    }
  }
  const int unrounded_top = x.exponent + 127 - static_cast<int>(shift);
  if (unrounded_top < F::kMin) {  // denormal, or the smallest normal number
    const unsigned more = static_cast<unsigned>(F::kMin - unrounded_top);
    const Rounded denormal = drop_bits(x.significand, kDropped + more, rounding, x.negative);
    if (denormal.inexact) {
      env.signal(Mxcsr::PE);
      if (top < F::kMin) env.signal(Mxcsr::UE);
    }
    return signed_zero<F>(x.negative) | static_cast<u64>(denormal.value);
  }
  if (top > F::kMax) return overflowed<F>(env, x.negative, normal.inexact);
  if (normal.inexact) env.signal(Mxcsr::PE);
  return signed_zero<F>(x.negative) | static_cast<u64>(top + F::kBias) << F::kFraction |
         (static_cast<u64>(normal.value) & F::kFractionMask);
}

// A zero that is the sum of numbers that cancel, or of zeros of different sign.
template <class F>
u64 cancelled_zero(const FloatEnv& env) {
  return signed_zero<F>(env.rounding() == Rounding::kDown);
}

// Exact but for a sticky lowest bit. Both have significands below 2^108.
Finite sum(Finite a, Finite b) {
  if (a.significand == 0) return b;
  if (b.significand == 0) return a;
  // Leading bits at 125: room for a carry.
  for (Finite* x : {&a, &b}) {
    const unsigned shift = leading_zeros(x->significand) - 2;
    x->significand <<= shift;
    x->exponent -= static_cast<int>(shift);
  }
  if (a.exponent < b.exponent) std::swap(a, b);
  const unsigned distance = static_cast<unsigned>(a.exponent - b.exponent);
  if (distance > 0) {
    const u128 lost = distance > 127 ? b.significand : b.significand & ((u128{1} << distance) - 1);
    b.significand = distance > 127 ? 0 : b.significand >> distance;
    if (lost != 0) b.significand |= 1;
  }
  if (a.negative == b.negative) return {a.negative, a.exponent, a.significand + b.significand};
  if (a.significand >= b.significand)
    return {a.negative, a.exponent, a.significand - b.significand};
  return {b.negative, a.exponent, b.significand - a.significand};
}

template <class F>
u64 invalid(FloatEnv& env) {
  env.signal(Mxcsr::IE);
  return F::kIndefinite;
}

}  // namespace

template <class F>
u64 propagate_nan(FloatEnv& env, u64 a, u64 b) {
  if (F::is_signaling(a) || F::is_signaling(b)) env.signal(Mxcsr::IE);
  return (F::is_nan(a) ? a : b) | F::kQuiet;
}

template <class F>
u64 soft_fma(FloatEnv& env, u64 x, u64 y, u64 z, FmaSigns signs) {
  if (F::is_nan(x) || F::is_nan(y) || F::is_nan(z)) {
    if (F::is_signaling(z)) env.signal(Mxcsr::IE);
    return F::is_nan(x) || F::is_nan(y) ? propagate_nan<F>(env, x, y) : z | F::kQuiet;
  }
  x = with_denormals_are_zeros<F>(env, x);
  y = with_denormals_are_zeros<F>(env, y);
  z = with_denormals_are_zeros<F>(env, z);
  if (signs.negate_product) x ^= F::kSign;
  if (signs.negate_addend) z ^= F::kSign;
  const bool product_negative = is_negative<F>(x) != is_negative<F>(y);
  const bool product_infinite = F::is_infinite(x) || F::is_infinite(y);
  if (product_infinite && (F::is_zero(x) || F::is_zero(y))) return invalid<F>(env);
  if (product_infinite && F::is_infinite(z) && product_negative != is_negative<F>(z))
    return invalid<F>(env);
  signal_denormal<F>(env, x);
  signal_denormal<F>(env, y);
  signal_denormal<F>(env, z);
  if (product_infinite) return signed_zero<F>(product_negative) | F::kInfinity;
  if (F::is_infinite(z)) return z;

  const Finite fx = unpack<F>(x), fy = unpack<F>(y), fz = unpack<F>(z);
  const Finite product{product_negative, fx.exponent + fy.exponent,
                       fx.significand * fy.significand};
  if (product.significand == 0 && fz.significand == 0)
    return product.negative == fz.negative ? signed_zero<F>(fz.negative) : cancelled_zero<F>(env);
  const Finite total = sum(product, fz);
  return total.significand == 0 ? cancelled_zero<F>(env) : round_and_pack<F>(env, total);
}

template <class F>
u64 soft_add(FloatEnv& env, u64 a, u64 b) {
  if (F::is_nan(a) || F::is_nan(b)) return propagate_nan<F>(env, a, b);
  constexpr u64 kOne = static_cast<u64>(F::kBias) << F::kFraction;
  return soft_fma<F>(env, a, kOne, b, {});
}
template <class F>
u64 soft_sub(FloatEnv& env, u64 a, u64 b) {
  if (F::is_nan(a) || F::is_nan(b)) return propagate_nan<F>(env, a, b);
  return soft_add<F>(env, a, b ^ F::kSign);
}
template <class F>
u64 soft_mul(FloatEnv& env, u64 a, u64 b) {
  if (F::is_nan(a) || F::is_nan(b)) return propagate_nan<F>(env, a, b);
  return soft_fma<F>(env, a, b, signed_zero<F>(is_negative<F>(a) != is_negative<F>(b)), {});
}

template <class F>
u64 soft_div(FloatEnv& env, u64 a, u64 b) {
  if (F::is_nan(a) || F::is_nan(b)) return propagate_nan<F>(env, a, b);
  a = with_denormals_are_zeros<F>(env, a);
  b = with_denormals_are_zeros<F>(env, b);
  const bool negative = is_negative<F>(a) != is_negative<F>(b);
  if ((F::is_infinite(a) && F::is_infinite(b)) || (F::is_zero(a) && F::is_zero(b)))
    return invalid<F>(env);
  if (F::is_zero(b)) {
    if (!F::is_infinite(a)) env.signal(Mxcsr::ZE);
    return signed_zero<F>(negative) | F::kInfinity;
  }
  signal_denormal<F>(env, a);
  signal_denormal<F>(env, b);
  if (F::is_infinite(a)) return signed_zero<F>(negative) | F::kInfinity;
  if (F::is_infinite(b) || F::is_zero(a)) return signed_zero<F>(negative);
  const Finite fa = unpack<F>(a), fb = unpack<F>(b);
  const unsigned shift = leading_zeros(fa.significand);
  const u128 dividend = fa.significand << shift;
  const u128 quotient = dividend / fb.significand;
  const bool rest = dividend % fb.significand != 0;
  return round_and_pack<F>(
      env, {negative, fa.exponent - static_cast<int>(shift) - fb.exponent, quotient | rest});
}

template <class To, class From>
u64 soft_convert(FloatEnv& env, u64 x) {
  const bool negative = is_negative<From>(x);
  if (From::is_nan(x)) {
    if (From::is_signaling(x)) env.signal(Mxcsr::IE);
    const u64 fraction = x & From::kFractionMask;
    constexpr int kShift = static_cast<int>(From::kFraction) - static_cast<int>(To::kFraction);
    const u64 payload = kShift >= 0 ? fraction >> (kShift & 63) : fraction << (-kShift & 63);
    return signed_zero<To>(negative) | To::kInfinity | To::kQuiet | payload;
  }
  x = with_denormals_are_zeros<From>(env, x);
  if (From::is_infinite(x)) return signed_zero<To>(negative) | To::kInfinity;
  if (From::is_zero(x)) return signed_zero<To>(negative);
  signal_denormal<From>(env, x);
  return round_and_pack<To>(env, unpack<From>(x));
}

template <class F>
u64 soft_round(FloatEnv& env, u64 x, RoundControl control) {
  if (F::is_nan(x)) return propagate_nan<F>(env, x, x);
  x = with_denormals_are_zeros<F>(env, x);
  const Finite value = unpack<F>(x);
  if (F::is_infinite(x) || F::is_zero(x) || value.exponent >= 0) return x;
  const Rounded rounded = drop_bits(value.significand, static_cast<unsigned>(-value.exponent),
                                    control.rounding, value.negative);
  if (rounded.inexact && !control.suppress_precision) env.signal(Mxcsr::PE);
  FloatEnv exact{Mxcsr::kDefault};
  return round_and_pack<F>(exact, {value.negative, 0, rounded.value});
}

template u64 propagate_nan<Single>(FloatEnv&, u64, u64);
template u64 propagate_nan<Double>(FloatEnv&, u64, u64);
template u64 soft_add<Single>(FloatEnv&, u64, u64);
template u64 soft_add<Double>(FloatEnv&, u64, u64);
template u64 soft_sub<Single>(FloatEnv&, u64, u64);
template u64 soft_sub<Double>(FloatEnv&, u64, u64);
template u64 soft_mul<Single>(FloatEnv&, u64, u64);
template u64 soft_mul<Double>(FloatEnv&, u64, u64);
template u64 soft_div<Single>(FloatEnv&, u64, u64);
template u64 soft_div<Double>(FloatEnv&, u64, u64);
template u64 soft_fma<Single>(FloatEnv&, u64, u64, u64, FmaSigns);
template u64 soft_fma<Double>(FloatEnv&, u64, u64, u64, FmaSigns);
template u64 soft_convert<Single, Double>(FloatEnv&, u64);
template u64 soft_convert<Double, Single>(FloatEnv&, u64);
template u64 soft_convert<Half, Single>(FloatEnv&, u64);
template u64 soft_convert<Single, Half>(FloatEnv&, u64);
template u64 soft_round<Single>(FloatEnv&, u64, RoundControl);
template u64 soft_round<Double>(FloatEnv&, u64, RoundControl);

}  // namespace vtsim::cpu
