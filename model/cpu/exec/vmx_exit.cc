// VM exits. SDM 3C "VM Exits": record information, save guest state, store MSRs, load host state, load
// MSRs, in that order.

#include "model/cpu/apic/local_apic.h"
#include "model/cpu/engine/paging.h"
#include "model/cpu/environment.h"
#include "model/cpu/exec/msr.h"
#include "model/cpu/exec/vmx.h"
#include "model/cpu/exec/vmx_state_area.h"
#include "model/cpu/flags.h"
#include "model/cpu/interrupts.h"

namespace vtsim::cpu {

using vmx::EntryControls;
using vmx::ExitControls;
using vmx::ExitReason;
using vmx::ExitRecord;
using vmx::Interruptibility;
using vmx::InterruptionInfo;
using vmx::PinBased;
using vmx::Secondary;
using vmx::Vmcs;
using vmx::VmcsField;

namespace {

// ---- information

void write_information(Vmcs& vmcs, const ExitRecord& record) {
  vmcs.set(VmcsField::EXIT_REASON, static_cast<u64>(record.reason));
  vmcs.set(VmcsField::EXIT_QUALIFICATION, record.qualification);
  vmcs.set(VmcsField::EXIT_INTERRUPTION_INFO, record.interruption_info);
  vmcs.set(VmcsField::EXIT_INTERRUPTION_ERROR, record.interruption_error);
  vmcs.set(VmcsField::IDT_VECTORING_INFO, record.vectoring_info);
  vmcs.set(VmcsField::IDT_VECTORING_ERROR, record.vectoring_error);
  vmcs.set(VmcsField::EXIT_INSTRUCTION_LENGTH, record.instruction_length);
  vmcs.set(VmcsField::EXIT_INSTRUCTION_INFO, record.instruction_information);
  if (record.writes_linear) vmcs.set(VmcsField::GUEST_LINEAR_ADDRESS, record.guest_linear);
  if (record.writes_physical) vmcs.set(VmcsField::GUEST_PHYSICAL_ADDRESS, record.guest_physical);
}

// ---- guest state. SDM 3C "Saving Guest State"

void save_control_registers(const Core& core, Vmcs& vmcs) {
  const CoreState& state = core.state;
  const Reg<ExitControls> controls = vmcs.exit_controls();
  vmcs.set(VmcsField::GUEST_CR0, state.cr0.value);
  vmcs.set(VmcsField::GUEST_CR3, state.cr3);
  vmcs.set(VmcsField::GUEST_CR4, state.cr4.value);
  vmcs.set(VmcsField::GUEST_SYSENTER_CS, state.sysenter_cs);
  vmcs.set(VmcsField::GUEST_SYSENTER_ESP, state.sysenter_esp);
  vmcs.set(VmcsField::GUEST_SYSENTER_EIP, state.sysenter_eip);
  if (controls[ExitControls::SAVE_DEBUG_CONTROLS]) {
    vmcs.set(VmcsField::GUEST_DR7, state.dr7);
    vmcs.set(VmcsField::GUEST_DEBUGCTL, state.debugctl);
  }
  if (controls[ExitControls::SAVE_PAT]) vmcs.set(VmcsField::GUEST_PAT, state.pat);
  if (controls[ExitControls::SAVE_EFER]) vmcs.set(VmcsField::GUEST_EFER, state.efer.value);
  if (vmcs.secondary()[Secondary::EPT])
    for (unsigned n = 0; n < 4; ++n) vmcs.set(VmcsField::GUEST_PDPTE0 + n, state.pdpte[n]);
}

u64 interruptibility(const Core& core) {
  const CoreState& state = core.state;
  const bool virtual_nmis = core.vmx.vmcs.pin()[PinBased::VIRTUAL_NMIS];
  Reg<Interruptibility> bits;
  bits.set(Interruptibility::STI, state.shadow == kShadowSti);
  bits.set(Interruptibility::MOV_SS, state.shadow == kShadowMovSs);
  bits.set(Interruptibility::SMI, state.in_smm);
  bits.set(Interruptibility::NMI,
           virtual_nmis ? core.vmx.virtual_nmi_blocked : state.nmi_blocked);
  return bits.value;
}

vmx::ActivityState activity_of(const CoreState& state) {
  switch (state.activity) {
    case Activity::kHalted: return vmx::ActivityState::kHlt;
    case Activity::kShutdown: return vmx::ActivityState::kShutdown;
    case Activity::kWaitForSipi: return vmx::ActivityState::kWaitForSipi;
    default: return vmx::ActivityState::kActive;  // MWAIT's state is none of these
  }
}

u64 pending_debug_exceptions(const CoreState& state) {
  const u64 pending = state.pending_debug;
  const bool breakpoint = vmx::PendingDebug::B.get(pending) != 0;
  return pending | (breakpoint ? vmx::PendingDebug::ENABLED_BREAKPOINT.mask() : 0);
}

void save_flow(Core& core, Vmcs& vmcs, const ExitRecord& record) {
  const CoreState& state = core.state;
  u64 rflags = read_rflags(state);
  if (record.rf != vmx::SavedRf::kAsIs)
    rflags = Reg<Rflags>(rflags).with(Rflags::RF, record.rf == vmx::SavedRf::kOne).value;
  vmcs.set(VmcsField::GUEST_RIP, state.rip);
  vmcs.set(VmcsField::GUEST_RSP, state.gpr[kRsp]);
  vmcs.set(VmcsField::GUEST_RFLAGS, rflags);
  vmcs.set(VmcsField::GUEST_INTERRUPTIBILITY, interruptibility(core));
  vmcs.set(VmcsField::GUEST_ACTIVITY_STATE, static_cast<u64>(activity_of(state)));
  vmcs.set(VmcsField::GUEST_PENDING_DEBUG, pending_debug_exceptions(state));
  vmcs.set(VmcsField::GUEST_SMBASE, state.smbase);
}

void save_guest(Core& core, const ExitRecord& record) {
  Vmcs& vmcs = core.vmx.vmcs;
  save_control_registers(core, vmcs);
  save_guest_segments(core.state, vmcs);
  save_flow(core, vmcs, record);
  if (vmcs.exit_controls()[ExitControls::SAVE_PREEMPTION_TIMER])
    vmcs.set(VmcsField::PREEMPTION_TIMER_VALUE, preemption_timer_value(core));
  const u64 entry = vmcs.entry_controls().with(EntryControls::IA32E_MODE_GUEST,
                                               core.state.long_mode()).value;
  vmcs.set(VmcsField::ENTRY_CONTROLS, entry);
}

// ---- host state. SDM 3C "Loading Host State"

void load_host_msrs(CoreState& state, const Vmcs& vmcs) {
  const Reg<ExitControls> controls = vmcs.exit_controls();
  const bool wide = controls[ExitControls::HOST_ADDRESS_SPACE_SIZE];
  state.debugctl = 0;
  state.sysenter_cs = vmcs[VmcsField::HOST_SYSENTER_CS];
  state.sysenter_esp = vmcs[VmcsField::HOST_SYSENTER_ESP];
  state.sysenter_eip = vmcs[VmcsField::HOST_SYSENTER_EIP];
  if (controls[ExitControls::LOAD_PAT]) state.pat = vmcs[VmcsField::HOST_PAT];
  if (controls[ExitControls::LOAD_EFER]) state.efer = Reg<Efer>(vmcs[VmcsField::HOST_EFER]);
  state.efer.set(Efer::LMA, wide);
  state.efer.set(Efer::LME, wide);
}

SegmentRegister host_segment(u16 selector, u64 base, u64 type) {
  Reg<SegmentRights> rights;
  rights.set(SegmentRights::TYPE, type);
  rights.set(SegmentRights::S, 1);
  rights.set(SegmentRights::P, 1);
  rights.set(SegmentRights::DB, 1);
  rights.set(SegmentRights::G, 1);
  rights.set(SegmentRights::UNUSABLE, (selector & ~7u) == 0 && type == 3);
  return {.selector = selector, .rights = rights, .limit = 0xFFFFFFFF, .base = base};
}

void load_host_segments(CoreState& state, const Vmcs& vmcs) {
  constexpr u64 kReadWriteAccessed = 3, kExecuteReadAccessed = 11;
  const bool wide = vmcs.exit_controls()[ExitControls::HOST_ADDRESS_SPACE_SIZE];
  const auto selector = [&](VmcsField field) { return static_cast<u16>(vmcs[field]); };
  constexpr SegmentName kData[] = {kEs, kSs, kDs, kFs, kGs};
  for (const SegmentName name : kData) {
    const u64 base = name == kFs   ? vmcs[VmcsField::HOST_FS_BASE]
                     : name == kGs ? vmcs[VmcsField::HOST_GS_BASE]
                                   : 0;
    state.seg[name] =
        host_segment(selector(VmcsField::HOST_ES_SELECTOR + name), base, kReadWriteAccessed);
  }
  SegmentRegister& cs = state.seg[kCs];
  cs = host_segment(selector(VmcsField::HOST_CS_SELECTOR), 0, kExecuteReadAccessed);
  cs.rights.set(SegmentRights::L, wide);
  cs.rights.set(SegmentRights::DB, !wide);
  constexpr u32 kTssLimit = 0x67;
  state.seg[kTr] = {.selector = selector(VmcsField::HOST_TR_SELECTOR),
                    .rights = Reg<SegmentRights>(kTssBusy).with(SegmentRights::P, 1),
                    .limit = kTssLimit,
                    .base = vmcs[VmcsField::HOST_TR_BASE]};
  state.seg[kLdtr] = SegmentRegister{};
  state.gdtr = {vmcs[VmcsField::HOST_GDTR_BASE], 0xFFFF};
  state.idtr = {vmcs[VmcsField::HOST_IDTR_BASE], 0xFFFF};
  state.cpl = 0;
}

// False: PDPTEs that cannot be loaded, a VMX abort.
bool load_host(Core& core) {
  CoreState& state = core.state;
  const Vmcs& vmcs = core.vmx.vmcs;
  state.view = ControlView{};
  state.cr0 = Reg<Cr0>((state.cr0.value & kCr0Kept) | (vmcs[VmcsField::HOST_CR0] & ~kCr0Kept));
  state.cr3 = vmcs[VmcsField::HOST_CR3];
  state.cr4 = Reg<Cr4>(vmcs[VmcsField::HOST_CR4]);
  const bool wide = vmcs.exit_controls()[ExitControls::HOST_ADDRESS_SPACE_SIZE];
  if (wide) state.cr4.set(Cr4::PAE, 1);
  if (!wide) state.cr4.set(Cr4::PCIDE, 0);
  state.dr7 = Dr7::kReset;
  load_host_msrs(state, vmcs);
  load_host_segments(state, vmcs);
  state.rip = vmcs[VmcsField::HOST_RIP];
  state.gpr[kRsp] = vmcs[VmcsField::HOST_RSP];
  write_rflags(state, Rflags::kFixedOne);
  state.shadow = kNoShadow;
  state.pending_debug = 0;
  state.activity = Activity::kActive;
  core.disarm_monitor();
  if (!vmcs.secondary()[Secondary::VPID]) core.paging().store().on_vm_transition_without_vpid();
  const bool pae = state.cr4[Cr4::PAE] && !state.long_mode();
  return !pae || core.load_pdptes(state.cr3);
}

// SDM 3C "VMX Aborts"
enum class Abort : u32 { kSavingMsrs = 1, kHostPdptes = 2, kLoadingMsrs = 4 };

void abort_vmx(Core& core, Abort why) {
  const u32 indicator = static_cast<u32>(why);
  core.write_physical(Hpa(core.vmx.current + vmx::VmcsRegion::kAbortOffset), &indicator,
                      sizeof indicator, RefKind::kVmcs);
  core.state.activity = Activity::kShutdown;
}

void announce(Core& core, const ExitRecord& record, bool entry_failed) {
  const Probe<VmExitEvent>& probe = core.environment().shared.probes.vm_exit;
  if (probe)
    probe.emit({.stamp = core.stamp(), .number = static_cast<u32>(record.reason),
                .reason = vmx::name_of(record.reason),
                .qualification = record.qualification,
                .interruption_info = record.interruption_info,
                .vectoring_info = record.vectoring_info,
                .guest_physical = record.writes_physical ? record.guest_physical : 0,
                .entry_failed = entry_failed, .rip = core.state.rip});
}

void finish_exit(Core& core) {
  Vmcs& vmcs = core.vmx.vmcs;
  if (!load_host(core)) {
    abort_vmx(core, Abort::kHostPdptes);
  } else if (load_msr_list(core, VmcsField::EXIT_MSR_LOAD_ADDRESS, vmcs[VmcsField::EXIT_MSR_LOAD_COUNT]) != 0) {
    abort_vmx(core, Abort::kLoadingMsrs);
  }
  core.mode_changed();
  core.set_attention();
}

}  // namespace

void exit_guest(Core& core, const ExitRecord& record) {
  vmx::VmxState& vmx = core.vmx;
  announce(core, record, false);
  write_information(vmx.vmcs, record);
  save_guest(core, record);
  const u64 entry_info = vmx.vmcs[VmcsField::ENTRY_INTERRUPTION_INFO];
  vmx.vmcs.set(VmcsField::ENTRY_INTERRUPTION_INFO, entry_info & ~InterruptionInfo::VALID.mask());
  const bool by_nmi = record.reason == ExitReason::kExceptionOrNmi &&
                      InterruptionInfo::TYPE.get(record.interruption_info) ==
                          static_cast<u64>(EventType::kNonMaskableInterrupt);
  if (by_nmi) core.state.nmi_blocked = true;
  stop_preemption_timer(core);
  vmx.leave_guest();
  // SDM 3C "Saving MSRs": the time-stamp counter as RDMSR shows it in root operation.
  core.state.view.tsc_offset = 0;
  core.state.view.tsc_multiplier = ControlView{}.tsc_multiplier;
  if (!store_msr_list(core)) {
    load_host(core);
    abort_vmx(core, Abort::kSavingMsrs);
    core.mode_changed();
    return;
  }
  finish_exit(core);
}

// SDM 3C "VM-Entry Failures During or After Loading Guest State": nothing of the guest is saved.
void exit_failed_entry(Core& core, const ExitRecord& record) {
  announce(core, record, true);
  Vmcs& vmcs = core.vmx.vmcs;
  vmcs.set(VmcsField::EXIT_REASON, static_cast<u64>(record.reason) |
                                       vmx::ExitReasonField::ENTRY_FAILURE.mask());
  vmcs.set(VmcsField::EXIT_QUALIFICATION, record.qualification);
  core.vmx.leave_guest();
  finish_exit(core);
}

}  // namespace vtsim::cpu
