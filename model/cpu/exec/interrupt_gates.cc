// Interrupt, trap and task gates. SDM 2A "INT n/INTO/INT3/INT1", SDM 3A "Exception or Interrupt
// Handling Procedures", "Interrupt Handling in IA-32e Mode".

#include "model/cpu/exec/far_transfer.h"
#include "model/cpu/exec/task_switch.h"
#include "model/cpu/flags.h"
#include "model/cpu/interrupts.h"

namespace vtsim::cpu {

namespace {

// Error codes that name a gate: index * 8, bit 1 (IDT), EXT.
u32 gate_error(u8 vector, u32 ext) { return u32{vector} * 8 + 2 + ext; }

bool is_software(const Event& event) { return ext_bit(event) == 0; }

struct Gate {
  Descriptor low;
  u64 upper = 0;  // IA-32e mode
  u32 ext = 0;    // of the error codes
  Selector selector() const { return {low.gate_selector()}; }
  u64 offset() const { return low.gate_offset() | upper << 32; }
  bool clears_interrupts() const { return (low.type() & 1) == 0; }
  bool is_16bit() const { return low.type() == kInterruptGate16 || low.type() == kTrapGate16; }
};

// The gate's own checks, up to its presence.
bool check_gate(Core& core, const Event& event, const Gate& gate, bool type_is_valid) {
  if (!gate.low.is_system() || !type_is_valid)
    return fail(core, kGp, gate_error(event.vector, gate.ext));
  if (is_software(event) && gate.low.dpl() < core.state.cpl)
    return fail(core, kGp, gate_error(event.vector, gate.ext));
  if (!gate.low.present()) return fail(core, kNp, gate_error(event.vector, gate.ext));
  return true;
}

bool read_gate(Core& core, const Event& event, Gate& gate) {
  gate.ext = ext_bit(event);
  const u64 offset = u64{event.vector} * 8;
  if (offset + 7 > core.state.idtr.limit)
    return fail(core, kGp, gate_error(event.vector, gate.ext));
  if (!read_implicit(core, table_linear(core, core.state.idtr.base, offset), gate.low.raw))
    return false;
  const unsigned type = gate.low.type();
  return check_gate(core, event, gate,
                    type == kTaskGate || type == kInterruptGate16 || type == kTrapGate16 ||
                        type == kInterruptGate || type == kTrapGate);
}

bool read_gate_64(Core& core, const Event& event, Gate& gate) {
  gate.ext = ext_bit(event);
  const u64 offset = u64{event.vector} * 16;
  if (offset + 15 > core.state.idtr.limit)
    return fail(core, kGp, gate_error(event.vector, gate.ext));
  struct {
    u64 low, upper;
  } raw;
  if (!read_implicit(core, core.state.idtr.base + offset, raw)) return false;
  gate.low.raw = raw.low;
  gate.upper = bits(raw.upper, 31, 0);
  return check_gate(core, event, gate,
                    gate.low.type() == kInterruptGate || gate.low.type() == kTrapGate);
}

// The code segment of an interrupt or trap gate; RPL of target.cs becomes the handler's CPL.
bool read_handler_segment(Core& core, const Gate& gate, CodeTarget& target) {
  const Selector selector = gate.selector();
  if (selector.is_null()) return fail(core, kGp, gate.ext);
  if (!read_descriptor(core, selector, {kGp, gate.ext}, target.located)) return false;
  const Descriptor& code = target.located.descriptor;
  const bool wrong_size = core.state.long_mode() && (!code.is_long() || code.is_big());
  if (!code.is_code() || wrong_size || code.dpl() > core.state.cpl)
    return fail(core, kGp, selector.error(gate.ext));
  if (!code.present()) return fail(core, kNp, selector.error(gate.ext));
  const unsigned cpl = code.is_conforming() ? core.state.cpl : code.dpl();
  target.cs = segment_from(selector.with_rpl(cpl), code);
  return true;
}

void enter_handler_flags(Core& core, const Gate& gate) {
  u64 cleared = Rflags::TF.mask() | Rflags::NT.mask() | Rflags::RF.mask() | Rflags::VM.mask();
  if (gate.clears_interrupts()) cleared |= Rflags::IF.mask();
  core.state.rflags_other &= ~cleared;
}

// ---- IA-32e mode

// Pushes the whole frame at once, on one page or two.
bool push_frame_64(Core& core, unsigned cpl, u64 top, const u64* words, unsigned count, u32 ext) {
  const u64 bottom = top - u64{count} * 8;
  if (!is_canonical(core, bottom) || !is_canonical(core, top - 1)) return fail(core, kSs_, ext);
  return core.write_as(cpl, bottom, words, count * 8);
}

bool handler_stack_64(Core& core, const Gate& gate, unsigned cpl, u64& rsp) {
  const unsigned ist = static_cast<unsigned>(bits(gate.low.raw, 34, 32));
  rsp = core.state.gpr[kRsp];
  if (ist != 0) {
    if (!read_stack_pointer_64(core, ist_offset(ist), gate.ext, rsp)) return false;
  } else if (cpl < core.state.cpl) {
    if (!read_stack_pointer_64(core, rsp_offset(cpl), gate.ext, rsp)) return false;
  }
  rsp = align_down(rsp, 16);
  return true;
}

}  // namespace

bool deliver_in_ia32e_mode(Core& core, const Event& event) {
  CoreState& state = core.state;
  Gate gate;
  CodeTarget target;
  if (!read_gate_64(core, event, gate) || !read_handler_segment(core, gate, target)) return false;
  const unsigned cpl = target.cs.rpl();
  u64 rsp;
  if (!handler_stack_64(core, gate, cpl, rsp)) return false;
  // In the order of addresses: error code, RIP, CS, RFLAGS, RSP, SS.
  const u64 frame[] = {event.error_code,          saved_rip(core, event),  state.seg[kCs].selector,
                       saved_rflags(core, event), state.gpr[kRsp],         state.seg[kSs].selector};
  const unsigned skipped = event.has_error_code ? 0 : 1;
  const unsigned count = 6 - skipped;
  if (!check_target_rip(core, target.cs, gate.offset(), gate.ext) ||
      !may_mark_accessed(core, target.located) ||
      !push_frame_64(core, cpl, rsp, frame + skipped, count, gate.ext))
    return false;
  const bool inner = cpl < state.cpl;
  if (!commit_code(core, target, gate.offset())) return false;
  if (inner) {
    state.seg[kSs] = null_segment(static_cast<u16>(cpl));
    state.seg[kSs].rights.set(SegmentRights::DPL, cpl);
  }
  state.gpr[kRsp] = rsp - u64{count} * 8;
  enter_handler_flags(core, gate);
  return true;
}

// ---- protected mode

namespace {

// What the handler's stack receives, and in which size.
struct FramePusher {
  FarStack& stack;
  unsigned size;
  bool operator()(u64 value) const { return stack.push(value, size); }
};

bool push_return(Core& core, const Event& event, const FramePusher& push) {
  return push(saved_rflags(core, event)) && push(core.state.seg[kCs].selector) &&
         push(saved_rip(core, event)) && (!event.has_error_code || push(event.error_code));
}

bool push_v8086_segments(const CoreState& state, const FramePusher& push) {
  for (const SegmentName name : {kGs, kFs, kDs, kEs})
    if (!push(state.seg[name].selector)) return false;
  return true;
}

bool enter_inner_level(Core& core, const Event& event, const Gate& gate, CodeTarget& target) {
  CoreState& state = core.state;
  const bool from_v8086 = state.v8086_mode();
  const unsigned cpl = target.cs.rpl();
  if (from_v8086 && (cpl != 0 || target.located.descriptor.is_conforming()))
    return fail(core, kGp, gate.selector().error(gate.ext));
  InnerStack inner;
  if (!read_inner_stack(core, cpl, gate.ext, inner)) return false;
  FarStack stack(core, inner.ss, inner.pointer, stack_width(inner.ss), cpl,
                 Selector{inner.ss.selector}.error(gate.ext));
  const FramePusher push{stack, gate.is_16bit() ? 2u : 4u};
  if (from_v8086 && !push_v8086_segments(state, push)) return false;
  if (!push(state.seg[kSs].selector) || !push(state.gpr[kRsp]) || !push_return(core, event, push))
    return false;
  if (!check_target_rip(core, target.cs, gate.low.gate_offset(), gate.ext)) return false;
  if (!check_writes(core, stack, {&inner.located, &target.located})) return false;
  stack.commit();
  if (!mark_accessed(core, inner.located) || !commit_code(core, target, gate.low.gate_offset()))
    return false;
  state.seg[kSs] = segment_from({inner.ss.selector}, inner.located.descriptor);
  if (from_v8086)
    for (const SegmentName name : {kGs, kFs, kDs, kEs}) state.seg[name] = null_segment(0);
  return true;
}

bool enter_same_level(Core& core, const Event& event, const Gate& gate, CodeTarget& target) {
  if (core.state.v8086_mode()) return fail(core, kGp, gate.selector().error(gate.ext));
  FarStack stack = FarStack::current(core, gate.ext);
  const FramePusher push{stack, gate.is_16bit() ? 2u : 4u};
  if (!push_return(core, event, push)) return false;
  if (!check_target_rip(core, target.cs, gate.low.gate_offset(), gate.ext)) return false;
  if (!check_writes(core, stack, {&target.located})) return false;
  stack.commit();
  return commit_code(core, target, gate.low.gate_offset());
}

// SDM 2A "INT n", TASK-GATE.
bool enter_task(Core& core, const Event& event, const Gate& gate) {
  TaskSwitch request{.selector = gate.selector(),
                     .cause = TaskSwitchCause::kIdtGate,
                     .ext = gate.ext,
                     .return_rip = saved_rip(core, event),
                     .saved_rflags = saved_rflags(core, event)};
  if (!switch_task(core, request)) return false;
  if (!event.has_error_code) return true;
  FarStack stack = FarStack::current(core, gate.ext);
  if (!stack.push(event.error_code, tss_is_32bit(core.state.seg[kTr]) ? 4 : 2) ||
      !stack.check_pushes())
    return false;
  stack.commit();
  return true;
}

}  // namespace

bool deliver_in_protected_mode(Core& core, const Event& event) {
  Gate gate;
  if (!read_gate(core, event, gate)) return false;
  if (gate.low.type() == kTaskGate) return enter_task(core, event, gate);
  if (gate.is_16bit()) gate.low.raw &= low_mask(48);  // the offset has 16 bits
  CodeTarget target;
  if (!read_handler_segment(core, gate, target)) return false;
  const bool inner = target.cs.rpl() < core.state.cpl;
  if (inner ? !enter_inner_level(core, event, gate, target)
            : !enter_same_level(core, event, gate, target))
    return false;
  enter_handler_flags(core, gate);
  return true;
}

}  // namespace vtsim::cpu
