#pragma once
// SDM 3C "Checks on VMX Controls": one violation a rule at least.

#include "tests/vmx/violations.h"

namespace vtsim::vmx::test {

namespace controls_detail {

using F = VmcsField;
using B = Bench;

inline void narrow(B& b) { b.give(CapabilityMsr::kBasic, u64{1} << 48); }
inline void virtual_interrupts(B& b) {
  b.pin(PinBased::EXTERNAL_INTERRUPT_EXITING);
  b.primary(Primary::TPR_SHADOW);
  b.secondary(Secondary::VIRTUAL_INTERRUPT_DELIVERY);
}
inline void posted(B& b) {
  virtual_interrupts(b);
  b.pin(PinBased::POSTED_INTERRUPTS);
  b.exit(ExitControls::ACKNOWLEDGE_INTERRUPT);
}
inline void eptp_switching(B& b) {
  b.secondary(Secondary::EPT, Secondary::VM_FUNCTIONS);
  b.set(F::VM_FUNCTION_CONTROLS, 1);
}

inline constexpr SpoiledEntry kExecution[] = {
    {"reserved bits of the pin", [](B& b) { b.or_in(F::PIN_BASED_CONTROLS, 0x100); },
     F::PIN_BASED_CONTROLS, 0x100},
    {"reserved bits of the pin", [](B& b) { b.clear(F::PIN_BASED_CONTROLS, 0x6); },
     F::PIN_BASED_CONTROLS, 0x6},
    {"reserved bits of the primary", [](B& b) { b.clear(F::PRIMARY_CONTROLS, 0x2); },
     F::PRIMARY_CONTROLS, 0x2},
    {"reserved bits of the primary", [](B& b) { b.or_in(F::PRIMARY_CONTROLS, 0x1); },
     F::PRIMARY_CONTROLS, 0x1},
    {"reserved bits of the secondary", [](B& b) { b.secondary(Flag{21}, Flag{31}); },
     F::SECONDARY_CONTROLS, 0x8020'0000},
    {"the CR3-target count", [](B& b) { b.set(F::CR3_TARGET_COUNT, 5); }, F::CR3_TARGET_COUNT,
     kAll32},
    {"bits 11:0 of each I/O",
     [](B& b) {
       b.primary(Primary::IO_BITMAPS);
       b.or_in(F::IO_BITMAP_A, 0x801);
     },
     F::IO_BITMAP_A, 0x801},
    {"bits 11:0 of each I/O",
     [](B& b) {
       b.primary(Primary::IO_BITMAPS);
       b.or_in(F::IO_BITMAP_B, 0x10);
     },
     F::IO_BITMAP_B, 0x10},
    {"no I/O-bitmap address",
     [](B& b) {
       b.primary(Primary::IO_BITMAPS);
       b.or_in(F::IO_BITMAP_A, kBit46);
     },
     F::IO_BITMAP_A, kBit46},
    {"no I/O-bitmap address",
     [](B& b) {
       b.primary(Primary::IO_BITMAPS);
       b.or_in(F::IO_BITMAP_B, u64{1} << 63);
     },
     F::IO_BITMAP_B, u64{1} << 63},
    {"no I/O-bitmap address",
     [](B& b) {
       narrow(b);
       b.primary(Primary::IO_BITMAPS);
       b.or_in(F::IO_BITMAP_A, u64{1} << 32);
     },
     F::IO_BITMAP_A, u64{1} << 32},
    {"bits 11:0 of the MSR-bitmap",
     [](B& b) {
       b.primary(Primary::MSR_BITMAPS);
       b.or_in(F::MSR_BITMAP, 1);
     },
     F::MSR_BITMAP, 1},
    {"the MSR-bitmap address",
     [](B& b) {
       b.primary(Primary::MSR_BITMAPS);
       b.or_in(F::MSR_BITMAP, kBit46);
     },
     F::MSR_BITMAP, kBit46},
    {"bits 11:0 of the virtual-APIC",
     [](B& b) {
       b.primary(Primary::TPR_SHADOW);
       b.or_in(F::VIRTUAL_APIC_ADDRESS, 0x80);
     },
     F::VIRTUAL_APIC_ADDRESS, 0x80},
    {"the virtual-APIC address",
     [](B& b) {
       b.primary(Primary::TPR_SHADOW);
       b.or_in(F::VIRTUAL_APIC_ADDRESS, kBit46);
     },
     F::VIRTUAL_APIC_ADDRESS, kBit46},
    {"bits 31:4 of the TPR threshold",
     [](B& b) {
       b.primary(Primary::TPR_SHADOW);
       b.set(F::TPR_THRESHOLD, 0x1000'0010);
     },
     F::TPR_THRESHOLD, 0x1000'0010},
    {"the TPR threshold is at most",
     [](B& b) {
       b.primary(Primary::TPR_SHADOW);
       b.set(F::TPR_THRESHOLD, 6);
     },
     F::TPR_THRESHOLD, 0xF},
    {"the TPR threshold is at most",
     [](B& b) {
       b.primary(Primary::TPR_SHADOW);
       b.ram.put32(Bench::kVirtualApic + 0x80, 0xFFFF'FF4F);
     },
     F::TPR_THRESHOLD, 0xF},
    {"'virtual NMIs' needs", [](B& b) { b.pin(PinBased::VIRTUAL_NMIS); }, F::PIN_BASED_CONTROLS,
     0x20},
    {"'NMI-window exiting' needs",
     [](B& b) {
       b.pin(PinBased::NMI_EXITING);
       b.primary(Primary::NMI_WINDOW_EXITING);
     },
     F::PRIMARY_CONTROLS, 0x40'0000},
    {"bits 11:0 of the APIC-access",
     [](B& b) {
       b.secondary(Secondary::VIRTUALIZE_APIC_ACCESSES);
       b.or_in(F::APIC_ACCESS_ADDRESS, 0x20);
     },
     F::APIC_ACCESS_ADDRESS, 0x20},
    {"the APIC-access address",
     [](B& b) {
       b.secondary(Secondary::VIRTUALIZE_APIC_ACCESSES);
       b.or_in(F::APIC_ACCESS_ADDRESS, kBit46);
     },
     F::APIC_ACCESS_ADDRESS, kBit46},
    {"'virtualize x2APIC mode', 'APIC-register",
     [](B& b) { b.secondary(Secondary::VIRTUALIZE_X2APIC); }, F::SECONDARY_CONTROLS, 0x10},
    {"'virtualize x2APIC mode', 'APIC-register",
     [](B& b) { b.secondary(Secondary::APIC_REGISTER_VIRTUALIZATION); }, F::SECONDARY_CONTROLS,
     0x100},
    {"'virtualize x2APIC mode', 'APIC-register",
     [](B& b) { b.secondary(Secondary::VIRTUAL_INTERRUPT_DELIVERY); }, F::SECONDARY_CONTROLS,
     0x200},
    {"'virtualize x2APIC mode' excludes",
     [](B& b) {
       b.primary(Primary::TPR_SHADOW);
       b.secondary(Secondary::VIRTUALIZE_X2APIC, Secondary::VIRTUALIZE_APIC_ACCESSES);
     },
     F::SECONDARY_CONTROLS, 0x1},
    {"'virtual-interrupt delivery' needs",
     [](B& b) {
       virtual_interrupts(b);
       b.clear(F::PIN_BASED_CONTROLS, 1);
     },
     F::SECONDARY_CONTROLS, 0x200},
    {"'process posted interrupts' needs 'virtual",
     [](B& b) {
       posted(b);
       b.clear(F::SECONDARY_CONTROLS, 0x200);
     },
     F::PIN_BASED_CONTROLS, 0x80},
    {"'process posted interrupts' needs 'ack",
     [](B& b) {
       posted(b);
       b.clear(F::EXIT_CONTROLS, 0x8000);
     },
     F::PIN_BASED_CONTROLS, 0x80},
    {"bits 15:8 of the posted",
     [](B& b) {
       posted(b);
       b.set(F::POSTED_INTERRUPT_VECTOR, 0x1F2);
     },
     F::POSTED_INTERRUPT_VECTOR, 0x100},
    {"bits 5:0 of the posted",
     [](B& b) {
       posted(b);
       b.or_in(F::POSTED_INTERRUPT_DESCRIPTOR, 0x20);
     },
     F::POSTED_INTERRUPT_DESCRIPTOR, 0x20},
    {"the posted-interrupt descriptor",
     [](B& b) {
       posted(b);
       b.or_in(F::POSTED_INTERRUPT_DESCRIPTOR, kBit46);
     },
     F::POSTED_INTERRUPT_DESCRIPTOR, kBit46},
    {"the VPID is not",
     [](B& b) {
       b.secondary(Secondary::VPID);
       b.set(F::VPID, 0);
     },
     F::VPID, kAll16},
    {"the EPT memory type",
     [](B& b) {
       b.secondary(Secondary::EPT);
       b.set(F::EPT_POINTER, 0xA01C);  // WT
     },
     F::EPT_POINTER, 0x7},
    {"the EPT memory type",
     [](B& b) {
       b.secondary(Secondary::EPT);
       b.take(CapabilityMsr::kEptVpid, u64{1} << 14);  // no WB
     },
     F::EPT_POINTER, 0x7},
    {"the EPT page-walk length",
     [](B& b) {
       b.secondary(Secondary::EPT);
       b.set(F::EPT_POINTER, 0xA016);  // 3 levels
     },
     F::EPT_POINTER, 0x38},
    {"the EPT page-walk length",
     [](B& b) {
       b.secondary(Secondary::EPT);
       b.set(F::EPT_POINTER, 0xA026);  // 5 levels
       b.take(CapabilityMsr::kEptVpid, u64{1} << 7);
     },
     F::EPT_POINTER, 0x38},
    {"bit 6 of EPTP",
     [](B& b) {
       b.secondary(Secondary::EPT);
       b.take(CapabilityMsr::kEptVpid, u64{1} << 21);
     },
     F::EPT_POINTER, 0x40},
    {"bits 11:7 of EPTP",
     [](B& b) {
       b.secondary(Secondary::EPT);
       b.or_in(F::EPT_POINTER, 0x880);
     },
     F::EPT_POINTER, 0x880},
    {"bits 11:7 of EPTP",
     [](B& b) {
       b.secondary(Secondary::EPT);
       b.or_in(F::EPT_POINTER, kBit46);
     },
     F::EPT_POINTER, kBit46},
    {"'enable PML' needs", [](B& b) { b.secondary(Secondary::PML); }, F::SECONDARY_CONTROLS,
     0x2'0000},
    {"bits 11:0 of the PML",
     [](B& b) {
       b.secondary(Secondary::PML, Secondary::EPT);
       b.or_in(F::PML_ADDRESS, 0x8);
     },
     F::PML_ADDRESS, 0x8},
    {"the PML address",
     [](B& b) {
       b.secondary(Secondary::PML, Secondary::EPT);
       b.or_in(F::PML_ADDRESS, kBit46);
     },
     F::PML_ADDRESS, kBit46},
    {"'unrestricted guest' and 'mode", [](B& b) { b.secondary(Secondary::UNRESTRICTED_GUEST); },
     F::SECONDARY_CONTROLS, 0x80},
    {"'unrestricted guest' and 'mode", [](B& b) { b.secondary(Secondary::MODE_BASED_EXECUTE); },
     F::SECONDARY_CONTROLS, 0x40'0000},
    {"reserved bits of the VM-function",
     [](B& b) {
       eptp_switching(b);
       b.set(F::VM_FUNCTION_CONTROLS, 3);
     },
     F::VM_FUNCTION_CONTROLS, 2},
    {"'EPTP switching' needs",
     [](B& b) {
       eptp_switching(b);
       b.clear(F::SECONDARY_CONTROLS, 2);
     },
     F::VM_FUNCTION_CONTROLS, 1},
    {"bits 11:0 of the EPTP-list",
     [](B& b) {
       eptp_switching(b);
       b.or_in(F::EPTP_LIST_ADDRESS, 0x8);
     },
     F::EPTP_LIST_ADDRESS, 0x8},
    {"the EPTP-list address",
     [](B& b) {
       eptp_switching(b);
       b.or_in(F::EPTP_LIST_ADDRESS, kBit46);
     },
     F::EPTP_LIST_ADDRESS, kBit46},
    {"bits 11:0 of the VMREAD",
     [](B& b) {
       b.secondary(Secondary::VMCS_SHADOWING);
       b.or_in(F::VMREAD_BITMAP, 4);
     },
     F::VMREAD_BITMAP, 4},
    {"bits 11:0 of the VMREAD",
     [](B& b) {
       b.secondary(Secondary::VMCS_SHADOWING);
       b.or_in(F::VMWRITE_BITMAP, 4);
     },
     F::VMWRITE_BITMAP, 4},
    {"neither VMREAD",
     [](B& b) {
       b.secondary(Secondary::VMCS_SHADOWING);
       b.or_in(F::VMREAD_BITMAP, kBit46);
     },
     F::VMREAD_BITMAP, kBit46},
    {"neither VMREAD",
     [](B& b) {
       b.secondary(Secondary::VMCS_SHADOWING);
       b.or_in(F::VMWRITE_BITMAP, kBit46);
     },
     F::VMWRITE_BITMAP, kBit46},
    {"bits 11:0 of the virtualization-exception",
     [](B& b) {
       b.secondary(Secondary::EPT_VIOLATION_VE);
       b.or_in(F::VE_INFORMATION_ADDRESS, 0x40);
     },
     F::VE_INFORMATION_ADDRESS, 0x40},
    {"the virtualization-exception",
     [](B& b) {
       b.secondary(Secondary::EPT_VIOLATION_VE);
       b.or_in(F::VE_INFORMATION_ADDRESS, kBit46);
     },
     F::VE_INFORMATION_ADDRESS, kBit46},
    {"the TSC multiplier",
     [](B& b) {
       b.secondary(Secondary::TSC_SCALING);
       b.set(F::TSC_MULTIPLIER, 0);
     },
     F::TSC_MULTIPLIER, kAll64},
};

inline constexpr SpoiledEntry kExit[] = {
    {"reserved bits", [](B& b) { b.clear(F::EXIT_CONTROLS, 0x1); }, F::EXIT_CONTROLS, 0x1},
    {"reserved bits", [](B& b) { b.exit(Flag{23}, Flag{26}); }, F::EXIT_CONTROLS, 0x480'0000},
    {"'save VMX-preemption timer", [](B& b) { b.exit(ExitControls::SAVE_PREEMPTION_TIMER); },
     F::EXIT_CONTROLS, 0x40'0000},
    {"bits 3:0 of the VM-exit MSR-store",
     [](B& b) {
       b.set(F::EXIT_MSR_STORE_COUNT, 1);
       b.or_in(F::EXIT_MSR_STORE_ADDRESS, 0x8);
     },
     F::EXIT_MSR_STORE_ADDRESS, 0x8},
    {"the VM-exit MSR-store address",
     [](B& b) {
       b.set(F::EXIT_MSR_STORE_COUNT, 1);
       b.or_in(F::EXIT_MSR_STORE_ADDRESS, kBit46);
     },
     F::EXIT_MSR_STORE_ADDRESS, kBit46},
    {"the last byte of the VM-exit MSR-store",
     [](B& b) {
       b.set(F::EXIT_MSR_STORE_COUNT, 2);
       b.set(F::EXIT_MSR_STORE_ADDRESS, kBit46 - 16);
     },
     F::EXIT_MSR_STORE_COUNT, kAll32},
    {"bits 3:0 of the VM-exit MSR-load",
     [](B& b) {
       b.set(F::EXIT_MSR_LOAD_COUNT, 1);
       b.or_in(F::EXIT_MSR_LOAD_ADDRESS, 0x1);
     },
     F::EXIT_MSR_LOAD_ADDRESS, 0x1},
    {"the VM-exit MSR-load address",
     [](B& b) {
       b.set(F::EXIT_MSR_LOAD_COUNT, 1);
       b.or_in(F::EXIT_MSR_LOAD_ADDRESS, u64{1} << 63);
     },
     F::EXIT_MSR_LOAD_ADDRESS, u64{1} << 63},
    {"the last byte of the VM-exit MSR-load",
     [](B& b) {
       narrow(b);
       b.set(F::EXIT_MSR_LOAD_COUNT, 0x1000'0000);
     },
     F::EXIT_MSR_LOAD_COUNT, kAll32},
};

inline constexpr SpoiledEntry kEntry[] = {
    {"reserved bits of the VM-entry", [](B& b) { b.clear(F::ENTRY_CONTROLS, 0x1); },
     F::ENTRY_CONTROLS, 0x1},
    {"reserved bits of the VM-entry", [](B& b) { b.entry(Flag{16}); }, F::ENTRY_CONTROLS, 0x1'0000},
    {"the interruption type", [](B& b) { b.inject(1, 0x30); }, F::ENTRY_INTERRUPTION_INFO, 0x700},
    {"the interruption type",
     [](B& b) {
       b.inject(7, 0);
       b.take(CapabilityMsr::kTruePrimary, u64{1} << (32 + 27));  // no monitor trap flag
     },
     F::ENTRY_INTERRUPTION_INFO, 0x700},
    {"the vector of an injected NMI", [](B& b) { b.inject(2, 3); }, F::ENTRY_INTERRUPTION_INFO,
     0xFF},
    {"the vector of an injected hardware", [](B& b) { b.inject(3, 32); },
     F::ENTRY_INTERRUPTION_INFO, 0xFF},
    {"the vector of an injected other", [](B& b) { b.inject(7, 1); }, F::ENTRY_INTERRUPTION_INFO,
     0xFF},
    {"'deliver error code' is 1", [](B& b) { b.inject(3, 13); }, F::ENTRY_INTERRUPTION_INFO, 0x800},
    {"'deliver error code' is 1",
     [](B& b) {  // a guest in real mode needs unrestricted guest, else PE counts as 1
       b.inject(3, 13);
       b.clear(F::GUEST_CR0, 0x8000'0001);
     },
     F::ENTRY_INTERRUPTION_INFO, 0x800},
    {"'deliver error code' is 0", [](B& b) { b.inject(3, 0x806); }, F::ENTRY_INTERRUPTION_INFO,
     0x800},
    {"'deliver error code' is 0", [](B& b) { b.inject(4, 0x80D); }, F::ENTRY_INTERRUPTION_INFO,
     0x800},
    {"'deliver error code' is 0", [](B& b) { b.inject(3, 0x80D); }, F::ENTRY_INTERRUPTION_INFO,
     0x800, Guest::kReal},
    {"bits 30:12 of the VM-entry",
     [](B& b) {
       b.inject(0, 0x30);
       b.or_in(F::ENTRY_INTERRUPTION_INFO, 0x4000'1000);
     },
     F::ENTRY_INTERRUPTION_INFO, 0x4000'1000},
    {"bits 31:16 of the VM-entry",
     [](B& b) {
       b.inject(3, 0x80E);
       b.set(F::ENTRY_ERROR_CODE, 0x1'0002);
     },
     F::ENTRY_ERROR_CODE, 0x1'0000},
    {"the VM-entry instruction length of an injected software event is at most",
     [](B& b) {
       b.inject(4, 0x80);
       b.set(F::ENTRY_INSTRUCTION_LENGTH, 16);
     },
     F::ENTRY_INSTRUCTION_LENGTH, kAll32},
    {"the VM-entry instruction length of an injected software event is at most",
     [](B& b) {
       b.inject(5, 1);
       b.set(F::ENTRY_INSTRUCTION_LENGTH, kAll32);
     },
     F::ENTRY_INSTRUCTION_LENGTH, kAll32},
    {"the VM-entry instruction length of an injected software event is 0",
     [](B& b) {
       b.inject(6, 3);
       b.take(CapabilityMsr::kMisc, u64{1} << 30);
     },
     F::ENTRY_INSTRUCTION_LENGTH, kAll32},
    {"bits 3:0 of the VM-entry MSR-load",
     [](B& b) {
       b.set(F::ENTRY_MSR_LOAD_COUNT, 1);
       b.or_in(F::ENTRY_MSR_LOAD_ADDRESS, 0xF);
     },
     F::ENTRY_MSR_LOAD_ADDRESS, 0xF},
    {"the VM-entry MSR-load address",
     [](B& b) {
       b.set(F::ENTRY_MSR_LOAD_COUNT, 1);
       b.or_in(F::ENTRY_MSR_LOAD_ADDRESS, kBit46);
     },
     F::ENTRY_MSR_LOAD_ADDRESS, kBit46},
    {"the last byte of the VM-entry MSR-load",
     [](B& b) {
       b.set(F::ENTRY_MSR_LOAD_COUNT, kAll32);
       b.set(F::ENTRY_MSR_LOAD_ADDRESS, kBit46 - 0x1000);
     },
     F::ENTRY_MSR_LOAD_COUNT, kAll32},
    {"'entry to SMM' and 'deactivate dual-monitor treatment' are 0",
     [](B& b) { b.entry(EntryControls::ENTRY_TO_SMM); }, F::ENTRY_CONTROLS, 0x400},
    {"'entry to SMM' and 'deactivate dual-monitor treatment' are 0",
     [](B& b) { b.entry(EntryControls::DEACTIVATE_DUAL_MONITOR); }, F::ENTRY_CONTROLS, 0x800},
    {"'entry to SMM' and 'deactivate dual-monitor treatment' are not both",
     [](B& b) {
       b.in_smm = true;
       b.entry(EntryControls::ENTRY_TO_SMM, EntryControls::DEACTIVATE_DUAL_MONITOR);
     },
     F::ENTRY_CONTROLS, 0xC00},
};

}  // namespace controls_detail

inline constexpr SpoiledSection kSpoiledControls[] = {
    {EntryPhase::kControls, "VM-Execution Control Fields", controls_detail::kExecution},
    {EntryPhase::kControls, "VM-Exit Control Fields", controls_detail::kExit},
    {EntryPhase::kControls, "VM-Entry Control Fields", controls_detail::kEntry},
};

}  // namespace vtsim::vmx::test
