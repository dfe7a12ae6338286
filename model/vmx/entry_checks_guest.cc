// SDM 3C "VM Entries > Checks on the Guest State Area": all but segment registers.

#include "model/cpu/state/registers.h"
#include "model/cpu/state/segment.h"
#include "model/mmu/memory_type.h"
#include "model/mmu/walker.h"
#include "model/vmx/entry_checks_internal.h"

namespace vtsim::vmx::checks {

namespace {

using F = VmcsField;
using cpu::Cr0;
using cpu::Cr4;
using cpu::DebugCtl;
using cpu::Efer;
using cpu::EventType;
using cpu::Rflags;
using cpu::SegmentRights;

// SDM 3C "VM-Entry Failures During or After Loading Guest State": exit qualifications
constexpr u64 kQualificationPdpte = 2;
constexpr u64 kQualificationNmi = 3;
constexpr u64 kQualificationLinkPointer = 4;

constexpr EntryRule registers(std::string_view text, Check check) {
  return {EntryPhase::kGuestState, "Checks on Guest Control Registers, Debug Registers, and MSRs",
          text, check};
}
constexpr EntryRule tables(std::string_view text, Check check) {
  return {EntryPhase::kGuestState, "Checks on Guest Descriptor-Table Registers", text, check};
}
constexpr EntryRule flow(std::string_view text, Check check) {
  return {EntryPhase::kGuestState, "Checks on Guest RIP, RFLAGS, and SSP", text, check};
}
constexpr EntryRule state(std::string_view text, Check check, u64 qualification = 0) {
  return {EntryPhase::kGuestState, "Checks on Guest Non-Register State", text, check,
          qualification};
}
constexpr EntryRule link(std::string_view text, Check check) {
  return state(text, check, kQualificationLinkPointer);
}
constexpr EntryRule pdptes(std::string_view text, Check check) {
  return {EntryPhase::kGuestState, "Checks on Guest Page-Directory-Pointer-Table Entries", text,
          check, kQualificationPdpte};
}

bool loads(Context c, Flag control) { return c.vmcs.entry_controls()[control]; }
Reg<Cr0> cr0(Context c) { return c.vmcs.reg<Cr0>(F::GUEST_CR0); }
Reg<Cr4> cr4(Context c) { return c.vmcs.reg<Cr4>(F::GUEST_CR4); }
Reg<Rflags> rflags(Context c) { return c.vmcs.reg<Rflags>(F::GUEST_RFLAGS); }

// ---- control registers, debug registers and MSRs
Finding cr0_supported(Context c) {
  u64 unchecked = Cr0::NW.mask() | Cr0::CD.mask();
  if (unrestricted(c)) unchecked |= Cr0::PE.mask() | Cr0::PG.mask();
  return faulty(c, F::GUEST_CR0, c.capabilities.cr0_violations(c.vmcs[F::GUEST_CR0]) & ~unchecked);
}

Finding efer_lma_is_mode(Context c) {
  if (!loads(c, EntryControls::LOAD_EFER)) return std::nullopt;
  return ia32e_guest(c) ? must_be_1(c, F::GUEST_EFER, Efer::LMA.mask())
                        : must_be_0(c, F::GUEST_EFER, Efer::LMA.mask());
}

Finding efer_lme_is_lma(Context c) {
  if (!loads(c, EntryControls::LOAD_EFER) || !cr0(c)[Cr0::PG]) return std::nullopt;
  const Reg<Efer> efer = c.vmcs.reg<Efer>(F::GUEST_EFER);
  return faulty(c, F::GUEST_EFER, efer[Efer::LMA] != efer[Efer::LME] ? Efer::LME.mask() : 0);
}

constexpr EntryRule kRegisterRules[] = {
    registers(
        "the CR0 field has no value that VMX operation does not support; PE and PG do not count "
        "with 'unrestricted guest', NW and CD never",
        cr0_supported),
    registers(
        "PE of the CR0 field is 1 if PG is",
        [](Context c) { return must_be_1(c, F::GUEST_CR0, cr0(c)[Cr0::PG] ? Cr0::PE.mask() : 0); }),
    registers("the CR4 field has no value that VMX operation does not support",
              [](Context c) {
                return faulty(c, F::GUEST_CR4, c.capabilities.cr4_violations(cr4(c).value));
              }),
    registers("reserved bits of the IA32_DEBUGCTL field are 0 where debug controls are loaded",
              [](Context c) {
                const bool loaded = loads(c, EntryControls::LOAD_DEBUG_CONTROLS);
                return must_be_0(c, F::GUEST_DEBUGCTL, loaded ? ~c.debugctl_bits : 0);
              }),
    registers(
        "PG of the CR0 field is 1 with 'IA-32e mode guest'",
        [](Context c) { return must_be_1(c, F::GUEST_CR0, ia32e_guest(c) ? Cr0::PG.mask() : 0); }),
    registers(
        "PAE of the CR4 field is 1 with 'IA-32e mode guest'",
        [](Context c) { return must_be_1(c, F::GUEST_CR4, ia32e_guest(c) ? Cr4::PAE.mask() : 0); }),
    registers("PCIDE of the CR4 field is 0 without 'IA-32e mode guest'",
              [](Context c) {
                return must_be_0(c, F::GUEST_CR4, ia32e_guest(c) ? 0 : Cr4::PCIDE.mask());
              }),
    registers("bits of the CR3 field beyond the physical-address width are 0",
              [](Context c) { return must_be_0(c, F::GUEST_CR3, beyond_cr3(c)); }),
    registers("bits 63:32 of the DR7 field are 0 where debug controls are loaded",
              [](Context c) {
                const bool loaded = loads(c, EntryControls::LOAD_DEBUG_CONTROLS);
                return must_be_0(c, F::GUEST_DR7, loaded ? kUpperHalf : 0);
              }),
    registers("the IA32_SYSENTER_ESP and IA32_SYSENTER_EIP fields are canonical",
              [](Context c) {
                return first_of({F::GUEST_SYSENTER_ESP, F::GUEST_SYSENTER_EIP},
                                [&](F f) { return canonical(c, f, c.linear_width); });
              }),
    registers("reserved bits of the IA32_PERF_GLOBAL_CTRL field are 0 where it is loaded",
              [](Context c) {
                const bool loaded = loads(c, EntryControls::LOAD_PERF_GLOBAL_CTRL);
                return must_be_0(c, F::GUEST_PERF_GLOBAL_CTRL, loaded ? ~c.perf_global_bits : 0);
              }),
    registers("each byte of the IA32_PAT field is a memory type where it is loaded",
              [](Context c) {
                return wrong_if(
                    c, F::GUEST_PAT,
                    loads(c, EntryControls::LOAD_PAT) && !mmu::is_valid_pat(c.vmcs[F::GUEST_PAT]));
              }),
    registers("reserved bits of the IA32_EFER field are 0 where it is loaded",
              [](Context c) {
                const bool loaded = loads(c, EntryControls::LOAD_EFER);
                return must_be_0(c, F::GUEST_EFER, loaded ? ~c.efer_bits : 0);
              }),
    registers("LMA of the IA32_EFER field equals 'IA-32e mode guest' where it is loaded",
              efer_lma_is_mode),
    registers("LME of the IA32_EFER field equals LMA if PG of the CR0 field is 1", efer_lme_is_lma),
};

// ---- RIP and RFLAGS
Finding rip_upper_half(Context c) {
  const bool long_mode =
      ia32e_guest(c) && c.vmcs.reg<SegmentRights>(F::GUEST_CS_RIGHTS)[SegmentRights::L];
  return must_be_0(c, F::GUEST_RIP, long_mode ? 0 : kUpperHalf);
}

// Bits 63:N are the same for the processor's N linear-address bits: RIP just beyond the lower half
// of the canonical addresses passes.
Finding rip_beyond_width(Context c) {
  if (!ia32e_guest(c) || !c.vmcs.reg<SegmentRights>(F::GUEST_CS_RIGHTS)[SegmentRights::L]) {
    return std::nullopt;
  }
  const u64 beyond = ~low_mask(c.linear_width);
  const u64 high = c.vmcs[F::GUEST_RIP] & beyond;
  return faulty(c, F::GUEST_RIP, high == beyond ? 0 : high);
}

Finding rflags_reserved(Context c) {
  const u64 reserved = ~Rflags::kDefined;
  return faulty(c, F::GUEST_RFLAGS,
                (rflags(c).value & reserved) | (~rflags(c).value & Rflags::kFixedOne));
}

Finding virtual_8086_allowed(Context c) {
  const bool allowed = !ia32e_guest(c) && cr0(c)[Cr0::PE];
  return must_be_0(c, F::GUEST_RFLAGS, allowed ? 0 : Rflags::VM.mask());
}

// ---- activity and interruptibility state
ActivityState activity(Context c) {
  return static_cast<ActivityState>(c.vmcs[F::GUEST_ACTIVITY_STATE]);
}
Reg<Interruptibility> interruptibility(Context c) {
  return c.vmcs.reg<Interruptibility>(F::GUEST_INTERRUPTIBILITY);
}
// Bits that the interruptibility state must not have where `applies`.
Finding not_blocked(Context c, u64 blocking, bool applies) {
  return must_be_0(c, F::GUEST_INTERRUPTIBILITY, applies ? blocking : 0);
}
constexpr u64 kStiOrMovSs = Interruptibility::STI.mask() | Interruptibility::MOV_SS.mask();

Finding activity_supported(Context c) {
  const Reg<MiscData> misc = c.capabilities.misc();
  const u64 value = c.vmcs[F::GUEST_ACTIVITY_STATE];
  const bool supported =
      value == static_cast<u64>(ActivityState::kActive) ||
      (value == static_cast<u64>(ActivityState::kHlt) && misc[MiscData::HLT]) ||
      (value == static_cast<u64>(ActivityState::kShutdown) && misc[MiscData::SHUTDOWN]) ||
      (value == static_cast<u64>(ActivityState::kWaitForSipi) && misc[MiscData::WAIT_FOR_SIPI]);
  return wrong_if(c, F::GUEST_ACTIVITY_STATE, !supported);
}

// Violated by an event that does not wake a processor of that activity state.
template <ActivityState kState, bool (*kWakes)(Context)>
Finding injection_wakes(Context c) {
  const bool asleep = injects(c) && activity(c) == kState && !kWakes(c);
  return wrong_if(c, F::GUEST_ACTIVITY_STATE, asleep);
}

bool injects_exception(Context c, cpu::Vector vector) {
  return injects(c, EventType::kHardwareException) &&
         injection(c)[InterruptionInfo::VECTOR] == vector;
}
bool wakes_from_hlt(Context c) {
  const bool mtf = injection(c)[InterruptionInfo::TYPE] == InterruptionInfo::kOtherEvent;
  return mtf || injects(c, EventType::kExternalInterrupt) ||
         injects(c, EventType::kNonMaskableInterrupt) || injects_exception(c, cpu::kDb) ||
         injects_exception(c, cpu::kMc);
}
bool wakes_from_shutdown(Context c) {
  return injects(c, EventType::kNonMaskableInterrupt) || injects_exception(c, cpu::kMc);
}
bool never(Context) { return false; }

// ---- pending debug exceptions
constexpr u64 kPendingReserved =
    ~(PendingDebug::B.mask() | PendingDebug::ENABLED_BREAKPOINT.mask() | PendingDebug::BS.mask() |
      PendingDebug::RTM.mask());

Reg<PendingDebug> pending(Context c) { return c.vmcs.reg<PendingDebug>(F::GUEST_PENDING_DEBUG); }

// Where a trap of the last instruction cannot have been delivered yet, BS tells whether it
// single-stepped.
bool bs_is_known(Context c) {
  return interruptibility(c)[Interruptibility::STI] ||
         interruptibility(c)[Interruptibility::MOV_SS] || activity(c) == ActivityState::kHlt;
}
bool single_steps(Context c) {
  return rflags(c)[Rflags::TF] && !c.vmcs.reg<DebugCtl>(F::GUEST_DEBUGCTL)[DebugCtl::BTF];
}

Finding rtm_form(Context c) {
  constexpr u64 kMustBe0 = Field{11, 0}.mask() | Field{15, 13}.mask() | Field{63, 17}.mask();
  constexpr u64 kMustBe1 = PendingDebug::ENABLED_BREAKPOINT.mask();
  if (!pending(c)[PendingDebug::RTM]) return std::nullopt;
  const u64 value = pending(c).value;
  return faulty(c, F::GUEST_PENDING_DEBUG, (value & kMustBe0) | (~value & kMustBe1));
}

// ---- VMCS link pointer
constexpr u64 kNoLink = ~u64{0};
bool linked(Context c) { return c.vmcs[F::VMCS_LINK_POINTER] != kNoLink; }

u32 linked_revision(Context c) {
  return c.memory.load<u32>(Hpa(c.vmcs[F::VMCS_LINK_POINTER]), RefKind::kVmcs);
}
Finding link_revision(Context c) {
  if (!linked(c)) return std::nullopt;
  const u64 revision = linked_revision(c) & ~VmcsRegion::SHADOW.mask();
  return wrong_if(c, F::VMCS_LINK_POINTER, revision != c.capabilities.revision());
}
Finding link_shadow(Context c) {
  if (!linked(c)) return std::nullopt;
  const bool shadow = (linked_revision(c) & VmcsRegion::SHADOW.mask()) != 0;
  return wrong_if(c, F::VMCS_LINK_POINTER, shadow != secondary<Secondary::VMCS_SHADOWING>(c));
}

// A VM entry that returns from SMM.
bool leaves_smm(Context c) { return c.in_smm && !loads(c, EntryControls::ENTRY_TO_SMM); }

// ---- PDPTEs
bool pae_guest(Context c) { return cr0(c)[Cr0::PG] && cr4(c)[Cr4::PAE] && !ia32e_guest(c); }

u64 pdpte_fault(Context c, u64 pdpte) {
  constexpr Flag kPresent{0};
  const u64 reserved = mmu::pdpte_reserved_bits(static_cast<u8>(c.physical_width));
  return pdpte & kPresent.mask() ? pdpte & reserved : 0;
}

// SDM-NOTE: the manual lets a processor skip this where neither PAE paging nor CR3 changes; we
// never do.
Finding pdptes_in_memory(Context c) {
  constexpr Field kTable{31, 5};
  constexpr unsigned kCount = 4;
  if (!pae_guest(c) || secondary<Secondary::EPT>(c)) return std::nullopt;
  const Hpa table(c.vmcs[F::GUEST_CR3] & kTable.mask());
  for (unsigned n = 0; n < kCount; ++n) {
    const u64 pdpte = c.memory.load<u64>(table + n * sizeof(u64), RefKind::kStage1Entry);
    if (pdpte_fault(c, pdpte)) return wrong_if(c, F::GUEST_CR3, true);
  }
  return std::nullopt;
}

Finding pdpte_fields(Context c) {
  if (!pae_guest(c) || !secondary<Secondary::EPT>(c)) return std::nullopt;
  return first_of({F::GUEST_PDPTE0, F::GUEST_PDPTE1, F::GUEST_PDPTE2, F::GUEST_PDPTE3},
                  [&](F f) { return faulty(c, f, pdpte_fault(c, c.vmcs[f])); });
}

constexpr EntryRule kOtherRules[] = {
    tables("the base addresses of GDTR and IDTR are canonical",
           [](Context c) {
             return first_of({F::GUEST_GDTR_BASE, F::GUEST_IDTR_BASE},
                             [&](F f) { return canonical(c, f, c.linear_width); });
           }),
    tables("bits 31:16 of the limits of GDTR and IDTR are 0",
           [](Context c) {
             constexpr Field kHigh{31, 16};
             return first_of({F::GUEST_GDTR_LIMIT, F::GUEST_IDTR_LIMIT},
                             [&](F f) { return must_be_0(c, f, kHigh.mask()); });
           }),

    flow("bits 63:32 of the RIP field are 0 outside 64-bit mode", rip_upper_half),
    flow("bits of the RIP field beyond the linear-address width are all the same in 64-bit mode",
         rip_beyond_width),
    flow("reserved bits of the RFLAGS field are 0, and bit 1 is 1", rflags_reserved),
    flow("VM of the RFLAGS field is 0 with 'IA-32e mode guest' and with PE of the CR0 field 0",
         virtual_8086_allowed),
    flow("IF of the RFLAGS field is 1 if an external interrupt is injected",
         [](Context c) {
           return must_be_1(c, F::GUEST_RFLAGS,
                            injects(c, EventType::kExternalInterrupt) ? Rflags::IF.mask() : 0);
         }),

    state("the activity state is one that IA32_VMX_MISC offers", activity_supported),
    state("the activity state is not HLT unless DPL of SS is 0",
          [](Context c) {
            const u64 dpl = c.vmcs.reg<SegmentRights>(F::GUEST_SS_RIGHTS)[SegmentRights::DPL];
            return wrong_if(c, F::GUEST_ACTIVITY_STATE,
                            activity(c) == ActivityState::kHlt && dpl != 0);
          }),
    state("the activity state is active while blocking by STI or by MOV SS is in effect",
          [](Context c) {
            return wrong_if(
                c, F::GUEST_ACTIVITY_STATE,
                activity(c) != ActivityState::kActive && interruptibility(c).value & kStiOrMovSs);
          }),
    state(
        "an event injected in HLT state is an interrupt, an NMI, #DB, #MC or a pending MTF VM exit",
        injection_wakes<ActivityState::kHlt, wakes_from_hlt>),
    state("an event injected in shutdown state is an NMI or #MC",
          injection_wakes<ActivityState::kShutdown, wakes_from_shutdown>),
    state("no event is injected in wait-for-SIPI state",
          injection_wakes<ActivityState::kWaitForSipi, never>),
    state("the activity state is not wait-for-SIPI with 'entry to SMM'",
          [](Context c) {
            return wrong_if(c, F::GUEST_ACTIVITY_STATE,
                            activity(c) == ActivityState::kWaitForSipi &&
                                loads(c, EntryControls::ENTRY_TO_SMM));
          }),

    state("bits 31:5 of the interruptibility state are 0",
          [](Context c) { return not_blocked(c, Interruptibility::RESERVED.mask(), true); }),
    state("blocking by STI and by MOV SS are not both in effect",
          [](Context c) {
            const bool both = (interruptibility(c).value & kStiOrMovSs) == kStiOrMovSs;
            return not_blocked(c, kStiOrMovSs, both);
          }),
    state("no blocking by STI if IF of the RFLAGS field is 0",
          [](Context c) {
            return not_blocked(c, Interruptibility::STI.mask(), !rflags(c)[Rflags::IF]);
          }),
    state("no blocking by STI or by MOV SS if an external interrupt is injected",
          [](Context c) {
            return not_blocked(c, kStiOrMovSs, injects(c, EventType::kExternalInterrupt));
          }),
    state("no blocking by MOV SS if an NMI is injected",
          [](Context c) {
            return not_blocked(c, Interruptibility::MOV_SS.mask(),
                               injects(c, EventType::kNonMaskableInterrupt));
          }),
    state("no blocking by SMI outside SMM",
          [](Context c) { return not_blocked(c, Interruptibility::SMI.mask(), !c.in_smm); }),
    state("blocking by SMI with 'entry to SMM'",
          [](Context c) {
            const bool applies = loads(c, EntryControls::ENTRY_TO_SMM);
            return must_be_1(c, F::GUEST_INTERRUPTIBILITY,
                             applies ? Interruptibility::SMI.mask() : 0);
          }),
    // SDM-NOTE: processors may or may not make this requirement; ours do.
    state(
        "no blocking by STI if an NMI is injected",
        [](Context c) {
          return not_blocked(c, Interruptibility::STI.mask(),
                             injects(c, EventType::kNonMaskableInterrupt));
        },
        kQualificationNmi),
    state("no blocking by NMI if an NMI is injected with 'virtual NMIs'",
          [](Context c) {
            return not_blocked(c, Interruptibility::NMI.mask(),
                               c.vmcs.pin()[PinBased::VIRTUAL_NMIS] &&
                                   injects(c, EventType::kNonMaskableInterrupt));
          }),
    state("no blocking by MOV SS with an enclave interruption",
          [](Context c) {
            return not_blocked(c, Interruptibility::MOV_SS.mask(),
                               interruptibility(c)[Interruptibility::ENCLAVE]);
          }),
    state("an enclave interruption needs SGX",
          [](Context c) { return not_blocked(c, Interruptibility::ENCLAVE.mask(), !c.sgx); }),

    state("reserved bits of the pending debug exceptions are 0",
          [](Context c) { return must_be_0(c, F::GUEST_PENDING_DEBUG, kPendingReserved); }),
    state("BS is pending in HLT state or with blocking by STI or MOV SS, if TF is 1 and BTF is 0",
          [](Context c) {
            const bool due = bs_is_known(c) && single_steps(c);
            return must_be_1(c, F::GUEST_PENDING_DEBUG, due ? PendingDebug::BS.mask() : 0);
          }),
    state(
        "BS is not pending in HLT state or with blocking by STI or MOV SS, if TF is 0 or BTF is 1",
        [](Context c) {
          const bool absent = bs_is_known(c) && !single_steps(c);
          return must_be_0(c, F::GUEST_PENDING_DEBUG, absent ? PendingDebug::BS.mask() : 0);
        }),
    state("with RTM pending, bits 11:0, 15:13 and 63:17 are 0 and bit 12 is 1", rtm_form),
    state("RTM is pending only on a processor that has RTM",
          [](Context c) {
            return must_be_0(c, F::GUEST_PENDING_DEBUG, c.rtm ? 0 : PendingDebug::RTM.mask());
          }),
    state("no blocking by MOV SS with RTM pending",
          [](Context c) {
            return not_blocked(c, Interruptibility::MOV_SS.mask(), pending(c)[PendingDebug::RTM]);
          }),

    link("bits 11:0 of the VMCS link pointer are 0", page_aligned<linked, F::VMCS_LINK_POINTER>),
    link("the VMCS link pointer sets no bits beyond the physical-address width",
         within_width<linked, F::VMCS_LINK_POINTER>),
    link("the VMCS link pointer refers to a region with the processor's VMCS revision identifier",
         link_revision),
    link(
        "the region of the VMCS link pointer is a shadow VMCS if and only if 'VMCS shadowing' is 1",
        link_shadow),
    link("the VMCS link pointer is not the current-VMCS pointer",
         [](Context c) {
           return wrong_if(
               c, F::VMCS_LINK_POINTER,
               !leaves_smm(c) && c.vmcs[F::VMCS_LINK_POINTER] == c.current_vmcs && linked(c));
         }),
    link("the VMCS link pointer is not the executive-VMCS pointer on return from SMM",
         [](Context c) {
           const bool same =
               c.vmcs[F::VMCS_LINK_POINTER] == c.vmcs[F::EXECUTIVE_VMCS_POINTER] && linked(c);
           return wrong_if(c, F::VMCS_LINK_POINTER, leaves_smm(c) && same);
         }),

    pdptes("reserved bits of present PDPTEs in memory are 0 for PAE paging without EPT",
           pdptes_in_memory),
    pdptes("reserved bits of present PDPTE fields are 0 for PAE paging with EPT", pdpte_fields),
};

}  // namespace

std::span<const EntryRule> guest_register_rules() { return kRegisterRules; }
std::span<const EntryRule> guest_other_rules() { return kOtherRules; }

}  // namespace vtsim::vmx::checks
