#pragma once
// What is at the edge of a rule and still valid.

#include "tests/vmx/violations.h"

namespace vtsim::vmx::test {

namespace valid_detail {

using F = VmcsField;
using B = Bench;

inline void unrestricted(B& b) { b.secondary(Secondary::EPT, Secondary::UNRESTRICTED_GUEST); }

inline constexpr ValidEntry kControls[] = {
    {"secondary controls that are not activated do not count",
     [](B& b) { b.set(F::SECONDARY_CONTROLS, kAll32); }},
    {"fields of controls that are 0 do not count",
     [](B& b) {
       for (const F f : {F::IO_BITMAP_A,
                         F::IO_BITMAP_B,
                         F::MSR_BITMAP,
                         F::VIRTUAL_APIC_ADDRESS,
                         F::APIC_ACCESS_ADDRESS,
                         F::POSTED_INTERRUPT_DESCRIPTOR,
                         F::POSTED_INTERRUPT_VECTOR,
                         F::EPT_POINTER,
                         F::PML_ADDRESS,
                         F::VM_FUNCTION_CONTROLS,
                         F::EPTP_LIST_ADDRESS,
                         F::VMREAD_BITMAP,
                         F::VMWRITE_BITMAP,
                         F::VE_INFORMATION_ADDRESS,
                         F::TPR_THRESHOLD,
                         F::EXIT_MSR_LOAD_ADDRESS,
                         F::EXIT_MSR_STORE_ADDRESS,
                         F::ENTRY_MSR_LOAD_ADDRESS,
                         F::HOST_PAT,
                         F::HOST_EFER,
                         F::HOST_PERF_GLOBAL_CTRL,
                         F::GUEST_PAT,
                         F::GUEST_EFER,
                         F::GUEST_PERF_GLOBAL_CTRL,
                         F::GUEST_DEBUGCTL,
                         F::GUEST_DR7}) {
         b.set(f, kAll64);
       }
       b.set(F::VPID, 0);
       b.set(F::TSC_MULTIPLIER, 0);
     }},
    {"all execution controls that go together",
     [](B& b) {
       b.pin(PinBased::EXTERNAL_INTERRUPT_EXITING, PinBased::NMI_EXITING, PinBased::VIRTUAL_NMIS,
             PinBased::PREEMPTION_TIMER, PinBased::POSTED_INTERRUPTS);
       b.primary(Primary::TPR_SHADOW, Primary::NMI_WINDOW_EXITING, Primary::IO_BITMAPS,
                 Primary::MSR_BITMAPS);
       b.secondary(Secondary::EPT, Secondary::VPID, Secondary::UNRESTRICTED_GUEST,
                   Secondary::VIRTUALIZE_X2APIC, Secondary::APIC_REGISTER_VIRTUALIZATION,
                   Secondary::VIRTUAL_INTERRUPT_DELIVERY, Secondary::VM_FUNCTIONS,
                   Secondary::VMCS_SHADOWING, Secondary::PML, Secondary::EPT_VIOLATION_VE,
                   Secondary::MODE_BASED_EXECUTE, Secondary::TSC_SCALING);
       b.set(F::VM_FUNCTION_CONTROLS, 1);
       b.exit(ExitControls::ACKNOWLEDGE_INTERRUPT, ExitControls::SAVE_PREEMPTION_TIMER);
     }},
    {"the TPR threshold equals VTPR", [](B& b) { b.primary(Primary::TPR_SHADOW); }},
    {"a TPR threshold of any value with virtual-interrupt delivery",
     [](B& b) {
       b.pin(PinBased::EXTERNAL_INTERRUPT_EXITING);
       b.primary(Primary::TPR_SHADOW);
       b.secondary(Secondary::VIRTUAL_INTERRUPT_DELIVERY);
       b.set(F::TPR_THRESHOLD, 0xFF);
     }},
    {"a TPR threshold above VTPR with APIC accesses virtualized",
     [](B& b) {
       b.primary(Primary::TPR_SHADOW);
       b.secondary(Secondary::VIRTUALIZE_APIC_ACCESSES);
       b.set(F::TPR_THRESHOLD, 0xF);
     }},
    {"EPT with five levels, uncacheable, without flags",
     [](B& b) {
       b.secondary(Secondary::EPT);
       b.set(F::EPT_POINTER, 0xA020);
     }},
    {"an MSR area that ends at the physical-address width",
     [](B& b) {
       b.set(F::EXIT_MSR_STORE_COUNT, 2);
       b.set(F::EXIT_MSR_STORE_ADDRESS, kBit46 - 32);
     }},
    {"an event that is not valid is not looked at",
     [](B& b) { b.set(F::ENTRY_INTERRUPTION_INFO, 0x7FFF'FFFF); }},
    {"a pending MTF VM exit", [](B& b) { b.inject(7, 0); }},
    {"a page fault with its error code",
     [](B& b) {
       b.inject(3, 0x80E);
       b.set(F::ENTRY_ERROR_CODE, 0xFFFF);
     }},
    {"a general-protection exception without error code in real mode",
     [](B& b) { b.inject(3, 13); }, Guest::kReal},
    {"any error code where IA32_VMX_BASIC says so",
     [](B& b) {
       b.give(CapabilityMsr::kBasic, u64{1} << 56);
       b.inject(3, 13);
     }},
    {"any error code where IA32_VMX_BASIC says so, given",
     [](B& b) {
       b.give(CapabilityMsr::kBasic, u64{1} << 56);
       b.inject(3, 0x806);
     }},
    {"INT n of length 0", [](B& b) { b.inject(4, 0x80); }},
    {"INT3 of length 15",
     [](B& b) {
       b.inject(6, 3);
       b.set(F::ENTRY_INSTRUCTION_LENGTH, 15);
     }},
    {"the instruction length of an interrupt does not count",
     [](B& b) {
       b.inject(0, 0x30);
       b.set(F::ENTRY_INSTRUCTION_LENGTH, kAll32);
     }},
};

inline constexpr ValidEntry kHost[] = {
    {"NW and CD of CR0 do not count",
     [](B& b) {
       b.take(CapabilityMsr::kCr0Fixed1, 0x6000'0000);
       b.or_in(F::HOST_CR0, 0x6000'0000);
       b.or_in(F::GUEST_CR0, 0x6000'0000);
     }},
    {"null selectors of SS, DS, ES, FS and GS in 64-bit mode",
     [](B& b) {
       for (const F f : {F::HOST_SS_SELECTOR, F::HOST_DS_SELECTOR, F::HOST_ES_SELECTOR,
                         F::HOST_FS_SELECTOR, F::HOST_GS_SELECTOR}) {
         b.set(f, 0);
       }
     }},
    {"bases and SYSENTER fields by the processor's linear-address width, whatever CR4.LA57",
     [](B& b) {
       for (const F f :
            {F::HOST_SYSENTER_ESP, F::HOST_SYSENTER_EIP, F::HOST_FS_BASE, F::HOST_GS_BASE,
             F::HOST_GDTR_BASE, F::HOST_IDTR_BASE, F::HOST_TR_BASE, F::GUEST_SYSENTER_ESP,
             F::GUEST_SYSENTER_EIP, F::GUEST_FS_BASE, F::GUEST_GS_BASE, F::GUEST_GDTR_BASE,
             F::GUEST_IDTR_BASE, F::GUEST_TR_BASE, F::GUEST_LDTR_BASE, F::GUEST_RIP}) {
         b.set(f, 0x00FF'8000'0000'0000);
       }
     }},
    {"RIP of the host by its CR4.LA57",
     [](B& b) {
       b.or_in(F::HOST_CR4, 0x1000);
       b.set(F::HOST_RIP, 0x00FF'8000'0000'0000);
     }},
    {"EFER of both loaded",
     [](B& b) {
       b.exit(ExitControls::LOAD_EFER, ExitControls::LOAD_PAT, ExitControls::LOAD_PERF_GLOBAL_CTRL);
       b.entry(EntryControls::LOAD_EFER, EntryControls::LOAD_PAT,
               EntryControls::LOAD_PERF_GLOBAL_CTRL, EntryControls::LOAD_DEBUG_CONTROLS);
       b.set(F::HOST_PERF_GLOBAL_CTRL, 0x7'0000'000F);
       b.set(F::GUEST_PERF_GLOBAL_CTRL, 0x7'0000'000F);
     }},
};

inline constexpr ValidEntry kGuest[] = {
    {"LME without LMA and without paging",
     [](B& b) {
       b.entry(EntryControls::LOAD_EFER);
       b.set(F::GUEST_EFER, 0x100);
     },
     Guest::kReal},
    {"protected mode without paging, unrestricted",
     [](B& b) {
       unrestricted(b);
       b.clear(F::GUEST_CR0, 0x8000'0000);
     },
     Guest::k32},
    {"PDPTEs of a guest that does not use PAE paging",
     [](B& b) { b.ram.put64(Bench::kGuestCr3, kAll64); }, Guest::k32},
    {"PDPTEs in memory with EPT",
     [](B& b) {
       b.secondary(Secondary::EPT);
       b.ram.put64(Bench::kGuestCr3, kAll64);
     },
     Guest::kPae},
    {"PDPTEs: PWT, PCD and ignored bits",
     [](B& b) {
       b.secondary(Secondary::EPT);
       b.set(F::GUEST_PDPTE3, 0x3FFF'FFFF'FE19);
     },
     Guest::kPae},
    {"unusable registers are not looked at",
     [](B& b) {
       for (const unsigned n : {0u, 3u, 4u, 5u, 6u}) {  // ES, DS, FS, GS, LDTR
         b.set(F::GUEST_ES_RIGHTS + n, 0xFFFF'FFFF);
         b.set(F::GUEST_ES_LIMIT + n, 0x1234'5678);
         b.set(F::GUEST_ES_SELECTOR + n, 0xFFFF);
       }
       b.set(F::GUEST_ES_BASE, kAll64);
       b.set(F::GUEST_DS_BASE, kAll64);
       b.set(F::GUEST_LDTR_BASE, 0x8000'0000'0000'0000);
     }},
    {"SS unusable",
     [](B& b) {
       b.set(F::GUEST_SS_RIGHTS, 0x1'0000);
       b.set(F::GUEST_SS_SELECTOR, 0);
       b.set(F::GUEST_SS_BASE, kAll64);
     }},
    {"conforming code below the CPL, and conforming data segments of any DPL",
     [](B& b) {
       b.set(F::GUEST_CS_RIGHTS, 0xC09F);
       b.set(F::GUEST_CS_SELECTOR, 0x23);
       b.set(F::GUEST_SS_SELECTOR, 0x2B);
       b.or_in(F::GUEST_SS_RIGHTS, 0x60);
       b.set(F::GUEST_DS_SELECTOR, 0x23);
       b.set(F::GUEST_DS_RIGHTS, 0xC09F);
     },
     Guest::k32},
    {"an expand-down stack", [](B& b) { b.set(F::GUEST_SS_RIGHTS, 0xC097); }, Guest::k32},
    {"DPLs below RPL and another RPL of SS, unrestricted",
     [](B& b) {
       unrestricted(b);
       b.or_in(F::GUEST_SS_SELECTOR, 3);
       b.or_in(F::GUEST_DS_SELECTOR, 3);
     },
     Guest::k32},
    {"CS of type 3, unrestricted", [](B& b) { b.set(F::GUEST_CS_RIGHTS, 0x93); }, Guest::kReal},
    {"a 16-bit busy TSS outside IA-32e mode", [](B& b) { b.set(F::GUEST_TR_RIGHTS, 0x83); },
     Guest::k32},
    {"D/B and L in compatibility mode",
     [](B& b) {
       b.set(F::GUEST_CS_RIGHTS, 0xC09B);
       b.set(F::GUEST_RIP, 0xC010'0000);
     }},
    {"D/B and L outside IA-32e mode", [](B& b) { b.set(F::GUEST_CS_RIGHTS, 0xE09B); }, Guest::k32},
    {"RIP just beyond the lower half of the linear addresses",
     [](B& b) {
       b.processor.linear_width = 48;
       b.set(F::GUEST_RIP, 0x0000'8000'0000'0000);
     }},
    {"all flags", [](B& b) { b.or_in(F::GUEST_RFLAGS, 0x3D'7FD5); }},
    {"HLT woken by #DB",
     [](B& b) {
       b.set(F::GUEST_ACTIVITY_STATE, 1);
       b.inject(3, 1);
     }},
    {"HLT woken by a pending MTF VM exit",
     [](B& b) {
       b.set(F::GUEST_ACTIVITY_STATE, 1);
       b.inject(7, 0);
     }},
    {"HLT woken by an interrupt",
     [](B& b) {
       b.set(F::GUEST_ACTIVITY_STATE, 1);
       b.inject(0, 0xFF);
     }},
    {"shutdown woken by an NMI",
     [](B& b) {
       b.set(F::GUEST_ACTIVITY_STATE, 2);
       b.inject(2, 2);
     }},
    {"shutdown woken by #MC",
     [](B& b) {
       b.set(F::GUEST_ACTIVITY_STATE, 2);
       b.inject(3, 18);
     }},
    {"wait-for-SIPI", [](B& b) { b.set(F::GUEST_ACTIVITY_STATE, 3); }},
    {"blocking by NMI while an NMI is injected without virtual NMIs",
     [](B& b) {
       b.set(F::GUEST_INTERRUPTIBILITY, 8);
       b.inject(2, 2);
     }},
    {"BS with TF where no blocking makes it known", [](B& b) { b.or_in(F::GUEST_RFLAGS, 0x100); }},
    {"BS pending while STI blocks and TF is set",
     [](B& b) {
       b.or_in(F::GUEST_RFLAGS, 0x100);
       b.set(F::GUEST_INTERRUPTIBILITY, 1);
       b.set(F::GUEST_PENDING_DEBUG, 0x400F);
     }},
    {"RTM pending on a processor that has it",
     [](B& b) {
       b.rtm = true;
       b.set(F::GUEST_PENDING_DEBUG, 0x1'1000);
     }},
    {"an enclave interruption with SGX",
     [](B& b) {
       b.sgx = true;
       b.set(F::GUEST_INTERRUPTIBILITY, 0x10);
     }},
    {"a link pointer to an ordinary VMCS without shadowing",
     [](B& b) { b.set(F::VMCS_LINK_POINTER, Bench::kOrdinary); }},
    {"a link pointer to a shadow VMCS with shadowing",
     [](B& b) {
       b.secondary(Secondary::VMCS_SHADOWING);
       b.set(F::VMCS_LINK_POINTER, Bench::kShadow);
     }},
    {"a return from SMM may link to the current VMCS",
     [](B& b) {
       b.in_smm = true;
       b.set(F::GUEST_INTERRUPTIBILITY, 4);
       b.set(F::VMCS_LINK_POINTER, Bench::kCurrent);
     }},
};

}  // namespace valid_detail

}  // namespace vtsim::vmx::test
