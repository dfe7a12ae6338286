// x87 transcendental instructions: the stack's side of x87_transcendental.h.

#include "model/cpu/exec/groups.h"
#include "model/cpu/exec/x87_transcendental.h"

namespace vtsim::cpu {

namespace {

using OneOperand = X87Result<Float80> (*)(u16, const Float80&);
using TwoOperands = X87Result<Float80> (*)(u16, const Float80&, const Float80&);

// ST(0) = function(ST(0))
template <OneOperand function>
bool replace(X87& x87) {
  const auto result = function(x87.control(), x87.st(0));
  if (!x87.accept(result.status)) return false;
  x87.set_st(0, result.value);
  return true;
}

bool f2xm1(X87& x87, const Op&) {
  if (!x87.empty(0)) {
    replace<exponential_less_one>(x87);
  } else if (x87.underflow()) {
    x87.set_st(0, kIndefinite80);
  }
  return true;
}

// FSIN, FCOS: C2 tells of an argument out of range.
template <OneOperand function>
bool trigonometric(X87& x87, const Op&) {
  x87.set_condition(X87Status::C2, false);
  if (x87.empty(0)) {
    if (x87.underflow()) x87.set_st(0, kIndefinite80);
    return true;
  }
  const bool out_of_range = out_of_trigonometric_range(x87.st(0));
  x87.set_condition(X87Status::C2, out_of_range);
  if (out_of_range) {
    x87.clear_c1();
  } else {
    replace<function>(x87);
  }
  return true;
}

// FPTAN, FSINCOS: ST(0) = function(ST(0)), then second(ST(0) as it was) is pushed.
template <OneOperand function, OneOperand second>
bool trigonometric_pair(X87& x87, const Op&) {
  x87.set_condition(X87Status::C2, false);
  if (x87.empty(0) || !x87.empty(7)) {
    if (x87.empty(0) ? !x87.underflow() : !x87.overflow()) return true;
    x87.set_st(0, kIndefinite80);
    x87.push(kIndefinite80);
    return true;
  }
  const Float80 x = x87.st(0);
  const bool out_of_range = out_of_trigonometric_range(x);
  x87.set_condition(X87Status::C2, out_of_range);
  if (out_of_range) {
    x87.clear_c1();
    return true;
  }
  const auto first = function(x87.control(), x);
  const auto pushed = second(x87.control(), x);
  // C1 tells how the pushed value was rounded.
  const u16 before = static_cast<u16>(X87Status::EXCEPTIONS.get(first.status));
  if (!x87.accept(static_cast<u16>(before | pushed.status))) return true;
  x87.set_st(0, first.value);
  x87.push(pushed.value);
  return true;
}

// What FPTAN pushes: 1, or the NaN that the tangent is.
X87Result<Float80> one_beside(u16 control, const Float80& x) {
  if (is_nan_or_unsupported(x) || class_of(x) == FloatClass::kInfinity) return tangent(control, x);
  return {kOne80, static_cast<u16>(tangent(control, x).status & X87Status::C1.mask())};
}

// ST(1) = function(ST(1), ST(0)), then pop.
template <TwoOperands function>
bool popping(X87& x87, const Op&) {
  if (x87.empty(0) || x87.empty(1)) {
    if (!x87.underflow()) return true;
    x87.set_st(1, kIndefinite80);
  } else {
    const auto result = function(x87.control(), x87.st(1), x87.st(0));
    if (!x87.accept(result.status)) return true;
    x87.set_st(1, result.value);
  }
  x87.pop();
  return true;
}

constexpr InstructionRow kRows[] = {
    x87_row(ZYDIS_MNEMONIC_F2XM1, bind_x87<f2xm1>),
    x87_row(ZYDIS_MNEMONIC_FYL2X, bind_x87<popping<y_logarithm>>),
    x87_row(ZYDIS_MNEMONIC_FYL2XP1, bind_x87<popping<y_logarithm_plus_one>>),
    x87_row(ZYDIS_MNEMONIC_FPATAN, bind_x87<popping<arctangent>>),
    x87_row(ZYDIS_MNEMONIC_FSIN, bind_x87<trigonometric<sine>>),
    x87_row(ZYDIS_MNEMONIC_FCOS, bind_x87<trigonometric<cosine>>),
    x87_row(ZYDIS_MNEMONIC_FSINCOS, bind_x87<trigonometric_pair<sine, cosine>>),
    x87_row(ZYDIS_MNEMONIC_FPTAN, bind_x87<trigonometric_pair<tangent, one_beside>>),
};

}  // namespace

Rows x87_function_rows() { return kRows; }

}  // namespace vtsim::cpu
