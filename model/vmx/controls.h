#pragma once
// The VM-execution, VM-exit and VM-entry controls, bit by bit. SDM 3C "Virtual Machine Control
// Structures". Names as the manual prints them.

#include "model/base/bits.h"

namespace vtsim::vmx {

// SDM 3C "Pin-Based VM-Execution Controls"
struct PinBased {
  static constexpr Flag EXTERNAL_INTERRUPT_EXITING{0}, NMI_EXITING{3}, VIRTUAL_NMIS{5},
      PREEMPTION_TIMER{6}, POSTED_INTERRUPTS{7};
};

// SDM 3C "Processor-Based VM-Execution Controls": primary
struct Primary {
  static constexpr Flag INTERRUPT_WINDOW_EXITING{2}, TSC_OFFSETTING{3}, HLT_EXITING{7},
      INVLPG_EXITING{9}, MWAIT_EXITING{10}, RDPMC_EXITING{11}, RDTSC_EXITING{12},
      CR3_LOAD_EXITING{15}, CR3_STORE_EXITING{16}, CR8_LOAD_EXITING{19}, CR8_STORE_EXITING{20},
      TPR_SHADOW{21}, NMI_WINDOW_EXITING{22}, MOV_DR_EXITING{23}, UNCONDITIONAL_IO_EXITING{24},
      IO_BITMAPS{25}, MONITOR_TRAP_FLAG{27}, MSR_BITMAPS{28}, MONITOR_EXITING{29},
      PAUSE_EXITING{30}, SECONDARY_CONTROLS{31};
};

// Secondary. They count as 0 while Primary::SECONDARY_CONTROLS is 0.
struct Secondary {
  static constexpr Flag VIRTUALIZE_APIC_ACCESSES{0}, EPT{1}, DESCRIPTOR_TABLE_EXITING{2},
      RDTSCP{3}, VIRTUALIZE_X2APIC{4}, VPID{5}, WBINVD_EXITING{6}, UNRESTRICTED_GUEST{7},
      APIC_REGISTER_VIRTUALIZATION{8}, VIRTUAL_INTERRUPT_DELIVERY{9}, PAUSE_LOOP_EXITING{10},
      RDRAND_EXITING{11}, INVPCID{12}, VM_FUNCTIONS{13}, VMCS_SHADOWING{14}, ENCLS_EXITING{15},
      RDSEED_EXITING{16}, PML{17}, EPT_VIOLATION_VE{18}, CONCEAL_FROM_PT{19}, XSAVES{20},
      MODE_BASED_EXECUTE{22}, SUB_PAGE_PERMISSIONS{23}, PT_GUEST_PHYSICAL{24}, TSC_SCALING{25},
      USER_WAIT_PAUSE{26}, ENCLV_EXITING{28};
};

// SDM 3C "VM-Exit Controls"
struct ExitControls {
  static constexpr Flag SAVE_DEBUG_CONTROLS{2}, HOST_ADDRESS_SPACE_SIZE{9},
      LOAD_PERF_GLOBAL_CTRL{12}, ACKNOWLEDGE_INTERRUPT{15}, SAVE_PAT{18}, LOAD_PAT{19},
      SAVE_EFER{20}, LOAD_EFER{21}, SAVE_PREEMPTION_TIMER{22}, CLEAR_BNDCFGS{23},
      CONCEAL_FROM_PT{24}, CLEAR_RTIT_CTL{25};
};

// SDM 3C "VM-Entry Controls"
struct EntryControls {
  static constexpr Flag LOAD_DEBUG_CONTROLS{2}, IA32E_MODE_GUEST{9}, ENTRY_TO_SMM{10},
      DEACTIVATE_DUAL_MONITOR{11}, LOAD_PERF_GLOBAL_CTRL{13}, LOAD_PAT{14}, LOAD_EFER{15},
      LOAD_BNDCFGS{16}, CONCEAL_FROM_PT{17}, LOAD_RTIT_CTL{18};
};

// SDM 3C "VM-Function Controls"
struct VmFunctionControls {
  static constexpr Flag EPTP_SWITCHING{0};
};

// SDM 3C "Interruption-information" fields: VM entry, VM exit, IDT vectoring.
struct InterruptionInfo {
  static constexpr Field VECTOR{7, 0}, TYPE{10, 8};
  static constexpr Flag ERROR_CODE{11};
  static constexpr Flag NMI_UNBLOCKING{12};  // VM-exit information only
  static constexpr Field RESERVED_AT_ENTRY{30, 12};
  static constexpr Flag VALID{31};
  static constexpr u64 kOtherEvent = 7;  // TYPE: pending MTF, injected by VM entry
};

// SDM 3C "Guest Non-Register State > Interruptibility state"
struct Interruptibility {
  static constexpr Flag STI{0}, MOV_SS{1}, SMI{2}, NMI{3}, ENCLAVE{4};
  static constexpr Field RESERVED{31, 5};
};

// SDM 3C "Guest Non-Register State > Activity state"
enum class ActivityState : u32 { kActive = 0, kHlt = 1, kShutdown = 2, kWaitForSipi = 3 };

// SDM 3C "Guest Non-Register State > Pending debug exceptions"
struct PendingDebug {
  static constexpr Field B{3, 0};
  static constexpr Flag ENABLED_BREAKPOINT{12}, BS{14}, RTM{16};
};

// SDM 3C "Extended-Page-Table Pointer (EPTP)"
struct Eptp {
  static constexpr Field MEMORY_TYPE{2, 0}, WALK_LENGTH_MINUS_1{5, 3};
  static constexpr Flag ACCESSED_DIRTY{6}, SHADOW_STACK{7};
  static constexpr Field RESERVED{11, 8}, ROOT{51, 12};
};

}  // namespace vtsim::vmx
