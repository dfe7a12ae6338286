// SDM 1 "Decimal Arithmetic Instructions".

#include "model/cpu/exec/bcd.h"

#include "model/cpu/exec/choose.h"
#include "model/cpu/exec/groups.h"

namespace vtsim::cpu {

namespace {

Outcome finish(Core& core, const Adjusted& adjusted) {
  set_gpr<u16>(core, gpr_offset(kRax), adjusted.ax);
  set_arithmetic_flags(core.state.lazy, adjusted.flags);
  return Outcome::kNext;
}

template <Adjusted (*adjust)(u16, u64)>
Outcome by_flags(Core& core, const Op&) {
  return finish(core,
                adjust(get_gpr<u16>(core, gpr_offset(kRax)), arithmetic_flags(core.state.lazy)));
}

Outcome adjust_before_division(Core& core, const Op& op) {
  return finish(core, aad(get_gpr<u16>(core, gpr_offset(kRax)), static_cast<u8>(op.imm)));
}

Outcome adjust_after_multiplication(Core& core, const Op& op) {
  const u8 base = static_cast<u8>(op.imm);
  if (base == 0) return core.raise(kDe);
  return finish(core, aam(get_gpr<u16>(core, gpr_offset(kRax)), base));
}

constexpr FlagUse kSome = FlagUse::kReadsAndWrites, kAll = FlagUse::kWritesAll;

constexpr InstructionRow kRows[] = {
    row(ZYDIS_MNEMONIC_AAA, plain<by_flags<aaa>>, kSome),
    row(ZYDIS_MNEMONIC_AAS, plain<by_flags<aas>>, kSome),
    row(ZYDIS_MNEMONIC_DAA, plain<by_flags<daa>>, kSome),
    row(ZYDIS_MNEMONIC_DAS, plain<by_flags<das>>, kSome),
    row(ZYDIS_MNEMONIC_AAD, plain<adjust_before_division>, kAll),
    row(ZYDIS_MNEMONIC_AAM, plain<adjust_after_multiplication>, kAll, Timing::kDiv),
};

}  // namespace

Rows bcd_rows() { return kRows; }

}  // namespace vtsim::cpu
