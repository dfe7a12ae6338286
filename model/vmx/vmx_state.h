#pragma once
// What a logical processor remembers of VMX between two instructions: plain data.

#include <optional>

#include "model/cpu/state/event.h"
#include "model/vmx/vmcs.h"

namespace vtsim::vmx {

inline constexpr u64 kNoPointer = ~u64{0};

struct VmxState {
  bool in_operation = false;       // between VMXON and VMXOFF
  u64 vmxon_pointer = kNoPointer;  // of the VMXON region
  u64 current = kNoPointer;        // the current-VMCS pointer
  bool launched = false;           // launch state of the current VMCS
  bool is_shadow = false;          // the current VMCS is a shadow VMCS
  Vmcs vmcs;                       // its fields

  // ---- in non-root operation
  std::optional<cpu::Event> injection;  // by the last VM entry, not delivered yet
  bool mtf_pending = false;             // a VM exit due to MTF is due before the next instruction
  bool mtf_injected = false;            // VM entry injected "pending MTF"
  bool virtual_nmi_blocked = false;     // blocking by NMI with "virtual NMIs"
  bool nmi_blocked_by_iret = false;     // IRET unblocked NMIs and then faulted
  bool timer_expired = false;           // the preemption timer reached 0
  Ps timer_deadline = ~Ps{0};           // when it will; ~0: not running
  u64 pause_first = 0, pause_last = 0;  // PAUSE-loop exiting: TSC of the loop's first and last PAUSE
};

}  // namespace vtsim::vmx
