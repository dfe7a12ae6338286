#pragma once
// Multiplication and division as functions. SDM 2 "MUL", "IMUL", "DIV", "IDIV".

#include <limits>

#include "model/cpu/flags.h"

namespace vtsim::cpu {

template <class T>
struct Product {
  T low;
  T high;
  bool overflow;  // the high half is more than the extension of the low one
};

template <bool is_signed, class T>
constexpr Product<T> multiply(T a, T b) {
  constexpr unsigned kBits = sizeof(T) * 8;
  if constexpr (is_signed) {
    using S = std::make_signed_t<T>;
    using Wide = std::conditional_t<sizeof(T) == 8, i128, i64>;
    const Wide wide = static_cast<Wide>(static_cast<S>(a)) * static_cast<S>(b);
    const T low = static_cast<T>(wide);
    return {low, static_cast<T>(wide >> kBits), wide != static_cast<S>(low)};
  } else {
    using Wide = std::conditional_t<sizeof(T) == 8, u128, u64>;
    const Wide wide = static_cast<Wide>(a) * b;
    const T high = static_cast<T>(wide >> kBits);
    return {static_cast<T>(wide), high, high != 0};
  }
}

// SDM-NOTE: SF, ZF, AF and PF are undefined; we derive them from the low half.
template <class T>
constexpr u64 multiply_flags(const Product<T>& product) {
  return Reg<Rflags>(flags_of<T>(FlagKind::kLogic, product.low, 0))
      .with(Rflags::CF, product.overflow)
      .with(Rflags::OF, product.overflow)
      .value;
}

template <class T>
struct Quotient {
  T quotient;
  T remainder;
};

// (high:low) / divisor; false: #DE (division by zero, or the quotient does not fit).
template <bool is_signed, class T>
constexpr bool divide(T high, T low, T divisor, Quotient<T>& out) {
  constexpr unsigned kBits = sizeof(T) * 8;
  if (divisor == 0) return false;
  if constexpr (is_signed) {
    using S = std::make_signed_t<T>;
    // Twice the operand's width is enough, and fast for all but 64 bits.
    using Wide = std::conditional_t<sizeof(T) == 8, i128, i64>;
    const Wide dividend = static_cast<Wide>(
        static_cast<Wide>(static_cast<S>(high)) * (Wide{1} << (kBits - 1)) * 2 + low);
    const Wide by = static_cast<S>(divisor);
    // The host's division must not see what overflows its own quotient.
    if (by == -1 && dividend <= std::numeric_limits<S>::min()) return false;
    if (dividend == static_cast<i64>(dividend)) {
      const i64 narrow = static_cast<i64>(dividend), narrow_by = static_cast<i64>(by);
      const i64 quotient = narrow / narrow_by;
      if (quotient != static_cast<S>(quotient)) return false;
      out = {static_cast<T>(quotient), static_cast<T>(narrow % narrow_by)};
      return true;
    }
    const Wide quotient = dividend / by;
    if (quotient != static_cast<S>(quotient)) return false;
    out = {static_cast<T>(quotient), static_cast<T>(dividend % by)};
    return true;
  } else {
    if (high >= divisor) return false;
    if (sizeof(T) < 8 || high == 0) {
      const u64 dividend = sizeof(T) < 8 ? static_cast<u64>(high) << (kBits % 64) | low : low;
      out = {static_cast<T>(dividend / divisor), static_cast<T>(dividend % divisor)};
      return true;
    }
    const u128 dividend = static_cast<u128>(high) << kBits | low;
    out = {static_cast<T>(dividend / divisor), static_cast<T>(dividend % divisor)};
    return true;
  }
}

}  // namespace vtsim::cpu
