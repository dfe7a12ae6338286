// x87 basic arithmetic. SDM 1 "x87 FPU Instruction Set > Basic Arithmetic Instructions".

#include "model/cpu/exec/groups.h"
#include "model/cpu/exec/x87_host.h"

namespace vtsim::cpu {

namespace {

// ---- FADD, FSUB, FSUBR, FMUL, FDIV, FDIVR and their integer and popping forms

// ST(dst) = ST(dst) op ST(src)
template <class Operation, Pop pop>
bool on_registers(X87& x87, unsigned dst, unsigned src) {
  if (x87.empty(dst) || x87.empty(src)) {
    if (!x87.underflow()) return true;
    x87.set_st(dst, kIndefinite80);
  } else {
    const auto result = Operation::apply(x87.control(), x87.st(dst), x87.st(src));
    if (!x87.accept(result.status)) return true;
    x87.set_st(dst, result.value);
  }
  if (pop == Pop::kYes) x87.pop();
  return true;
}
template <class Operation>
bool to_st0(X87& x87, const Op& op) {
  return on_registers<Operation, Pop::kNo>(x87, 0, op.dst);
}
template <class Operation, Pop pop>
bool to_sti(X87& x87, const Op& op) {
  return on_registers<Operation, pop>(x87, op.dst, 0);
}

// ST(0) = ST(0) op memory
template <class Operation, class T>
bool from_memory(X87& x87, const Op& op) {
  T source;
  if (!load_operand(x87.core, op, source)) return false;
  if (x87.empty(0)) {
    if (x87.underflow()) x87.set_st(0, kIndefinite80);
    return true;
  }
  const auto result = Operation::apply(x87.control(), x87.st(0), host::operand_of(source));
  if (x87.accept(result.status)) x87.set_st(0, result.value);
  return true;
}

// D8 and D9..DF: the destination is ST(0) in the first, ST(i) elsewhere.
template <class Operation>
Handler bind_arithmetic(const Binding& binding, Op& op) {
  switch (bind_x87_operands(binding, op)) {
    case 32:
      return &run<x87_instruction<from_memory<Operation, Single>>>;
    case 64:
      return &run<x87_instruction<from_memory<Operation, Double>>>;
    default:
      break;
  }
  return binding.in.ins.opcode == 0xD8 ? &run<x87_instruction<to_st0<Operation>>>
                                       : &run<x87_instruction<to_sti<Operation, Pop::kNo>>>;
}
template <class Operation>
constexpr Binder kBindPopping = bind_x87<to_sti<Operation, Pop::kYes>>;
template <class Operation>
constexpr Binder kBindInteger =
    bind_x87_integer<from_memory<Operation, i16>, from_memory<Operation, i32>>;

// ---- one operand

template <X87Result<Float80> (*operation)(u16, const Float80&)>
bool unary(X87& x87, const Op&) {
  if (x87.empty(0)) {
    if (x87.underflow()) x87.set_st(0, kIndefinite80);
    return true;
  }
  const auto result = operation(x87.control(), x87.st(0));
  if (x87.accept(result.status)) x87.set_st(0, result.value);
  return true;
}

// Sign operations: of NaNs and unsupported formats too, without exceptions.
template <u16 keep, u16 flip>
bool change_sign(X87& x87, const Op&) {
  if (x87.empty(0)) {
    if (x87.underflow()) x87.set_st(0, kIndefinite80);
    return true;
  }
  Float80 value = x87.st(0);
  value.sign_exponent = static_cast<u16>((value.sign_exponent & keep) ^ flip);
  x87.clear_c1();
  x87.set_st(0, value);
  return true;
}

// ---- FSCALE, FPREM, FPREM1: ST(0) by ST(1)

using BinaryFunction = X87Result<Float80> (*)(u16, const Float80&, const Float80&);

struct Scale {
  static X87Result<Float80> apply(u16 control, const Float80& a, const Float80& b) {
    return host::scale(control, a, b);
  }
};

// The exponent that a finite value other than zero would have, were its range unbounded.
int unbounded_exponent(const Float80& x) {
  const int shift = __builtin_clzll(x.significand);
  return (x.exponent() == 0 ? 1 : static_cast<int>(x.exponent())) - shift;
}
bool finite_nonzero(const Float80& x) {
  return class_of(x) == FloatClass::kDenormal || class_of(x) == FloatClass::kNormal;
}

// x * 2^by, where that is exact.
Float80 scaled(const Float80& x, int by) {
  const int exponent = unbounded_exponent(x) + by;
  const int shift = __builtin_clzll(x.significand);
  if (exponent >= 1)
    return make_float80(x.negative(), static_cast<unsigned>(exponent), x.significand << shift);
  return make_float80(x.negative(), 0, x.significand << shift >> (1 - exponent));
}

// SDM 2 "FPREM": exponents that differ by D >= 64 are brought nearer by N, a number between 32 and
// 63 that the manual leaves to the processor. SDM-NOTE: processors use 32 + D mod 32.
X87Result<Float80> partial_remainder(u16 control, const Float80& a, const Float80& b, int d) {
  const int n = 32 + d % 32;
  auto result = host::remainder(control, a, scaled(b, d - n));
  Reg<X87Status> status(result.status);
  status.value &= ~X87Status::kConditions;
  status.set(X87Status::C2, 1);
  if (class_of(b) == FloatClass::kDenormal) status.set(X87Status::DE, 1);
  result.status = static_cast<u16>(status.value);
  return result;
}

template <BinaryFunction complete>
struct Remainder {
  static X87Result<Float80> apply(u16 control, const Float80& a, const Float80& b) {
    if (finite_nonzero(a) && finite_nonzero(b)) {
      const int d = unbounded_exponent(a) - unbounded_exponent(b);
      if (d >= 64) return partial_remainder(control, a, b, d);
    }
    return complete(control, a, b);
  }
};

bool fscale(X87& x87, const Op&) { return on_registers<Scale, Pop::kNo>(x87, 0, 1); }

// C2 tells whether the reduction is partial; C0, C3 and C1 are the quotient's low bits where there
// is one.
template <BinaryFunction complete>
bool fprem(X87& x87, const Op&) {
  x87.set_condition(X87Status::C2, false);
  if (x87.empty(0) || x87.empty(1)) {
    if (x87.underflow()) x87.set_st(0, kIndefinite80);
    return true;
  }
  const auto result = Remainder<complete>::apply(x87.control(), x87.st(0), x87.st(1));
  if (!x87.accept(result.status)) return true;
  if (!is_nan_or_unsupported(result.value)) x87.copy_comparison(result.status);
  x87.set_st(0, result.value);
  return true;
}

// ---- FXTRACT

// Exponent and significand of ST(0), and the exceptions.
struct Parts {
  Float80 exponent;
  Float80 significand;
  u16 status = 0;
};

Parts parts_of(u16 control, const Float80& x) {
  switch (class_of(x)) {
    case FloatClass::kZero:
      return {infinity80(true), x, X87Status::kZeroDivide};
    case FloatClass::kInfinity:
      return {infinity80(false), x};
    case FloatClass::kDenormal:
    case FloatClass::kNormal: {
      const bool denormal = class_of(x) == FloatClass::kDenormal;
      const int exponent = unbounded_exponent(x);
      const u64 significand = x.significand << __builtin_clzll(x.significand);
      return {float80_of(exponent - Float80::kBias),
              make_float80(x.negative(), Float80::kBias, significand),
              denormal ? X87Status::kDenormal : u16{0}};
    }
    default: {
      const auto nan = host::Add::apply(control, x, x);
      return {nan.value, nan.value, nan.status};
    }
  }
}

bool fxtract(X87& x87, const Op&) {
  Parts parts{kIndefinite80, kIndefinite80};
  if (x87.empty(0) || !x87.empty(7)) {
    if (x87.empty(0) ? !x87.underflow() : !x87.overflow()) return true;
  } else {
    parts = parts_of(x87.control(), x87.st(0));
    if (!x87.accept(parts.status)) return true;
  }
  x87.set_st(0, parts.exponent);
  x87.push(parts.significand);
  return true;
}

constexpr InstructionRow kRows[] = {
    x87_row(ZYDIS_MNEMONIC_FADD, bind_arithmetic<host::Add>),
    x87_row(ZYDIS_MNEMONIC_FADDP, kBindPopping<host::Add>),
    x87_row(ZYDIS_MNEMONIC_FIADD, kBindInteger<host::Add>),
    x87_row(ZYDIS_MNEMONIC_FSUB, bind_arithmetic<host::Sub>),
    x87_row(ZYDIS_MNEMONIC_FSUBP, kBindPopping<host::Sub>),
    x87_row(ZYDIS_MNEMONIC_FISUB, kBindInteger<host::Sub>),
    x87_row(ZYDIS_MNEMONIC_FSUBR, bind_arithmetic<host::SubReversed>),
    x87_row(ZYDIS_MNEMONIC_FSUBRP, kBindPopping<host::SubReversed>),
    x87_row(ZYDIS_MNEMONIC_FISUBR, kBindInteger<host::SubReversed>),
    x87_row(ZYDIS_MNEMONIC_FMUL, bind_arithmetic<host::Mul>),
    x87_row(ZYDIS_MNEMONIC_FMULP, kBindPopping<host::Mul>),
    x87_row(ZYDIS_MNEMONIC_FIMUL, kBindInteger<host::Mul>),
    x87_row(ZYDIS_MNEMONIC_FDIV, bind_arithmetic<host::Div>),
    x87_row(ZYDIS_MNEMONIC_FDIVP, kBindPopping<host::Div>),
    x87_row(ZYDIS_MNEMONIC_FIDIV, kBindInteger<host::Div>),
    x87_row(ZYDIS_MNEMONIC_FDIVR, bind_arithmetic<host::DivReversed>),
    x87_row(ZYDIS_MNEMONIC_FDIVRP, kBindPopping<host::DivReversed>),
    x87_row(ZYDIS_MNEMONIC_FIDIVR, kBindInteger<host::DivReversed>),
    x87_row(ZYDIS_MNEMONIC_FSQRT, bind_x87<unary<host::square_root>>),
    x87_row(ZYDIS_MNEMONIC_FRNDINT, bind_x87<unary<host::round_to_integer>>),
    x87_row(ZYDIS_MNEMONIC_FABS, bind_x87<change_sign<0x7FFF, 0>>),
    x87_row(ZYDIS_MNEMONIC_FCHS, bind_x87<change_sign<0xFFFF, 0x8000>>),
    x87_row(ZYDIS_MNEMONIC_FSCALE, bind_x87<fscale>),
    x87_row(ZYDIS_MNEMONIC_FPREM, bind_x87<fprem<host::remainder>>),
    x87_row(ZYDIS_MNEMONIC_FPREM1, bind_x87<fprem<host::remainder_nearest>>),
    x87_row(ZYDIS_MNEMONIC_FXTRACT, bind_x87<fxtract>),
};

}  // namespace

Rows x87_arithmetic_rows() { return kRows; }

}  // namespace vtsim::cpu
