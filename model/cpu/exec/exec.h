#pragma once
// From a handler (Outcome name(Core&, const Op&)) to the function that an op calls.

#include "model/cpu/exec/memory.h"

namespace vtsim::cpu {

// Ends of a chain; out of line, shared by all handlers.
Next leave_on_fault(Core* core, const Op* op);          // Outcome::kFault
Next leave_synchronized(Core* core, const Op* op);      // done, run() must look; RIP: next instruction
Next leave_synchronized_at_rip(Core* core, const Op* op);  // the same, state.rip is already set
Next jump_to_rip(Core* core, const Op* op);             // Outcome::kJump: find the block at state.rip
Next enter_far_link(Core* core, const Op* op, unsigned taken);  // successor unknown or on another page

// Goes to successor 0 (fall through) or 1 (taken) of the running block. Always inlined: the host
// predicts each handler's jump by itself.
template <unsigned taken>
[[gnu::always_inline]] inline Next go_to_successor(Core* core, const Op* op) {
  Block* next = core->block->link[taken];
  if (next == nullptr) [[unlikely]]
    return enter_far_link(core, op, taken);
  core->block = next;
  core->budget -= next->instructions;
  if (core->budget < 0) [[unlikely]]
    VTSIM_END_CHAIN;
  VTSIM_DISPATCH(core, next->ops);
}

// Ordinary instructions: on to the next op.
template <Outcome (*handler)(Core&, const Op&)>
Next run(Core* core, const Op* op) {
  const Outcome outcome = handler(*core, *op);
  if (outcome == Outcome::kNext) [[likely]]
    VTSIM_DISPATCH(core, op + 1);
  if (outcome == Outcome::kJump) return jump_to_rip(core, op);
  return leave_on_fault(core, op);
}

// Instructions after which run() must look at everything again (Flow::kSynchronize).
template <Outcome (*handler)(Core&, const Op&)>
Next run_and_synchronize(Core* core, const Op* op) {
  const Outcome outcome = handler(*core, *op);
  if (outcome == Outcome::kNext) return leave_synchronized(core, op);
  if (outcome == Outcome::kJump) return leave_synchronized_at_rip(core, op);
  return leave_on_fault(core, op);
}

}  // namespace vtsim::cpu
