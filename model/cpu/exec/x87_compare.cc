// x87 comparison and classification. SDM 1 "x87 FPU Instruction Set > Comparison and Classification
// Instructions".

#include "model/cpu/exec/groups.h"
#include "model/cpu/exec/x87_host.h"

namespace vtsim::cpu {

namespace {

constexpr u16 kUnorderedStatus =
    static_cast<u16>(X87Status::C0.mask() | X87Status::C2.mask() | X87Status::C3.mask());

void pop_times(X87& x87, unsigned pops) {
  for (unsigned n = 0; n < pops; ++n) x87.pop();
}

// Compares ST(0) with `source` unless one of them is an empty register; true: `status` has what the
// comparison found, the instruction goes on.
template <class Comparison, class T>
bool compare(X87& x87, bool empty, const T& source, u16& status) {
  if (empty) {
    status = kUnorderedStatus;
    return x87.underflow();
  }
  status = Comparison::apply(x87.control(), x87.st(0), source).status;
  return x87.accept(status);
}

template <class Comparison, class T>
void compare_and_pop(X87& x87, bool empty, const T& source, unsigned pops) {
  u16 status;
  if (!compare<Comparison>(x87, empty, source, status)) return;
  x87.copy_comparison(status);
  pop_times(x87, pops);
}

template <class Comparison, unsigned pops>
bool with_register(X87& x87, const Op& op) {
  compare_and_pop<Comparison>(x87, x87.empty(0) || x87.empty(op.dst), x87.st(op.dst), pops);
  return true;
}

template <class T, unsigned pops>
bool with_memory(X87& x87, const Op& op) {
  T source;
  if (!load_operand(x87.core, op, source)) return false;
  compare_and_pop<host::Ordered>(x87, x87.empty(0), host::operand_of(source), pops);
  return true;
}

bool ftst(X87& x87, const Op&) {
  compare_and_pop<host::Ordered>(x87, x87.empty(0), Float80{}, 0);
  return true;
}

template <unsigned pops>
Handler bind_fcom(const Binding& binding, Op& op) {
  switch (bind_x87_operands(binding, op)) {
    case 32:
      return &run<x87_instruction<with_memory<Single, pops>>>;
    case 64:
      return &run<x87_instruction<with_memory<Double, pops>>>;
    default:
      return &run<x87_instruction<with_register<host::Ordered, pops>>>;
  }
}

// FCOMI and FUCOMI: ZF, PF and CF as C3, C2 and C0; OF, SF and AF are cleared in any case.
template <class Comparison, unsigned pops>
bool to_flags(X87& x87, const Op& op) {
  constexpr u64 kSet = Rflags::ZF.mask() | Rflags::PF.mask() | Rflags::CF.mask();
  LazyFlags& lazy = x87.core.state.lazy;
  u16 raw;
  if (!compare<Comparison>(x87, x87.empty(0) || x87.empty(op.dst), x87.st(op.dst), raw)) {
    set_arithmetic_flags(lazy, arithmetic_flags(lazy) & kSet);
    return true;
  }
  const Reg<X87Status> status(raw);
  Reg<Rflags> flags;
  flags.set(Rflags::ZF, status[X87Status::C3]);
  flags.set(Rflags::PF, status[X87Status::C2]);
  flags.set(Rflags::CF, status[X87Status::C0]);
  set_arithmetic_flags(lazy, flags.value);
  pop_times(x87, pops);
  return true;
}

//   C3 C2 C0   000 unsupported  001 NaN  010 normal  011 infinity  100 zero  101 empty  110
//   denormal
bool fxam(X87& x87, const Op&) {
  const Float80 value = x87.st(0);
  bool c3 = false, c2 = false, c0 = false;
  if (x87.empty(0)) {
    c3 = c0 = true;
  } else {
    switch (class_of(value)) {
      case FloatClass::kUnsupported:
        break;
      case FloatClass::kQuietNan:
      case FloatClass::kSignalingNan:
        c0 = true;
        break;
      case FloatClass::kNormal:
        c2 = true;
        break;
      case FloatClass::kInfinity:
        c2 = c0 = true;
        break;
      case FloatClass::kZero:
        c3 = true;
        break;
      case FloatClass::kDenormal:
        c3 = c2 = true;
        break;
    }
  }
  x87.set_condition(X87Status::C3, c3);
  x87.set_condition(X87Status::C2, c2);
  x87.set_condition(X87Status::C0, c0);
  x87.set_condition(X87Status::C1, value.negative());
  return true;
}

template <class Comparison, unsigned pops>
constexpr Binder kBindFlags = bind_x87<to_flags<Comparison, pops>>;

constexpr InstructionRow kRows[] = {
    x87_row(ZYDIS_MNEMONIC_FCOM, bind_fcom<0>),
    x87_row(ZYDIS_MNEMONIC_FCOMP, bind_fcom<1>),
    x87_row(ZYDIS_MNEMONIC_FCOMPP, bind_x87<with_register<host::Ordered, 2>>),
    x87_row(ZYDIS_MNEMONIC_FUCOM, bind_x87<with_register<host::Unordered, 0>>),
    x87_row(ZYDIS_MNEMONIC_FUCOMP, bind_x87<with_register<host::Unordered, 1>>),
    x87_row(ZYDIS_MNEMONIC_FUCOMPP, bind_x87<with_register<host::Unordered, 2>>),
    x87_row(ZYDIS_MNEMONIC_FICOM, bind_x87_integer<with_memory<i16, 0>, with_memory<i32, 0>>),
    x87_row(ZYDIS_MNEMONIC_FICOMP, bind_x87_integer<with_memory<i16, 1>, with_memory<i32, 1>>),
    x87_row(ZYDIS_MNEMONIC_FCOMI, kBindFlags<host::Ordered, 0>, FlagUse::kReadsAndWrites),
    x87_row(ZYDIS_MNEMONIC_FCOMIP, kBindFlags<host::Ordered, 1>, FlagUse::kReadsAndWrites),
    x87_row(ZYDIS_MNEMONIC_FUCOMI, kBindFlags<host::Unordered, 0>, FlagUse::kReadsAndWrites),
    x87_row(ZYDIS_MNEMONIC_FUCOMIP, kBindFlags<host::Unordered, 1>, FlagUse::kReadsAndWrites),
    x87_row(ZYDIS_MNEMONIC_FTST, bind_x87<ftst>),
    x87_row(ZYDIS_MNEMONIC_FXAM, bind_x87<fxam>),
};

}  // namespace

Rows x87_compare_rows() { return kRows; }

}  // namespace vtsim::cpu
