// Capabilities, mitigations, power management: what tells software about the part, or that it may
// switch without any effect here.

#include "model/cpu/cpuid.h"
#include "model/cpu/exec/msr_fields.h"

namespace vtsim::cpu {

namespace {

bool read_platform_id(const MsrAccess& access, u64& value) {
  value = access.core.model().platform_id;
  return true;
}

// SDM 3A "Microcode Update Facilities": CPUID loads the revision; here it is always loaded.
bool read_bios_sign_id(const MsrAccess& access, u64& value) {
  constexpr Field kRevision{63, 32};
  value = kRevision.put(0, access.core.model().microcode_revision);
  return true;
}

// ---- IA32_FEATURE_CONTROL: writable until locked

constexpr Flag kLock{0}, kVmxOutsideSmx{2};

bool write_feature_control(const MsrAccess& access, u64 value) {
  u64& held = access.core.msr.feature_control;
  u64 writable = kLock.mask();
  if (offers(access.core, Feature::kVmx)) writable |= kVmxOutsideSmx.mask();
  if ((held & kLock.mask()) != 0 || (value & ~writable) != 0) return false;
  held = value;
  return true;
}

// ---- speculation control

bool has_spec_ctrl(const Core& core, u32) {
  return offers(core, Feature::kSpecCtrl) || offers(core, Feature::kStibp) ||
         offers(core, Feature::kSsbd);
}

bool write_spec_ctrl(const MsrAccess& access, u64 value) {
  constexpr Flag kIbrs{0}, kStibp{1}, kSsbd{2};
  const Core& core = access.core;
  u64 writable = 0;
  if (offers(core, Feature::kSpecCtrl)) writable |= kIbrs.mask();
  // STIBP may be written wherever IBRS may: SDM 4, IA32_SPEC_CTRL.
  if (offers(core, Feature::kSpecCtrl) || offers(core, Feature::kStibp)) writable |= kStibp.mask();
  if (offers(core, Feature::kSsbd)) writable |= kSsbd.mask();
  if ((value & ~writable) != 0) return false;
  access.core.msr.spec_ctrl = value;
  return true;
}

// IA32_PRED_CMD, IA32_FLUSH_CMD: commands to structures that hold nothing that a program can see.
bool write_command(const MsrAccess&, u64 value) {
  constexpr Flag kCommand{0};
  return (value & ~kCommand.mask()) == 0;
}

bool read_arch_capabilities(const MsrAccess& access, u64& value) {
  constexpr u32 kIndex = 0x10A;
  value = access.core.environment().shared.offered.msr_bits(kIndex);
  return true;
}

// GDS_MITG_DIS stays as it is once GDS_MITG_LOCK is set.
bool write_mcu_opt_ctrl(const MsrAccess& access, u64 value) {
  constexpr Flag kGdsDisable{4}, kGdsLock{5};
  u64& held = access.core.msr.mcu_opt_ctrl;
  if ((value & ~(kGdsDisable.mask() | kGdsLock.mask())) != 0) return false;
  if ((held & kGdsLock.mask()) == 0) held = value;
  return true;
}

// ---- MSR_MISC_FEATURES_ENABLES

constexpr u32 kPlatformInfo = 0xCE;
constexpr Flag kPlatformCpuidFaulting{31};

bool has_cpuid_faulting(const Core& core, u32) {
  return (preset_msr(core, kPlatformInfo, 0) & kPlatformCpuidFaulting.mask()) != 0;
}

// Protected processor inventory number: locked out by the firmware.
bool has_ppin(const Core& core, u32) {
  constexpr Flag kPpinCapable{23};
  return (preset_msr(core, kPlatformInfo, 0) & kPpinCapable.mask()) != 0;
}

// ---- IA32_MISC_ENABLE: which bits exist is the preset's

bool write_misc_enable(const MsrAccess& access, u64 value) {
  Core& core = access.core;
  u64 writable = 0;
  for (const MsrRow& row : core.model().msrs)
    if (row.index == MiscEnable::kMsr) writable = row.writable;
  if (((core.msr.misc_enable ^ value) & ~writable) != 0) return false;
  core.msr.misc_enable = value;
  // SDM 4: while XD_DISABLE is set, EFER.NXE cannot be; it becomes 0.
  if (Reg<MiscEnable>(value)[MiscEnable::XdDisable]) core.state.efer.set(Efer::NXE, 0);
  core.permissions_changed();
  return true;
}

// ---- power and thermal

bool read_perf_status(const MsrAccess& access, u64& value) {
  constexpr u32 kPerfStatus = 0x198;
  constexpr Field kMaximumRatio{15, 8};
  value = preset_msr(access.core, kPerfStatus,
                     kMaximumRatio.get(preset_msr(access.core, kPlatformInfo, 0)) << 8);
  return true;
}

bool after_core2(const Core& core, u32) {
  constexpr u32 kPenrynModel = 0x17;
  return core.model().model > kPenrynModel;
}

constexpr u64 kThermalInterruptWritable = Field{4, 0}.mask() | Field{24, 8}.mask();

constexpr MsrRegisterRow kRows[] = {
    {0x17, 0x17, "IA32_PLATFORM_ID", read_platform_id, nullptr, {}, nullptr},
    {0x34, 0x34, "MSR_SMI_COUNT", read_constant<0>, nullptr, {}, after_core2},
    {0x3A, 0x3A, "IA32_FEATURE_CONTROL", read_register<&MsrState::feature_control>,
     write_feature_control, {}, nullptr},
    {0x48, 0x48, "IA32_SPEC_CTRL", read_register<&MsrState::spec_ctrl>, write_spec_ctrl, {},
     has_spec_ctrl, true},
    {0x49, 0x49, "IA32_PRED_CMD", nullptr, write_command, Feature::kSpecCtrl, nullptr, true},
    {0x4E, 0x4E, "MSR_PPIN_CTL", read_constant<1>, nullptr, {}, has_ppin},
    {0x79, 0x79, "IA32_BIOS_UPDT_TRIG", nullptr, ignore_write, {}, nullptr},
    {0x8B, 0x8B, "IA32_BIOS_SIGN_ID", read_bios_sign_id, ignore_write, {}, nullptr},
    {0x10A, 0x10A, "IA32_ARCH_CAPABILITIES", read_arch_capabilities, nullptr,
     Feature::kArchCapabilities, nullptr},
    {0x10B, 0x10B, "IA32_FLUSH_CMD", nullptr, write_command, Feature::kFlushL1d, nullptr},
    {0x123, 0x123, "IA32_MCU_OPT_CTRL", read_register<&MsrState::mcu_opt_ctrl>,
     write_mcu_opt_ctrl, Feature::kGdsCtrl, nullptr},
    {0x140, 0x140, "MSR_MISC_FEATURES_ENABLES", read_register<&MsrState::misc_features_enables>,
     write_register<&MsrState::misc_features_enables, Flag{0}.mask()>, {}, has_cpuid_faulting},
    {0x198, 0x198, "IA32_PERF_STATUS", read_perf_status, nullptr, {}, nullptr},
    {0x199, 0x199, "IA32_PERF_CTL", read_register<&MsrState::perf_ctl>,
     write_register<&MsrState::perf_ctl, Field{15, 0}.mask() | Flag{32}.mask()>, {}, nullptr},
    {0x19A, 0x19A, "IA32_CLOCK_MODULATION", read_register<&MsrState::clock_modulation>,
     write_register<&MsrState::clock_modulation, Field{4, 0}.mask()>, Feature::kAcpi, nullptr},
    {0x19B, 0x19B, "IA32_THERM_INTERRUPT", read_register<&MsrState::therm_interrupt>,
     write_register<&MsrState::therm_interrupt, kThermalInterruptWritable>, Feature::kAcpi,
     nullptr},
    {0x19C, 0x19C, "IA32_THERM_STATUS", read_register<&MsrState::therm_status>, ignore_write,
     Feature::kAcpi, nullptr},
    {0x1A0, 0x1A0, "IA32_MISC_ENABLE", read_register<&MsrState::misc_enable>, write_misc_enable,
     {}, nullptr},
};

}  // namespace

std::span<const MsrRegisterRow> msr_capability_rows() { return kRows; }

}  // namespace vtsim::cpu
