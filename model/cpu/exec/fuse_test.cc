// TEST and Jcc.

#include "model/cpu/exec/fuse_forms.h"

namespace vtsim::cpu {

namespace {

template <Condition cc, class T, class Operands>
Next test_jcc(Core* core, const Op* op) {
  T a{}, b{};
  if (!Operands::fetch(*core, *op, a, b)) return leave_on_fault(core, op);
  const T result = a & b;
  set_logic_flags(core->state.lazy, result);
  if (condition_from<cc, FlagKind::kLogic, T>(result, 0)) return go_to_successor<1>(core, op);
  return go_to_successor<0>(core, op);
}

template <Condition cc, class T>
Handler by_operands(const Decoded& in, const Op& op) {
  if (in.is_memory(0) && in.is_immediate(1)) {
    return by_fused_form<T>(
        op, [](auto form) -> Handler { return &test_jcc<cc, T, MemImm<form()>>; });
  }
  if (in.is_memory(0)) {
    return by_fused_form<T>(
        op, [](auto form) -> Handler { return &test_jcc<cc, T, MemReg<form()>>; });
  }
  return in.is_immediate(1) ? &test_jcc<cc, T, RegImm> : &test_jcc<cc, T, RegReg>;
}

// CF and OF are clear: some conditions say the same. The others are constant, and nobody uses them.
Condition simplified(Condition cc) {
  switch (cc) {
    case Condition::kBe: return Condition::kZ;
    case Condition::kNbe: return Condition::kNz;
    case Condition::kL: return Condition::kS;
    case Condition::kNl: return Condition::kNs;
    default: return cc;
  }
}

}  // namespace

Handler fuse_test(const Binding& compare, Condition wanted, const Op& op) {
  using enum Condition;
  return by_condition_among<kZ, kNz, kS, kNs, kLe, kNle>(
      simplified(wanted), [&](auto cc) -> Handler {
        return by_width(operand_size_log2(compare), [&](auto t) -> Handler {
          return by_operands<cc(), decltype(t)>(compare.in, op);
        });
      });
}

}  // namespace vtsim::cpu
