// PUSH, POP, PUSHA, POPA, ENTER, LEAVE. SDM 1 "Procedure Calls, Interrupts, and Exceptions".

#include "model/cpu/exec/choose.h"
#include "model/cpu/exec/groups.h"

namespace vtsim::cpu {

namespace {

// In 64-bit code SS is flat; `mem` names it, so that a stack address that is not canonical is #SS.
void bind_flat_stack(Op& op) { op.mem.bits = static_cast<u8>(3 << 4 | kSs); }

bool is_64bit_push(const Binding& binding) {
  return binding.code_size == CodeSize::k64 && binding.in.operand_bits() == 64;
}

// Operand size of a stack instruction, from prefixes and mode.
unsigned stack_operand_log2(const Binding& binding) {
  const unsigned bits = binding.in.operand_bits();
  return bits == 16 ? 1 : bits == 32 ? 2 : 3;
}

// ---- PUSH

Outcome push_flat(Core& core, const Op& op, u64 value) {
  const u64 top = core.state.gpr[kRsp] - sizeof value;
  if (!store_linear(core, op, top, value)) return Outcome::kFault;
  core.state.gpr[kRsp] = top;
  return Outcome::kNext;
}
Outcome push64_reg(Core& core, const Op& op) {
  return push_flat(core, op, get_gpr<u64>(core, op.dst));
}
Outcome push64_imm(Core& core, const Op& op) { return push_flat(core, op, op.imm); }

template <class T>
Outcome push_reg(Core& core, const Op& op) {
  return push<T>(core, op, get_gpr<T>(core, op.dst)) ? Outcome::kNext : Outcome::kFault;
}
template <class T>
Outcome push_imm(Core& core, const Op& op) {
  return push<T>(core, op, static_cast<T>(op.imm)) ? Outcome::kNext : Outcome::kFault;
}
template <class T>
Outcome push_mem(Core& core, const Op& op) {
  T value;
  return load_operand(core, op, value) && push<T>(core, op, value) ? Outcome::kNext
                                                                  : Outcome::kFault;
}

// SDM 2 "PUSH": recent Intel processors push a selector with 32-bit operands by a 16-bit move and
// leave the upper half of the slot alone.
template <class T>
Outcome push_segment(Core& core, const Op& op) {
  const u16 selector = core.state.seg[op.dst].selector;
  if constexpr (sizeof(T) == 4) {
    const u64 top = truncate(core.state.gpr[kRsp] - sizeof(T), stack_size_log2(core));
    if (!store_at(core, op, kSs, top, selector)) return Outcome::kFault;
    set_stack_pointer(core, top);
    return Outcome::kNext;
  } else {
    return push<T>(core, op, selector) ? Outcome::kNext : Outcome::kFault;
  }
}

bool is_segment_operand(const Binding& binding) {
  return binding.in.is_register(0) && ZydisRegisterGetClass(binding.in.operand[0].reg.value) ==
                                          ZYDIS_REGCLASS_SEGMENT;
}

Handler bind_push(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  const bool segment = is_segment_operand(binding);
  const bool memory = binding.in.is_memory(0), immediate = binding.in.is_immediate(0);
  if (is_64bit_push(binding) && !segment && !memory) {
    bind_flat_stack(op);
    return immediate ? &run<push64_imm> : &run<push64_reg>;
  }
  return by_wide_width(stack_operand_log2(binding), [&](auto t) -> Handler {
    using T = decltype(t);
    if (segment) return &run<push_segment<T>>;
    if (memory) return &run<push_mem<T>>;
    return immediate ? &run<push_imm<T>> : &run<push_reg<T>>;
  });
}

// ---- POP

Outcome pop64_reg(Core& core, const Op& op) {
  u64 value;
  const u64 top = core.state.gpr[kRsp];
  if (!load_linear(core, op, top, value)) return Outcome::kFault;
  core.state.gpr[kRsp] = top + sizeof value;
  set_gpr<u64>(core, op.dst, value);  // last: POP RSP keeps what it popped
  return Outcome::kNext;
}

template <class T>
Outcome pop_reg(Core& core, const Op& op) {
  T value;
  if (!peek(core, op, 0, value)) return Outcome::kFault;
  set_stack_pointer(core, stack_pointer(core) + sizeof(T));
  set_gpr<T>(core, op.dst, value);
  return Outcome::kNext;
}

// SDM 2 "POP": a destination based on ESP is computed after the stack pointer was incremented.
template <class T>
Outcome pop_mem(Core& core, const Op& op) {
  T value;
  if (!peek(core, op, 0, value)) return Outcome::kFault;
  const u64 old = core.state.gpr[kRsp];
  set_stack_pointer(core, stack_pointer(core) + sizeof(T));
  if (store_operand(core, op, value)) return Outcome::kNext;
  core.state.gpr[kRsp] = old;
  return Outcome::kFault;
}

Handler bind_pop(const Binding& binding, Op& op) {
  if (is_segment_operand(binding)) return bind_pop_segment(binding, op);
  bind_operands(binding, op);
  if (is_64bit_push(binding) && binding.in.is_register(0)) {
    bind_flat_stack(op);
    return &run<pop64_reg>;
  }
  return by_wide_width(stack_operand_log2(binding), [&](auto t) -> Handler {
    using T = decltype(t);
    return binding.in.is_memory(0) ? &run<pop_mem<T>> : &run<pop_reg<T>>;
  });
}

// Checks that `count` pushes would succeed, so that a fault leaves memory as it was.
template <class T>
bool probe_pushes(Core& core, const Op& op, u64 top, u64 count) {
  const unsigned stack = stack_size_log2(core);
  for (u64 n = 1; n <= count; ++n) {
    u64 lin;
    if (!segment_to_linear(core, kSs, truncate(top - n * sizeof(T), stack), sizeof(T),
                           Intent::kWrite, lin) ||
        !core.probe_write(op, lin, sizeof(T)))
      return false;
  }
  return true;
}

// ---- PUSHA, POPA: eight slots, EAX at the highest address

inline constexpr unsigned kSlots = 8;

template <class T>
Outcome pusha(Core& core, const Op& op) {
  const unsigned stack = stack_size_log2(core);
  u64 top = core.state.gpr[kRsp];
  if (!probe_pushes<T>(core, op, top, kSlots)) return Outcome::kFault;
  for (unsigned n = 0; n < kSlots; ++n) {
    top = truncate(top - sizeof(T), stack);
    if (!store_at(core, op, kSs, top, static_cast<T>(core.state.gpr[n]))) return Outcome::kFault;
  }
  set_stack_pointer(core, top);
  return Outcome::kNext;
}

template <class T>
Outcome popa(Core& core, const Op& op) {
  T value[kSlots];
  for (unsigned n = 0; n < kSlots; ++n) {
    if (!peek(core, op, n * sizeof(T), value[n])) return Outcome::kFault;
  }
  for (unsigned n = 0; n < kSlots; ++n) {
    const unsigned reg = kSlots - 1 - n;
    if (reg != kRsp) set_gpr<T>(core, gpr_offset(static_cast<GprName>(reg)), value[n]);
  }
  set_stack_pointer(core, stack_pointer(core) + kSlots * sizeof(T));
  return Outcome::kNext;
}

// ---- ENTER: imm bytes of locals, disp frame pointers to copy. LEAVE.

// Every reference of ENTER before it writes any; the last is at the final stack pointer, where a write
// must be possible (SDM 2A "ENTER").
template <class T>
bool probe_enter(Core& core, const Op& op, u64 top) {
  const unsigned stack = stack_size_log2(core);
  const u64 levels = static_cast<u64>(op.disp);
  const u64 pushes = levels + 1;
  if (!probe_pushes<T>(core, op, top, pushes)) return false;
  for (u64 n = 1; n < levels; ++n) {
    T copied;
    if (!load_at(core, op, kSs, truncate(core.state.gpr[kRbp] - n * sizeof(T), stack), copied))
      return false;
  }
  u64 lin;
  const u64 end = truncate(top - pushes * sizeof(T) - op.imm, stack);
  return segment_to_linear(core, kSs, end, sizeof(T), Intent::kWrite, lin) &&
         core.probe_write(op, lin, sizeof(T));
}

template <class T>
Outcome enter(Core& core, const Op& op) {
  const unsigned stack = stack_size_log2(core);
  u64 top = truncate(core.state.gpr[kRsp], stack);
  u64 frame = core.state.gpr[kRbp];
  if (!probe_enter<T>(core, op, top)) return Outcome::kFault;
  const auto push_value = [&](T value) {
    top = truncate(top - sizeof(T), stack);
    return store_at(core, op, kSs, top, value);
  };
  if (!push_value(static_cast<T>(frame))) return Outcome::kFault;
  // SDM 2 "ENTER": FrameTemp is ESP for 32-bit operands, even on a 16-bit stack.
  const u64 new_frame = (core.state.gpr[kRsp] & ~low_mask(8u << stack)) | top;
  for (i64 n = 1; n < op.disp; ++n) {
    T copied;
    frame = truncate(frame - sizeof(T), stack);
    if (!load_at(core, op, kSs, frame, copied) || !push_value(copied)) return Outcome::kFault;
  }
  if (op.disp > 0 && !push_value(static_cast<T>(new_frame))) return Outcome::kFault;
  top = truncate(top - op.imm, stack);
  set_gpr<T>(core, gpr_offset(kRbp), static_cast<T>(new_frame));
  set_stack_pointer(core, top);
  return Outcome::kNext;
}

Handler bind_enter(const Binding& binding, Op& op) {
  constexpr Field kNestingLevel{4, 0};
  op.imm = binding.in.operand[0].imm.value.u;
  op.disp = static_cast<i64>(kNestingLevel.get(binding.in.operand[1].imm.value.u));
  return by_wide_width(stack_operand_log2(binding),
                       [](auto t) -> Handler { return &run<enter<decltype(t)>>; });
}

template <class T>
Outcome leave(Core& core, const Op& op) {
  const u64 frame = truncate(core.state.gpr[kRbp], stack_size_log2(core));
  T value;
  if (!load_at(core, op, kSs, frame, value)) return Outcome::kFault;
  set_stack_pointer(core, frame + sizeof(T));
  set_gpr<T>(core, gpr_offset(kRbp), value);
  return Outcome::kNext;
}

Outcome leave64(Core& core, const Op& op) {
  const u64 frame = core.state.gpr[kRbp];
  u64 value;
  if (!load_linear(core, op, frame, value)) return Outcome::kFault;
  core.state.gpr[kRsp] = frame + sizeof value;
  core.state.gpr[kRbp] = value;
  return Outcome::kNext;
}

Handler bind_leave(const Binding& binding, Op& op) {
  bind_flat_stack(op);
  switch (stack_operand_log2(binding)) {
    case 1: return &run<leave<u16>>;
    case 2: return &run<leave<u32>>;
    default: return &run<leave64>;
  }
}

constexpr Timing kStack = Timing::kLoadStore;

constexpr InstructionRow kRows[] = {
    row(ZYDIS_MNEMONIC_PUSH, bind_push, FlagUse::kNone, kStack),
    row(ZYDIS_MNEMONIC_POP, bind_pop, FlagUse::kNone, kStack),
    row(ZYDIS_MNEMONIC_PUSHA, plain<pusha<u16>>, FlagUse::kNone, kStack),
    row(ZYDIS_MNEMONIC_PUSHAD, plain<pusha<u32>>, FlagUse::kNone, kStack),
    row(ZYDIS_MNEMONIC_POPA, plain<popa<u16>>, FlagUse::kNone, kStack),
    row(ZYDIS_MNEMONIC_POPAD, plain<popa<u32>>, FlagUse::kNone, kStack),
    row(ZYDIS_MNEMONIC_ENTER, bind_enter, FlagUse::kNone, kStack),
    row(ZYDIS_MNEMONIC_LEAVE, bind_leave, FlagUse::kNone, kStack),
};

}  // namespace

Rows stack_rows() { return kRows; }

}  // namespace vtsim::cpu
