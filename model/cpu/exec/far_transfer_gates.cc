// SDM 2A "CALL", "JMP": CALL-GATE, TASK-GATE, TASK-STATE-SEGMENT; 3A "Call Gates", "IA-32e Mode Call
// Gates".

#include "model/cpu/exec/far_transfer_gates.h"

#include "model/cpu/exec/task_switch.h"
#include "model/cpu/flags.h"

namespace vtsim::cpu {

namespace {

struct CallGate {
  Selector target;
  u64 offset = 0;
  unsigned size = 4;        // bytes of each pushed item
  unsigned parameters = 0;  // items copied to an inner stack
};

u32 type_bit(unsigned type) { return u32{1} << type; }

// The gate's own checks: privilege, then presence. True: `error` was not recorded.
bool check_gate_access(Core& core, Selector selector, const Descriptor& gate) {
  if (gate.dpl() < core.state.cpl || selector.rpl() > gate.dpl())
    return fail(core, kGp, selector.error());
  return gate.present() || fail(core, kNp, selector.error());
}

bool read_call_gate(Core& core, Selector selector, const LocatedDescriptor& located,
                    CallGate& gate) {
  constexpr Field kParameterCount{36, 32}, kUpperType{44, 40}, kUpperOffset{31, 0};
  const Descriptor& low = located.descriptor;
  gate.target = {low.gate_selector()};
  gate.offset = low.gate_offset();
  if (core.state.long_mode()) {
    u64 upper;
    if (!read_upper_half(core, selector, {}, located, upper)) return false;
    if (kUpperType.get(upper) != 0) return fail(core, kGp, selector.error());
    gate.offset |= kUpperOffset.get(upper) << 32;
    gate.size = 8;
  } else {
    gate.size = low.type() == kCallGate16 ? 2 : 4;
    gate.parameters = static_cast<unsigned>(kParameterCount.get(low.raw));
    if (gate.size == 2) gate.offset &= low_mask(16);
  }
  return check_gate_access(core, selector, low);
}

// The code segment that a call gate leads to. CPL of target.cs: the new one.
bool read_gate_target(Core& core, const FarPointer& to, const CallGate& gate, CodeTarget& target) {
  if (gate.target.is_null()) return fail(core, kGp, 0);
  if (!read_descriptor(core, gate.target, {}, target.located)) return false;
  const Descriptor& code = target.located.descriptor;
  const unsigned cpl = core.state.cpl;
  const bool wrong_size = core.state.long_mode() && (!code.is_long() || code.is_big());
  const bool jump_to_inner =
      to.kind == FarKind::kJump && !code.is_conforming() && code.dpl() != cpl;
  if (!code.is_code() || wrong_size || code.dpl() > cpl || jump_to_inner)
    return fail(core, kGp, gate.target.error());
  if (!code.present()) return fail(core, kNp, gate.target.error());
  target.cs = segment_from(gate.target.with_rpl(code.is_conforming() ? cpl : code.dpl()), code);
  return true;
}

bool push_return_address(Core& core, FarStack& stack, const FarPointer& to, unsigned size) {
  return stack.push(core.state.seg[kCs].selector, size) && stack.push(to.return_rip, size);
}

// ---- MORE-PRIVILEGE, 16- and 32-bit gates
bool call_inner_level(Core& core, const FarPointer& to, const CallGate& gate, CodeTarget& target) {
  CoreState& state = core.state;
  const unsigned cpl = target.cs.rpl();
  InnerStack inner;
  if (!read_inner_stack(core, cpl, 0, inner)) return false;
  FarStack old_stack = FarStack::current(core);
  FarStack stack(core, inner.ss, inner.pointer, stack_width(inner.ss), cpl,
                 Selector{inner.ss.selector}.error());
  if (!stack.push(state.seg[kSs].selector, gate.size) || !stack.push(state.gpr[kRsp], gate.size))
    return false;
  for (unsigned n = gate.parameters; n-- > 0;) {
    u64 parameter;
    if (!old_stack.peek(u64{n} * gate.size, parameter, gate.size) ||
        !stack.push(parameter, gate.size))
      return false;
  }
  if (!push_return_address(core, stack, to, gate.size) ||
      !check_target_rip(core, target.cs, gate.offset) ||
      !check_writes(core, stack, {&inner.located, &target.located}))
    return false;
  // Pushes are made at the old CPL's translations: before CS.
  stack.commit();
  if (!mark_accessed(core, inner.located) || !commit_code(core, target, gate.offset)) return false;
  state.seg[kSs] = segment_from({inner.ss.selector}, inner.located.descriptor);
  return true;
}

// ---- MORE-PRIVILEGE, 64-bit gates
bool call_inner_level_64(Core& core, const FarPointer& to, const CallGate& gate,
                         CodeTarget& target) {
  CoreState& state = core.state;
  const unsigned cpl = target.cs.rpl();
  u64 rsp;
  if (!read_stack_pointer_64(core, rsp_offset(cpl), 0, rsp)) return false;
  SegmentRegister ss = null_segment(static_cast<u16>(cpl));
  ss.rights.set(SegmentRights::DPL, cpl);
  FarStack stack(core, ss, rsp, StackWidth::k64, cpl, 0);
  if (!stack.push(state.seg[kSs].selector, 8) || !stack.push(state.gpr[kRsp], 8) ||
      !push_return_address(core, stack, to, 8) ||
      !check_target_rip(core, target.cs, gate.offset) ||
      !check_writes(core, stack, {&target.located}))
    return false;
  stack.commit();
  if (!commit_code(core, target, gate.offset)) return false;
  state.seg[kSs] = ss;
  return true;
}

// ---- SAME-PRIVILEGE, and JMP
bool enter_same_level(Core& core, const FarPointer& to, const CallGate& gate, CodeTarget& target) {
  const CoreState& state = core.state;
  const bool call = to.kind == FarKind::kCall;
  FarStack stack = gate.size == 8 ? FarStack(core, state.seg[kSs], state.gpr[kRsp],
                                             StackWidth::k64, state.cpl, 0)
                                  : FarStack::current(core);
  if (call && !push_return_address(core, stack, to, gate.size)) return false;
  if (!check_target_rip(core, target.cs, gate.offset) ||
      !check_writes(core, stack, {&target.located}))
    return false;
  if (call) stack.commit();
  return commit_code(core, target, gate.offset);
}

Outcome through_call_gate(Core& core, const FarPointer& to, const LocatedDescriptor& located) {
  CallGate gate;
  CodeTarget target;
  if (!read_call_gate(core, to.selector, located, gate) ||
      !read_gate_target(core, to, gate, target))
    return Outcome::kFault;
  const bool inner = to.kind == FarKind::kCall && target.cs.rpl() < core.state.cpl;
  const bool ok = !inner                   ? enter_same_level(core, to, gate, target)
                  : core.state.long_mode() ? call_inner_level_64(core, to, gate, target)
                                           : call_inner_level(core, to, gate, target);
  if (!ok) return Outcome::kFault;
  core.mode_changed();
  return Outcome::kJump;
}

// ---- TASK-GATE, TASK-STATE-SEGMENT

Outcome to_task(Core& core, const FarPointer& to, Selector tss) {
  return switch_task_by_instruction(
      core, {.selector = tss,
             .cause = to.kind == FarKind::kCall ? TaskSwitchCause::kCall : TaskSwitchCause::kJump,
             .return_rip = to.return_rip,
             .saved_rflags = read_rflags(core.state),
             .length = to.length});
}

}  // namespace

Outcome transfer_through_system_descriptor(Core& core, const FarPointer& to,
                                           const LocatedDescriptor& located) {
  const Descriptor& descriptor = located.descriptor;
  if (!descriptor.is_system()) return core.raise(kGp, to.selector.error());  // a data segment
  const u32 type = type_bit(descriptor.type());
  const bool long_mode = core.state.long_mode();
  if (type & (long_mode ? type_bit(kCallGate) : type_bit(kCallGate) | type_bit(kCallGate16)))
    return through_call_gate(core, to, located);
  if (long_mode) return core.raise(kGp, to.selector.error());
  if (type & type_bit(kTaskGate)) {
    if (!check_gate_access(core, to.selector, descriptor)) return Outcome::kFault;
    return to_task(core, to, {descriptor.gate_selector()});
  }
  if (type & (type_bit(kTss16Available) | type_bit(kTssAvailable))) {
    if (!check_gate_access(core, to.selector, descriptor)) return Outcome::kFault;
    return to_task(core, to, to.selector);
  }
  return core.raise(kGp, to.selector.error());
}

}  // namespace vtsim::cpu
