// SDM 1 "Flag Control (EFLAG) Instructions"; SALC.

#include "model/cpu/exec/choose.h"
#include "model/cpu/exec/groups.h"

namespace vtsim::cpu {

namespace {

Reg<Rflags> current(const Core& core) {
  return Reg<Rflags>(kept_arithmetic_flags(core.state.lazy));
}

Outcome clc(Core& core, const Op&) {
  set_arithmetic_flags(core.state.lazy, current(core).with(Rflags::CF, 0).value);
  return Outcome::kNext;
}
Outcome stc(Core& core, const Op&) {
  set_arithmetic_flags(core.state.lazy, current(core).with(Rflags::CF, 1).value);
  return Outcome::kNext;
}
Outcome cmc(Core& core, const Op&) {
  const Reg<Rflags> flags = current(core);
  set_arithmetic_flags(core.state.lazy, flags.with(Rflags::CF, !flags[Rflags::CF]).value);
  return Outcome::kNext;
}

Outcome cld(Core& core, const Op&) {
  core.state.rflags_other &= ~Rflags::DF.mask();
  return Outcome::kNext;
}
Outcome std_(Core& core, const Op&) {
  core.state.rflags_other |= Rflags::DF.mask();
  return Outcome::kNext;
}

constexpr u8 kAh = gpr_offset(kRax) + 1;
// SF, ZF, AF, PF and CF: what fits into AH.
constexpr u64 kLowFlags = Rflags::kArithmetic & ~Rflags::OF.mask();

Outcome lahf(Core& core, const Op&) {
  set_gpr<u8>(core, kAh, static_cast<u8>((current(core).value & kLowFlags) | Rflags::kFixedOne));
  return Outcome::kNext;
}
Outcome sahf(Core& core, const Op&) {
  const u64 kept = current(core).value & Rflags::OF.mask();
  set_arithmetic_flags(core.state.lazy, kept | (get_gpr<u8>(core, kAh) & kLowFlags));
  return Outcome::kNext;
}

// Not in the manual; all of Intel's processors have it: AL <- CF ? FFH : 0.
Outcome salc(Core& core, const Op&) {
  set_gpr<u8>(core, gpr_offset(kRax), carry_flag(core.state.lazy) ? 0xFF : 0);
  return Outcome::kNext;
}

constexpr FlagUse kSome = FlagUse::kReadsAndWrites;

constexpr InstructionRow kRows[] = {
    row(ZYDIS_MNEMONIC_CLC, plain<clc>, kSome),
    row(ZYDIS_MNEMONIC_STC, plain<stc>, kSome),
    row(ZYDIS_MNEMONIC_CMC, plain<cmc>, kSome),
    row(ZYDIS_MNEMONIC_CLD, plain<cld>),
    row(ZYDIS_MNEMONIC_STD, plain<std_>),
    row(ZYDIS_MNEMONIC_LAHF, plain<lahf>, FlagUse::kReads),
    row(ZYDIS_MNEMONIC_SAHF, plain<sahf>, kSome),
    row(ZYDIS_MNEMONIC_SALC, plain<salc>, FlagUse::kReads),
};

}  // namespace

Rows flag_control_rows() { return kRows; }

}  // namespace vtsim::cpu
