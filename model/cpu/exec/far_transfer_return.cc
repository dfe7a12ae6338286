// Far RET. SDM 2B "RET".

#include "model/cpu/exec/far_transfer_gates.h"

namespace vtsim::cpu {

namespace {

// ---- REAL-ADDRESS MODE, VIRTUAL-8086 MODE
template <unsigned size>
Outcome return_real(Core& core, u64 release) {
  CoreState& state = core.state;
  FarStack stack = FarStack::current(core);
  u64 rip, cs;
  if (!stack.pop(rip, size) || !stack.pop(cs, size)) return Outcome::kFault;
  if (rip > state.seg[kCs].limit) return core.raise(kGp, 0);
  const u16 selector = static_cast<u16>(cs);
  stack.skip(release);
  stack.commit();
  state.seg[kCs] =
      state.v8086_mode() ? v8086_segment(selector) : real_mode_segment(state.seg[kCs], selector);
  state.rip = rip;
  core.mode_changed();
  return Outcome::kJump;
}

// ---- RETURN-OUTER-PRIVILEGE-LEVEL
template <unsigned size>
Outcome return_outer(Core& core, FarStack& stack, u64 release, CodeTarget& target, u64 rip) {
  CoreState& state = core.state;
  u64 rsp, selector;
  ReturnStack to;
  stack.skip(release);
  if (!stack.pop(rsp, size) || !stack.pop(selector, size) ||
      !read_return_stack(core, target, {static_cast<u16>(selector)}, to) ||
      !check_target_rip(core, target.cs, rip) || !commit_return(core, target, to, rip))
    return Outcome::kFault;
  const StackWidth width = state.mode64() ? StackWidth::k64 : stack_width(to.ss);
  FarStack outer(core, to.ss, rsp, width, state.cpl, 0);
  outer.skip(release);
  outer.commit();
  drop_privileged_segments(core);
  core.mode_changed();
  return Outcome::kJump;
}

template <unsigned size>
Outcome return_protected(Core& core, u64 release) {
  FarStack stack = FarStack::current(core);
  u64 rip, cs;
  if (!stack.pop(rip, size) || !stack.pop(cs, size)) return Outcome::kFault;
  CodeTarget target;
  if (!read_return_segment(core, {static_cast<u16>(cs)}, target)) return Outcome::kFault;
  if (target.cs.rpl() > core.state.cpl)
    return return_outer<size>(core, stack, release, target, rip);
  if (!check_target_rip(core, target.cs, rip) || !commit_code(core, target, rip))
    return Outcome::kFault;
  stack.skip(release);
  stack.commit();
  core.mode_changed();
  return Outcome::kJump;
}

template <unsigned size>
Outcome far_return(Core& core, const Op& op) {
  if (core.state.real_mode() || core.state.v8086_mode()) return return_real<size>(core, op.imm);
  return return_protected<size>(core, op.imm);
}

}  // namespace

Handler bind_far_return(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  op.imm &= low_mask(16);
  switch (binding.in.operand_bits()) {
    case 16: return &run<far_return<2>>;
    case 32: return &run<far_return<4>>;
    default: return &run<far_return<8>>;
  }
}

}  // namespace vtsim::cpu
