#include "model/cpu/exec/x87_transcendental.h"

#include <mpfr.h>

#include "model/cpu/exec/x87_host.h"

namespace vtsim::cpu {

namespace {

// ---- numbers of any precision

class Number {
 public:
  explicit Number(mpfr_prec_t precision) { mpfr_init2(value_, precision); }
  explicit Number(const Float80& x) : Number(64) {
    const int exponent = static_cast<int>(x.exponent() == 0 ? 1 : x.exponent());
    mpfr_set_ui_2exp(value_, x.significand, exponent - Float80::kBias - 63, MPFR_RNDN);
    if (x.negative()) mpfr_neg(value_, value_, MPFR_RNDN);
  }
  ~Number() { mpfr_clear(value_); }
  Number(const Number&) = delete;
  Number& operator=(const Number&) = delete;

  operator mpfr_ptr() { return value_; }
  operator mpfr_srcptr() const { return value_; }

 private:
  mpfr_t value_;
};

// The range of exponents that a register has, for the time of one rounding. In MPFR's terms, where
// significands are in [1/2, 1).
class RegisterRange {
 public:
  RegisterRange() : emin_(mpfr_get_emin()), emax_(mpfr_get_emax()) {
    mpfr_set_emin(kEmin);
    mpfr_set_emax(kEmax);
  }
  ~RegisterRange() {
    mpfr_set_emin(emin_);
    mpfr_set_emax(emax_);
  }
  RegisterRange(const RegisterRange&) = delete;
  RegisterRange& operator=(const RegisterRange&) = delete;

  static constexpr mpfr_exp_t kEmax = 16384;
  static constexpr mpfr_exp_t kEminNormal = -16381;
  static constexpr mpfr_exp_t kEmin = kEminNormal - 63;  // the smallest denormal

