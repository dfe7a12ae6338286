// Control and debug registers, XCR0, PKRU, AC. SDM 2B "MOV - Move to/from Control Registers", "MOV - Move
// to/from Debug Registers"; 3A "Control Registers", "Initializing IA-32e Mode".

#include "model/cpu/exec/control_registers.h"

#include "model/cpu/apic/local_apic.h"
#include "model/cpu/cpuid.h"
#include "model/cpu/engine/paging.h"
#include "model/cpu/environment.h"
#include "model/cpu/exec/groups.h"
#include "model/cpu/exec/segmentation.h"
#include "model/cpu/exec/vmx.h"

namespace vtsim::cpu {

namespace {

bool has(const Core& core, Feature feature) {
  return core.environment().shared.offered[feature];
}

bool pae_paging(const CoreState& state) {
  return state.cr0[Cr0::PG] && state.cr4[Cr4::PAE] && !state.long_mode();
}

bool differs(u64 a, u64 b, u64 mask) { return ((a ^ b) & mask) != 0; }

// ---- CR0

constexpr u64 kCr0Defined = Cr0::PE.mask() | Cr0::MP.mask() | Cr0::EM.mask() | Cr0::TS.mask() |
                            Cr0::ET.mask() | Cr0::NE.mask() | Cr0::WP.mask() | Cr0::AM.mask() |
                            Cr0::NW.mask() | Cr0::CD.mask() | Cr0::PG.mask();

// SDM 3A "Initializing IA-32e Mode": what forbids turning paging on with IA32_EFER.LME set.
bool may_enter_ia32e_mode(const CoreState& state) {
  return state.cr4[Cr4::PAE] && !state.seg[kCs].rights[SegmentRights::L] &&
         tss_allows_ia32e_mode(state.seg[kTr]);
}

bool cr0_is_valid(const CoreState& state, Reg<Cr0> value) {
  if (bits(value.value, 63, 32) != 0) return false;
  if (value[Cr0::PG] && !value[Cr0::PE]) return false;
  if (value[Cr0::NW] && !value[Cr0::CD]) return false;
  const bool turns_on = value[Cr0::PG] && !state.cr0[Cr0::PG];
  const bool turns_off = !value[Cr0::PG] && state.cr0[Cr0::PG];
  if (turns_on && state.efer[Efer::LME] && !may_enter_ia32e_mode(state)) return false;
  return !turns_off || (!state.cr4[Cr4::PCIDE] && !state.mode64());
}

// SDM 3C "Restrictions on VMX Operation": bits that are fixed there; unrestricted guests have PE and PG
// to themselves.
bool vmx_forbids_cr0(const Core& core, u64 value) {
  if (!core.vmx.in_operation) return false;
  u64 violations = core.environment().shared.vmx_capabilities.cr0_violations(value);
  if (core.state.view.unrestricted_guest) violations &= ~(Cr0::PE.mask() | Cr0::PG.mask());
  return violations != 0;
}

bool vmx_forbids_cr4(const Core& core, u64 value) {
  return core.vmx.in_operation &&
         core.environment().shared.vmx_capabilities.cr4_violations(value) != 0;
}

}  // namespace

bool write_cr0(Core& core, u64 operand) {
  CoreState& state = core.state;
  const u64 owned = state.view.cr0_mask;
  Reg<Cr0> value((operand & ~owned) | (state.cr0.value & owned));
  if (!cr0_is_valid(state, value) || vmx_forbids_cr0(core, value.value)) return fail(core, kGp, 0);
  value = Reg<Cr0>((value.value & kCr0Defined) | Cr0::ET.mask());
  const Reg<Cr0> old = state.cr0;
  const bool ia32e = value[Cr0::PG] && state.efer[Efer::LME];
  constexpr u64 kReloadsPdptes = Cr0::PG.mask() | Cr0::CD.mask() | Cr0::NW.mask();
  if (value[Cr0::PG] && state.cr4[Cr4::PAE] && !ia32e &&
      differs(old.value, value.value, kReloadsPdptes)) {
    state.cr0 = value;
    if (!core.load_pdptes(state.cr3)) {
      state.cr0 = old;
      core.mode_changed();
      return false;
    }
  }
  state.cr0 = value;
  state.efer.set(Efer::LMA, ia32e);
  if (differs(old.value, value.value, Cr0::PG.mask())) core.invalidate_all();
  core.permissions_changed();
  return true;
}

// ---- CR3

bool write_cr3(Core& core, u64 value) {
  const CoreState& state = core.state;
  const unsigned width = core.model().physical_address_bits;
  u64 reserved = state.mode64() ? ~low_mask(width) : 0;
  if (state.cr4[Cr4::PCIDE]) reserved &= ~Cr3::kKeepTranslations.mask();
  if ((value & reserved) != 0) return fail(core, kGp, 0);
  if (pae_paging(state) && !core.load_pdptes(value)) return false;
  core.write_cr3(value);
  return true;
}

// ---- CR4

namespace {

bool cr4_is_valid(const Core& core, Reg<Cr4> value) {
  const CoreState& state = core.state;
  if ((value.value & ~supported_cr4(core)) != 0) return false;
  if (state.long_mode() &&
      (!value[Cr4::PAE] || value[Cr4::LA57] != state.cr4[Cr4::LA57]))
    return false;
  const bool sets_pcide = value[Cr4::PCIDE] && !state.cr4[Cr4::PCIDE];
  return !sets_pcide || (state.long_mode() && Cr3::PCID.get(state.cr3) == 0);
}

// SDM 3A "Operations that Invalidate TLBs and Paging-Structure Caches".
void invalidate_for_cr4(Core& core, Reg<Cr4> old, Reg<Cr4> value) {
  mmu::TranslationStore& store = core.paging().store();
  if (value[Cr4::PGE] != old[Cr4::PGE] || (old[Cr4::PCIDE] && !value[Cr4::PCIDE])) {
    core.invalidate_all();
  } else if (value[Cr4::PAE] != old[Cr4::PAE] || (value[Cr4::SMEP] && !old[Cr4::SMEP]) ||
             value[Cr4::PSE] != old[Cr4::PSE]) {
    store.flush_current_pcid(core.paging().tag());
  }
}

}  // namespace

u64 supported_cr4(const Core& core) {
  return supported_cr4(core.environment().shared.offered);
}

bool write_cr4(Core& core, u64 operand) {
  CoreState& state = core.state;
  const u64 owned = state.view.cr4_mask;
  const Reg<Cr4> value((operand & ~owned) | (state.cr4.value & owned));
  if (!cr4_is_valid(core, value) || vmx_forbids_cr4(core, value.value)) return fail(core, kGp, 0);
  const Reg<Cr4> old = state.cr4;
  constexpr u64 kReloadsPdptes =
      Cr4::PAE.mask() | Cr4::PGE.mask() | Cr4::PSE.mask() | Cr4::SMEP.mask();
  state.cr4 = value;
  if (pae_paging(state) && differs(old.value, value.value, kReloadsPdptes) &&
      !core.load_pdptes(state.cr3)) {
    state.cr4 = old;
    core.mode_changed();
    return false;
  }
  invalidate_for_cr4(core, old, value);
  core.permissions_changed();
  return true;
}

// ---- handlers of MOV CRn

namespace {

u64 viewed(u64 value, u64 mask, u64 shadow) { return (value & ~mask) | (shadow & mask); }

bool read_control(Core& core, unsigned number, u64& value) {
  const CoreState& state = core.state;
  const ControlView& view = state.view;
  switch (number) {
    case 0: value = viewed(state.cr0.value, view.cr0_mask, view.cr0_shadow); return true;
    case 2: value = state.cr2; return true;
    case 3: value = state.cr3; return true;
    case 4: value = viewed(state.cr4.value, view.cr4_mask, view.cr4_shadow); return true;
    case 8: value = core.apic().cr8(); return true;
    default: return false;
  }
}

bool control_access_exits(Core& core, const Op& op, const vmx::CrAccess& access) {
  if (!core.state.view.non_root) return false;
  const std::optional<u64> qualification = vmx::cr_access_exit(core.vmx.vmcs, access);
  return qualification && exit_by_instruction(core, op, vmx::ExitReason::kCrAccess, *qualification);
}

template <class T>
Outcome mov_from_control(Core& core, const Op& op) {
  u64 value;
  if (core.state.cpl != 0) return core.raise(kGp, 0);
  if (control_access_exits(core, op, {.type = vmx::CrAccess::Type::kMovFrom,
                                      .number = op.src,
                                      .gpr = op.dst / 8u}))
    return Outcome::kFault;
  if (!read_control(core, op.src, value)) return core.raise(kUd);
  set_gpr<T>(core, op.dst, static_cast<T>(value));
  return Outcome::kNext;
}

bool write_cr8(Core& core, const Op& op, u64 value) {
  if (value > 0xF) return fail(core, kGp, 0);
  core.apic().set_cr8(static_cast<u8>(value), core.time_at(op));
  return true;
}

template <class T>
Outcome mov_to_control(Core& core, const Op& op) {
  const u64 value = get_gpr<T>(core, op.src);
  if (core.state.cpl != 0) return core.raise(kGp, 0);
  if (control_access_exits(core, op, {.type = vmx::CrAccess::Type::kMovTo,
                                      .number = op.dst,
                                      .gpr = op.src / 8u,
                                      .value = value}))
    return Outcome::kFault;
  bool ok = true;
  switch (op.dst) {
    case 0: ok = write_cr0(core, value); break;
    case 2: core.state.cr2 = value; break;
    case 3: ok = write_cr3(core, value); break;
    case 4: ok = write_cr4(core, value); break;
    case 8: ok = write_cr8(core, op, value); break;
    default: return core.raise(kUd);
  }
  return ok ? Outcome::kNext : Outcome::kFault;
}

// ---- MOV DRn

// SDM 3C "Instructions That Cause VM Exits Conditionally", MOV DR: before checks of privilege and of
// CR4.DE.
bool debug_access_exits(Core& core, const Op& op, unsigned number, unsigned gpr, bool from) {
  if (!core.state.view.non_root) return false;
  const std::optional<u64> qualification =
      vmx::dr_access_exit(core.vmx.vmcs, number, from, gpr / 8);
  return qualification && exit_by_instruction(core, op, vmx::ExitReason::kDrAccess, *qualification);
}

// DR4 and DR5 are names of DR6 and DR7 while CR4.DE is clear. False: recorded.
bool check_debug_access(Core& core, unsigned& number) {
  CoreState& state = core.state;
  if (state.cpl != 0) return fail(core, kGp, 0);
  if (number == 4 || number == 5) {
    if (state.cr4[Cr4::DE]) {
      core.raise(kUd);
      return false;
    }
    number += 2;
  }
  if ((state.dr7 & Dr7::GD.mask()) == 0) return true;
  core.raise(Event{.vector = kDb, .dr6_bits = Dr6::BD.mask()});
  return false;
}

template <class T>
Outcome mov_from_debug(Core& core, const Op& op) {
  unsigned number = op.src;
  if (debug_access_exits(core, op, number, op.dst, true)) return Outcome::kFault;
  if (!check_debug_access(core, number)) return Outcome::kFault;
  const CoreState& state = core.state;
  const u64 value = number == 6 ? state.dr6 : number == 7 ? state.dr7 : state.dr[number];
  set_gpr<T>(core, op.dst, static_cast<T>(value));
  return Outcome::kNext;
}

constexpr u64 kDr6Writable = Dr6::B.mask() | Dr6::BD.mask() | Dr6::BS.mask() | Dr6::BT.mask();

template <class T>
Outcome mov_to_debug(Core& core, const Op& op) {
  unsigned number = op.dst;
  const u64 value = get_gpr<T>(core, op.src);
  if (debug_access_exits(core, op, number, op.src, false)) return Outcome::kFault;
  if (!check_debug_access(core, number)) return Outcome::kFault;
  CoreState& state = core.state;
  if (number >= 6 && bits(value, 63, 32) != 0) return core.raise(kGp, 0);
  if (number == 6) {
    state.dr6 = (value & kDr6Writable) | Dr6::kReset;
  } else if (number == 7) {
    state.dr7 = (value & ~kDr7Reserved) | Dr7::kReset;
  } else {
    state.dr[number] = value;
  }
  core.mode_changed();
  return Outcome::kNext;
}

// ---- CLTS, LMSW, SMSW

Outcome clts(Core& core, const Op& op) {
  CoreState& state = core.state;
  if (control_access_exits(core, op, {.type = vmx::CrAccess::Type::kClts})) return Outcome::kFault;
  if ((state.view.cr0_mask & Cr0::TS.mask()) == 0) state.cr0.set(Cr0::TS, 0);
  core.mode_changed();
  return Outcome::kNext;
}

Outcome lmsw(Core& core, const Op& op) {
  u16 operand;
  if (op.mem.present()) {
    if (!load_operand(core, op, operand)) return Outcome::kFault;
  } else {
    operand = get_gpr<u16>(core, op.dst);
  }
  if (control_access_exits(core, op, {.type = vmx::CrAccess::Type::kLmsw,
                                      .value = operand,
                                      .memory = op.mem.present()}))
    return Outcome::kFault;
  // PE can be set, not cleared.
  constexpr Field kMachineStatus{3, 0};
  const u64 value = operand | (core.state.cr0.value & Cr0::PE.mask());
  return write_cr0(core, kMachineStatus.put(core.state.cr0.value, value)) ? Outcome::kNext
                                                                          : Outcome::kFault;
}

template <class T>
Outcome smsw(Core& core, const Op& op) {
  if (core.state.cr4[Cr4::UMIP] && core.state.cpl > 0) return core.raise(kGp, 0);
  u64 value;
  read_control(core, 0, value);
  if (op.mem.present())
    return store_operand(core, op, static_cast<u16>(value)) ? Outcome::kNext : Outcome::kFault;
  set_gpr<T>(core, op.dst, static_cast<T>(value));
  return Outcome::kNext;
}

// ---- XCR0, PKRU, AC

bool xcr0_is_valid(const Core& core, u64 value) {
  if ((value & ~supported_xcr0(core.environment().shared.offered)) != 0) return false;
  const Reg<Xcr0> xcr0(value);
  return xcr0[Xcr0::X87] && (xcr0[Xcr0::SSE] || !xcr0[Xcr0::AVX]);
}

Outcome xsetbv(Core& core, const Op& op) {
  CoreState& state = core.state;
  if (!state.cr4[Cr4::OSXSAVE]) return core.raise(kUd);
  if (state.cpl != 0) return core.raise(kGp, 0);
  if (intercepted(core, op, Intercept::kXsetbv)) return Outcome::kFault;
  const u64 value = state.gpr[kRdx] << 32 | bits(state.gpr[kRax], 31, 0);
  if (bits(state.gpr[kRcx], 31, 0) != 0 || !xcr0_is_valid(core, value)) return core.raise(kGp, 0);
  state.xcr0 = value;
  core.mode_changed();
  return Outcome::kNext;
}

// SDM 1 "Processor Tracking of XSAVE-Managed State": x87 counts as in use.
u64 xinuse(const CoreState& state) {
  u64 in_use = Xcr0::X87.mask();
  for (const auto& reg : state.vector.reg)
    for (unsigned n = 0; n < sizeof reg; ++n)
      if (reg[n] != 0) in_use |= n < 16 ? Xcr0::SSE.mask() : Xcr0::AVX.mask();
  if (state.vector.mxcsr != 0x1F80) in_use |= Xcr0::SSE.mask();
  if (state.pkru != 0) in_use |= Xcr0::PKRU.mask();
  return in_use;
}

Outcome xgetbv(Core& core, const Op&) {
  CoreState& state = core.state;
  if (!state.cr4[Cr4::OSXSAVE]) return core.raise(kUd);
  const u64 index = bits(state.gpr[kRcx], 31, 0);
  if (index > 1 || (index == 1 && !has(core, Feature::kXgetbv1))) return core.raise(kGp, 0);
  const u64 value = index == 0 ? state.xcr0 : state.xcr0 & xinuse(state);
  state.gpr[kRax] = bits(value, 31, 0);
  state.gpr[kRdx] = bits(value, 63, 32);
  return Outcome::kNext;
}

Outcome rdpkru(Core& core, const Op&) {
  CoreState& state = core.state;
  if (!state.cr4[Cr4::PKE]) return core.raise(kUd);
  if (bits(state.gpr[kRcx], 31, 0) != 0) return core.raise(kGp, 0);
  state.gpr[kRax] = state.pkru;
  state.gpr[kRdx] = 0;
  return Outcome::kNext;
}

Outcome wrpkru(Core& core, const Op&) {
  CoreState& state = core.state;
  if (!state.cr4[Cr4::PKE]) return core.raise(kUd);
  if (bits(state.gpr[kRcx], 31, 0) != 0 || bits(state.gpr[kRdx], 31, 0) != 0)
    return core.raise(kGp, 0);
  state.pkru = static_cast<u32>(state.gpr[kRax]);
  core.permissions_changed();
  return Outcome::kNext;
}

// SDM 2A "CLAC", 2B "STAC". What AC changes matters to supervisor accesses only under SMAP.
template <bool on>
Outcome set_ac(Core& core, const Op&) {
  CoreState& state = core.state;
  if (state.cpl != 0) return core.raise(kUd);
  state.rflags_other = Reg<Rflags>(state.rflags_other).with(Rflags::AC, on).value;
  if (state.cr4[Cr4::SMAP]) core.mode_changed();
  return Outcome::kNext;
}

// ---- INVLPG, INVPCID

}  // namespace

u64 unchecked_linear(const Core& core, const Op& op) {
  const u64 offset = effective_offset(core, op);
  const SegmentRegister& segment = core.state.seg[op.mem.segment()];
  if (!core.state.mode64()) return (segment.base + offset) & low_mask(32);
  const bool based = op.mem.segment() == kFs || op.mem.segment() == kGs;
  return based ? segment.base + offset : offset;
}

namespace {

// An address that is not canonical invalidates nothing.
Outcome invlpg(Core& core, const Op& op) {
  const u64 lin = unchecked_linear(core, op);
  if (is_canonical(core, lin)) core.invalidate_page(lin);
  return Outcome::kNext;
}

template <class T>
Outcome invpcid(Core& core, const Op& op) {
  struct InvpcidDescriptor {
    u64 pcid;
    u64 linear;
  };
  constexpr Field kReserved{63, 12};
  const u64 type = get_gpr<T>(core, op.dst);
  if (type > 3) return core.raise(kGp, 0);
  InvpcidDescriptor descriptor;
  if (!load_operand(core, op, descriptor)) return Outcome::kFault;
  if (kReserved.get(descriptor.pcid) != 0) return core.raise(kGp, 0);
  if (type == 0 && !is_canonical_anywhere(core, descriptor.linear)) return core.raise(kGp, 0);
  if (type < 2 && !core.state.cr4[Cr4::PCIDE] && descriptor.pcid != 0) return core.raise(kGp, 0);
  core.invalidate_pcid(static_cast<unsigned>(type), descriptor.pcid, descriptor.linear);
  return Outcome::kNext;
}

Handler bind_invpcid(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  return binding.code_size == CodeSize::k64 ? &run_and_synchronize<invpcid<u64>>
                                            : &run_and_synchronize<invpcid<u32>>;
}

template <Outcome (*handler)(Core&, const Op&)>
Handler bind_memory_only(const Binding& binding, Op& op) {
  if (!binding.in.is_memory(0)) return nullptr;
  bind_operands(binding, op);
  return &run_and_synchronize<handler>;
}

// ---- rows

constexpr InstructionRow system_row(Mnemonic mnemonic, Binder bind, Privilege privilege,
                                    Flow flow) {
  return {.mnemonic = mnemonic, .bind = bind, .privilege = privilege,
          .timing = Timing::kSystem, .flow = flow};
}
constexpr InstructionRow intercepted_row(Mnemonic mnemonic, Binder bind, Intercept intercept) {
  return {.mnemonic = mnemonic, .bind = bind, .privilege = Privilege::kCpl0,
          .intercept = intercept, .when = When::kAfterPrivilege,
          .timing = Timing::kSerializing, .flow = Flow::kSynchronize};
}

constexpr InstructionRow cr0_row(Mnemonic mnemonic, Binder bind) {
  return {.mnemonic = mnemonic, .bind = bind, .privilege = Privilege::kCpl0,
          .intercept = Intercept::kCrAccess, .when = When::kInHandler,
          .timing = Timing::kSerializing, .flow = Flow::kSynchronize};
}

constexpr InstructionRow kRows[] = {
    cr0_row(ZYDIS_MNEMONIC_CLTS, synchronizing<clts>),
    cr0_row(ZYDIS_MNEMONIC_LMSW, synchronizing<lmsw>),
    system_row(ZYDIS_MNEMONIC_SMSW, by_operand_size<smsw<u16>, smsw<u32>, smsw<u64>>,
               Privilege::kInHandler, Flow::kSequential),
    {.mnemonic = ZYDIS_MNEMONIC_XSETBV, .bind = synchronizing<xsetbv>,
     .privilege = Privilege::kInHandler, .intercept = Intercept::kXsetbv,
     .when = When::kInHandler, .timing = Timing::kSystem, .flow = Flow::kSynchronize},
    system_row(ZYDIS_MNEMONIC_XGETBV, plain<xgetbv>, Privilege::kAny, Flow::kSequential),
    system_row(ZYDIS_MNEMONIC_RDPKRU, plain<rdpkru>, Privilege::kAny, Flow::kSequential),
    system_row(ZYDIS_MNEMONIC_WRPKRU, synchronizing<wrpkru>, Privilege::kAny,
               Flow::kSynchronize),
    system_row(ZYDIS_MNEMONIC_CLAC, plain<set_ac<false>>, Privilege::kInHandler,
               Flow::kSequential),
    system_row(ZYDIS_MNEMONIC_STAC, plain<set_ac<true>>, Privilege::kInHandler,
               Flow::kSequential),
    intercepted_row(ZYDIS_MNEMONIC_INVLPG, bind_memory_only<invlpg>, Intercept::kInvlpg),
    intercepted_row(ZYDIS_MNEMONIC_INVPCID, bind_invpcid, Intercept::kInvpcid),
};

}  // namespace

Rows control_register_rows() { return kRows; }

// In 64-bit mode the operand has 64 bits whatever the prefixes.
Handler bind_mov_control(const Binding& binding, Op& op) {
  const Decoded& in = binding.in;
  bind_operands(binding, op);
  const bool writes = ZydisRegisterGetClass(in.operand[0].reg.value) != ZYDIS_REGCLASS_GPR64 &&
                      ZydisRegisterGetClass(in.operand[0].reg.value) != ZYDIS_REGCLASS_GPR32;
  const ZydisRegister special = in.operand[writes ? 0 : 1].reg.value;
  const bool debug = ZydisRegisterGetClass(special) == ZYDIS_REGCLASS_DEBUG;
  const bool wide = binding.code_size == CodeSize::k64;
  if (debug && register_number(special) > 7) return nullptr;
  if (debug && writes)
    return wide ? &run_and_synchronize<mov_to_debug<u64>> : &run_and_synchronize<mov_to_debug<u32>>;
  if (debug) return wide ? &run<mov_from_debug<u64>> : &run<mov_from_debug<u32>>;
  if (writes)
    return wide ? &run_and_synchronize<mov_to_control<u64>>
                : &run_and_synchronize<mov_to_control<u32>>;
  return wide ? &run<mov_from_control<u64>> : &run<mov_from_control<u32>>;
}

}  // namespace vtsim::cpu
