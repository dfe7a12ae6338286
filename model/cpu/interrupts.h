#pragma once
// Delivery of exceptions and interrupts, and the debug exceptions that the run loop looks for.
// SDM 3A "Interrupt and Exception Handling", SDM 3B "Debug Registers".
//
// What the run loop keeps about RFLAGS.RF (SDM 3B "Instruction-Breakpoint Exception Condition"): it
// is cleared after an instruction that began with RF set and has completed, unless that instruction
// loaded RF itself (IRET, a task switch). So: note RF before, clear it afterwards only if it was set
// before. IRET loads RF only while DR7 enables a breakpoint (nobody can tell otherwise). String
// instructions that leave between two iterations set RF, as an interrupt's image must have it.

#include <optional>

#include "model/cpu/core.h"

namespace vtsim::cpu {

// Delivers an event: afterwards state.rip and the mode are those of the handler, or the core is
// in shutdown. state.rip on entry: the instruction that faulted or that is the software event (its
// length is in the event), for interrupts and traps the instruction to come back to. Exceptions that
// the delivery meets are combined with it (double fault, shutdown). Writes CR2, DR6, DR7.GD; blocks
// NMIs after an NMI; ends the interrupt shadow and the halt state. Calls Core::mode_changed().
void deliver_event(Core& core, const Event& event);

// SDM 3A "Interrupt 8 - Double Fault Exception": what a second exception during the delivery of
// a first gives. Nothing: shutdown.
std::optional<Event> combine_events(const Event& first, const Event& second);

// Faults, as opposed to traps, aborts and interrupts: their RFLAGS image has RF set.
bool is_fault_class(const Event& event);

// The EXT bit that error codes get during the delivery of this event.
u32 ext_bit(const Event& event);

// ---- debug exceptions

bool has_instruction_breakpoints(const Core& core);
bool has_data_breakpoints(const Core& core);

// DR6.B3:0 of the enabled instruction breakpoints that the instruction at state.rip meets; 0: none,
// or RFLAGS.RF is set. To be raised as a fault.
u64 instruction_breakpoints(const Core& core);

// Remember in state.pending_debug that enabled data or I/O breakpoints matched; called for every
// access of `size` bytes that completes while there may be some.
void note_data_breakpoint(Core& core, u64 lin, unsigned size, bool is_write);
void note_io_breakpoint(Core& core, u16 port, unsigned size);

// ---- parts of deliver_event(), in exec/interrupt_gates.cc and exec/interrupt_real_mode.cc. False:
// a further exception was recorded in Core::raised, nothing has changed.

bool deliver_in_ia32e_mode(Core& core, const Event& event);
bool deliver_in_protected_mode(Core& core, const Event& event);  // also out of virtual-8086 mode
bool deliver_in_real_mode(Core& core, const Event& event);
// INT n in virtual-8086 mode with CR4.VME: through the task's own interrupt table. `redirected` tells
// what the TSS's bitmap says about the vector.
bool read_redirection(Core& core, u8 vector, bool& redirected);
bool deliver_redirected(Core& core, const Event& event);

// The RFLAGS image that an event saves, and the RIP.
u64 saved_rflags(const Core& core, const Event& event);
u64 saved_rip(const Core& core, const Event& event);

}  // namespace vtsim::cpu
