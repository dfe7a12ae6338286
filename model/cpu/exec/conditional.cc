// SETcc and CMOVcc. SDM 2 "SETcc", "CMOVcc".

#include "model/cpu/exec/conditions.h"
#include "model/cpu/exec/groups.h"

namespace vtsim::cpu {

namespace {

template <class Test>
Outcome set_reg(Core& core, const Op& op) {
  set_gpr<u8>(core, op.dst, Test::holds(core.state.lazy));
  return Outcome::kNext;
}

template <class Test>
Outcome set_mem(Core& core, const Op& op) {
  const u8 value = Test::holds(core.state.lazy);
  return store_operand<u8>(core, op, value) ? Outcome::kNext : Outcome::kFault;
}

Handler bind_set(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  if (binding.in.is_memory(0)) {
    return by_any_test(binding,
                       [](auto test) -> Handler { return &run<set_mem<decltype(test)>>; });
  }
  return by_test(binding, [](auto test) -> Handler { return &run<set_reg<decltype(test)>>; });
}

// The destination is written in any case: 32-bit forms clear the upper half.
template <class T, class Test>
Outcome move_reg(Core& core, const Op& op) {
  const T source = get_gpr<T>(core, op.src);
  const T kept = get_gpr<T>(core, op.dst);
  set_gpr<T>(core, op.dst, Test::holds(core.state.lazy) ? source : kept);
  return Outcome::kNext;
}

// The source is read, and may fault, in any case.
template <class T, class Test>
Outcome move_mem(Core& core, const Op& op) {
  T source;
  if (!load_operand(core, op, source)) return Outcome::kFault;
  const T kept = get_gpr<T>(core, op.dst);
  set_gpr<T>(core, op.dst, Test::holds(core.state.lazy) ? source : kept);
  return Outcome::kNext;
}

Handler bind_cmov(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  return by_wide_width(operand_size_log2(binding), [&](auto t) -> Handler {
    using T = decltype(t);
    if (binding.in.is_memory(1)) {
      return by_any_test(binding,
                         [](auto test) -> Handler { return &run<move_mem<T, decltype(test)>>; });
    }
    const auto choose = [](auto test) -> Handler { return &run<move_reg<T, decltype(test)>>; };
    if constexpr (sizeof(T) == 2) {
      return by_any_test(binding, choose);
    } else {
      return by_test(binding, choose);
    }
  });
}

constexpr FlagUse kReads = FlagUse::kReads;

constexpr InstructionRow kRows[] = {
    row(ZYDIS_MNEMONIC_SETO, bind_set, kReads),    row(ZYDIS_MNEMONIC_SETNO, bind_set, kReads),
    row(ZYDIS_MNEMONIC_SETB, bind_set, kReads),    row(ZYDIS_MNEMONIC_SETNB, bind_set, kReads),
    row(ZYDIS_MNEMONIC_SETZ, bind_set, kReads),    row(ZYDIS_MNEMONIC_SETNZ, bind_set, kReads),
    row(ZYDIS_MNEMONIC_SETBE, bind_set, kReads),   row(ZYDIS_MNEMONIC_SETNBE, bind_set, kReads),
    row(ZYDIS_MNEMONIC_SETS, bind_set, kReads),    row(ZYDIS_MNEMONIC_SETNS, bind_set, kReads),
    row(ZYDIS_MNEMONIC_SETP, bind_set, kReads),    row(ZYDIS_MNEMONIC_SETNP, bind_set, kReads),
    row(ZYDIS_MNEMONIC_SETL, bind_set, kReads),    row(ZYDIS_MNEMONIC_SETNL, bind_set, kReads),
    row(ZYDIS_MNEMONIC_SETLE, bind_set, kReads),   row(ZYDIS_MNEMONIC_SETNLE, bind_set, kReads),
    row(ZYDIS_MNEMONIC_CMOVO, bind_cmov, kReads),  row(ZYDIS_MNEMONIC_CMOVNO, bind_cmov, kReads),
    row(ZYDIS_MNEMONIC_CMOVB, bind_cmov, kReads),  row(ZYDIS_MNEMONIC_CMOVNB, bind_cmov, kReads),
    row(ZYDIS_MNEMONIC_CMOVZ, bind_cmov, kReads),  row(ZYDIS_MNEMONIC_CMOVNZ, bind_cmov, kReads),
    row(ZYDIS_MNEMONIC_CMOVBE, bind_cmov, kReads), row(ZYDIS_MNEMONIC_CMOVNBE, bind_cmov, kReads),
    row(ZYDIS_MNEMONIC_CMOVS, bind_cmov, kReads),  row(ZYDIS_MNEMONIC_CMOVNS, bind_cmov, kReads),
    row(ZYDIS_MNEMONIC_CMOVP, bind_cmov, kReads),  row(ZYDIS_MNEMONIC_CMOVNP, bind_cmov, kReads),
    row(ZYDIS_MNEMONIC_CMOVL, bind_cmov, kReads),  row(ZYDIS_MNEMONIC_CMOVNL, bind_cmov, kReads),
    row(ZYDIS_MNEMONIC_CMOVLE, bind_cmov, kReads), row(ZYDIS_MNEMONIC_CMOVNLE, bind_cmov, kReads),
};

}  // namespace

Rows conditional_rows() { return kRows; }

}  // namespace vtsim::cpu
