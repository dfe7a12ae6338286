#pragma once
// The transcendental functions, as pure functions of values: correctly rounded to 64 bits in the
// mode of RC (precision control does not apply to them), and so the same on every host. Each gives
// also the exceptions and C1 (rounded up). The manual promises an error below one unit in the last
// place and leaves the bits to the processor. SDM 1 "x87 FPU Instruction Set > Transcendental
// Instructions".
//
// `control`: the guest's control word; where it unmasks overflow or underflow, such a result comes
// with its exponent changed by 24576. An unmasked invalid, denormal or zero-divide exception is
// reported alone, without a result.

#include "model/cpu/exec/x87.h"

namespace vtsim::cpu {

// |x| >= 2^63: FSIN, FCOS, FSINCOS and FPTAN leave ST(0) alone and set C2.
bool out_of_trigonometric_range(const Float80& x);

X87Result<Float80> sine(u16 control, const Float80& x);
X87Result<Float80> cosine(u16 control, const Float80& x);
X87Result<Float80> tangent(u16 control, const Float80& x);
X87Result<Float80> arctangent(u16 control, const Float80& y, const Float80& x);   // atan(y / x)
X87Result<Float80> exponential_less_one(u16 control, const Float80& x);           // 2^x - 1
X87Result<Float80> y_logarithm(u16 control, const Float80& y, const Float80& x);  // y * log2(x)
X87Result<Float80> y_logarithm_plus_one(u16 control, const Float80& y, const Float80& x);

}  // namespace vtsim::cpu
