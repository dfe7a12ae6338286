// SUB, ADD, AND, OR, INC or DEC of a 32- or 64-bit register, and Jcc.

#include "model/cpu/exec/fuse_forms.h"

namespace vtsim::cpu {

namespace {

struct FusedSub {
  static constexpr FlagKind kKind = FlagKind::kSub;
  template <class T>
  static T apply(LazyFlags& lazy, T a, T b) {
    record_flags(lazy, kKind, a, b);
    return static_cast<T>(a - b);
  }
};
struct FusedAdd {
  static constexpr FlagKind kKind = FlagKind::kAdd;
  template <class T>
  static T apply(LazyFlags& lazy, T a, T b) {
    record_flags(lazy, kKind, a, b);
    return static_cast<T>(a + b);
  }
};
struct FusedAnd {
  static constexpr FlagKind kKind = FlagKind::kLogic;
  template <class T>
  static T apply(LazyFlags& lazy, T a, T b) {
    set_logic_flags(lazy, static_cast<T>(a & b));
    return a & b;
  }
};
struct FusedOr {
  static constexpr FlagKind kKind = FlagKind::kLogic;
  template <class T>
  static T apply(LazyFlags& lazy, T a, T b) {
    set_logic_flags(lazy, static_cast<T>(a | b));
    return a | b;
  }
};
struct FusedInc {
  static constexpr FlagKind kKind = FlagKind::kInc;
  template <class T>
  static T apply(LazyFlags& lazy, T a, T) {
    const T result = static_cast<T>(a + 1);
    record_flags(lazy, kKind, result, static_cast<T>(carry_in(lazy)));
    return result;
  }
};
struct FusedDec {
  static constexpr FlagKind kKind = FlagKind::kDec;
  template <class T>
  static T apply(LazyFlags& lazy, T a, T) {
    const T result = static_cast<T>(a - 1);
    record_flags(lazy, kKind, result, static_cast<T>(carry_in(lazy)));
    return result;
  }
};

template <class Operation, Condition cc, class T, class Operands>
Next operate_jcc(Core* core, const Op* op) {
  T a{}, b{};
  Operands::fetch(*core, *op, a, b);
  set_gpr<T>(*core, op->dst, Operation::template apply<T>(core->state.lazy, a, b));
  const LazyFlags& lazy = core->state.lazy;
  if (condition_from<cc, Operation::kKind, T>(lazy.a, lazy.b)) return go_to_successor<1>(core, op);
  return go_to_successor<0>(core, op);
}

template <class Operation, Condition... conditions>
Handler fuse(const Binding& compare, Condition wanted) {
  return by_condition_among<conditions...>(wanted, [&](auto cc) -> Handler {
    const bool immediate = compare.in.is_immediate(1);
    switch (operand_size_log2(compare)) {
      case 2:
        return immediate ? &operate_jcc<Operation, cc(), u32, RegImm>
                         : &operate_jcc<Operation, cc(), u32, RegReg>;
      case 3:
        return immediate ? &operate_jcc<Operation, cc(), u64, RegImm>
                         : &operate_jcc<Operation, cc(), u64, RegReg>;
      default:
        return nullptr;
    }
  });
}

}  // namespace

Handler fuse_arithmetic(const Binding& compare, Condition cc, const Op&) {
  using enum Condition;
  switch (compare.in.mnemonic()) {
    case ZYDIS_MNEMONIC_SUB:
      return fuse<FusedSub, kB, kNb, kZ, kNz, kBe, kNbe, kS, kNs, kL, kNl, kLe, kNle>(compare, cc);
    case ZYDIS_MNEMONIC_ADD: return fuse<FusedAdd, kB, kNb, kZ, kNz, kS, kNs>(compare, cc);
    case ZYDIS_MNEMONIC_AND: return fuse<FusedAnd, kZ, kNz, kS, kNs, kLe, kNle>(compare, cc);
    case ZYDIS_MNEMONIC_OR: return fuse<FusedOr, kZ, kNz, kS, kNs, kLe, kNle>(compare, cc);
    case ZYDIS_MNEMONIC_INC: return fuse<FusedInc, kZ, kNz, kS, kNs>(compare, cc);
    case ZYDIS_MNEMONIC_DEC: return fuse<FusedDec, kZ, kNz, kS, kNs>(compare, cc);
    default: return nullptr;
  }
}

}  // namespace vtsim::cpu
