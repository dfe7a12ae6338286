#pragma once
// VMX as the processor carries it out: interception of instructions, VM exits of memory accesses,
// VM entry, VM exit. What the controls mean is model/vmx's; here they meet the core's state.

#include "model/cpu/exec/exec.h"
#include "model/mmu/translation.h"
#include "model/vmx/intercepts.h"

namespace vtsim::cpu {

// Physical memory as VMX structures are read and written.
class CoreMemory final : public vmx::HostMemory {
 public:
  explicit CoreMemory(Core& core) : core_(core) {}
  void read(Hpa address, void* out, unsigned size, RefKind kind) override {
    core_.read_physical(address, out, size, kind);
  }
  void write(Hpa address, const void* data, unsigned size, RefKind kind) override {
    core_.write_physical(address, data, size, kind);
  }

 private:
  Core& core_;
};

// ---- instructions

// What the intercept of an instruction needs to know besides its operands.
struct InterceptDetail {
  u8 identity = 0;  // which of the instructions that share a reason: information field
};

bool intercepted_in_non_root(Core& core, const Op& op, vmx::Intercept id,
                             const InterceptDetail& detail);

// For handlers (When::kInHandler): true if the instruction leaves VMX non-root operation, or does
// not exist there; recorded, return Outcome::kFault.
inline bool intercepted(Core& core, const Op& op, vmx::Intercept id,
                        const InterceptDetail& detail = {}) {
  return core.state.view.non_root && intercepted_in_non_root(core, op, id, detail);
}

// Whether an instruction that shares `id`'s control is #UD in non-root operation.
inline bool undefined_in_non_root(const Core& core, vmx::Intercept id) {
  return core.state.view.non_root && vmx::is_disabled(id, core.vmx.vmcs);
}

// The same with a qualification that the caller has found.
bool exit_by_instruction(Core& core, const Op& op, vmx::ExitReason reason, u64 qualification);

// The op in front of an intercepted instruction's own, for the other rows; `imm`: the Intercept and
// the identity.
Next intercept_gate(Core* core, const Op* op);
u64 intercept_gate_operand(vmx::Intercept id, u8 identity);

// The VM-exit instruction-information field. SDM 3C "Information for VM Exits Due to Instruction
// Execution"
u32 instruction_information(const Op& op, vmx::Intercept id, u8 identity);

// Of VMCLEAR, VMPTRLD, VMPTRST, VMXON; and of VMREAD, VMWRITE, by the registers' offsets.
u32 vmx_operand_information(const Op& op);
u32 field_access_information(const Op& op, u8 operand, u8 encoding);

// ---- memory

// An EPT violation or misconfiguration, or a full page-modification log: a VM exit, or #VE. `op`: the
// instruction where one is at hand.
void raise_stage2_fault(Core& core, const Op* op, const mmu::WalkFault& fault);

// ---- events

// Before an event is delivered: true if it is a VM exit instead, recorded in Core::exit.
bool event_exits(Core& core, const Event& event);
// The event as the interruption-information and IDT-vectoring information fields have it.
u32 interruption_information(const Event& event);
// Fills the IDT-vectoring fields: `event` was being delivered.
void note_vectoring(vmx::ExitRecord& record, const Event& event);

// What the run loop looks at between instructions in non-root operation: traps of virtualization,
// windows, the preemption timer. True: something was done.
bool take_virtualization_events(Core& core, Ps now);
// One of these could be taken now.
bool virtualization_event_is_due(const Core& core);
// A guest that sleeps may be left by the preemption timer or an interrupt.
bool can_leave_guest(const Core& core);

// ---- transitions

// VMLAUNCH and VMRESUME behind their own checks. Outcome::kJump: in the guest, or in the host again
// after an entry that failed late.
Outcome enter_guest(Core& core, const Op& op, bool launch);
// Leaves non-root operation; afterwards state.rip is the host's, or the core is in shutdown (abort).
void exit_guest(Core& core, const vmx::ExitRecord& record);

// Writes the current VMCS back to its region.
void save_vmcs(Core& core);

// ---- VMX instructions' results. SDM 3C "VMX Instruction Reference > Conventions"

void vm_succeed(Core& core);
// VMfailValid with a current VMCS, else VMfailInvalid.
void vm_fail(Core& core, u32 error);
void vm_fail_invalid(Core& core);

}  // namespace vtsim::cpu
