// CMP and Jcc.

#include "model/cpu/exec/fuse_forms.h"

namespace vtsim::cpu {

namespace {

template <Condition cc, class T, class Operands>
Next cmp_jcc(Core* core, const Op* op) {
  T a{}, b{};
  if (!Operands::fetch(*core, *op, a, b)) return leave_on_fault(core, op);
  record_flags(core->state.lazy, FlagKind::kSub, a, b);
  if (condition_from<cc, FlagKind::kSub, T>(a, b)) return go_to_successor<1>(core, op);
  return go_to_successor<0>(core, op);
}

template <Condition cc, class T>
Handler by_operands(const Decoded& in, const Op& op) {
  if (in.is_memory(0) && in.is_immediate(1)) {
    return by_fused_form<T>(
        op, [](auto form) -> Handler { return &cmp_jcc<cc, T, MemImm<form()>>; });
  }
  if (in.is_memory(0)) {
    return by_fused_form<T>(
        op, [](auto form) -> Handler { return &cmp_jcc<cc, T, MemReg<form()>>; });
  }
  if (in.is_memory(1)) {
    return by_fused_form<T>(
        op, [](auto form) -> Handler { return &cmp_jcc<cc, T, RegMem<form()>>; });
  }
  return in.is_immediate(1) ? &cmp_jcc<cc, T, RegImm> : &cmp_jcc<cc, T, RegReg>;
}

}  // namespace

Handler fuse_cmp(const Binding& compare, Condition wanted, const Op& op) {
  using enum Condition;
  return by_condition_among<kB, kNb, kZ, kNz, kBe, kNbe, kS, kNs, kL, kNl, kLe, kNle>(
      wanted, [&](auto cc) -> Handler {
        return by_width(operand_size_log2(compare), [&](auto t) -> Handler {
          return by_operands<cc(), decltype(t)>(compare.in, op);
        });
      });
}

}  // namespace vtsim::cpu
