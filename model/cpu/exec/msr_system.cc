// Registers of the architecture itself: EFER, system calls, time, the local APIC, SMM.
// SDM 3A "System Instruction Summary", "Time-Stamp Counter", "Advanced Programmable Interrupt Controller".

#include "model/cpu/apic/local_apic.h"
#include "model/cpu/cpuid.h"
#include "model/cpu/exec/msr_fields.h"

namespace vtsim::cpu {

u64 supported_efer(const Core& core) {
  u64 supported = 0;
  if (offers(core, Feature::kSyscall)) supported |= Efer::SCE.mask();
  if (offers(core, Feature::kLm)) supported |= Efer::LME.mask() | Efer::LMA.mask();
  if (offers(core, Feature::kNx) && !Reg<MiscEnable>(core.msr.misc_enable)[MiscEnable::XdDisable])
    supported |= Efer::NXE.mask();
  return supported;
}

namespace {

// ---- IA32_EFER

bool read_efer(const MsrAccess& access, u64& value) {
  value = access.core.state.efer.value;
  return true;
}

bool write_efer(const MsrAccess& access, u64 value) {
  Core& core = access.core;
  CoreState& state = core.state;
  if ((value & ~supported_efer(core)) != 0) return false;
  const Reg<Efer> wanted(value);
  if (state.cr0[Cr0::PG] && wanted[Efer::LME] != state.efer[Efer::LME]) return false;
  state.efer = wanted.with(Efer::LMA, state.efer[Efer::LMA]);
  core.permissions_changed();
  return true;
}

// ---- segment bases

template <SegmentName name>
bool read_segment_base(const MsrAccess& access, u64& value) {
  value = access.core.state.seg[name].base;
  return true;
}
template <SegmentName name>
bool write_segment_base(const MsrAccess& access, u64 value) {
  if (!is_canonical_anywhere(access.core, value)) return false;
  access.core.state.seg[name].base = value;
  return true;
}

// ---- time

bool read_tsc(const MsrAccess& access, u64& value) {
  value = viewed_tsc(access.core.state, access.tsc);
  return true;
}

// Both registers move the counter; IA32_TSC_ADJUST remembers by how much.
void move_tsc(const MsrAccess& access, u64 by) {
  access.core.state.tsc_offset += by;
  access.core.state.tsc_adjust += by;
  access.core.apic().tsc_changed(access.now);
}
bool write_tsc(const MsrAccess& access, u64 value) {
  move_tsc(access, value - access.tsc);
  return true;
}
bool write_tsc_adjust(const MsrAccess& access, u64 value) {
  move_tsc(access, value - access.core.state.tsc_adjust);
  return true;
}

bool has_tsc_aux(const Core& core, u32) {
  return offers(core, Feature::kRdtscp) || offers(core, Feature::kRdpid);
}

bool read_tsc_deadline(const MsrAccess& access, u64& value) {
  value = access.core.apic().tsc_deadline(access.now);
  return true;
}
bool write_tsc_deadline(const MsrAccess& access, u64 value) {
  access.core.apic().write_tsc_deadline(value, access.now);
  return true;
}

// ---- the local APIC

bool read_apic_base(const MsrAccess& access, u64& value) {
  value = access.core.apic().apic_base();
  return true;
}
bool write_apic_base(const MsrAccess& access, u64 value) {
  if (access.core.apic().write_apic_base(value, access.now) != MsrStatus::kOk) return false;
  access.core.memory_map_changed();  // the page of its registers may have moved
  return true;
}

bool read_x2apic(const MsrAccess& access, u64& value) {
  const std::optional<u64> read = access.core.apic().read_msr(access.index, access.now);
  value = read.value_or(0);
  return read.has_value();
}
bool write_x2apic(const MsrAccess& access, u64 value) {
  return access.core.apic().write_msr(access.index, value, access.now) == MsrStatus::kOk;
}

// ---- SMM

bool read_smbase(const MsrAccess& access, u64& value) {
  value = access.core.state.smbase;
  return access.core.state.in_smm;
}

bool write_xss(const MsrAccess& access, u64 value) {
  if (value != 0) return false;  // no supervisor component is offered
  access.core.state.xss = value;
  return true;
}

constexpr u64 kLow32 = low_mask(32);

constexpr MsrRegisterRow kRows[] = {
    {0x10, 0x10, "IA32_TIME_STAMP_COUNTER", read_tsc, write_tsc, Feature::kTsc, nullptr},
    {0x1B, 0x1B, "IA32_APIC_BASE", read_apic_base, write_apic_base, Feature::kApic, nullptr},
    {0x3B, 0x3B, "IA32_TSC_ADJUST", read_state<&CoreState::tsc_adjust>, write_tsc_adjust,
     Feature::kTscAdjust, nullptr},
    {0x9E, 0x9E, "IA32_SMBASE", read_smbase, nullptr, {}, nullptr},
    {0x174, 0x174, "IA32_SYSENTER_CS", read_state<&CoreState::sysenter_cs>,
     write_state<&CoreState::sysenter_cs, kLow32>, Feature::kSep, nullptr},
    {0x175, 0x175, "IA32_SYSENTER_ESP", read_state<&CoreState::sysenter_esp>,
     write_canonical<&CoreState::sysenter_esp>, Feature::kSep, nullptr},
    {0x176, 0x176, "IA32_SYSENTER_EIP", read_state<&CoreState::sysenter_eip>,
     write_canonical<&CoreState::sysenter_eip>, Feature::kSep, nullptr},
    {0x6E0, 0x6E0, "IA32_TSC_DEADLINE", read_tsc_deadline, write_tsc_deadline,
     Feature::kTscDeadline, nullptr},
    {0x800, 0x8FF, "IA32_X2APIC", read_x2apic, write_x2apic, Feature::kX2apic, nullptr},
    {0xDA0, 0xDA0, "IA32_XSS", read_state<&CoreState::xss>, write_xss, Feature::kXsaves, nullptr},
    {0xC0000080, 0xC0000080, "IA32_EFER", read_efer, write_efer, Feature::kLm, nullptr},
    {0xC0000081, 0xC0000081, "IA32_STAR", read_state<&CoreState::star>,
     write_state<&CoreState::star, ~u64{0}>, Feature::kLm, nullptr},
    {0xC0000082, 0xC0000082, "IA32_LSTAR", read_state<&CoreState::lstar>,
     write_canonical<&CoreState::lstar>, Feature::kLm, nullptr},
    {0xC0000083, 0xC0000083, "IA32_CSTAR", read_state<&CoreState::cstar>,
     write_canonical<&CoreState::cstar>, Feature::kLm, nullptr},
    {0xC0000084, 0xC0000084, "IA32_FMASK", read_state<&CoreState::fmask>,
     write_state<&CoreState::fmask, kLow32>, Feature::kLm, nullptr},
    {0xC0000100, 0xC0000100, "IA32_FS_BASE", read_segment_base<kFs>, write_segment_base<kFs>,
     Feature::kLm, nullptr, true},
    {0xC0000101, 0xC0000101, "IA32_GS_BASE", read_segment_base<kGs>, write_segment_base<kGs>,
     Feature::kLm, nullptr, true},
    {0xC0000102, 0xC0000102, "IA32_KERNEL_GS_BASE", read_state<&CoreState::kernel_gs_base>,
     write_canonical<&CoreState::kernel_gs_base>, Feature::kLm, nullptr, true},
    {0xC0000103, 0xC0000103, "IA32_TSC_AUX", read_state<&CoreState::tsc_aux>,
     write_state<&CoreState::tsc_aux, kLow32>, {}, has_tsc_aux},
};

}  // namespace

std::span<const MsrRegisterRow> msr_system_rows() { return kRows; }

}  // namespace vtsim::cpu