 private:
  mpfr_exp_t emin_, emax_;
};

mpfr_rnd_t mode_of(u16 control) {
  switch (static_cast<Rounding>(X87Control::RC.get(control))) {
    case Rounding::kDown:
      return MPFR_RNDD;
    case Rounding::kUp:
      return MPFR_RNDU;
    case Rounding::kZero:
      return MPFR_RNDZ;
    default:
      return MPFR_RNDN;
  }
}
mpfr_rnd_t mirrored(mpfr_rnd_t mode) {
  return mode == MPFR_RNDD ? MPFR_RNDU : mode == MPFR_RNDU ? MPFR_RNDD : mode;
}

Float80 float80_of(const Number& x) {
  const bool negative = mpfr_signbit(x) != 0;
  if (mpfr_inf_p(x)) return infinity80(negative);
  if (mpfr_zero_p(x)) return zero80(negative);
  const mpfr_exp_t exponent = mpfr_get_exp(x) - 1 + Float80::kBias;
  Number integer(64);
  mpfr_mul_2si(integer, x, 64 - mpfr_get_exp(x), MPFR_RNDN);
  mpfr_abs(integer, integer, MPFR_RNDN);
  const u64 significand = mpfr_get_ui(integer, MPFR_RNDN);
  if (exponent >= 1) return make_float80(negative, static_cast<unsigned>(exponent), significand);
  return make_float80(negative, 0, significand >> (1 - exponent));
}

bool masked(u16 control, u16 exceptions) { return (exceptions & ~control) == 0; }

X87Result<Float80> exactly(const Float80& value, u16 status = 0) { return {value, status}; }

// `x` is a result rounded to 64 bits without bounds of the exponent, `ternary` tells on which side
// of the exact value it lies. SDM 1 "Numeric Overflow Exception", "Numeric Underflow Exception".
X87Result<Float80> delivered(u16 control, Number& x, int ternary) {
  constexpr int kScale = 24576;
  const mpfr_rnd_t mode = mode_of(control);
  u16 status = 0;
  const mpfr_exp_t exponent = mpfr_get_exp(x);
  const bool huge = exponent > RegisterRange::kEmax, tiny = exponent < RegisterRange::kEminNormal;
  if (huge && !masked(control, X87Status::kOverflow)) {
    mpfr_div_2si(x, x, kScale, mode);
    status |= X87Status::kOverflow;
  } else if (tiny && !masked(control, X87Status::kUnderflow)) {
    mpfr_mul_2si(x, x, kScale, mode);
    status |= X87Status::kUnderflow;
  } else if (huge || tiny) {
    const RegisterRange range;
    ternary = mpfr_check_range(x, ternary, mode);
    ternary = mpfr_subnormalize(x, ternary, mode);
    if (huge) status |= X87Status::kOverflow;
    if (tiny && ternary != 0) status |= X87Status::kUnderflow;
  }
  if (ternary != 0) status |= X87Status::kPrecision;
  const bool away_from_zero = mpfr_signbit(x) ? ternary < 0 : ternary > 0;
  if (away_from_zero) status |= static_cast<u16>(X87Status::C1.mask());
  return {float80_of(x), status};
}

// Rounds `approximate(Number&)`, which computes a value that is no 65-bit number with an error
// below 2^4 units in the last place of the precision it is given: more of it until the rounding is
// certain.
template <class Approximate>
X87Result<Float80> rounded(u16 control, Approximate approximate) {
  constexpr mpfr_prec_t kFirst = 160;
  const mpfr_rnd_t mode = mode_of(control);
  for (mpfr_prec_t precision = kFirst;; precision *= 2) {
    Number near(precision), result(64);
    approximate(near);
    // one bit more than the result has decides between neighbours in every mode
    if (!mpfr_can_round(near, precision - 4, MPFR_RNDN, MPFR_RNDZ, 66)) continue;
    const int ternary = mpfr_set(result, near, mode);
    return delivered(control, result, ternary);
  }
}

// ---- operands that need no computing

u16 denormal_status(const Float80& x) {
  return class_of(x) == FloatClass::kDenormal ? X87Status::kDenormal : u16{0};
}
X87Result<Float80> invalid() { return exactly(kIndefinite80, X87Status::kInvalid); }

// The NaN that two operands give, or one with itself: as for FADD.
X87Result<Float80> nan_of(u16 control, const Float80& a, const Float80& b) {
  return host::Add::apply(control, a, b);
}

// `compute` unless an unmasked denormal exception keeps it from starting.
template <class Compute>
X87Result<Float80> with_denormals(u16 control, u16 denormal, Compute compute) {
  if (!masked(control, denormal)) return exactly({}, denormal);
  X87Result<Float80> result = compute();
  result.status |= denormal;
  return result;
}

bool is_one(const Float80& x) { return x == kOne80; }
bool is_zero(const Float80& x) { return class_of(x) == FloatClass::kZero; }
bool is_infinite(const Float80& x) { return class_of(x) == FloatClass::kInfinity; }

// ---- trigonometric functions

// SDM 1 "Approximation of Pi": arguments are reduced by a pi of 66 significant bits. The nearest
// multiple of pi / 2 is subtracted, without any rounding; the result is the multiple modulo 4.
unsigned reduce(const Float80& x, Number& reduced) {
  Number half_pi(66), quotient(64), multiple(200), argument(x);
  mpfr_set_ui_2exp(half_pi, 0xC90FDAA22168C234, 2 - 64 - 1, MPFR_RNDN);
  Number tail(66);
  mpfr_set_ui_2exp(tail, 3, 2 - 66 - 1, MPFR_RNDN);
  mpfr_add(half_pi, half_pi, tail, MPFR_RNDN);
  mpfr_div(multiple, argument, half_pi, MPFR_RNDN);
  mpfr_rint(quotient, multiple, MPFR_RNDN);
  mpfr_mul(multiple, quotient, half_pi, MPFR_RNDN);
  mpfr_sub(reduced, argument, multiple, MPFR_RNDN);
  return static_cast<unsigned>(mpfr_get_si(quotient, MPFR_RNDN)) & 3;
}

using MpfrFunction = int (*)(mpfr_ptr, mpfr_srcptr, mpfr_rnd_t);

// function(x), negated if asked to.
enum class Sign : u8 { kKeep, kNegate };
X87Result<Float80> signed_function(u16 control, MpfrFunction function, const Number& x, Sign sign) {
  const mpfr_rnd_t mode = mode_of(control);
  Number result(64);
  if (sign == Sign::kKeep) return delivered(control, result, function(result, x, mode));
  const int ternary = function(result, x, mirrored(mode));
  mpfr_neg(result, result, MPFR_RNDN);
  return delivered(control, result, -ternary);
}

constexpr mpfr_prec_t kReducedBits = 256;

// sin(x + quarter * pi / 2)
X87Result<Float80> sine_in_quarter(u16 control, const Number& x, unsigned quarter) {
  const Sign sign = (quarter & 2) ? Sign::kNegate : Sign::kKeep;
  return signed_function(control, (quarter & 1) ? mpfr_cos : mpfr_sin, x, sign);
}

// Everything but finite numbers other than zero; true: `result` is given.
bool trigonometric_special(u16 control, const Float80& x, const Float80& at_zero,
                           X87Result<Float80>& result) {
  if (is_nan_or_unsupported(x)) {
    result = nan_of(control, x, x);
  } else if (is_infinite(x)) {
    result = invalid();
  } else if (is_zero(x)) {
    result = exactly(at_zero);
  } else {
    return false;
  }
  return true;
}

// ---- logarithms

// y * infinity or y * zero with the sign of the factors; y is no NaN.
X87Result<Float80> times_infinity(const Float80& y, bool negative) {
  return is_zero(y) ? invalid() : exactly(infinity80(y.negative() != negative));
}
X87Result<Float80> times_zero(const Float80& y, bool negative) {
  return is_infinite(y) ? invalid() : exactly(zero80(y.negative() != negative));
}

// y * log2(x), x > 0 and finite; y finite, other than zero.
X87Result<Float80> rounded_logarithm(u16 control, const Number& y, const Number& x) {
  Number power(64);
  mpfr_set_ui_2exp(power, 1, mpfr_get_exp(x) - 1, MPFR_RNDN);
  if (mpfr_equal_p(power, x)) {  // exact: an integer times y
    Number result(64);
    const int ternary = mpfr_mul_si(result, y, mpfr_get_exp(x) - 1, mode_of(control));
    return delivered(control, result, ternary);
  }
  return rounded(control, [&](Number& near) {
    mpfr_log2(near, x, MPFR_RNDN);
    mpfr_mul(near, near, y, MPFR_RNDN);
  });
}

}  // namespace

bool out_of_trigonometric_range(const Float80& x) {
  return x.exponent() >= Float80::kBias + 63 && class_of(x) == FloatClass::kNormal;
}

X87Result<Float80> sine(u16 control, const Float80& x) {
  X87Result<Float80> special;
  if (trigonometric_special(control, x, x, special)) return special;
  return with_denormals(control, denormal_status(x), [&] {
    Number reduced(kReducedBits);
    const unsigned quarter = reduce(x, reduced);
    return sine_in_quarter(control, reduced, quarter);
  });
}

X87Result<Float80> cosine(u16 control, const Float80& x) {
  X87Result<Float80> special;
  if (trigonometric_special(control, x, kOne80, special)) return special;
  return with_denormals(control, denormal_status(x), [&] {
    Number reduced(kReducedBits);
    const unsigned quarter = reduce(x, reduced);
    return sine_in_quarter(control, reduced, quarter + 1);
  });
}

X87Result<Float80> tangent(u16 control, const Float80& x) {
  X87Result<Float80> special;
  if (trigonometric_special(control, x, x, special)) return special;
  return with_denormals(control, denormal_status(x), [&] {
    Number reduced(kReducedBits);
    if (reduce(x, reduced) & 1) return signed_function(control, mpfr_cot, reduced, Sign::kNegate);
    return signed_function(control, mpfr_tan, reduced, Sign::kKeep);
  });
}

// SDM 2 "FPATAN", table of results: that of atan2.
X87Result<Float80> arctangent(u16 control, const Float80& y, const Float80& x) {
  if (is_nan_or_unsupported(y) || is_nan_or_unsupported(x)) return nan_of(control, y, x);
  const auto number_of = [](const Float80& value, Number& out) {
    if (is_infinite(value)) {
      mpfr_set_inf(out, value.negative() ? -1 : 1);
    } else {
      const Number exact(value);
      mpfr_set(out, exact, MPFR_RNDN);
    }
  };
  if (!x.negative() && (is_zero(y) || (is_infinite(x) && !is_infinite(y)))) {
    const u16 denormal = denormal_status(y) | denormal_status(x);
    return with_denormals(control, denormal, [&] { return exactly(zero80(y.negative())); });
  }
  return with_denormals(control, denormal_status(y) | denormal_status(x), [&] {
    Number above(64), below(64), result(64), quotient(64);
    number_of(y, above);
    number_of(x, below);
    const mpfr_rnd_t mode = mode_of(control);
    // A quotient without rounding is nearly its own arctangent when it is small: mpfr_atan knows.
    const bool regular = mpfr_regular_p(above) && mpfr_regular_p(below) && !x.negative();
    if (regular && mpfr_div(quotient, above, below, MPFR_RNDN) == 0)
      return delivered(control, result, mpfr_atan(result, quotient, mode));
    return delivered(control, result, mpfr_atan2(result, above, below, mode));
  });
}

// SDM 2 "F2XM1": the source must lie in [-1, 1]; processors return others unchanged, but for
// infinity.
X87Result<Float80> exponential_less_one(u16 control, const Float80& x) {
  if (is_nan_or_unsupported(x)) return nan_of(control, x, x);
  if (is_infinite(x))
    return exactly(x.negative() ? make_float80(true, Float80::kBias, kIntegerBit) : x);
  if (is_zero(x)) return exactly(x);
  if (x.exponent() >= Float80::kBias) {
    if (is_one(x)) return exactly(x);
    if (x.significand == kIntegerBit && x.exponent() == Float80::kBias)
      return exactly(make_float80(true, Float80::kBias - 1, kIntegerBit));
    return exactly(x, X87Status::kPrecision);
  }
  return with_denormals(control, denormal_status(x), [&] {
    const Number exponent(x);
    return rounded(control, [&](Number& near) {
      Number ln2(mpfr_get_prec(near));
      mpfr_const_log2(ln2, MPFR_RNDN);
      mpfr_mul(near, exponent, ln2, MPFR_RNDN);
      mpfr_expm1(near, near, MPFR_RNDN);
    });
  });
}

X87Result<Float80> y_logarithm(u16 control, const Float80& y, const Float80& x) {
  if (is_nan_or_unsupported(y) || is_nan_or_unsupported(x)) return nan_of(control, y, x);
  const u16 denormal = denormal_status(y) | denormal_status(x);
  if (is_zero(x)) {
    if (is_zero(y)) return invalid();
    // the zero-divide exception comes before the denormal one
    return exactly(infinity80(!y.negative()), is_infinite(y) ? u16{0} : X87Status::kZeroDivide);
  }
  if (x.negative()) return invalid();
  const bool below_one = x.exponent() < Float80::kBias;
  if (is_infinite(x) || is_infinite(y)) {
    if (is_one(x) || is_zero(y)) return invalid();
    return with_denormals(control, denormal, [&] { return times_infinity(y, below_one); });
  }
  if (is_zero(y) || is_one(x))
    return with_denormals(control, denormal, [&] { return times_zero(y, below_one); });
  return with_denormals(control, denormal,
                        [&] { return rounded_logarithm(control, Number(y), Number(x)); });
}

// SDM 2 "FYL2XP1": x is to lie between -(1 - sqrt(2) / 2) and sqrt(2) - 1; the results for others
// are undefined. SDM-NOTE: they are the mathematical ones, and x itself where there are none, as on
// processors.
X87Result<Float80> y_logarithm_plus_one(u16 control, const Float80& y, const Float80& x) {
  if (is_nan_or_unsupported(y) || is_nan_or_unsupported(x)) return nan_of(control, y, x);
  const u16 denormal = denormal_status(y) | denormal_status(x);
  if (is_zero(x))
    return with_denormals(control, denormal, [&] { return times_zero(y, x.negative()); });
  if (is_infinite(x) && x.negative()) return invalid();
  if (is_infinite(x) || is_infinite(y))
    return with_denormals(control, denormal, [&] { return times_infinity(y, x.negative()); });
  if (is_zero(y))
    return with_denormals(control, denormal, [&] { return times_zero(y, x.negative()); });
  const bool up_to_minus_one = x.negative() && x.exponent() >= Float80::kBias;
  if (up_to_minus_one)
    return with_denormals(control, denormal, [&] { return exactly(x, X87Status::kPrecision); });
  return with_denormals(control, denormal, [&] {
    const Number factor(y), argument(x);
    Number sum(200);
    if (mpfr_add_ui(sum, argument, 1, MPFR_RNDN) == 0)
      return rounded_logarithm(control, factor, sum);
    return rounded(control, [&](Number& near) {
      Number ln2(mpfr_get_prec(near));
      mpfr_const_log2(ln2, MPFR_RNDN);
      mpfr_log1p(near, argument, MPFR_RNDN);
      mpfr_div(near, near, ln2, MPFR_RNDN);
      mpfr_mul(near, near, factor, MPFR_RNDN);
    });
  });
}

}  // namespace vtsim::cpu
