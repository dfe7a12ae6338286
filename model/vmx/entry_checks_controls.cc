// SDM 3C "VM Entries > Checks on VMX Controls": execution, exit and entry controls.

#include "model/cpu/state/registers.h"
#include "model/vmx/entry_checks_internal.h"

namespace vtsim::vmx::checks {

namespace {

using F = VmcsField;
using cpu::EventType;

constexpr EntryRule execution(std::string_view text, Check check) {
  return {EntryPhase::kControls, "VM-Execution Control Fields", text, check};
}
constexpr EntryRule exit(std::string_view text, Check check) {
  return {EntryPhase::kControls, "VM-Exit Control Fields", text, check};
}
constexpr EntryRule entry(std::string_view text, Check check) {
  return {EntryPhase::kControls, "VM-Entry Control Fields", text, check};
}

// ---- controls that need others
Finding pin_needs(Context c, Flag control, bool granted) {
  return must_be_0(c, F::PIN_BASED_CONTROLS, granted ? 0 : control.mask());
}
Finding primary_needs(Context c, Flag control, bool granted) {
  return must_be_0(c, F::PRIMARY_CONTROLS, granted ? 0 : control.mask());
}
Finding secondary_needs(Context c, u64 controls, bool granted) {
  return faulty(c, F::SECONDARY_CONTROLS, granted ? 0 : c.vmcs.secondary().value & controls);
}

bool posts_interrupts(Context c) { return c.vmcs.pin()[PinBased::POSTED_INTERRUPTS]; }
bool delivers_virtual_interrupts(Context c) {
  return secondary<Secondary::VIRTUAL_INTERRUPT_DELIVERY>(c);
}
bool ept(Context c) { return secondary<Secondary::EPT>(c); }
bool vm_functions(Context c) { return secondary<Secondary::VM_FUNCTIONS>(c); }
bool eptp_switching(Context c) {
  return vm_functions(c) && c.vmcs.reg<VmFunctionControls>(
                                F::VM_FUNCTION_CONTROLS)[VmFunctionControls::EPTP_SWITCHING];
}

// ---- the TPR threshold. SDM 3C "Virtualized APIC Registers": VTPR
constexpr Field kThreshold{3, 0};
constexpr Field kThresholdReserved{31, 4};

Finding threshold_at_most_vtpr(Context c) {
  constexpr u64 kVtprOffset = 0x80;
  constexpr Field kPriorityClass{7, 4};
  if (!primary<Primary::TPR_SHADOW>(c) || delivers_virtual_interrupts(c) ||
      secondary<Secondary::VIRTUALIZE_APIC_ACCESSES>(c)) {
    return std::nullopt;
  }
  const u64 threshold = kThreshold.get(c.vmcs[F::TPR_THRESHOLD]);
  if (threshold == 0) return std::nullopt;
  const Hpa vtpr(c.vmcs[F::VIRTUAL_APIC_ADDRESS] + kVtprOffset);
  const u64 tpr_class = kPriorityClass.get(c.memory.load<u32>(vtpr, RefKind::kVirtualApicPage));
  return faulty(c, F::TPR_THRESHOLD, threshold > tpr_class ? kThreshold.mask() : 0);
}

// ---- EPTP: those of its faults that lie in `kBits`
constexpr u64 kEptpType = Eptp::MEMORY_TYPE.mask();
constexpr u64 kEptpWalk = Eptp::WALK_LENGTH_MINUS_1.mask();
constexpr u64 kEptpFlags = Eptp::ACCESSED_DIRTY.mask();

template <u64 kBits>
Finding eptp(Context c) {
  if (!ept(c)) return std::nullopt;
  const u64 faults = c.capabilities.eptp_faults(c.vmcs[F::EPT_POINTER], c.physical_width);
  return faulty(c, F::EPT_POINTER, faults & kBits);
}

// ---- MSR areas: `kCount` entries of 16 bytes at `kAddress`
template <F kCount, F kAddress>
Finding area_aligned(Context c) {
  constexpr Field kLow{3, 0};
  return must_be_0(c, kAddress, c.vmcs[kCount] ? kLow.mask() : 0);
}
template <F kCount, F kAddress>
Finding area_within_width(Context c) {
  return must_be_0(c, kAddress, c.vmcs[kCount] ? beyond_width(c) : 0);
}
template <F kCount, F kAddress>
Finding area_end_within_width(Context c) {
  constexpr u64 kEntryBytes = 16;
  const u64 count = c.vmcs[kCount];
  if (count == 0) return std::nullopt;
  return wrong_if(c, kCount, (c.vmcs[kAddress] + count * kEntryBytes - 1) & beyond_width(c));
}

// ---- event injection. SDM 3C "VM-Entry Controls for Event Injection"
u64 injected_type(Context c) { return injection(c)[InterruptionInfo::TYPE]; }
u64 injected_vector(Context c) { return injection(c)[InterruptionInfo::VECTOR]; }
bool injects_software_event(Context c) {
  return injects(c, EventType::kSoftwareInterrupt) || injects(c, EventType::kSoftwareException) ||
         injects(c, EventType::kPrivilegedSoftwareException);
}

Finding injected_type_exists(Context c) {
  constexpr u64 kReserved = 1;
  const bool other_exists = c.capabilities.primary().may(Primary::MONITOR_TRAP_FLAG);
  const bool wrong = injected_type(c) == kReserved ||
                     (injected_type(c) == InterruptionInfo::kOtherEvent && !other_exists);
  return faulty(c, F::ENTRY_INTERRUPTION_INFO,
                injects(c) && wrong ? InterruptionInfo::TYPE.mask() : 0);
}

Finding wrong_vector(Context c, bool wrong) {
  return faulty(c, F::ENTRY_INTERRUPTION_INFO, wrong ? InterruptionInfo::VECTOR.mask() : 0);
}

bool pushes_error_code(u64 vector) {
  using namespace cpu;
  constexpr u64 kVectors = Flag{kDf}.mask() | Flag{kTs}.mask() | Flag{kNp}.mask() |
                           Flag{kSs_}.mask() | Flag{kGp}.mask() | Flag{kPf}.mask() |
                           Flag{kAc}.mask();
  return vector < 64 && bit(kVectors, static_cast<unsigned>(vector));
}

// SDM-NOTE: the manual asks for CR0.PE of the guest alone; processors, and its editions up to 2016,
// take it as 1 without unrestricted guest, so that this rule answers before the one on CR0 does.
bool exception_into_protected_mode(Context c) {
  return injects(c, EventType::kHardwareException) &&
         (!unrestricted(c) || c.vmcs.reg<cpu::Cr0>(F::GUEST_CR0)[cpu::Cr0::PE]);
}
bool any_error_code(Context c) { return c.capabilities.basic()[BasicInformation::ANY_ERROR_CODE]; }

Finding error_code_where_due(Context c) {
  const bool due = exception_into_protected_mode(c) && !any_error_code(c) &&
                   pushes_error_code(injected_vector(c));
  return must_be_1(c, F::ENTRY_INTERRUPTION_INFO, due ? InterruptionInfo::ERROR_CODE.mask() : 0);
}

Finding error_code_only_where_due(Context c) {
  if (!injects(c)) return std::nullopt;
  const bool possible = exception_into_protected_mode(c) &&
                        (any_error_code(c) || pushes_error_code(injected_vector(c)));
  return must_be_0(c, F::ENTRY_INTERRUPTION_INFO,
                   possible ? 0 : InterruptionInfo::ERROR_CODE.mask());
}

constexpr u64 kSmmControls =
    EntryControls::ENTRY_TO_SMM.mask() | EntryControls::DEACTIVATE_DUAL_MONITOR.mask();

// ---- the tables
constexpr EntryRule kRules[] = {
    execution("reserved bits of the pin-based controls are as the capability MSR says",
              [](Context c) {
                return faulty(c, F::PIN_BASED_CONTROLS,
                              c.capabilities.pin().violations(c.vmcs.pin().value));
              }),
    execution(
        "reserved bits of the primary processor-based controls are as the capability MSR says",
        [](Context c) {
          return faulty(c, F::PRIMARY_CONTROLS,
                        c.capabilities.primary().violations(c.vmcs.primary().value));
        }),
    execution("reserved bits of the secondary controls are 0 where these are activated",
              [](Context c) {
                if (!primary<Primary::SECONDARY_CONTROLS>(c)) return Finding{};
                return faulty(c, F::SECONDARY_CONTROLS,
                              c.capabilities.secondary().violations(c.vmcs.secondary().value));
              }),
    execution("the CR3-target count is at most what IA32_VMX_MISC says",
              [](Context c) {
                return wrong_if(
                    c, F::CR3_TARGET_COUNT,
                    c.vmcs[F::CR3_TARGET_COUNT] > c.capabilities.misc()[MiscData::CR3_TARGETS]);
              }),
    execution("bits 11:0 of each I/O-bitmap address are 0",
              page_aligned<primary<Primary::IO_BITMAPS>, F::IO_BITMAP_A, F::IO_BITMAP_B>),
    execution("no I/O-bitmap address sets bits beyond the physical-address width",
              within_width<primary<Primary::IO_BITMAPS>, F::IO_BITMAP_A, F::IO_BITMAP_B>),
    execution("bits 11:0 of the MSR-bitmap address are 0",
              page_aligned<primary<Primary::MSR_BITMAPS>, F::MSR_BITMAP>),
    execution("the MSR-bitmap address sets no bits beyond the physical-address width",
              within_width<primary<Primary::MSR_BITMAPS>, F::MSR_BITMAP>),
    execution("bits 11:0 of the virtual-APIC address are 0",
              page_aligned<primary<Primary::TPR_SHADOW>, F::VIRTUAL_APIC_ADDRESS>),
    execution("the virtual-APIC address sets no bits beyond the physical-address width",
              within_width<primary<Primary::TPR_SHADOW>, F::VIRTUAL_APIC_ADDRESS>),
    execution("bits 31:4 of the TPR threshold are 0 without 'virtual-interrupt delivery'",
              [](Context c) {
                const bool applies =
                    primary<Primary::TPR_SHADOW>(c) && !delivers_virtual_interrupts(c);
                return must_be_0(c, F::TPR_THRESHOLD, applies ? kThresholdReserved.mask() : 0);
              }),
    execution(
        "the TPR threshold is at most bits 7:4 of VTPR without 'virtualize APIC accesses' and "
        "'virtual-interrupt delivery'",
        threshold_at_most_vtpr),
    execution("'virtual NMIs' needs 'NMI exiting'",
              [](Context c) {
                return pin_needs(c, PinBased::VIRTUAL_NMIS, c.vmcs.pin()[PinBased::NMI_EXITING]);
              }),
    execution("'NMI-window exiting' needs 'virtual NMIs'",
              [](Context c) {
                return primary_needs(c, Primary::NMI_WINDOW_EXITING,
                                     c.vmcs.pin()[PinBased::VIRTUAL_NMIS]);
              }),
    execution("bits 11:0 of the APIC-access address are 0",
              page_aligned<secondary<Secondary::VIRTUALIZE_APIC_ACCESSES>, F::APIC_ACCESS_ADDRESS>),
    execution("the APIC-access address sets no bits beyond the physical-address width",
              within_width<secondary<Secondary::VIRTUALIZE_APIC_ACCESSES>, F::APIC_ACCESS_ADDRESS>),
    execution("'virtualize x2APIC mode', 'APIC-register virtualization' and 'virtual-interrupt "
              "delivery' need 'use TPR shadow'",
              [](Context c) {
                return secondary_needs(c,
                                       Secondary::VIRTUALIZE_X2APIC.mask() |
                                           Secondary::APIC_REGISTER_VIRTUALIZATION.mask() |
                                           Secondary::VIRTUAL_INTERRUPT_DELIVERY.mask(),
                                       primary<Primary::TPR_SHADOW>(c));
              }),
    execution("'virtualize x2APIC mode' excludes 'virtualize APIC accesses'",
              [](Context c) {
                return secondary_needs(c, Secondary::VIRTUALIZE_APIC_ACCESSES.mask(),
                                       !secondary<Secondary::VIRTUALIZE_X2APIC>(c));
              }),
    execution("'virtual-interrupt delivery' needs 'external-interrupt exiting'",
              [](Context c) {
                return secondary_needs(c, Secondary::VIRTUAL_INTERRUPT_DELIVERY.mask(),
                                       c.vmcs.pin()[PinBased::EXTERNAL_INTERRUPT_EXITING]);
              }),
    execution("'process posted interrupts' needs 'virtual-interrupt delivery'",
              [](Context c) {
                return pin_needs(c, PinBased::POSTED_INTERRUPTS, delivers_virtual_interrupts(c));
              }),
    execution("'process posted interrupts' needs 'acknowledge interrupt on exit'",
              [](Context c) {
                return pin_needs(c, PinBased::POSTED_INTERRUPTS,
                                 c.vmcs.exit_controls()[ExitControls::ACKNOWLEDGE_INTERRUPT]);
              }),
    execution("bits 15:8 of the posted-interrupt notification vector are 0",
              [](Context c) {
                constexpr Field kHigh{15, 8};
                return must_be_0(c, F::POSTED_INTERRUPT_VECTOR,
                                 posts_interrupts(c) ? kHigh.mask() : 0);
              }),
    execution("bits 5:0 of the posted-interrupt descriptor address are 0",
              [](Context c) {
                constexpr Field kLow{5, 0};
                return must_be_0(c, F::POSTED_INTERRUPT_DESCRIPTOR,
                                 posts_interrupts(c) ? kLow.mask() : 0);
              }),
    execution(
        "the posted-interrupt descriptor address sets no bits beyond the physical-address width",
        within_width<posts_interrupts, F::POSTED_INTERRUPT_DESCRIPTOR>),
    execution("the VPID is not 0000H with 'enable VPID'",
              [](Context c) {
                return wrong_if(c, F::VPID, secondary<Secondary::VPID>(c) && c.vmcs[F::VPID] == 0);
              }),
    execution("the EPT memory type is one that IA32_VMX_EPT_VPID_CAP offers", eptp<kEptpType>),
    execution("the EPT page-walk length is one that IA32_VMX_EPT_VPID_CAP offers", eptp<kEptpWalk>),
    execution("bit 6 of EPTP is 0 where EPT has no accessed and dirty flags", eptp<kEptpFlags>),
    execution("bits 11:7 of EPTP and those beyond the physical-address width are 0",
              eptp<~(kEptpType | kEptpWalk | kEptpFlags)>),
    execution("'enable PML' needs 'enable EPT'",
              [](Context c) { return secondary_needs(c, Secondary::PML.mask(), ept(c)); }),
    execution("bits 11:0 of the PML address are 0",
              page_aligned<secondary<Secondary::PML>, F::PML_ADDRESS>),
    execution("the PML address sets no bits beyond the physical-address width",
              within_width<secondary<Secondary::PML>, F::PML_ADDRESS>),
    execution("'unrestricted guest' and 'mode-based execute control for EPT' need 'enable EPT'",
              [](Context c) {
                return secondary_needs(
                    c, Secondary::UNRESTRICTED_GUEST.mask() | Secondary::MODE_BASED_EXECUTE.mask(),
                    ept(c));
              }),
    execution("reserved bits of the VM-function controls are 0",
              [](Context c) {
                return must_be_0(c, F::VM_FUNCTION_CONTROLS,
                                 vm_functions(c) ? ~c.capabilities[CapabilityMsr::kVmFunc] : 0);
              }),
    execution("'EPTP switching' needs 'enable EPT'",
              [](Context c) {
                return faulty(
                    c, F::VM_FUNCTION_CONTROLS,
                    eptp_switching(c) && !ept(c) ? VmFunctionControls::EPTP_SWITCHING.mask() : 0);
              }),
    execution("bits 11:0 of the EPTP-list address are 0",
              page_aligned<eptp_switching, F::EPTP_LIST_ADDRESS>),
    execution("the EPTP-list address sets no bits beyond the physical-address width",
              within_width<eptp_switching, F::EPTP_LIST_ADDRESS>),
    execution(
        "bits 11:0 of the VMREAD-bitmap and VMWRITE-bitmap addresses are 0",
        page_aligned<secondary<Secondary::VMCS_SHADOWING>, F::VMREAD_BITMAP, F::VMWRITE_BITMAP>),
    execution(
        "neither VMREAD-bitmap nor VMWRITE-bitmap address sets bits beyond the physical-address "
        "width",
        within_width<secondary<Secondary::VMCS_SHADOWING>, F::VMREAD_BITMAP, F::VMWRITE_BITMAP>),
    execution("bits 11:0 of the virtualization-exception information address are 0",
              page_aligned<secondary<Secondary::EPT_VIOLATION_VE>, F::VE_INFORMATION_ADDRESS>),
    execution("the virtualization-exception information address sets no bits beyond the "
              "physical-address width",
              within_width<secondary<Secondary::EPT_VIOLATION_VE>, F::VE_INFORMATION_ADDRESS>),
    execution("the TSC multiplier is not 0 with 'use TSC scaling'",
              [](Context c) {
                return wrong_if(
                    c, F::TSC_MULTIPLIER,
                    secondary<Secondary::TSC_SCALING>(c) && c.vmcs[F::TSC_MULTIPLIER] == 0);
              }),

    // ---- VM-exit controls
    exit("reserved bits of the VM-exit controls are as the capability MSR says",
         [](Context c) {
           return faulty(c, F::EXIT_CONTROLS,
                         c.capabilities.exit().violations(c.vmcs.exit_controls().value));
         }),
    exit("'save VMX-preemption timer value' needs 'activate VMX-preemption timer'",
         [](Context c) {
           const bool active = c.vmcs.pin()[PinBased::PREEMPTION_TIMER];
           return must_be_0(c, F::EXIT_CONTROLS,
                            active ? 0 : ExitControls::SAVE_PREEMPTION_TIMER.mask());
         }),
    exit("bits 3:0 of the VM-exit MSR-store address are 0",
         area_aligned<F::EXIT_MSR_STORE_COUNT, F::EXIT_MSR_STORE_ADDRESS>),
    exit("the VM-exit MSR-store address sets no bits beyond the physical-address width",
         area_within_width<F::EXIT_MSR_STORE_COUNT, F::EXIT_MSR_STORE_ADDRESS>),
    exit("the last byte of the VM-exit MSR-store area lies within the physical-address width",
         area_end_within_width<F::EXIT_MSR_STORE_COUNT, F::EXIT_MSR_STORE_ADDRESS>),
    exit("bits 3:0 of the VM-exit MSR-load address are 0",
         area_aligned<F::EXIT_MSR_LOAD_COUNT, F::EXIT_MSR_LOAD_ADDRESS>),
    exit("the VM-exit MSR-load address sets no bits beyond the physical-address width",
         area_within_width<F::EXIT_MSR_LOAD_COUNT, F::EXIT_MSR_LOAD_ADDRESS>),
    exit("the last byte of the VM-exit MSR-load area lies within the physical-address width",
         area_end_within_width<F::EXIT_MSR_LOAD_COUNT, F::EXIT_MSR_LOAD_ADDRESS>),

    // ---- VM-entry controls
    entry("reserved bits of the VM-entry controls are as the capability MSR says",
          [](Context c) {
            return faulty(c, F::ENTRY_CONTROLS,
                          c.capabilities.entry().violations(c.vmcs.entry_controls().value));
          }),
    entry("the interruption type of an injected event is not reserved", injected_type_exists),
    entry("the vector of an injected NMI is 2",
          [](Context c) {
            return wrong_vector(
                c, injects(c, EventType::kNonMaskableInterrupt) && injected_vector(c) != cpu::kNmi);
          }),
    entry("the vector of an injected hardware exception is at most 31",
          [](Context c) {
            constexpr u64 kLastException = 31;
            return wrong_vector(c, injects(c, EventType::kHardwareException) &&
                                       injected_vector(c) > kLastException);
          }),
    entry("the vector of an injected other event is 0 (pending MTF VM exit)",
          [](Context c) {
            return wrong_vector(c, injects(c) &&
                                       injected_type(c) == InterruptionInfo::kOtherEvent &&
                                       injected_vector(c) != 0);
          }),
    entry("'deliver error code' is 1 for a hardware exception that has an error code, outside real "
          "mode",
          error_code_where_due),
    entry("'deliver error code' is 0 for all other injected events", error_code_only_where_due),
    entry("bits 30:12 of the VM-entry interruption-information field are 0",
          [](Context c) {
            return must_be_0(c, F::ENTRY_INTERRUPTION_INFO,
                             injects(c) ? InterruptionInfo::RESERVED_AT_ENTRY.mask() : 0);
          }),
    entry("bits 31:16 of the VM-entry exception error code are 0",
          [](Context c) {
            constexpr Field kHigh{31, 16};
            return must_be_0(
                c, F::ENTRY_ERROR_CODE,
                injects(c) && injection(c)[InterruptionInfo::ERROR_CODE] ? kHigh.mask() : 0);
          }),
    entry("the VM-entry instruction length of an injected software event is at most 15",
          [](Context c) {
            constexpr u64 kLongest = 15;
            return wrong_if(
                c, F::ENTRY_INSTRUCTION_LENGTH,
                injects_software_event(c) && c.vmcs[F::ENTRY_INSTRUCTION_LENGTH] > kLongest);
          }),
    entry("the VM-entry instruction length of an injected software event is 0 only where "
          "IA32_VMX_MISC allows it",
          [](Context c) {
            return wrong_if(c, F::ENTRY_INSTRUCTION_LENGTH,
                            injects_software_event(c) && c.vmcs[F::ENTRY_INSTRUCTION_LENGTH] == 0 &&
                                !c.capabilities.misc()[MiscData::ZERO_LENGTH_INJECTION]);
          }),
    entry("bits 3:0 of the VM-entry MSR-load address are 0",
          area_aligned<F::ENTRY_MSR_LOAD_COUNT, F::ENTRY_MSR_LOAD_ADDRESS>),
    entry("the VM-entry MSR-load address sets no bits beyond the physical-address width",
          area_within_width<F::ENTRY_MSR_LOAD_COUNT, F::ENTRY_MSR_LOAD_ADDRESS>),
    entry("the last byte of the VM-entry MSR-load area lies within the physical-address width",
          area_end_within_width<F::ENTRY_MSR_LOAD_COUNT, F::ENTRY_MSR_LOAD_ADDRESS>),
    entry("'entry to SMM' and 'deactivate dual-monitor treatment' are 0 outside SMM",
          [](Context c) { return must_be_0(c, F::ENTRY_CONTROLS, c.in_smm ? 0 : kSmmControls); }),
    entry("'entry to SMM' and 'deactivate dual-monitor treatment' are not both 1",
          [](Context c) {
            const bool both = (c.vmcs.entry_controls().value & kSmmControls) == kSmmControls;
            return faulty(c, F::ENTRY_CONTROLS, both ? kSmmControls : 0);
          }),
};

}  // namespace

std::span<const EntryRule> control_rules() { return kRules; }

}  // namespace vtsim::vmx::checks
