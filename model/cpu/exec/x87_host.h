#pragma once
// Exact x87 operations, done by the host's FPU under the guest's control word. IEEE 754 and the
// manual define every bit of their results, so that they are the same on every host: SDM 1 "x87 FPU
// Floating-Point Exception Handling". What processors leave open is computed elsewhere.
//
// Each function leaves the host's FPU as it found it: empty, no exceptions, control word 037FH. An
// exception that the guest has unmasked becomes pending in the host's FPU and is cleared before the
// next waiting instruction would report it; the result is then the one that the manual gives for
// unmasked exceptions (scaled by 24576 in the exponent after overflow and underflow).

#include "model/cpu/exec/x87.h"

namespace vtsim::cpu::host {

// The guest's control word in the host's FPU.
class ControlWord {
 public:
  explicit ControlWord(u16 control) : changed_(control != kHome) {
    if (changed_) asm volatile("fldcw %0" : : "m"(control));
  }
  ~ControlWord() {
    if (changed_) asm volatile("fldcw %0" : : "m"(kHome));
  }
  ControlWord(const ControlWord&) = delete;
  ControlWord& operator=(const ControlWord&) = delete;

 private:
  static constexpr u16 kHome = 0x037F;
  bool changed_;
};

// ST(0) = ST(0) op source; the source in a register.
#define VTSIM_X87_BINARY(name, instruction)                                         \
  inline X87Result<Float80> name(u16 control, const Float80& a, const Float80& b) { \
    X87Result<Float80> r;                                                           \
    const ControlWord guest(control);                                               \
    asm volatile("fnclex\n\tfldt %[b]\n\tfldt %[a]\n\t" instruction                 \
                 "\n\tfnstsw %[status]\n\tfnclex\n\tfstpt %[r]\n\tfstp %%st(0)"     \
                 : [r] "=m"(r.value), [status] "=m"(r.status)                       \
                 : [a] "m"(a), [b] "m"(b)                                           \
                 : "st", "st(1)");                                                  \
    return r;                                                                       \
  }
// The source in memory, as m32fp or m64fp.
#define VTSIM_X87_MEMORY(name, Source, instruction)                                \
  inline X87Result<Float80> name(u16 control, const Float80& a, const Source& b) { \
    X87Result<Float80> r;                                                          \
    const ControlWord guest(control);                                              \
    asm volatile("fnclex\n\tfldt %[a]\n\t" instruction                             \
                 " %[b]\n\tfnstsw %[status]\n\tfnclex\n\tfstpt %[r]"               \
                 : [r] "=m"(r.value), [status] "=m"(r.status)                      \
                 : [a] "m"(a), [b] "m"(b)                                          \
                 : "st");                                                          \
    return r;                                                                      \
  }
#define VTSIM_X87_UNARY(name, instruction)                        \
  inline X87Result<Float80> name(u16 control, const Float80& a) { \
    X87Result<Float80> r;                                         \
    const ControlWord guest(control);                             \
    asm volatile("fnclex\n\tfldt %[a]\n\t" instruction            \
                 "\n\tfnstsw %[status]\n\tfnclex\n\tfstpt %[r]"   \
                 : [r] "=m"(r.value), [status] "=m"(r.status)     \
                 : [a] "m"(a)                                     \
                 : "st");                                         \
    return r;                                                     \
  }
// ST(0) into memory. The value is undefined when an unmasked exception forbids the store.
// `clean_up` empties the stack: by a pop, or, after instructions that may have popped, by FNINIT.
#define VTSIM_X87_STORE(name, T, instruction, clean_up)                                         \
  inline X87Result<T> name(u16 control, const Float80& a) {                                     \
    X87Result<T> r;                                                                             \
    const ControlWord guest(control);                                                           \
    asm volatile("fnclex\n\tfldt %[a]\n\t" instruction " %[r]\n\tfnstsw %[status]\n\t" clean_up \
                 : [r] "+m"(r.value), [status] "=m"(r.status)                                   \
                 : [a] "m"(a)                                                                   \
                 : "st");                                                                       \
    return r;                                                                                   \
  }
#define VTSIM_X87_POP "fnclex\n\tfstp %%st(0)"

#define VTSIM_X87_ARITHMETIC(Name, mnemonic)                                              \
  struct Name {                                                                           \
    static VTSIM_X87_BINARY(apply, mnemonic " %%st(1), %%st") static VTSIM_X87_MEMORY(    \
        apply, Single, mnemonic "s") static VTSIM_X87_MEMORY(apply, Double, mnemonic "l") \
  };

VTSIM_X87_ARITHMETIC(Add, "fadd")
VTSIM_X87_ARITHMETIC(Sub, "fsub")
VTSIM_X87_ARITHMETIC(SubReversed, "fsubr")
VTSIM_X87_ARITHMETIC(Mul, "fmul")
VTSIM_X87_ARITHMETIC(Div, "fdiv")
VTSIM_X87_ARITHMETIC(DivReversed, "fdivr")

// A memory operand as the functions above take it.
inline const Single& operand_of(const Single& x) { return x; }
inline const Double& operand_of(const Double& x) { return x; }
inline Float80 operand_of(i16 x) { return float80_of(x); }
inline Float80 operand_of(i32 x) { return float80_of(x); }

// Comparisons: the status word's C3, C2 and C0; the value is ST(0) as it was.
struct Ordered {
  static VTSIM_X87_BINARY(apply, "fcom %%st(1)") static VTSIM_X87_MEMORY(
      apply, Single, "fcoms") static VTSIM_X87_MEMORY(apply, Double, "fcoml")
};
struct Unordered {
  static VTSIM_X87_BINARY(apply, "fucom %%st(1)")
};

VTSIM_X87_BINARY(scale, "fscale")
VTSIM_X87_BINARY(remainder, "fprem")
VTSIM_X87_BINARY(remainder_nearest, "fprem1")
VTSIM_X87_UNARY(square_root, "fsqrt")
VTSIM_X87_UNARY(round_to_integer, "frndint")

// Packed decimal: 18 digits, sign in bit 7 of the last byte. SDM 1 "BCD and Packed BCD Integers".
struct PackedDecimal {
  u8 bytes[10] = {};
};

VTSIM_X87_STORE(to_single, Single, "fsts", VTSIM_X87_POP)
VTSIM_X87_STORE(to_double, Double, "fstl", VTSIM_X87_POP)
VTSIM_X87_STORE(to_decimal, PackedDecimal, "fbstp", "fninit")

template <class T>
struct Round;
template <>
struct Round<i16> {
  static VTSIM_X87_STORE(apply, i16, "fists", VTSIM_X87_POP)
};
template <>
struct Round<i32> {
  static VTSIM_X87_STORE(apply, i32, "fistl", VTSIM_X87_POP)
};
template <>
struct Round<i64> {
  static VTSIM_X87_STORE(apply, i64, "fistpll", "fninit")
};

#undef VTSIM_X87_ARITHMETIC
#undef VTSIM_X87_BINARY
#undef VTSIM_X87_MEMORY
#undef VTSIM_X87_UNARY
#undef VTSIM_X87_STORE
#undef VTSIM_X87_POP

}  // namespace vtsim::cpu::host
