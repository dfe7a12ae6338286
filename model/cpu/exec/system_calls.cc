// SYSCALL, SYSRET, SYSENTER, SYSEXIT. SDM 2B "SYSCALL", "SYSENTER", "SYSEXIT", "SYSRET"; 3A "Performing
// Fast Calls to System Procedures". The segments that they load have fixed contents: no descriptor
// is read.

#include "model/cpu/exec/groups.h"
#include "model/cpu/exec/interrupt_flags.h"
#include "model/cpu/exec/segmentation.h"

namespace vtsim::cpu {

namespace {

// IA32_STAR
constexpr Field kSyscallCs{47, 32}, kSysretCs{63, 48};

enum class CodeWidth : u8 { k32, k64 };

constexpr u64 flat_rights(unsigned dpl) {
  return Reg<SegmentRights>()
      .with(SegmentRights::ACCESSED, 1)
      .with(SegmentRights::WRITABLE, 1)  // code: readable
      .with(SegmentRights::S, 1)
      .with(SegmentRights::DPL, dpl)
      .with(SegmentRights::P, 1)
      .with(SegmentRights::G, 1)
      .value;
}

constexpr SegmentRegister flat_code(u64 selector, unsigned cpl, CodeWidth width) {
  const Reg<SegmentRights> rights =
      Reg<SegmentRights>(flat_rights(cpl) | SegmentRights::CODE.mask())
          .with(width == CodeWidth::k64 ? SegmentRights::L : SegmentRights::DB, 1);
  return {.selector = static_cast<u16>(selector), .rights = rights, .limit = ~u32{0}, .base = 0};
}

constexpr SegmentRegister flat_stack(u64 selector, unsigned cpl) {
  return {.selector = static_cast<u16>(selector),
          .rights = Reg<SegmentRights>(flat_rights(cpl)).with(SegmentRights::DB, 1),
          .limit = ~u32{0},
          .base = 0};
}

void enter_level(CoreState& state, const SegmentRegister& cs, const SegmentRegister& ss,
                 unsigned cpl) {
  state.seg[kCs] = cs;
  state.seg[kSs] = ss;
  state.cpl = static_cast<u8>(cpl);
}

// ---- SYSCALL, SYSRET: in 64-bit mode only

// The single-step trap after SYSCALL and SYSRET goes by the RFLAGS that they load.
void trap_by_new_flags(Core& core) {
  core.single_step = false;
  if (!Reg<Rflags>(core.state.rflags_other)[Rflags::TF]) [[likely]]
    return;
  core.state.pending_debug |= Dr6::BS.mask();
  core.request_sync();
}

Outcome syscall(Core& core, const Op& op) {
  CoreState& state = core.state;
  if (!state.efer[Efer::SCE]) return core.raise(kUd);
  const u64 flags = read_rflags(state) & ~Rflags::RF.mask();
  state.gpr[kRcx] = core.next_rip(op);
  state.gpr[kR11] = flags;
  state.rip = state.lstar;
  const u64 old = state.rflags_other;
  write_rflags(state, flags & ~state.fmask);
  // Only CS loses the RPL that STAR may hold.
  const u64 selector = kSyscallCs.get(state.star);
  enter_level(state, flat_code(align_down(selector, 4), 0, CodeWidth::k64),
              flat_stack(selector + 8, 0), 0);
  core.mode_changed();
  rflags_written(core, old);
  trap_by_new_flags(core);
  return Outcome::kJump;
}

template <CodeWidth width>
Outcome sysret(Core& core, const Op&) {
  CoreState& state = core.state;
  if (!state.efer[Efer::SCE]) return core.raise(kUd);
  if (state.cpl != 0) return core.raise(kGp, 0);
  const u64 rcx = state.gpr[kRcx];
  if (width == CodeWidth::k64 && !is_canonical(core, rcx)) return core.raise(kGp, 0);
  state.rip = width == CodeWidth::k64 ? rcx : rcx & low_mask(32);
  const u64 old = state.rflags_other;
  write_rflags(state, state.gpr[kR11] & ~(Rflags::RF.mask() | Rflags::VM.mask()));
  const u64 base = kSysretCs.get(state.star);
  const u64 selector = width == CodeWidth::k64 ? base + 16 : base;
  enter_level(state, flat_code(selector | 3, 3, width), flat_stack((base + 8) | 3, 3), 3);
  core.mode_changed();
  rflags_written(core, old);
  trap_by_new_flags(core);
  return Outcome::kJump;
}

Handler bind_sysret(const Binding& binding, Op&) {
  return binding.in.operand_bits() == 64 ? &run<sysret<CodeWidth::k64>>
                                         : &run<sysret<CodeWidth::k32>>;
}

// ---- SYSENTER, SYSEXIT

Outcome sysenter(Core& core, const Op&) {
  CoreState& state = core.state;
  const u64 selector = align_down(state.sysenter_cs & low_mask(16), 4);
  if (state.real_mode() || selector == 0) return core.raise(kGp, 0);
  const bool wide = state.long_mode();
  state.rflags_other &= ~(Rflags::VM.mask() | Rflags::IF.mask() | Rflags::RF.mask());
  state.gpr[kRsp] = wide ? state.sysenter_esp : state.sysenter_esp & low_mask(32);
  state.rip = wide ? state.sysenter_eip : state.sysenter_eip & low_mask(32);
  enter_level(state, flat_code(selector, 0, wide ? CodeWidth::k64 : CodeWidth::k32),
              flat_stack(selector + 8, 0), 0);
  core.mode_changed();
  return Outcome::kJump;
}

template <CodeWidth width>
Outcome sysexit(Core& core, const Op&) {
  CoreState& state = core.state;
  const u64 base = align_down(state.sysenter_cs & low_mask(16), 4);
  if (state.real_mode() || base == 0) return core.raise(kGp, 0);
  const u64 rcx = state.gpr[kRcx], rdx = state.gpr[kRdx];
  if constexpr (width == CodeWidth::k64) {
    if (!is_canonical(core, rcx) || !is_canonical(core, rdx)) return core.raise(kGp, 0);
  }
  const u64 selector = base + (width == CodeWidth::k64 ? 32 : 16);
  state.gpr[kRsp] = width == CodeWidth::k64 ? rcx : rcx & low_mask(32);
  state.rip = width == CodeWidth::k64 ? rdx : rdx & low_mask(32);
  enter_level(state, flat_code(selector | 3, 3, width), flat_stack((selector + 8) | 3, 3), 3);
  core.mode_changed();
  return Outcome::kJump;
}

Handler bind_sysexit(const Binding& binding, Op&) {
  return binding.in.operand_bits() == 64 ? &run<sysexit<CodeWidth::k64>>
                                         : &run<sysexit<CodeWidth::k32>>;
}

constexpr InstructionRow call_row(Mnemonic mnemonic, Binder bind, Gate gate, Privilege privilege) {
  return {.mnemonic = mnemonic, .bind = bind, .gate = gate, .privilege = privilege,
          .timing = Timing::kSystem, .flow = Flow::kBranch, .flags = FlagUse::kReadsAndWrites};
}

constexpr InstructionRow kRows[] = {
    call_row(ZYDIS_MNEMONIC_SYSCALL, plain<syscall>, Gate::kOnly64, Privilege::kAny),
    call_row(ZYDIS_MNEMONIC_SYSRET, bind_sysret, Gate::kOnly64, Privilege::kInHandler),
    call_row(ZYDIS_MNEMONIC_SYSENTER, plain<sysenter>, Gate::kAlways, Privilege::kInHandler),
    call_row(ZYDIS_MNEMONIC_SYSEXIT, bind_sysexit, Gate::kAlways, Privilege::kCpl0),
};

}  // namespace

Rows system_call_rows() { return kRows; }

}  // namespace vtsim::cpu
