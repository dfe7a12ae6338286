#pragma once
// SDM 3C: checks on the host-state area and those related to address-space size.

#include "tests/vmx/violations.h"

namespace vtsim::vmx::test {

namespace host_detail {

using F = VmcsField;
using B = Bench;

// Canonical for 57 bits and not for 48; for neither.
inline constexpr u64 kCanonical57 = 0x00FF'8000'0000'0000;
inline constexpr u64 kNowhere = 0x8000'0000'0000'0000;
// What differs from the sign, bit 56, of kNowhere.
inline constexpr u64 kNowhereBits = 0x8000'0000'0000'0000;

inline constexpr SpoiledEntry kRegisters[] = {
    {"the CR0 field", [](B& b) { b.clear(F::HOST_CR0, 0x20); }, F::HOST_CR0, 0x20},
    {"the CR0 field", [](B& b) { b.clear(F::HOST_CR0, 0x8000'0001); }, F::HOST_CR0, 0x8000'0001},
    {"the CR0 field", [](B& b) { b.or_in(F::HOST_CR0, u64{1} << 32); }, F::HOST_CR0, u64{1} << 32},
    {"the CR0 field",
     [](B& b) {  // unrestricted guest is about the guest
       b.secondary(Secondary::EPT, Secondary::UNRESTRICTED_GUEST);
       b.clear(F::HOST_CR0, 0x8000'0000);
     },
     F::HOST_CR0, 0x8000'0000},
    {"the CR4 field has", [](B& b) { b.clear(F::HOST_CR4, 0x2000); }, F::HOST_CR4, 0x2000},
    {"the CR4 field has", [](B& b) { b.or_in(F::HOST_CR4, 0x80'0000); }, F::HOST_CR4, 0x80'0000},
    {"bits of the CR3 field", [](B& b) { b.or_in(F::HOST_CR3, kBit46); }, F::HOST_CR3, kBit46},
    {"bits of the CR3 field", [](B& b) { b.or_in(F::HOST_CR3, kNowhere); }, F::HOST_CR3, kNowhere},
    {"the IA32_SYSENTER_ESP", [](B& b) { b.set(F::HOST_SYSENTER_ESP, kNowhere); },
     F::HOST_SYSENTER_ESP, kNowhereBits},
    {"the IA32_SYSENTER_ESP", [](B& b) { b.set(F::HOST_SYSENTER_EIP, kNowhere); },
     F::HOST_SYSENTER_EIP, kNowhereBits},
    {"reserved bits of the IA32_PERF",
     [](B& b) {
       b.exit(ExitControls::LOAD_PERF_GLOBAL_CTRL);
       b.set(F::HOST_PERF_GLOBAL_CTRL, 0x8'0000'0013);
     },
     F::HOST_PERF_GLOBAL_CTRL, 0x8'0000'0010},
    {"each byte of the IA32_PAT",
     [](B& b) {
       b.exit(ExitControls::LOAD_PAT);
       b.set(F::HOST_PAT, 0x0207'0406'0007'0406);
     },
     F::HOST_PAT, kAll64},
    {"reserved bits of the IA32_EFER",
     [](B& b) {
       b.exit(ExitControls::LOAD_EFER);
       b.or_in(F::HOST_EFER, 0x1002);
     },
     F::HOST_EFER, 0x1002},
    {"LMA and LME",
     [](B& b) {
       b.exit(ExitControls::LOAD_EFER);
       b.clear(F::HOST_EFER, 0x400);
     },
     F::HOST_EFER, 0x400},
    {"LMA and LME",
     [](B& b) {
       b.exit(ExitControls::LOAD_EFER);
       b.clear(F::HOST_EFER, 0x100);
     },
     F::HOST_EFER, 0x100},
    {"LMA and LME",
     [](B& b) {
       b.exit(ExitControls::LOAD_EFER);
       b.set(F::HOST_EFER, 0x500);
     },
     F::HOST_EFER, 0x500, Guest::kLegacyHost},
};

inline constexpr SpoiledEntry kSegments[] = {
    {"RPL and TI", [](B& b) { b.or_in(F::HOST_CS_SELECTOR, 0x4); }, F::HOST_CS_SELECTOR, 0x4},
    {"RPL and TI", [](B& b) { b.or_in(F::HOST_SS_SELECTOR, 0x1); }, F::HOST_SS_SELECTOR, 0x1},
    {"RPL and TI", [](B& b) { b.or_in(F::HOST_DS_SELECTOR, 0x3); }, F::HOST_DS_SELECTOR, 0x3},
    {"RPL and TI", [](B& b) { b.or_in(F::HOST_ES_SELECTOR, 0x2); }, F::HOST_ES_SELECTOR, 0x2},
    {"RPL and TI", [](B& b) { b.or_in(F::HOST_FS_SELECTOR, 0x4); }, F::HOST_FS_SELECTOR, 0x4},
    {"RPL and TI", [](B& b) { b.or_in(F::HOST_GS_SELECTOR, 0x7); }, F::HOST_GS_SELECTOR, 0x7},
    {"RPL and TI", [](B& b) { b.or_in(F::HOST_TR_SELECTOR, 0x4); }, F::HOST_TR_SELECTOR, 0x4},
    {"the selector fields of CS", [](B& b) { b.set(F::HOST_CS_SELECTOR, 0); }, F::HOST_CS_SELECTOR,
     kAll16},
    {"the selector fields of CS", [](B& b) { b.set(F::HOST_TR_SELECTOR, 0); }, F::HOST_TR_SELECTOR,
     kAll16},
    {"the selector field of SS", [](B& b) { b.set(F::HOST_SS_SELECTOR, 0); }, F::HOST_SS_SELECTOR,
     kAll16, Guest::kLegacyHost},
    {"the base addresses", [](B& b) { b.set(F::HOST_FS_BASE, kNowhere); }, F::HOST_FS_BASE,
     kNowhereBits},
    {"the base addresses", [](B& b) { b.set(F::HOST_GS_BASE, kNowhere); }, F::HOST_GS_BASE,
     kNowhereBits},
    {"the base addresses", [](B& b) { b.set(F::HOST_GDTR_BASE, kNowhere); }, F::HOST_GDTR_BASE,
     kNowhereBits},
    {"the base addresses", [](B& b) { b.set(F::HOST_IDTR_BASE, kNowhere); }, F::HOST_IDTR_BASE,
     kNowhereBits},
    {"the base addresses", [](B& b) { b.set(F::HOST_TR_BASE, kNowhere); }, F::HOST_TR_BASE,
     kNowhereBits},
    {"the base addresses",
     [](B& b) {  // a processor without 5-level paging
       b.processor.linear_width = 48;
       b.set(F::HOST_FS_BASE, kCanonical57);
     },
     F::HOST_FS_BASE, 0xFF00'0000'0000'0000},
};

inline constexpr SpoiledEntry kAddressSpace[] = {
    {"'IA-32e mode guest' is 0", [](B& b) { b.entry(EntryControls::IA32E_MODE_GUEST); },
     F::ENTRY_CONTROLS, 0x200, Guest::kLegacyHost},
    {"'host address-space size' is 0", [](B& b) { b.exit(ExitControls::HOST_ADDRESS_SPACE_SIZE); },
     F::EXIT_CONTROLS, 0x200, Guest::kLegacyHost},
    {"'host address-space size' is 1", [](B& b) { b.clear(F::EXIT_CONTROLS, 0x200); },
     F::EXIT_CONTROLS, 0x200},
    {"'host address-space size' is 1", [](B& b) { b.clear(F::EXIT_CONTROLS, 0x200); },
     F::EXIT_CONTROLS, 0x200, Guest::k32},
    {"PCIDE of the CR4 field", [](B& b) { b.or_in(F::HOST_CR4, 0x2'0000); }, F::HOST_CR4, 0x2'0000,
     Guest::kLegacyHost},
    {"bits 63:32 of the RIP", [](B& b) { b.or_in(F::HOST_RIP, u64{1} << 32); }, F::HOST_RIP,
     u64{1} << 32, Guest::kLegacyHost},
    {"PAE of the CR4 field", [](B& b) { b.clear(F::HOST_CR4, 0x20); }, F::HOST_CR4, 0x20},
    {"the RIP field is canonical", [](B& b) { b.set(F::HOST_RIP, kCanonical57); }, F::HOST_RIP,
     0xFF00'0000'0000'0000},
    {"the RIP field is canonical",
     [](B& b) {
       b.or_in(F::HOST_CR4, 0x1000);  // LA57
       b.set(F::HOST_RIP, kNowhere);
     },
     F::HOST_RIP, kNowhereBits},
};

}  // namespace host_detail

inline constexpr SpoiledSection kSpoiledHost[] = {
    {EntryPhase::kHostState, "Checks on Host Control Registers, MSRs, and SSP",
     host_detail::kRegisters},
    {EntryPhase::kHostState, "Checks on Host Segment and Descriptor-Table Registers",
     host_detail::kSegments},
    {EntryPhase::kHostState, "Checks Related to Address-Space Size", host_detail::kAddressSpace},
};

}  // namespace vtsim::vmx::test
