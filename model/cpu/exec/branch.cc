// Near branches. SDM 1 "Control Transfer Instructions".
//
// Direct branches go to successor 1 of their block when taken, else to successor 0. `disp` holds the
// target, and `imm` what CALL pushes. In 64-bit code the target of a direct branch is known to be
// canonical when the block is built; elsewhere it is compared with the limit of CS each time.
//
// Near branches in 64-bit code always have 64-bit operands: Intel's processors ignore 66h.

#include "model/cpu/exec/branch_target.h"
#include "model/cpu/exec/conditions.h"
#include "model/cpu/exec/groups.h"

namespace vtsim::cpu {

namespace {

// ---- what binders need

unsigned address_size_log2(const Decoded& in) {
  return in.ins.address_width == 16 ? 1 : in.ins.address_width == 32 ? 2 : 3;
}

// Operand size of a near branch.
unsigned branch_size_log2(const Binding& binding) {
  if (binding.code_size == CodeSize::k64) return 3;
  return binding.in.operand_bits() == 16 ? 1 : 2;
}

void bind_target(const Binding& binding, Op& op) {
  const Decoded& in = binding.in;
  const u64 next = in.rip + in.length();
  const unsigned size = branch_size_log2(binding);
  op.disp = static_cast<i64>(truncate(next + in.operand[0].imm.value.u, size));
  op.imm = truncate(next, size);
  op.mem.bits = static_cast<u8>(3 << 4 | kSs);  // whose canonical faults are #SS, for CALL's push
}

// The target must be looked at each time the branch is taken.
bool needs_check(const Binding& binding, const Op& op) {
  return binding.code_size != CodeSize::k64 ||
         !is_canonical(static_cast<u64>(op.disp), kLinearWidth4Level);
}

bool is_valid_direct_target(const Core& core, const Op& op) {
  const u64 target = static_cast<u64>(op.disp);
  return core.state.mode64() ? is_canonical_target(core, target)
                             : target <= core.state.seg[kCs].limit;
}

Next raise_bad_target(Core* core, const Op* op) {
  core->raise(kGp, 0);
  return leave_on_fault(core, op);
}

// ---- Jcc

template <class Test>
Next jcc(Core* core, const Op* op) {
  if (Test::holds(core->state.lazy)) return go_to_successor<1>(core, op);
  return go_to_successor<0>(core, op);
}

template <class Test>
Next jcc_checked(Core* core, const Op* op) {
  if (!Test::holds(core->state.lazy)) return go_to_successor<0>(core, op);
  if (!is_valid_direct_target(*core, *op)) return raise_bad_target(core, op);
  return go_to_successor<1>(core, op);
}

Handler bind_jcc(const Binding& binding, Op& op) {
  bind_target(binding, op);
  if (needs_check(binding, op)) {
    return by_any_test(binding, [](auto test) -> Handler { return &jcc_checked<decltype(test)>; });
  }
  return by_test(binding, [](auto test) -> Handler { return &jcc<decltype(test)>; });
}

// ---- LOOPcc, JrCXZ: the count register has the address size

enum class Count : u8 { kLoop, kLoopZ, kLoopNz, kIsZero };

template <Count kind, class T>
Next count_branch(Core* core, const Op* op) {
  T count = get_gpr<T>(*core, gpr_offset(kRcx));
  bool taken;
  if constexpr (kind == Count::kIsZero) {
    taken = count == 0;
  } else {
    --count;
    taken = count != 0;
    if constexpr (kind == Count::kLoopZ)
      taken = taken && condition_holds(Condition::kZ, core->state.lazy);
    if constexpr (kind == Count::kLoopNz)
      taken = taken && condition_holds(Condition::kNz, core->state.lazy);
  }
  if (taken && !is_valid_direct_target(*core, *op)) return raise_bad_target(core, op);
  if constexpr (kind != Count::kIsZero) set_gpr<T>(*core, gpr_offset(kRcx), count);
  if (taken) return go_to_successor<1>(core, op);
  return go_to_successor<0>(core, op);
}

template <Count kind>
Handler bind_count_branch(const Binding& binding, Op& op) {
  bind_target(binding, op);
  return by_wide_width(address_size_log2(binding.in), [](auto t) -> Handler {
    return &count_branch<kind, decltype(t)>;
  });
}

// ---- JMP

Next jump_direct(Core* core, const Op* op) { return go_to_successor<1>(core, op); }

Next jump_direct_checked(Core* core, const Op* op) {
  if (!is_valid_direct_target(*core, *op)) return raise_bad_target(core, op);
  return go_to_successor<1>(core, op);
}

template <class T>
Outcome jump_to(Core& core, T target) {
  if (!is_valid_target(core, target)) [[unlikely]]
    return core.raise(kGp, 0);
  core.state.rip = target;
  return Outcome::kJump;
}

template <class T>
Outcome jump_reg(Core& core, const Op& op) {
  return jump_to(core, get_gpr<T>(core, op.dst));
}

template <class T, Form form>
Outcome jump_mem(Core& core, const Op& op) {
  T target;
  if (!load_operand<T, form>(core, op, target)) return Outcome::kFault;
  return jump_to(core, target);
}

Handler bind_indirect_jump(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  return by_wide_width(branch_size_log2(binding), [&](auto t) -> Handler {
    using T = decltype(t);
    if (!binding.in.is_memory(0)) return &run<jump_reg<T>>;
    return by_form<T>(op, [](auto form) -> Handler { return &run<jump_mem<T, form()>>; });
  });
}

bool is_far(const Binding& binding) {
  return binding.in.ins.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR;
}

Handler bind_jmp(const Binding& binding, Op& op) {
  if (is_far(binding)) return bind_far_branch(binding, op);
  if (!binding.in.is_immediate(0)) return bind_indirect_jump(binding, op);
  bind_target(binding, op);
  return needs_check(binding, op) ? &jump_direct_checked : &jump_direct;
}

// ---- CALL

Next call_direct(Core* core, const Op* op) {
  const u64 top = core->state.gpr[kRsp] - sizeof(u64);
  if (!store_linear<u64>(*core, *op, top, op->imm)) [[unlikely]]
    return leave_on_fault(core, op);
  core->state.gpr[kRsp] = top;
  return go_to_successor<1>(core, op);
}

template <class T>
Next call_direct_checked(Core* core, const Op* op) {
  if (!is_valid_direct_target(*core, *op)) return raise_bad_target(core, op);
  if (!push<T>(*core, *op, static_cast<T>(op->imm))) return leave_on_fault(core, op);
  return go_to_successor<1>(core, op);
}

template <class T>
Outcome call_to(Core& core, const Op& op, T target) {
  if (!is_valid_target(core, target)) [[unlikely]]
    return core.raise(kGp, 0);
  if constexpr (sizeof(T) == 8) {
    const u64 top = core.state.gpr[kRsp] - sizeof(u64);
    if (!is_canonical_target(core, top)) [[unlikely]]
      return core.raise(kSs_, 0);
    if (!store_linear<u64>(core, op, top, op.imm)) [[unlikely]]
      return Outcome::kFault;
    core.state.gpr[kRsp] = top;
  } else {
    if (!push<T>(core, op, static_cast<T>(op.imm))) return Outcome::kFault;
  }
  core.state.rip = target;
  return Outcome::kJump;
}

template <class T>
Outcome call_reg(Core& core, const Op& op) {
  return call_to(core, op, get_gpr<T>(core, op.dst));
}

template <class T, Form form>
Outcome call_mem(Core& core, const Op& op) {
  T target;
  if (!load_operand<T, form>(core, op, target)) return Outcome::kFault;
  return call_to(core, op, target);
}

Handler bind_indirect_call(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  const unsigned size = branch_size_log2(binding);
  op.imm = truncate(binding.in.rip + binding.in.length(), size);
  return by_wide_width(size, [&](auto t) -> Handler {
    using T = decltype(t);
    if (!binding.in.is_memory(0)) return &run<call_reg<T>>;
    return by_form<T>(op, [](auto form) -> Handler { return &run<call_mem<T, form()>>; });
  });
}

Handler bind_call(const Binding& binding, Op& op) {
  if (is_far(binding)) return bind_far_branch(binding, op);
  if (!binding.in.is_immediate(0)) return bind_indirect_call(binding, op);
  bind_target(binding, op);
  if (!needs_check(binding, op)) return &call_direct;
  return by_wide_width(branch_size_log2(binding),
                       [](auto t) -> Handler { return &call_direct_checked<decltype(t)>; });
}

// ---- RET; imm: bytes of parameters to release

template <class T>
Outcome ret(Core& core, const Op& op) {
  T target;
  if constexpr (sizeof(T) == 8) {
    const u64 top = core.state.gpr[kRsp];
    if (!load_linear(core, op, top, target)) return Outcome::kFault;
    if (!is_valid_target(core, target)) [[unlikely]]
      return core.raise(kGp, 0);
    core.state.gpr[kRsp] = top + sizeof(T) + op.imm;
  } else {
    if (!peek(core, op, 0, target)) return Outcome::kFault;
    if (!is_valid_target(core, target)) return core.raise(kGp, 0);
    set_stack_pointer(core, stack_pointer(core) + sizeof(T) + op.imm);
  }
  core.state.rip = target;
  return Outcome::kJump;
}

Handler bind_ret(const Binding& binding, Op& op) {
  if (is_far(binding)) return bind_far_branch(binding, op);
  bind_operands(binding, op);
  op.imm = binding.in.is_immediate(0) ? binding.in.operand[0].imm.value.u : 0;
  op.mem.bits = static_cast<u8>(3 << 4 | kSs);
  return by_wide_width(branch_size_log2(binding),
                       [](auto t) -> Handler { return &run<ret<decltype(t)>>; });
}

constexpr FlagUse kReads = FlagUse::kReads;

constexpr InstructionRow kRows[] = {
    branch_row(ZYDIS_MNEMONIC_JO, bind_jcc, kReads),
    branch_row(ZYDIS_MNEMONIC_JNO, bind_jcc, kReads),
    branch_row(ZYDIS_MNEMONIC_JB, bind_jcc, kReads),
    branch_row(ZYDIS_MNEMONIC_JNB, bind_jcc, kReads),
    branch_row(ZYDIS_MNEMONIC_JZ, bind_jcc, kReads),
    branch_row(ZYDIS_MNEMONIC_JNZ, bind_jcc, kReads),
    branch_row(ZYDIS_MNEMONIC_JBE, bind_jcc, kReads),
    branch_row(ZYDIS_MNEMONIC_JNBE, bind_jcc, kReads),
    branch_row(ZYDIS_MNEMONIC_JS, bind_jcc, kReads),
    branch_row(ZYDIS_MNEMONIC_JNS, bind_jcc, kReads),
    branch_row(ZYDIS_MNEMONIC_JP, bind_jcc, kReads),
    branch_row(ZYDIS_MNEMONIC_JNP, bind_jcc, kReads),
    branch_row(ZYDIS_MNEMONIC_JL, bind_jcc, kReads),
    branch_row(ZYDIS_MNEMONIC_JNL, bind_jcc, kReads),
    branch_row(ZYDIS_MNEMONIC_JLE, bind_jcc, kReads),
    branch_row(ZYDIS_MNEMONIC_JNLE, bind_jcc, kReads),
    branch_row(ZYDIS_MNEMONIC_LOOP, bind_count_branch<Count::kLoop>),
    branch_row(ZYDIS_MNEMONIC_LOOPE, bind_count_branch<Count::kLoopZ>, kReads),
    branch_row(ZYDIS_MNEMONIC_LOOPNE, bind_count_branch<Count::kLoopNz>, kReads),
    branch_row(ZYDIS_MNEMONIC_JCXZ, bind_count_branch<Count::kIsZero>),
    branch_row(ZYDIS_MNEMONIC_JECXZ, bind_count_branch<Count::kIsZero>),
    branch_row(ZYDIS_MNEMONIC_JRCXZ, bind_count_branch<Count::kIsZero>),
    branch_row(ZYDIS_MNEMONIC_JMP, bind_jmp),
    branch_row(ZYDIS_MNEMONIC_CALL, bind_call),
    branch_row(ZYDIS_MNEMONIC_RET, bind_ret),
};

}  // namespace

Rows branch_rows() { return kRows; }

}  // namespace vtsim::cpu
