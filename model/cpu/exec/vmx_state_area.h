#pragma once
// What VM entries and VM exits share: segment registers in the VMCS, MSR lists, the preemption timer.

#include "model/cpu/core.h"

namespace vtsim::cpu {

// The bits of CR0 that transitions do not change: 63:32, 28:19, 17, 15:6, ET, CD, NW.
inline constexpr u64 kCr0Kept = Field{63, 32}.mask() | Field{28, 19}.mask() | Flag{17}.mask() |
                                Field{15, 6}.mask() | Cr0::ET.mask() | Cr0::CD.mask() |
                                Cr0::NW.mask();

void save_guest_segments(const CoreState& state, vmx::Vmcs& vmcs);
void load_guest_segments(CoreState& state, const vmx::Vmcs& vmcs);

// SDM 3C "Loading MSRs": the number of the first entry that cannot be loaded, from 1; 0: all loaded.
u64 load_msr_list(Core& core, vmx::VmcsField address, u64 count);
// The VM-exit MSR-store area; false: a register cannot be stored.
bool store_msr_list(Core& core);

// SDM 3C "VMX-Preemption Timer". `now`: the local time of the entry.
void start_preemption_timer(Core& core, Ps now);
void stop_preemption_timer(Core& core);
u64 preemption_timer_value(const Core& core);

// The end of a VM entry that failed behind the checks of controls and host state.
void exit_failed_entry(Core& core, const vmx::ExitRecord& record);

}  // namespace vtsim::cpu
