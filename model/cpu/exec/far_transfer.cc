// Far JMP and CALL to code segments, in all modes; what names a gate or a TSS goes on in
// far_transfer_gates.cc. SDM 2A "CALL", "JMP".

#include "model/cpu/exec/far_transfer.h"

#include "model/cpu/exec/far_transfer_gates.h"
#include "model/cpu/exec/groups.h"

namespace vtsim::cpu {

namespace {

// ---- REAL-ADDRESS MODE, VIRTUAL-8086 MODE

bool push_return_address(Core& core, FarStack& stack, const FarPointer& to) {
  return stack.push(core.state.seg[kCs].selector, to.size) && stack.push(to.return_rip, to.size);
}

bool call_is(const FarPointer& to) { return to.kind == FarKind::kCall; }

Outcome jump_real(Core& core, const FarPointer& to) {
  CoreState& state = core.state;
  FarStack stack = FarStack::current(core);
  if (call_is(to) && !push_return_address(core, stack, to)) return Outcome::kFault;
  if (to.offset > state.seg[kCs].limit) return core.raise(kGp, 0);
  if (!stack.check_pushes()) return Outcome::kFault;
  if (call_is(to)) stack.commit();
  state.seg[kCs] = state.v8086_mode() ? v8086_segment(to.selector.value)
                                      : real_mode_segment(state.seg[kCs], to.selector.value);
  state.rip = to.offset;
  core.mode_changed();
  return Outcome::kJump;
}

// ---- CONFORMING-CODE-SEGMENT, NONCONFORMING-CODE-SEGMENT

Outcome jump_to_segment(Core& core, const FarPointer& to, const LocatedDescriptor& located) {
  CoreState& state = core.state;
  const Descriptor& code = located.descriptor;
  const unsigned cpl = state.cpl;
  const bool wrong_level = code.is_conforming()
                               ? code.dpl() > cpl
                               : to.selector.rpl() > cpl || code.dpl() != cpl;
  if (has_reserved_size(core, code) || wrong_level) return core.raise(kGp, to.selector.error());
  if (!code.present()) return core.raise(kNp, to.selector.error());
  CodeTarget target{segment_from(to.selector.with_rpl(cpl), code), located};
  FarStack stack = FarStack::current(core);
  if (call_is(to) && !push_return_address(core, stack, to)) return Outcome::kFault;
  if (!check_target_rip(core, target.cs, to.offset) ||
      !check_writes(core, stack, {&target.located}))
    return Outcome::kFault;
  if (call_is(to)) stack.commit();
  if (!commit_code(core, target, to.offset)) return Outcome::kFault;
  core.mode_changed();
  return Outcome::kJump;
}

Outcome transfer(Core& core, const FarPointer& to) {
  if (core.state.real_mode() || core.state.v8086_mode()) return jump_real(core, to);
  if (to.selector.is_null()) return core.raise(kGp, 0);
  LocatedDescriptor located;
  if (!read_descriptor(core, to.selector, {}, located)) return Outcome::kFault;
  if (located.descriptor.is_code()) return jump_to_segment(core, to, located);
  return transfer_through_system_descriptor(core, to, located);
}

// ---- handlers

template <FarKind kind, unsigned size>
Outcome far_direct(Core& core, const Op& op) {
  constexpr Field kOffset{31, 0}, kSelector{47, 32};
  return transfer(core, {.kind = kind,
                         .size = size,
                         .selector = {static_cast<u16>(kSelector.get(op.imm))},
                         .offset = kOffset.get(op.imm),
                         .return_rip = core.next_rip(op),
                         .length = static_cast<u8>(op.length())});
}

template <class T>
bool load_far_operand(Core& core, const Op& op, u64& offset, u16& selector) {
  u64 lin;
  T low;
  if (!operand_linear(core, op, sizeof(T) + 2, Intent::kRead, lin) ||
      !load_linear(core, op, lin, low) || !load_linear(core, op, lin + sizeof(T), selector))
    return false;
  offset = low;
  return true;
}

template <FarKind kind, class T>
Outcome far_indirect(Core& core, const Op& op) {
  FarPointer to{.kind = kind, .size = sizeof(T), .selector = {}, .return_rip = core.next_rip(op),
               .length = static_cast<u8>(op.length())};
  if (!load_far_operand<T>(core, op, to.offset, to.selector.value)) return Outcome::kFault;
  return transfer(core, to);
}

template <FarKind kind>
Handler bind_transfer(const Binding& binding, Op& op) {
  const Decoded& in = binding.in;
  bind_operands(binding, op);
  if (in.operand[0].type == ZYDIS_OPERAND_TYPE_POINTER)
    return in.operand_bits() == 16 ? &run<far_direct<kind, 2>> : &run<far_direct<kind, 4>>;
  switch (in.operand_bits()) {
    case 16: return &run<far_indirect<kind, u16>>;
    case 32: return &run<far_indirect<kind, u32>>;
    default: return &run<far_indirect<kind, u64>>;
  }
}

}  // namespace

Handler bind_far_branch(const Binding& binding, Op& op) {
  switch (binding.in.mnemonic()) {
    case ZYDIS_MNEMONIC_JMP: return bind_transfer<FarKind::kJump>(binding, op);
    case ZYDIS_MNEMONIC_CALL: return bind_transfer<FarKind::kCall>(binding, op);
    default: return bind_far_return(binding, op);
  }
}

}  // namespace vtsim::cpu
