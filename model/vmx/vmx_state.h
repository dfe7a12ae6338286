#pragma once
// What a logical processor remembers of VMX between two instructions: plain data.

#include <optional>

#include "model/cpu/state/event.h"
#include "model/vmx/exit_record.h"
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
  std::optional<cpu::Event> injection;   // by the last VM entry, not delivered yet
  std::optional<ExitRecord> trap_exit;   // due before the next instruction: MTF, TPR threshold, EOI...
  bool virtual_nmi_blocked = false;      // blocking by NMI with "virtual NMIs"
  bool nmi_unblocked_by_iret = false;    // the running IRET has unblocked NMIs
  bool timer_expired = false;            // the preemption timer reached 0
  u64 timer_end = kNoPointer;            // its count, in units of the timer, when that is
  u64 pause_first = 0, pause_last = 0;   // PAUSE-loop exiting: TSC of the loop's first and last PAUSE

  // What ends with non-root operation.
  void leave_guest() {
    injection.reset();
    trap_exit.reset();
    virtual_nmi_blocked = nmi_unblocked_by_iret = timer_expired = false;
    timer_end = kNoPointer;
    pause_first = pause_last = 0;
  }
};

}  // namespace vtsim::vmx
