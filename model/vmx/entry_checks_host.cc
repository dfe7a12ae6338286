// SDM 3C "VM Entries": the checks on the host-state area, and those related to address-space size.

#include "model/cpu/state/registers.h"
#include "model/mmu/memory_type.h"
#include "model/vmx/entry_checks_internal.h"

namespace vtsim::vmx::checks {

namespace {

using F = VmcsField;
using cpu::Cr0;
using cpu::Cr4;
using cpu::Efer;

constexpr EntryRule registers(std::string_view text, Check check) {
  return {EntryPhase::kHostState, "Checks on Host Control Registers, MSRs, and SSP", text, check};
}
constexpr EntryRule segments(std::string_view text, Check check) {
  return {EntryPhase::kHostState, "Checks on Host Segment and Descriptor-Table Registers", text,
          check};
}
constexpr EntryRule address_space(std::string_view text, Check check) {
  return {EntryPhase::kHostState, "Checks Related to Address-Space Size", text, check};
}

bool loads(Context c, Flag control) { return c.vmcs.exit_controls()[control]; }

constexpr u64 kHostSize = ExitControls::HOST_ADDRESS_SPACE_SIZE.mask();
constexpr u64 kGuestMode = EntryControls::IA32E_MODE_GUEST.mask();

// SDM 3A "Canonicality Checking", 5-level paging: what is loaded into bases and MSRs is checked by
// the linear-address width of the processor, RIP by the mode that will be in force.
unsigned host_rip_width(Context c) {
  constexpr unsigned kWidth4Level = 48, kWidth5Level = 57;
  return c.vmcs.reg<Cr4>(F::HOST_CR4)[Cr4::LA57] ? kWidth5Level : kWidth4Level;
}

constexpr EntryRule kRules[] = {
    registers(
        "the CR0 field has no value that VMX operation does not support; NW and CD do not count",
        [](Context c) {
          constexpr u64 kUnchecked = Cr0::NW.mask() | Cr0::CD.mask();
          return faulty(c, F::HOST_CR0,
                        c.capabilities.cr0_violations(c.vmcs[F::HOST_CR0]) & ~kUnchecked);
        }),
    registers("the CR4 field has no value that VMX operation does not support",
              [](Context c) {
                return faulty(c, F::HOST_CR4, c.capabilities.cr4_violations(c.vmcs[F::HOST_CR4]));
              }),
    registers("bits of the CR3 field beyond the physical-address width are 0",
              [](Context c) { return must_be_0(c, F::HOST_CR3, beyond_cr3(c)); }),
    registers("the IA32_SYSENTER_ESP and IA32_SYSENTER_EIP fields are canonical",
              [](Context c) {
                return first_of({F::HOST_SYSENTER_ESP, F::HOST_SYSENTER_EIP},
                                [&](F f) { return canonical(c, f, c.linear_width); });
              }),
    registers("reserved bits of the IA32_PERF_GLOBAL_CTRL field are 0 where it is loaded",
              [](Context c) {
                const bool loaded = loads(c, ExitControls::LOAD_PERF_GLOBAL_CTRL);
                return must_be_0(c, F::HOST_PERF_GLOBAL_CTRL, loaded ? ~c.perf_global_bits : 0);
              }),
    registers("each byte of the IA32_PAT field is a memory type where it is loaded",
              [](Context c) {
                return wrong_if(
                    c, F::HOST_PAT,
                    loads(c, ExitControls::LOAD_PAT) && !mmu::is_valid_pat(c.vmcs[F::HOST_PAT]));
              }),
    registers("reserved bits of the IA32_EFER field are 0 where it is loaded",
              [](Context c) {
                const bool loaded = loads(c, ExitControls::LOAD_EFER);
                return must_be_0(c, F::HOST_EFER, loaded ? ~c.efer_bits : 0);
              }),
    registers(
        "LMA and LME of the IA32_EFER field equal 'host address-space size' where it is loaded",
        [](Context c) {
          constexpr u64 kBoth = Efer::LMA.mask() | Efer::LME.mask();
          if (!loads(c, ExitControls::LOAD_EFER)) return Finding{};
          return host_is_64_bit(c) ? must_be_1(c, F::HOST_EFER, kBoth)
                                   : must_be_0(c, F::HOST_EFER, kBoth);
        }),

    segments("RPL and TI of each selector field are 0",
             [](Context c) {
               constexpr u64 kMask = Selector::RPL.mask() | Selector::TI.mask();
               return first_of({F::HOST_CS_SELECTOR, F::HOST_SS_SELECTOR, F::HOST_DS_SELECTOR,
                                F::HOST_ES_SELECTOR, F::HOST_FS_SELECTOR, F::HOST_GS_SELECTOR,
                                F::HOST_TR_SELECTOR},
                               [&](F f) { return must_be_0(c, f, kMask); });
             }),
    segments("the selector fields of CS and TR are not 0000H",
             [](Context c) {
               return first_of({F::HOST_CS_SELECTOR, F::HOST_TR_SELECTOR},
                               [&](F f) { return wrong_if(c, f, c.vmcs[f] == 0); });
             }),
    segments("the selector field of SS is not 0000H without 'host address-space size'",
             [](Context c) {
               return wrong_if(c, F::HOST_SS_SELECTOR,
                               !host_is_64_bit(c) && c.vmcs[F::HOST_SS_SELECTOR] == 0);
             }),
    segments("the base addresses of FS, GS, GDTR, IDTR and TR are canonical",
             [](Context c) {
               return first_of({F::HOST_FS_BASE, F::HOST_GS_BASE, F::HOST_GDTR_BASE,
                                F::HOST_IDTR_BASE, F::HOST_TR_BASE},
                               [&](F f) { return canonical(c, f, c.linear_width); });
             }),

    address_space(
        "'IA-32e mode guest' is 0 if the processor is outside IA-32e mode",
        [](Context c) { return must_be_0(c, F::ENTRY_CONTROLS, c.ia32e_host ? 0 : kGuestMode); }),
    address_space(
        "'host address-space size' is 0 if the processor is outside IA-32e mode",
        [](Context c) { return must_be_0(c, F::EXIT_CONTROLS, c.ia32e_host ? 0 : kHostSize); }),
    // With the two before, this leaves no 'IA-32e mode guest' without 'host address-space size',
    // which the manual forbids once more.
    address_space(
        "'host address-space size' is 1 if the processor is in IA-32e mode",
        [](Context c) { return must_be_1(c, F::EXIT_CONTROLS, c.ia32e_host ? kHostSize : 0); }),
    address_space("PCIDE of the CR4 field is 0 without 'host address-space size'",
                  [](Context c) {
                    return must_be_0(c, F::HOST_CR4, host_is_64_bit(c) ? 0 : Cr4::PCIDE.mask());
                  }),
    address_space(
        "bits 63:32 of the RIP field are 0 without 'host address-space size'",
        [](Context c) { return must_be_0(c, F::HOST_RIP, host_is_64_bit(c) ? 0 : kUpperHalf); }),
    address_space("PAE of the CR4 field is 1 with 'host address-space size'",
                  [](Context c) {
                    return must_be_1(c, F::HOST_CR4, host_is_64_bit(c) ? Cr4::PAE.mask() : 0);
                  }),
    address_space("the RIP field is canonical with 'host address-space size'",
                  [](Context c) {
                    if (!host_is_64_bit(c)) return Finding{};
                    return canonical(c, F::HOST_RIP, host_rip_width(c));
                  }),
};

}  // namespace

std::span<const EntryRule> host_rules() { return kRules; }

}  // namespace vtsim::vmx::checks
