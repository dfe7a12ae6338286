#pragma once
// Basic exit reasons. SDM 3D "VMX Basic Exit Reasons". One row each; names as in the manual's table,
// shortened to identifiers that statistics, traces and reports share.

#include <string_view>

#include "model/base/bits.h"

namespace vtsim::vmx {

// clang-format off
#define VTSIM_EXIT_REASONS(ROW) \
  ROW(ExceptionOrNmi,        0, "exception_or_nmi") \
  ROW(ExternalInterrupt,     1, "external_interrupt") \
  ROW(TripleFault,           2, "triple_fault") \
  ROW(Init,                  3, "init") \
  ROW(Sipi,                  4, "sipi") \
  ROW(InterruptWindow,       7, "interrupt_window") \
  ROW(NmiWindow,             8, "nmi_window") \
  ROW(TaskSwitch,            9, "task_switch") \
  ROW(Cpuid,                10, "cpuid") \
  ROW(Getsec,               11, "getsec") \
  ROW(Hlt,                  12, "hlt") \
  ROW(Invd,                 13, "invd") \
  ROW(Invlpg,               14, "invlpg") \
  ROW(Rdpmc,                15, "rdpmc") \
  ROW(Rdtsc,                16, "rdtsc") \
  ROW(Rsm,                  17, "rsm") \
  ROW(Vmcall,               18, "vmcall") \
  ROW(Vmclear,              19, "vmclear") \
  ROW(Vmlaunch,             20, "vmlaunch") \
  ROW(Vmptrld,              21, "vmptrld") \
  ROW(Vmptrst,              22, "vmptrst") \
  ROW(Vmread,               23, "vmread") \
  ROW(Vmresume,             24, "vmresume") \
  ROW(Vmwrite,              25, "vmwrite") \
  ROW(Vmxoff,               26, "vmxoff") \
  ROW(Vmxon,                27, "vmxon") \
  ROW(CrAccess,             28, "cr_access") \
  ROW(DrAccess,             29, "dr_access") \
  ROW(IoInstruction,        30, "io_instruction") \
  ROW(Rdmsr,                31, "rdmsr") \
  ROW(Wrmsr,                32, "wrmsr") \
  ROW(InvalidGuestState,    33, "invalid_guest_state") \
  ROW(MsrLoading,           34, "msr_loading") \
  ROW(Mwait,                36, "mwait") \
  ROW(MonitorTrapFlag,      37, "monitor_trap_flag") \
  ROW(Monitor,              39, "monitor") \
  ROW(Pause,                40, "pause") \
  ROW(MachineCheckOnEntry,  41, "machine_check_on_entry") \
  ROW(TprBelowThreshold,    43, "tpr_below_threshold") \
  ROW(ApicAccess,           44, "apic_access") \
  ROW(VirtualizedEoi,       45, "virtualized_eoi") \
  ROW(GdtrIdtrAccess,       46, "gdtr_idtr_access") \
  ROW(LdtrTrAccess,         47, "ldtr_tr_access") \
  ROW(EptViolation,         48, "ept_violation") \
  ROW(EptMisconfiguration,  49, "ept_misconfiguration") \
  ROW(Invept,               50, "invept") \
  ROW(Rdtscp,               51, "rdtscp") \
  ROW(PreemptionTimer,      52, "preemption_timer") \
  ROW(Invvpid,              53, "invvpid") \
  ROW(Wbinvd,               54, "wbinvd") \
  ROW(Xsetbv,               55, "xsetbv") \
  ROW(ApicWrite,            56, "apic_write") \
  ROW(Rdrand,               57, "rdrand") \
  ROW(Invpcid,              58, "invpcid") \
  ROW(Vmfunc,               59, "vmfunc") \
  ROW(Encls,                60, "encls") \
  ROW(Rdseed,               61, "rdseed") \
  ROW(PmlFull,              62, "pml_full") \
  ROW(Xsaves,               63, "xsaves") \
  ROW(Xrstors,              64, "xrstors")
// clang-format on

enum class ExitReason : u16 {
#define VTSIM_ROW(name, number, text) k##name = number,
  VTSIM_EXIT_REASONS(VTSIM_ROW)
#undef VTSIM_ROW
};

// Empty for numbers that are no reason.
constexpr std::string_view name_of(ExitReason reason) {
  switch (reason) {
#define VTSIM_ROW(name, number, text) \
  case ExitReason::k##name: return text;
    VTSIM_EXIT_REASONS(VTSIM_ROW)
#undef VTSIM_ROW
  }
  return {};
}

// Reasons are below this.
inline constexpr unsigned kExitReasons = 65;

// The exit-reason field. SDM 3C "Basic VM-Exit Information"
struct ExitReasonField {
  static constexpr Field BASIC{15, 0};
  static constexpr Flag ENTRY_FAILURE{31};
};

}  // namespace vtsim::vmx
