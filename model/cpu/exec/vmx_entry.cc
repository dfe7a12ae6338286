// VM entries. SDM 3C "VM Entries": checks of controls and host state, of guest state, loading of guest
// state and of MSRs, event injection.

#include "model/cpu/apic/local_apic.h"
#include "model/cpu/engine/paging.h"
#include "model/cpu/environment.h"
#include "model/cpu/exec/control_registers.h"
#include "model/cpu/exec/msr.h"
#include "model/cpu/exec/segmentation.h"
#include "model/cpu/exec/vmx.h"
#include "model/cpu/exec/vmx_state_area.h"
#include "model/cpu/flags.h"
#include "model/vmx/entry_checks.h"

namespace vtsim::cpu {

using vmx::EntryControls;
using vmx::EntryPhase;
using vmx::ExitReason;
using vmx::ExitRecord;
using vmx::Interruptibility;
using vmx::InterruptionInfo;
using vmx::PinBased;
using vmx::Primary;
using vmx::Secondary;
using vmx::Vmcs;
using vmx::VmcsField;

namespace {

// ---- checks

vmx::EntryContext entry_context(Core& core, vmx::HostMemory& memory) {
  const SharedEnvironment& shared = core.environment().shared;
  return {.vmcs = core.vmx.vmcs,
          .capabilities = shared.vmx_capabilities,
          .memory = memory,
          .current_vmcs = core.vmx.current,
          .physical_width = core.model().physical_address_bits,
          .linear_width = shared.offered[Feature::kLa57] ? 57u : 48u,
          .ia32e_host = core.state.long_mode(),
          .in_smm = core.state.in_smm,
          .efer_bits = supported_efer(core),
          .debugctl_bits = supported_debugctl(core),
          .perf_global_bits = supported_perf_global_ctrl(core)};
}

void announce_failure(const Core& core, const vmx::EntryReport& report) {
  const Probe<VmEntryFailureEvent>& probe = core.environment().shared.probes.vm_entry_failure;
  if (probe)
    probe.emit({.stamp = core.stamp(), .section = report.rule->section, .rule = report.rule->text,
                .field = vmx::row_of(report.violation.field).name,
                .value = report.violation.value, .bits = report.violation.bits});
}

std::optional<vmx::EntryReport> failing_rule(Core& core, EntryPhase phase) {
  CoreMemory memory(core);
  const auto report = vmx::check_entry(entry_context(core, memory), phase);
  if (report) announce_failure(core, *report);
  return report;
}

// ---- loading. SDM 3C "Loading Guest State"

void load_msrs(CoreState& state, const Vmcs& vmcs) {
  const Reg<EntryControls> controls = vmcs.entry_controls();
  if (controls[EntryControls::LOAD_DEBUG_CONTROLS]) {
    state.dr7 = (vmcs[VmcsField::GUEST_DR7] & ~kDr7Reserved) | Dr7::kReset;
    state.debugctl = vmcs[VmcsField::GUEST_DEBUGCTL];
  }
  state.sysenter_cs = vmcs[VmcsField::GUEST_SYSENTER_CS];
  state.sysenter_esp = vmcs[VmcsField::GUEST_SYSENTER_ESP];
  state.sysenter_eip = vmcs[VmcsField::GUEST_SYSENTER_EIP];
  if (controls[EntryControls::LOAD_PAT]) state.pat = vmcs[VmcsField::GUEST_PAT];
  const bool ia32e = controls[EntryControls::IA32E_MODE_GUEST];
  if (controls[EntryControls::LOAD_EFER]) {
    state.efer = Reg<Efer>(vmcs[VmcsField::GUEST_EFER]);
  } else {
    state.efer.set(Efer::LMA, ia32e);
    if (state.cr0[Cr0::PG]) state.efer.set(Efer::LME, ia32e);
  }
}

void load_flow(CoreState& state, const Vmcs& vmcs) {
  constexpr u64 kPending = vmx::PendingDebug::B.mask() | vmx::PendingDebug::BS.mask();
  state.rip = vmcs[VmcsField::GUEST_RIP];
  state.gpr[kRsp] = vmcs[VmcsField::GUEST_RSP];
  write_rflags(state, vmcs[VmcsField::GUEST_RFLAGS]);
  state.cpl = static_cast<u8>(state.seg[kSs].dpl());
  state.pending_debug = vmcs[VmcsField::GUEST_PENDING_DEBUG] & kPending;
  switch (static_cast<vmx::ActivityState>(vmcs[VmcsField::GUEST_ACTIVITY_STATE])) {
    case vmx::ActivityState::kActive: state.activity = Activity::kActive; break;
    case vmx::ActivityState::kHlt: state.activity = Activity::kHalted; break;
    case vmx::ActivityState::kShutdown: state.activity = Activity::kShutdown; break;
    case vmx::ActivityState::kWaitForSipi: state.activity = Activity::kWaitForSipi; break;
  }
}

// How the running software sees the processor from now on.
ControlView guest_view(const Vmcs& vmcs) {
  const Reg<Primary> primary = vmcs.primary();
  const Reg<Secondary> secondary = vmcs.secondary();
  ControlView view;
  view.non_root = true;
  if (primary[Primary::TSC_OFFSETTING]) {
    view.tsc_offset = vmcs[VmcsField::TSC_OFFSET];
    if (secondary[Secondary::TSC_SCALING]) view.tsc_multiplier = vmcs[VmcsField::TSC_MULTIPLIER];
  }
  view.cr0_mask = vmcs[VmcsField::CR0_MASK];
  view.cr0_shadow = vmcs[VmcsField::CR0_SHADOW];
  view.cr4_mask = vmcs[VmcsField::CR4_MASK];
  view.cr4_shadow = vmcs[VmcsField::CR4_SHADOW];
  view.unrestricted_guest = secondary[Secondary::UNRESTRICTED_GUEST];
  view.iret_unblocks_nmi =
      !vmcs.pin()[PinBased::NMI_EXITING] || vmcs.pin()[PinBased::VIRTUAL_NMIS];
  if (secondary[Secondary::EPT]) {
    view.eptp = vmcs[VmcsField::EPT_POINTER];
    view.mode_based_execute = secondary[Secondary::MODE_BASED_EXECUTE];
    view.page_modification_log = secondary[Secondary::PML];
  }
  if (secondary[Secondary::VPID]) view.vpid = static_cast<u16>(vmcs[VmcsField::VPID]);
  return view;
}

// False: PDPTEs that cannot be loaded.
bool load_guest(Core& core) {
  CoreState& state = core.state;
  const Vmcs& vmcs = core.vmx.vmcs;
  state.cr0 = Reg<Cr0>((state.cr0.value & kCr0Kept) | (vmcs[VmcsField::GUEST_CR0] & ~kCr0Kept));
  state.cr3 = vmcs[VmcsField::GUEST_CR3];
  state.cr4 = Reg<Cr4>(vmcs[VmcsField::GUEST_CR4]);
  load_msrs(state, vmcs);
  load_guest_segments(state, vmcs);
  load_flow(state, vmcs);
  state.view = guest_view(vmcs);
  core.disarm_monitor();
  if (!vmcs.secondary()[Secondary::VPID]) core.paging().store().on_vm_transition_without_vpid();
  const bool pae = state.cr0[Cr0::PG] && state.cr4[Cr4::PAE] && !state.long_mode();
  if (!pae) return true;
  if (!vmcs.secondary()[Secondary::EPT]) return core.load_pdptes(state.cr3);
  for (unsigned n = 0; n < 4; ++n) state.pdpte[n] = vmcs[VmcsField::GUEST_PDPTE0 + n];
  return true;
}

// ---- what is due before the first instruction. SDM 3C "Event Injection", "Special Features of VM
// Entry"

void load_interruptibility(Core& core, u64 next_cycle) {
  CoreState& state = core.state;
  const Reg<Interruptibility> bits(core.vmx.vmcs[VmcsField::GUEST_INTERRUPTIBILITY]);
  state.shadow = bits[Interruptibility::MOV_SS] ? kShadowMovSs
                 : bits[Interruptibility::STI]  ? kShadowSti
                                                : kNoShadow;
  state.shadow_cycle = next_cycle;
  const bool virtual_nmis = core.vmx.vmcs.pin()[PinBased::VIRTUAL_NMIS];
  core.vmx.virtual_nmi_blocked = virtual_nmis && bits[Interruptibility::NMI];
  state.nmi_blocked = !virtual_nmis && bits[Interruptibility::NMI];
}

Event injected_event(const Vmcs& vmcs, Reg<InterruptionInfo> info) {
  const auto type = static_cast<EventType>(info[InterruptionInfo::TYPE]);
  const bool software = type == EventType::kSoftwareInterrupt ||
                        type == EventType::kSoftwareException ||
                        type == EventType::kPrivilegedSoftwareException;
  const u64 length = vmcs[VmcsField::ENTRY_INSTRUCTION_LENGTH];
  return {.vector = static_cast<u8>(info[InterruptionInfo::VECTOR]),
          .type = type,
          .has_error_code = info[InterruptionInfo::ERROR_CODE],
          .error_code = static_cast<u32>(vmcs[VmcsField::ENTRY_ERROR_CODE]),
          .length = software ? static_cast<u8>(length) : u8{0},
          .injected = true};
}

void prepare_injection(Core& core) {
  const Vmcs& vmcs = core.vmx.vmcs;
  const auto info = vmcs.reg<InterruptionInfo>(VmcsField::ENTRY_INTERRUPTION_INFO);
  const bool mtf_on = vmcs.primary()[Primary::MONITOR_TRAP_FLAG];
  if (!info[InterruptionInfo::VALID]) return;
  if (info[InterruptionInfo::TYPE] == InterruptionInfo::kOtherEvent) {
    core.vmx.trap_exit = ExitRecord{.reason = ExitReason::kMonitorTrapFlag};
    return;
  }
  core.vmx.injection = injected_event(vmcs, info);
  // Delivered as part of the entry; with the monitor trap flag the exit follows at once.
  if (mtf_on) core.vmx.trap_exit = ExitRecord{.reason = ExitReason::kMonitorTrapFlag};
  core.state.activity = Activity::kActive;
}

void announce_entry(const Core& core, bool launch) {
  const Probe<VmEntryEvent>& probe = core.environment().shared.probes.vm_entry;
  if (probe)
    probe.emit({.stamp = core.stamp(), .is_launch = launch, .vmcs = core.vmx.current,
                .injected = core.vmx.vmcs[VmcsField::ENTRY_INTERRUPTION_INFO],
                .rip = core.state.rip});
}

Outcome fail_late(Core& core, ExitReason reason, u64 qualification) {
  exit_failed_entry(core, {.reason = reason, .qualification = qualification});
  return Outcome::kJump;
}

constexpr u32 kInvalidControls = 7, kInvalidHostState = 8;
constexpr u64 kQualificationPdpte = 2;

}  // namespace

Outcome enter_guest(Core& core, const Op& op, bool launch) {
  if (failing_rule(core, EntryPhase::kControls)) {
    vm_fail(core, kInvalidControls);
    return Outcome::kNext;
  }
  if (failing_rule(core, EntryPhase::kHostState)) {
    vm_fail(core, kInvalidHostState);
    return Outcome::kNext;
  }
  if (const auto report = failing_rule(core, EntryPhase::kGuestState))
    return fail_late(core, ExitReason::kInvalidGuestState, report->rule->qualification);
  const u64 next_cycle = core.cycles_at(op) + 1;
  if (!load_guest(core))
    return fail_late(core, ExitReason::kInvalidGuestState, kQualificationPdpte);
  const Vmcs& vmcs = core.vmx.vmcs;
  if (const u64 failing = load_msr_list(core, VmcsField::ENTRY_MSR_LOAD_ADDRESS,
                                        vmcs[VmcsField::ENTRY_MSR_LOAD_COUNT]))
    return fail_late(core, ExitReason::kMsrLoading, failing);
  core.vmx.launched = true;
  start_preemption_timer(core, core.time_of_cycle(next_cycle));
  core.mode_changed();
  load_interruptibility(core, next_cycle);
  prepare_injection(core);
  core.set_attention();
  announce_entry(core, launch);
  return Outcome::kJump;
}

}  // namespace vtsim::cpu
