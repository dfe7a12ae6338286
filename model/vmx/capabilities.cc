#include "model/vmx/capabilities.h"

namespace vtsim::vmx {

namespace {

template <class... Flags>
constexpr u64 mask_of(Flags... flags) {
  return (flags.mask() | ...);
}

// Controls that exist in silicon and are not modelled; everything else of the capability registers is.
constexpr u64 kMissingSecondary =
    mask_of(Secondary::ENCLS_EXITING, Secondary::CONCEAL_FROM_PT, Secondary::SUB_PAGE_PERMISSIONS,
            Secondary::PT_GUEST_PHYSICAL, Secondary::USER_WAIT_PAUSE, Secondary::ENCLV_EXITING,
            Secondary::VIRTUALIZE_APIC_ACCESSES, Secondary::VIRTUALIZE_X2APIC,
            Secondary::APIC_REGISTER_VIRTUALIZATION, Secondary::VIRTUAL_INTERRUPT_DELIVERY);
constexpr u64 kMissingExit =
    mask_of(ExitControls::LOAD_PERF_GLOBAL_CTRL, ExitControls::CLEAR_BNDCFGS,
            ExitControls::CONCEAL_FROM_PT, ExitControls::CLEAR_RTIT_CTL);
constexpr u64 kMissingEntry =
    mask_of(EntryControls::LOAD_PERF_GLOBAL_CTRL, EntryControls::LOAD_BNDCFGS,
            EntryControls::CONCEAL_FROM_PT, EntryControls::LOAD_RTIT_CTL);
// APIC virtualization comes next.
constexpr u64 kMissingPin = PinBased::POSTED_INTERRUPTS.mask();
constexpr u64 kMissingPrimary = Primary::TPR_SHADOW.mask();

// Bits that this file knows by name; newer ones than these stay away.
constexpr u64 kKnownPin = Field{7, 0}.mask();
constexpr u64 kKnownSecondary = Field{26, 0}.mask();
constexpr u64 kKnownExit = Field{25, 0}.mask();
constexpr u64 kKnownEntry = Field{18, 0}.mask();

// The upper half holds the allowed 1-settings.
constexpr u64 without(u64 silicon, u64 missing) { return silicon & ~(missing << 32); }
constexpr u64 only(u64 silicon, u64 known) { return silicon & (known << 32 | low_mask(32)); }

constexpr u64 kEptVpid =
    mask_of(EptVpidCapability::EXECUTE_ONLY, EptVpidCapability::WALK_4, EptVpidCapability::WALK_5,
            EptVpidCapability::UC, EptVpidCapability::WB, EptVpidCapability::PAGES_2M,
            EptVpidCapability::PAGES_1G, EptVpidCapability::INVEPT,
            EptVpidCapability::ACCESSED_DIRTY, EptVpidCapability::ADVANCED_INFORMATION,
            EptVpidCapability::INVEPT_SINGLE, EptVpidCapability::INVEPT_ALL,
            EptVpidCapability::INVVPID, EptVpidCapability::INVVPID_ADDRESS,
            EptVpidCapability::INVVPID_SINGLE, EptVpidCapability::INVVPID_ALL,
            EptVpidCapability::INVVPID_SINGLE_BUT_GLOBAL);

}  // namespace

u64 Capabilities::implemented(CapabilityMsr msr, u64 silicon) {
  switch (msr) {
    case CapabilityMsr::kBasic:
      return silicon & ~BasicInformation::DUAL_MONITOR.mask();
    case CapabilityMsr::kPinBased:
    case CapabilityMsr::kTruePinBased:
      return without(only(silicon, kKnownPin), kMissingPin);
    case CapabilityMsr::kPrimary:
    case CapabilityMsr::kTruePrimary:
      return without(silicon, kMissingPrimary);
    case CapabilityMsr::kSecondary:
      return without(only(silicon, kKnownSecondary), kMissingSecondary);
    case CapabilityMsr::kExit:
    case CapabilityMsr::kTrueExit:
      return without(only(silicon, kKnownExit), kMissingExit);
    case CapabilityMsr::kEntry:
    case CapabilityMsr::kTrueEntry:
      return without(only(silicon, kKnownEntry), kMissingEntry);
    case CapabilityMsr::kMisc:
      return silicon & ~mask_of(MiscData::PT_IN_VMX, MiscData::SMBASE_READABLE,
                                MiscData::SMM_MONITOR_CTL);
    case CapabilityMsr::kEptVpid:
      return silicon & kEptVpid;
    case CapabilityMsr::kVmFunc:
      return silicon & VmFunctionControls::EPTP_SWITCHING.mask();
    default:
      return silicon;
  }
}

Capabilities::Capabilities(std::span<const Value> values, u64 supported_cr4) {
  for (const Value& one : values) {
    value_[index(one.msr)] = one.value;
    has_[index(one.msr)] = true;
  }
  value_[index(CapabilityMsr::kCr4Fixed1)] &= supported_cr4;
}

bool Capabilities::read(u32 msr, u64& value) const {
  if (msr < kFirstCapabilityMsr || msr > kLastCapabilityMsr) return false;
  if (!has_[msr - kFirstCapabilityMsr]) return false;
  value = value_[msr - kFirstCapabilityMsr];
  return true;
}

AllowedSettings Capabilities::allowed(CapabilityMsr true_register, CapabilityMsr plain) const {
  const u64 value = (*this)[has_[index(true_register)] ? true_register : plain];
  return {.must_be_1 = static_cast<u32>(value), .may_be_1 = static_cast<u32>(value >> 32)};
}

AllowedSettings Capabilities::secondary() const {
  return allowed(CapabilityMsr::kSecondary, CapabilityMsr::kSecondary);
}

u64 Capabilities::eptp_faults(u64 eptp, unsigned physical_width) const {
  enum : u64 { kUc = 0, kWb = 6, kWalk4 = 3, kWalk5 = 4 };
  const Reg<EptVpidCapability> can = ept_vpid();
  const Reg<Eptp> value(eptp);
  const u64 type = value[Eptp::MEMORY_TYPE], walk = value[Eptp::WALK_LENGTH_MINUS_1];
  const bool type_ok = (type == kUc && can[EptVpidCapability::UC]) ||
                       (type == kWb && can[EptVpidCapability::WB]);
  const bool walk_ok = (walk == kWalk4 && can[EptVpidCapability::WALK_4]) ||
                       (walk == kWalk5 && can[EptVpidCapability::WALK_5]);
  // Supervisor shadow-stack control is not offered.
  u64 reserved = Eptp::SHADOW_STACK.mask() | Eptp::RESERVED.mask() | ~low_mask(physical_width);
  if (!can[EptVpidCapability::ACCESSED_DIRTY]) reserved |= Eptp::ACCESSED_DIRTY.mask();
  return (eptp & reserved) | (type_ok ? 0 : Eptp::MEMORY_TYPE.mask()) |
         (walk_ok ? 0 : Eptp::WALK_LENGTH_MINUS_1.mask());
}

bool Capabilities::has_field(const VmcsFieldRow& row) const {
  const AllowedSettings second = secondary();
  switch (row.gate) {
    case FieldGate::kAlways: return true;
    case FieldGate::kVpid: return second.may(Secondary::VPID);
    case FieldGate::kPostedInterrupts: return pin().may(PinBased::POSTED_INTERRUPTS);
    case FieldGate::kEptViolationVe: return second.may(Secondary::EPT_VIOLATION_VE);
    case FieldGate::kVirtualInterruptDelivery:
      return second.may(Secondary::VIRTUAL_INTERRUPT_DELIVERY);
    case FieldGate::kPml: return second.may(Secondary::PML);
    case FieldGate::kIoBitmaps: return primary().may(Primary::IO_BITMAPS);
    case FieldGate::kMsrBitmaps: return primary().may(Primary::MSR_BITMAPS);
    case FieldGate::kTprShadow: return primary().may(Primary::TPR_SHADOW);
    case FieldGate::kApicAccesses: return second.may(Secondary::VIRTUALIZE_APIC_ACCESSES);
    case FieldGate::kVmFunctions: return second.may(Secondary::VM_FUNCTIONS);
    case FieldGate::kEpt: return second.may(Secondary::EPT);
    case FieldGate::kEptpSwitching:
      return (*this)[CapabilityMsr::kVmFunc] & VmFunctionControls::EPTP_SWITCHING.mask();
    case FieldGate::kVmcsShadowing: return second.may(Secondary::VMCS_SHADOWING);
    case FieldGate::kXsaves: return second.may(Secondary::XSAVES);
    case FieldGate::kTscScaling: return second.may(Secondary::TSC_SCALING);
    case FieldGate::kPat:
      return entry().may(EntryControls::LOAD_PAT) || exit().may(ExitControls::SAVE_PAT) ||
             exit().may(ExitControls::LOAD_PAT);
    case FieldGate::kEfer:
      return entry().may(EntryControls::LOAD_EFER) || exit().may(ExitControls::SAVE_EFER) ||
             exit().may(ExitControls::LOAD_EFER);
    case FieldGate::kPerfGlobalCtrl:
      return entry().may(EntryControls::LOAD_PERF_GLOBAL_CTRL) ||
             exit().may(ExitControls::LOAD_PERF_GLOBAL_CTRL);
    case FieldGate::kSecondaryControls: return primary().may(Primary::SECONDARY_CONTROLS);
    case FieldGate::kPauseLoop: return second.may(Secondary::PAUSE_LOOP_EXITING);
    case FieldGate::kPreemptionTimer: return pin().may(PinBased::PREEMPTION_TIMER);
  }
  return false;
}

}  // namespace vtsim::vmx
