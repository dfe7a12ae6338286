#pragma once
// SDM 3C "Checks on the Guest State Area", all but segment registers.

#include "tests/vmx/violations.h"

namespace vtsim::vmx::test {

namespace guest_detail {

using F = VmcsField;
using B = Bench;

inline constexpr u64 kNowhere = 0x8000'0000'0000'0000;

inline void unrestricted(B& b) { b.secondary(Secondary::EPT, Secondary::UNRESTRICTED_GUEST); }
inline void ept(B& b) { b.secondary(Secondary::EPT); }
inline void no_pe(B& b) {
  unrestricted(b);
  b.clear(F::GUEST_CR0, 0x8000'0001);
}
inline void link_to(B& b, u64 address) { b.set(F::VMCS_LINK_POINTER, address); }
inline void enter_smm(B& b) {
  b.in_smm = true;
  b.entry(EntryControls::ENTRY_TO_SMM);
  b.or_in(F::GUEST_INTERRUPTIBILITY, 4);
}

inline constexpr SpoiledEntry kRegisters[] = {
    {"the CR0 field has", [](B& b) { b.clear(F::GUEST_CR0, 0x8000'0000); }, F::GUEST_CR0,
     0x8000'0000, Guest::k32},
    {"the CR0 field has", [](B& b) { b.clear(F::GUEST_CR0, 0x20); }, F::GUEST_CR0, 0x20,
     Guest::kReal},
    {"the CR0 field has", [](B& b) { b.or_in(F::GUEST_CR0, kNowhere); }, F::GUEST_CR0, kNowhere},
    {"the CR0 field has",
     [](B& b) {  // without the activation, secondary controls do not count
       unrestricted(b);
       b.clear(F::PRIMARY_CONTROLS, 0x8000'0000);
       b.clear(F::GUEST_CR0, 0x8000'0001);
     },
     F::GUEST_CR0, 0x8000'0001, Guest::k32},
    {"PE of the CR0", [](B& b) { b.or_in(F::GUEST_CR0, 0x8000'0000); }, F::GUEST_CR0, 0x1,
     Guest::kReal},
    {"the CR4 field has", [](B& b) { b.clear(F::GUEST_CR4, 0x2000); }, F::GUEST_CR4, 0x2000},
    {"the CR4 field has", [](B& b) { b.or_in(F::GUEST_CR4, 0x100'0000); }, F::GUEST_CR4,
     0x100'0000},
    {"reserved bits of the IA32_DEBUGCTL",
     [](B& b) {
       b.entry(EntryControls::LOAD_DEBUG_CONTROLS);
       b.or_in(F::GUEST_DEBUGCTL, 0x24);
     },
     F::GUEST_DEBUGCTL, 0x24},
    {"PG of the CR0",
     [](B& b) {
       unrestricted(b);
       b.clear(F::GUEST_CR0, 0x8000'0000);
     },
     F::GUEST_CR0, 0x8000'0000},
    {"PAE of the CR4", [](B& b) { b.clear(F::GUEST_CR4, 0x20); }, F::GUEST_CR4, 0x20},
    {"PCIDE of the CR4", [](B& b) { b.or_in(F::GUEST_CR4, 0x2'0000); }, F::GUEST_CR4, 0x2'0000,
     Guest::k32},
    {"bits of the CR3", [](B& b) { b.or_in(F::GUEST_CR3, kBit46); }, F::GUEST_CR3, kBit46},
    {"bits of the CR3", [](B& b) { b.or_in(F::GUEST_CR3, kNowhere); }, F::GUEST_CR3, kNowhere,
     Guest::kPae},
    {"bits 63:32 of the DR7",
     [](B& b) {
       b.entry(EntryControls::LOAD_DEBUG_CONTROLS);
       b.or_in(F::GUEST_DR7, u64{1} << 32);
     },
     F::GUEST_DR7, u64{1} << 32},
    {"the IA32_SYSENTER_ESP", [](B& b) { b.set(F::GUEST_SYSENTER_ESP, kNowhere); },
     F::GUEST_SYSENTER_ESP, kNowhere},
    {"the IA32_SYSENTER_ESP", [](B& b) { b.set(F::GUEST_SYSENTER_EIP, kNowhere); },
     F::GUEST_SYSENTER_EIP, kNowhere, Guest::kReal},
    {"reserved bits of the IA32_PERF",
     [](B& b) {
       b.entry(EntryControls::LOAD_PERF_GLOBAL_CTRL);
       b.set(F::GUEST_PERF_GLOBAL_CTRL, 0x10);
     },
     F::GUEST_PERF_GLOBAL_CTRL, 0x10},
    {"each byte of the IA32_PAT",
     [](B& b) {
       b.entry(EntryControls::LOAD_PAT);
       b.set(F::GUEST_PAT, 0x0007'0406'0007'0403);
     },
     F::GUEST_PAT, kAll64},
    {"reserved bits of the IA32_EFER",
     [](B& b) {
       b.entry(EntryControls::LOAD_EFER);
       b.or_in(F::GUEST_EFER, 0x200);
     },
     F::GUEST_EFER, 0x200},
    {"LMA of the IA32_EFER",
     [](B& b) {
       b.entry(EntryControls::LOAD_EFER);
       b.clear(F::GUEST_EFER, 0x400);
     },
     F::GUEST_EFER, 0x400},
    {"LMA of the IA32_EFER",
     [](B& b) {
       b.entry(EntryControls::LOAD_EFER);
       b.or_in(F::GUEST_EFER, 0x500);
     },
     F::GUEST_EFER, 0x400, Guest::k32},
    {"LME of the IA32_EFER",
     [](B& b) {
       b.entry(EntryControls::LOAD_EFER);
       b.clear(F::GUEST_EFER, 0x100);
     },
     F::GUEST_EFER, 0x100},
    {"LME of the IA32_EFER",
     [](B& b) {
       b.entry(EntryControls::LOAD_EFER);
       b.set(F::GUEST_EFER, 0x100);
     },
     F::GUEST_EFER, 0x100, Guest::k32},
};

inline constexpr SpoiledEntry kTables[] = {
    {"the base addresses", [](B& b) { b.set(F::GUEST_GDTR_BASE, kNowhere); }, F::GUEST_GDTR_BASE,
     kNowhere},
    {"the base addresses", [](B& b) { b.set(F::GUEST_IDTR_BASE, kNowhere); }, F::GUEST_IDTR_BASE,
     kNowhere, Guest::k32},
    {"bits 31:16", [](B& b) { b.or_in(F::GUEST_GDTR_LIMIT, 0x1'0000); }, F::GUEST_GDTR_LIMIT,
     0x1'0000},
    {"bits 31:16", [](B& b) { b.or_in(F::GUEST_IDTR_LIMIT, 0x8000'0000); }, F::GUEST_IDTR_LIMIT,
     0x8000'0000},
};

inline constexpr SpoiledEntry kFlow[] = {
    {"bits 63:32 of the RIP", [](B& b) { b.or_in(F::GUEST_RIP, u64{1} << 32); }, F::GUEST_RIP,
     u64{1} << 32, Guest::k32},
    {"bits 63:32 of the RIP",
     [](B& b) {  // compatibility mode
       b.set(F::GUEST_CS_RIGHTS, 0xC09B);
       b.set(F::GUEST_RIP, kNowhere);
     },
     F::GUEST_RIP, kNowhere},
    {"bits of the RIP field beyond", [](B& b) { b.set(F::GUEST_RIP, kNowhere); }, F::GUEST_RIP,
     kNowhere},
    {"bits of the RIP field beyond",
     [](B& b) {
       b.processor.linear_width = 48;
       b.set(F::GUEST_RIP, 0x0001'0000'0000'0000);
     },
     F::GUEST_RIP, 0x0001'0000'0000'0000},
    {"reserved bits of the RFLAGS", [](B& b) { b.clear(F::GUEST_RFLAGS, 0x2); }, F::GUEST_RFLAGS,
     0x2},
    {"reserved bits of the RFLAGS", [](B& b) { b.or_in(F::GUEST_RFLAGS, 0x40'8028); },
     F::GUEST_RFLAGS, 0x40'8028},
    {"reserved bits of the RFLAGS", [](B& b) { b.or_in(F::GUEST_RFLAGS, kNowhere); },
     F::GUEST_RFLAGS, kNowhere, Guest::kReal},
    {"VM of the RFLAGS", no_pe, F::GUEST_RFLAGS, 0x2'0000, Guest::kV86},
    {"VM of the RFLAGS",
     [](B& b) {
       b.entry(EntryControls::IA32E_MODE_GUEST);
       b.or_in(F::GUEST_CR4, 0x20);
     },
     F::GUEST_RFLAGS, 0x2'0000, Guest::kV86},
    {"IF of the RFLAGS",
     [](B& b) {
       b.inject(0, 0x30);
       b.clear(F::GUEST_RFLAGS, 0x200);
     },
     F::GUEST_RFLAGS, 0x200},
};

inline constexpr SpoiledEntry kState[] = {
    {"the activity state is one", [](B& b) { b.set(F::GUEST_ACTIVITY_STATE, 4); },
     F::GUEST_ACTIVITY_STATE, kAll32},
    {"the activity state is one",
     [](B& b) {
       b.set(F::GUEST_ACTIVITY_STATE, 1);
       b.take(CapabilityMsr::kMisc, 0x40);
     },
     F::GUEST_ACTIVITY_STATE, kAll32},
    {"the activity state is one",
     [](B& b) {
       b.set(F::GUEST_ACTIVITY_STATE, 2);
       b.take(CapabilityMsr::kMisc, 0x80);
     },
     F::GUEST_ACTIVITY_STATE, kAll32},
    {"the activity state is one",
     [](B& b) {
       b.set(F::GUEST_ACTIVITY_STATE, 3);
       b.take(CapabilityMsr::kMisc, 0x100);
     },
     F::GUEST_ACTIVITY_STATE, kAll32},
    {"the activity state is not HLT", [](B& b) { b.set(F::GUEST_ACTIVITY_STATE, 1); },
     F::GUEST_ACTIVITY_STATE, kAll32, Guest::kV86},
    {"the activity state is active",
     [](B& b) {
       b.set(F::GUEST_ACTIVITY_STATE, 1);
       b.set(F::GUEST_INTERRUPTIBILITY, 1);
     },
     F::GUEST_ACTIVITY_STATE, kAll32},
    {"the activity state is active",
     [](B& b) {
       b.set(F::GUEST_ACTIVITY_STATE, 2);
       b.set(F::GUEST_INTERRUPTIBILITY, 2);
     },
     F::GUEST_ACTIVITY_STATE, kAll32},
    {"an event injected in HLT",
     [](B& b) {
       b.set(F::GUEST_ACTIVITY_STATE, 1);
       b.inject(3, 6);
     },
     F::GUEST_ACTIVITY_STATE, kAll32},
    {"an event injected in HLT",
     [](B& b) {
       b.set(F::GUEST_ACTIVITY_STATE, 1);
       b.inject(4, 0x12);
     },
     F::GUEST_ACTIVITY_STATE, kAll32},
    {"an event injected in shutdown",
     [](B& b) {
       b.set(F::GUEST_ACTIVITY_STATE, 2);
       b.inject(0, 0x30);
     },
     F::GUEST_ACTIVITY_STATE, kAll32},
    {"an event injected in shutdown",
     [](B& b) {
       b.set(F::GUEST_ACTIVITY_STATE, 2);
       b.inject(3, 1);
     },
     F::GUEST_ACTIVITY_STATE, kAll32},
    {"no event is injected in wait-for-SIPI",
     [](B& b) {
       b.set(F::GUEST_ACTIVITY_STATE, 3);
       b.inject(2, 2);
     },
     F::GUEST_ACTIVITY_STATE, kAll32},
    {"the activity state is not wait-for-SIPI",
     [](B& b) {
       enter_smm(b);
       b.set(F::GUEST_ACTIVITY_STATE, 3);
     },
     F::GUEST_ACTIVITY_STATE, kAll32},
    {"bits 31:5", [](B& b) { b.set(F::GUEST_INTERRUPTIBILITY, 0x8000'0020); },
     F::GUEST_INTERRUPTIBILITY, 0x8000'0020},
    {"blocking by STI and by MOV SS", [](B& b) { b.set(F::GUEST_INTERRUPTIBILITY, 3); },
     F::GUEST_INTERRUPTIBILITY, 3},
    {"no blocking by STI if IF",
     [](B& b) {
       b.set(F::GUEST_INTERRUPTIBILITY, 1);
       b.clear(F::GUEST_RFLAGS, 0x200);
     },
     F::GUEST_INTERRUPTIBILITY, 1},
    {"no blocking by STI or by MOV SS if an external",
     [](B& b) {
       b.set(F::GUEST_INTERRUPTIBILITY, 1);
       b.inject(0, 0x30);
     },
     F::GUEST_INTERRUPTIBILITY, 1},
    {"no blocking by STI or by MOV SS if an external",
     [](B& b) {
       b.set(F::GUEST_INTERRUPTIBILITY, 2);
       b.inject(0, 0x30);
     },
     F::GUEST_INTERRUPTIBILITY, 2},
    {"no blocking by MOV SS if an NMI",
     [](B& b) {
       b.set(F::GUEST_INTERRUPTIBILITY, 2);
       b.inject(2, 2);
     },
     F::GUEST_INTERRUPTIBILITY, 2},
    {"no blocking by SMI outside", [](B& b) { b.set(F::GUEST_INTERRUPTIBILITY, 4); },
     F::GUEST_INTERRUPTIBILITY, 4},
    {"blocking by SMI with",
     [](B& b) {
       enter_smm(b);
       b.set(F::GUEST_INTERRUPTIBILITY, 0);
     },
     F::GUEST_INTERRUPTIBILITY, 4},
    {"no blocking by STI if an NMI",
     [](B& b) {
       b.set(F::GUEST_INTERRUPTIBILITY, 1);
       b.inject(2, 2);
     },
     F::GUEST_INTERRUPTIBILITY, 1},
    {"no blocking by NMI",
     [](B& b) {
       b.pin(PinBased::NMI_EXITING, PinBased::VIRTUAL_NMIS);
       b.set(F::GUEST_INTERRUPTIBILITY, 8);
       b.inject(2, 2);
     },
     F::GUEST_INTERRUPTIBILITY, 8},
    {"no blocking by MOV SS with an enclave",
     [](B& b) {
       b.sgx = true;
       b.set(F::GUEST_INTERRUPTIBILITY, 0x12);
     },
     F::GUEST_INTERRUPTIBILITY, 0x2},
    {"an enclave interruption", [](B& b) { b.set(F::GUEST_INTERRUPTIBILITY, 0x10); },
     F::GUEST_INTERRUPTIBILITY, 0x10},
    {"reserved bits of the pending", [](B& b) { b.set(F::GUEST_PENDING_DEBUG, kNowhere | 0xA810); },
     F::GUEST_PENDING_DEBUG, kNowhere | 0xA810},
    {"BS is pending",
     [](B& b) {
       b.or_in(F::GUEST_RFLAGS, 0x100);
       b.set(F::GUEST_INTERRUPTIBILITY, 1);
     },
     F::GUEST_PENDING_DEBUG, 0x4000},
    {"BS is pending",
     [](B& b) {
       b.or_in(F::GUEST_RFLAGS, 0x100);
       b.set(F::GUEST_ACTIVITY_STATE, 1);
     },
     F::GUEST_PENDING_DEBUG, 0x4000},
    {"BS is not pending",
     [](B& b) {
       b.set(F::GUEST_PENDING_DEBUG, 0x4000);
       b.set(F::GUEST_INTERRUPTIBILITY, 2);
     },
     F::GUEST_PENDING_DEBUG, 0x4000},
    {"BS is not pending",
     [](B& b) {
       b.or_in(F::GUEST_RFLAGS, 0x100);
       b.or_in(F::GUEST_DEBUGCTL, 2);  // BTF
       b.set(F::GUEST_PENDING_DEBUG, 0x4000);
       b.set(F::GUEST_ACTIVITY_STATE, 1);
     },
     F::GUEST_PENDING_DEBUG, 0x4000},
    {"with RTM pending", [](B& b) { b.set(F::GUEST_PENDING_DEBUG, 0x1'0000); },
     F::GUEST_PENDING_DEBUG, 0x1000},
    {"with RTM pending",
     [](B& b) {
       b.rtm = true;
       b.set(F::GUEST_PENDING_DEBUG, 0x1'5003);
     },
     F::GUEST_PENDING_DEBUG, 0x4003},
    {"RTM is pending only", [](B& b) { b.set(F::GUEST_PENDING_DEBUG, 0x1'1000); },
     F::GUEST_PENDING_DEBUG, 0x1'0000},
    {"no blocking by MOV SS with RTM",
     [](B& b) {
       b.rtm = true;
       b.set(F::GUEST_PENDING_DEBUG, 0x1'1000);
       b.set(F::GUEST_INTERRUPTIBILITY, 2);
     },
     F::GUEST_INTERRUPTIBILITY, 2},
    {"bits 11:0 of the VMCS link", [](B& b) { link_to(b, Bench::kOrdinary + 8); },
     F::VMCS_LINK_POINTER, 8},
    {"the VMCS link pointer sets", [](B& b) { link_to(b, kBit46); }, F::VMCS_LINK_POINTER, kBit46},
    {"the VMCS link pointer sets",
     [](B& b) {
       b.give(CapabilityMsr::kBasic, u64{1} << 48);
       link_to(b, u64{1} << 32);
     },
     F::VMCS_LINK_POINTER, u64{1} << 32},
    {"the VMCS link pointer refers", [](B& b) { link_to(b, Bench::kHostCr3); },
     F::VMCS_LINK_POINTER, kAll64},
    {"the region of the VMCS link", [](B& b) { link_to(b, Bench::kShadow); }, F::VMCS_LINK_POINTER,
     kAll64},
    {"the region of the VMCS link",
     [](B& b) {
       b.secondary(Secondary::VMCS_SHADOWING);
       link_to(b, Bench::kOrdinary);
     },
     F::VMCS_LINK_POINTER, kAll64},
    {"the VMCS link pointer is not the current", [](B& b) { link_to(b, Bench::kCurrent); },
     F::VMCS_LINK_POINTER, kAll64},
    {"the VMCS link pointer is not the current",
     [](B& b) {
       enter_smm(b);
       link_to(b, Bench::kCurrent);
     },
     F::VMCS_LINK_POINTER, kAll64},
    {"the VMCS link pointer is not the executive",
     [](B& b) {
       b.in_smm = true;
       b.set(F::EXECUTIVE_VMCS_POINTER, Bench::kOrdinary);
       link_to(b, Bench::kOrdinary);
     },
     F::VMCS_LINK_POINTER, kAll64},
};

inline constexpr SpoiledEntry kPdptes[] = {
    {"reserved bits of present PDPTEs",
     [](B& b) { b.ram.put64(Bench::kGuestCr3 + 24, kBit46 | 0x1001); }, F::GUEST_CR3, kAll64,
     Guest::kPae},
    {"reserved bits of present PDPTEs",
     [](B& b) {
       b.ram.put64(Bench::kGuestCr3 + 0x120, 0x1007);
       b.set(F::GUEST_CR3, Bench::kGuestCr3 + 0x13F);  // bits 4:0 do not count
     },
     F::GUEST_CR3, kAll64, Guest::kPae},
    {"reserved bits of present PDPTE fields",
     [](B& b) {
       ept(b);
       b.or_in(F::GUEST_PDPTE0, 0x6);
     },
     F::GUEST_PDPTE0, 0x6, Guest::kPae},
    {"reserved bits of present PDPTE fields",
     [](B& b) {
       ept(b);
       b.set(F::GUEST_PDPTE1, kNowhere | 0x1E1);
     },
     F::GUEST_PDPTE1, kNowhere | 0x1E0, Guest::kPae},
    {"reserved bits of present PDPTE fields",
     [](B& b) {
       ept(b);
       b.or_in(F::GUEST_PDPTE2, 0x1);
     },
     F::GUEST_PDPTE2, 0xFFFF'C000'0000'01E6, Guest::kPae},
    {"reserved bits of present PDPTE fields",
     [](B& b) {
       ept(b);
       b.set(F::GUEST_PDPTE3, kBit46 | 1);
     },
     F::GUEST_PDPTE3, kBit46, Guest::kPae},
};

}  // namespace guest_detail

inline constexpr SpoiledSection kSpoiledGuest[] = {
    {EntryPhase::kGuestState, "Checks on Guest Control Registers, Debug Registers, and MSRs",
     guest_detail::kRegisters},
    {EntryPhase::kGuestState, "Checks on Guest Descriptor-Table Registers", guest_detail::kTables},
    {EntryPhase::kGuestState, "Checks on Guest RIP, RFLAGS, and SSP", guest_detail::kFlow},
    {EntryPhase::kGuestState, "Checks on Guest Non-Register State", guest_detail::kState},
    {EntryPhase::kGuestState, "Checks on Guest Page-Directory-Pointer-Table Entries",
     guest_detail::kPdptes},
};

}  // namespace vtsim::vmx::test
