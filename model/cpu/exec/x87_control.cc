// x87 control: initialization, control and status words. SDM 1 "Programming with the x87 FPU".

#include "model/cpu/exec/groups.h"

namespace vtsim::cpu {

namespace {

struct StatusWord {
  static constexpr Field EXCEPTIONS{5, 0};
  static constexpr Flag SF{6}, ES{7}, B{15};
  static constexpr Field TOP{13, 11};
};

// ES and B follow the unmasked exceptions.
void update_summary(X87State& x87) {
  Reg<StatusWord> status(x87.status);
  const bool pending =
      (StatusWord::EXCEPTIONS.get(x87.status) & ~StatusWord::EXCEPTIONS.get(x87.control)) != 0;
  status.set(StatusWord::ES, pending);
  status.set(StatusWord::B, pending);
  x87.status = static_cast<u16>(status.value);
}

// A pending unmasked exception is reported by the next waiting instruction: #MF, or by IGNNE# and
// IRQ 13 where CR0.NE is clear (not modelled: reported as #MF).
bool pending_exception(Core& core) {
  if (!bit(core.state.x87.status, StatusWord::ES.position)) return false;
  core.raise(kMf);
  return true;
}

Outcome fninit(Core& core, const Op&) {
  X87State& x87 = core.state.x87;
  x87.control = 0x037F;
  x87.status = 0;
  x87.empty = 0xFF;
  x87.ip = x87.dp = 0;
  x87.cs = x87.ds = x87.opcode = 0;
  return Outcome::kNext;
}

Outcome fnclex(Core& core, const Op&) {
  constexpr u64 kCleared = StatusWord::EXCEPTIONS.mask() | StatusWord::SF.mask() |
                           StatusWord::ES.mask() | StatusWord::B.mask();
  core.state.x87.status = static_cast<u16>(core.state.x87.status & ~kCleared);
  return Outcome::kNext;
}

Outcome fwait(Core& core, const Op&) {
  return pending_exception(core) ? Outcome::kFault : Outcome::kNext;
}

Outcome fnstcw(Core& core, const Op& op) {
  return store_operand(core, op, core.state.x87.control) ? Outcome::kNext : Outcome::kFault;
}

Outcome fldcw(Core& core, const Op& op) {
  if (pending_exception(core)) return Outcome::kFault;
  u16 control;
  if (!load_operand(core, op, control)) return Outcome::kFault;
  core.state.x87.control = static_cast<u16>((control & 0x1F3F) | 0x40);
  update_summary(core.state.x87);
  return Outcome::kNext;
}

Outcome fnstsw(Core& core, const Op& op) {
  const u16 status = core.state.x87.status;
  if (!op.mem.present()) {
    set_gpr<u16>(core, gpr_offset(kRax), status);
    return Outcome::kNext;
  }
  return store_operand(core, op, status) ? Outcome::kNext : Outcome::kFault;
}

constexpr InstructionRow kRows[] = {
    {.mnemonic = ZYDIS_MNEMONIC_FNINIT, .bind = plain<fninit>, .gate = Gate::kX87,
     .timing = Timing::kX87},
    {.mnemonic = ZYDIS_MNEMONIC_FNCLEX, .bind = plain<fnclex>, .gate = Gate::kX87,
     .timing = Timing::kX87},
    {.mnemonic = ZYDIS_MNEMONIC_FWAIT, .bind = plain<fwait>, .gate = Gate::kX87Wait,
     .timing = Timing::kX87},
    {.mnemonic = ZYDIS_MNEMONIC_FNSTCW, .bind = plain<fnstcw>, .gate = Gate::kX87,
     .timing = Timing::kX87},
    {.mnemonic = ZYDIS_MNEMONIC_FLDCW, .bind = plain<fldcw>, .gate = Gate::kX87,
     .timing = Timing::kX87},
    {.mnemonic = ZYDIS_MNEMONIC_FNSTSW, .bind = plain<fnstsw>, .gate = Gate::kX87,
     .timing = Timing::kX87},
};

}  // namespace

Rows x87_control_rows() { return kRows; }

}  // namespace vtsim::cpu
