// SDM 2A "IRET/IRETD/IRETQ". The labels of its pseudo-code stand above the functions.

#include "model/cpu/exec/interrupt_return.h"

#include "model/cpu/exec/far_transfer.h"
#include "model/cpu/exec/interrupt_flags.h"
#include "model/cpu/exec/task_switch.h"

namespace vtsim::cpu {

namespace {

struct ReturnFrame {
  u64 rip = 0;
  u64 cs = 0;
  u64 rflags = 0;
  u64 rsp = 0;
  u64 ss = 0;
};

constexpr u64 kKeptByRealMode = Rflags::VM.mask() | Rflags::VIF.mask() | Rflags::VIP.mask();

// RFLAGS as IRET loads it; the caller calls mode_changed() afterwards.
void load_flags(Core& core, u64 image, u64 mask, unsigned size) {
  // Without enabled breakpoints and a single-step trap nobody can tell RF from its absence after the
  // next instruction.
  const bool single_steps = Reg<Rflags>(core.state.rflags_other)[Rflags::TF];
  if (Dr7::ENABLES.get(core.state.dr7) == 0 && !single_steps) image &= ~Rflags::RF.mask();
  if (size == 2) mask &= low_mask(16);
  mask |= Rflags::RF.mask();
  change_rflags(core, size == 2 ? image & low_mask(16) : image, mask);
}

// What the privilege before the return lets it change.
u64 changeable_flags(const Core& core, unsigned cpl) {
  u64 mask = kFreeFlags | Rflags::RF.mask();
  if (cpl <= Rflags::IOPL.get(core.state.rflags_other)) mask |= Rflags::IF.mask();
  if (cpl == 0) mask |= Rflags::IOPL.mask() | Rflags::VIF.mask() | Rflags::VIP.mask();
  return mask;
}

bool pop_frame(FarStack& stack, unsigned size, ReturnFrame& frame) {
  if (!stack.pop(frame.rip, size) || !stack.pop(frame.cs, size) || !stack.pop(frame.rflags, size))
    return false;
  frame.cs &= low_mask(16);
  return true;
}

bool pop_stack_pointer(FarStack& stack, unsigned size, ReturnFrame& frame) {
  if (!stack.pop(frame.rsp, size) || !stack.pop(frame.ss, size)) return false;
  frame.ss &= low_mask(16);
  return true;
}

// ---- real-address mode
template <unsigned size>
Outcome iret_real(Core& core) {
  CoreState& state = core.state;
  FarStack stack = FarStack::current(core);
  ReturnFrame frame;
  if (!pop_frame(stack, size, frame)) return Outcome::kFault;
  if (frame.rip > state.seg[kCs].limit) return core.raise(kGp, 0);
  stack.commit();
  state.seg[kCs] = real_mode_segment(state.seg[kCs], static_cast<u16>(frame.cs));
  state.rip = frame.rip;
  load_flags(core, frame.rflags, Rflags::kDefined & ~kKeptByRealMode, size);
  core.mode_changed();
  return Outcome::kJump;
}

// ---- RETURN-FROM-VIRTUAL-8086-MODE
template <unsigned size>
Outcome iret_v8086(Core& core) {
  CoreState& state = core.state;
  const Reg<Rflags> flags(state.rflags_other);
  const bool has_iopl = flags[Rflags::IOPL] == 3;
  if (!has_iopl && (size != 2 || !state.cr4[Cr4::VME])) return core.raise(kGp, 0);
  FarStack stack = FarStack::current(core);
  ReturnFrame frame;
  if (!pop_frame(stack, size, frame)) return Outcome::kFault;
  if (frame.rip > low_mask(16)) return core.raise(kGp, 0);
  const Reg<Rflags> image(frame.rflags);
  u64 mask = Rflags::kDefined & ~(kKeptByRealMode | Rflags::IOPL.mask());
  if (!has_iopl) {
    if (image[Rflags::TF] || (image[Rflags::IF] && flags[Rflags::VIP])) return core.raise(kGp, 0);
    mask &= ~Rflags::IF.mask();
  }
  stack.commit();
  state.seg[kCs] = v8086_segment(static_cast<u16>(frame.cs));
  state.rip = frame.rip;
  load_flags(core, frame.rflags, mask, size);
  core.mode_changed();
  if (!has_iopl)
    state.rflags_other =
        Reg<Rflags>(state.rflags_other).with(Rflags::VIF, image[Rflags::IF]).value;
  return Outcome::kJump;
}

// ---- TASK-RETURN
Outcome iret_task(Core& core, const Op& op) {
  CoreState& state = core.state;
  if (state.long_mode()) return core.raise(kGp, 0);
  u16 link;
  if (!state.seg[kTr].usable() || state.seg[kTr].limit < 1)
    return core.raise(kTs, Selector{state.seg[kTr].selector}.error());
  if (!read_tss(core, 0, link)) return Outcome::kFault;
  return switch_task_by_instruction(core, {.selector = {link},
                                           .cause = TaskSwitchCause::kIret,
                                           .return_rip = core.next_rip(op),
                                           .saved_rflags = read_rflags(state),
                                           .length = static_cast<u8>(op.length())});
}

// ---- RETURN-TO-VIRTUAL-8086-MODE: only with 32-bit operands, at CPL 0
Outcome return_to_v8086(Core& core, FarStack& stack, ReturnFrame& frame) {
  CoreState& state = core.state;
  u64 selectors[4];
  if (!pop_stack_pointer(stack, 4, frame)) return Outcome::kFault;
  for (u64& selector : selectors)
    if (!stack.pop(selector, 4)) return Outcome::kFault;
  if (frame.rip > low_mask(16)) return core.raise(kGp, 0);
  constexpr SegmentName kOrder[4] = {kEs, kDs, kFs, kGs};
  for (unsigned n = 0; n < 4; ++n)
    state.seg[kOrder[n]] = v8086_segment(static_cast<u16>(selectors[n]));
  state.seg[kCs] = v8086_segment(static_cast<u16>(frame.cs));
  state.seg[kSs] = v8086_segment(static_cast<u16>(frame.ss));
  state.gpr[kRsp] = frame.rsp;
  state.rip = frame.rip;
  state.cpl = 3;
  load_flags(core, frame.rflags, Rflags::kDefined, 4);
  core.mode_changed();
  return Outcome::kJump;
}

// ---- RETURN-TO-SAME-PRIVILEGE-LEVEL, RETURN-TO-OUTER-PRIVILEGE-LEVEL, with SS:RSP from the frame
Outcome return_with_stack(Core& core, const ReturnFrame& frame, CodeTarget& target,
                          unsigned size) {
  CoreState& state = core.state;
  ReturnStack to;
  if (!read_return_stack(core, target, {static_cast<u16>(frame.ss)}, to) ||
      !check_target_rip(core, target.cs, frame.rip))
    return Outcome::kFault;
  const unsigned old_cpl = state.cpl;
  const u64 mask = changeable_flags(core, old_cpl);
  if (!commit_return(core, target, to, frame.rip)) return Outcome::kFault;
  if (state.mode64()) {
    state.gpr[kRsp] = frame.rsp;
  } else {
    // A 16-bit stack segment gets SP only.
    const unsigned width = to.ss.rights[SegmentRights::DB] ? 32 : 16;
    u64& rsp = state.gpr[kRsp];
    rsp = width == 32 ? frame.rsp & low_mask(32) : Field{15, 0}.put(rsp, frame.rsp);
  }
  if (state.cpl > old_cpl) drop_privileged_segments(core);
  load_flags(core, frame.rflags, mask, size);
  core.mode_changed();
  return Outcome::kJump;
}

Outcome return_to_same_level(Core& core, FarStack& stack, const ReturnFrame& frame,
                             CodeTarget& target, unsigned size) {
  if (!check_target_rip(core, target.cs, frame.rip)) return Outcome::kFault;
  const u64 mask = changeable_flags(core, core.state.cpl);
  if (!commit_code(core, target, frame.rip)) return Outcome::kFault;
  stack.commit();
  load_flags(core, frame.rflags, mask, size);
  core.mode_changed();
  return Outcome::kJump;
}

// Protected and compatibility mode.
template <unsigned size>
Outcome iret_protected(Core& core, const Op& op) {
  if (Reg<Rflags>(core.state.rflags_other)[Rflags::NT]) return iret_task(core, op);
  FarStack stack = FarStack::current(core);
  ReturnFrame frame;
  if (!pop_frame(stack, size, frame)) return Outcome::kFault;
  if (size == 4 && Reg<Rflags>(frame.rflags)[Rflags::VM] && core.state.cpl == 0 &&
      !core.state.long_mode())
    return return_to_v8086(core, stack, frame);
  CodeTarget target;
  if (!read_return_segment(core, {static_cast<u16>(frame.cs)}, target)) return Outcome::kFault;
  if (target.cs.rpl() == core.state.cpl)
    return return_to_same_level(core, stack, frame, target, size);
  if (!pop_stack_pointer(stack, size, frame)) return Outcome::kFault;
  return return_with_stack(core, frame, target, size);
}

// SDM 3A "Masking of NMIs": the first IRET unmasks them, even where it faults. SDM 3C "Changes to
// Instruction Behavior in VMX Non-Root Operation", IRET: virtual NMIs, or none at all.
void unblock_nmi(Core& core) {
  if (!core.state.nmi_blocked && !core.vmx.virtual_nmi_blocked) [[likely]]
    return;
  if (!core.state.view.iret_unblocks_nmi) return;
  core.vmx.nmi_unblocked_by_iret = true;
  core.state.nmi_blocked = core.vmx.virtual_nmi_blocked = false;
  core.set_attention();
  core.request_sync();
}

template <unsigned size>
Outcome iret(Core& core, const Op& op) {
  unblock_nmi(core);
  if (core.state.real_mode()) return iret_real<size>(core);
  if (core.state.v8086_mode()) return iret_v8086<size>(core);
  return iret_protected<size>(core, op);
}

// 64-bit mode: SS and RSP are popped whatever the level.
template <unsigned size>
Outcome iret_64(Core& core, const Op& op) {
  unblock_nmi(core);
  if (Reg<Rflags>(core.state.rflags_other)[Rflags::NT]) [[unlikely]]
    return core.raise(kGp, 0);
  ReturnFrame frame;
  if constexpr (size == 8) {
    const u64 rsp = core.state.gpr[kRsp];
    if (!is_canonical(core, rsp) || !is_canonical(core, rsp + sizeof frame - 1))
      return core.raise(kSs_, 0);
    if (!load_linear(core, op, rsp, frame)) return Outcome::kFault;
    frame.cs &= low_mask(16);
    frame.ss &= low_mask(16);
  } else {
    FarStack stack = FarStack::current(core);
    if (!pop_frame(stack, size, frame) || !pop_stack_pointer(stack, size, frame))
      return Outcome::kFault;
  }
  CodeTarget target;
  if (!read_return_segment(core, {static_cast<u16>(frame.cs)}, target)) return Outcome::kFault;
  return return_with_stack(core, frame, target, size);
}

}  // namespace

template <unsigned size>
Handler bind_iret(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  if (binding.code_size == CodeSize::k64) return &run<iret_64<size>>;
  if constexpr (size == 8) {
    return nullptr;  // needs REX.W
  } else {
    return &run<iret<size>>;
  }
}

template Handler bind_iret<2>(const Binding&, Op&);
template Handler bind_iret<4>(const Binding&, Op&);
template Handler bind_iret<8>(const Binding&, Op&);

}  // namespace vtsim::cpu
