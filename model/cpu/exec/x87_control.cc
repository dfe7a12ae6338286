// x87 control: initialization, control and status words, the stack pointer.
// SDM 1 "x87 FPU Instruction Set > x87 FPU Control Instructions".

#include "model/cpu/exec/groups.h"
#include "model/cpu/exec/x87.h"

namespace vtsim::cpu {

namespace {

Outcome fninit(Core& core, const Op&) {
  initialize(core.state.x87);
  return Outcome::kNext;
}

Outcome fnclex(Core& core, const Op&) {
  constexpr u64 kCleared = X87Status::EXCEPTIONS.mask() | X87Status::SF.mask() |
                           X87Status::ES.mask() | X87Status::B.mask();
  core.state.x87.status = static_cast<u16>(core.state.x87.status & ~kCleared);
  return Outcome::kNext;
}

Outcome fwait(Core& core, const Op&) {
  return x87_exception_pending(core) ? Outcome::kFault : Outcome::kNext;
}

Outcome fnstcw(Core& core, const Op& op) {
  return store_operand(core, op, core.state.x87.control) ? Outcome::kNext : Outcome::kFault;
}

Outcome fldcw(Core& core, const Op& op) {
  if (x87_exception_pending(core)) return Outcome::kFault;
  u16 control;
  if (!load_operand(core, op, control)) return Outcome::kFault;
  set_control(core.state.x87, control);
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

// FENI, FDISI and FSETPM of the 8087 and 287: they do nothing, and don't wait.
Outcome ignored(Core&, const Op&) { return Outcome::kNext; }

bool fnop(X87&, const Op&) { return true; }

template <unsigned by>
bool rotate_stack(X87& x87, const Op&) {
  x87.clear_c1();
  x87.rotate(by);
  return true;
}

template <Pop pop>
bool ffree(X87& x87, const Op& op) {
  x87.clear_c1();
  x87.free_st(op.dst);
  if (pop == Pop::kYes) x87.pop();
  return true;
}

constexpr InstructionRow kRows[] = {
    x87_row(ZYDIS_MNEMONIC_FNINIT, plain<fninit>),
    x87_row(ZYDIS_MNEMONIC_FNCLEX, plain<fnclex>),
    {.mnemonic = ZYDIS_MNEMONIC_FWAIT,
     .bind = plain<fwait>,
     .gate = Gate::kX87Wait,
     .timing = Timing::kX87},
    x87_row(ZYDIS_MNEMONIC_FNSTCW, plain<fnstcw>),
    x87_row(ZYDIS_MNEMONIC_FLDCW, plain<fldcw>),
    x87_row(ZYDIS_MNEMONIC_FNSTSW, plain<fnstsw>),
    x87_row(ZYDIS_MNEMONIC_FENI8087_NOP, plain<ignored>),
    x87_row(ZYDIS_MNEMONIC_FDISI8087_NOP, plain<ignored>),
    x87_row(ZYDIS_MNEMONIC_FSETPM287_NOP, plain<ignored>),
    x87_row(ZYDIS_MNEMONIC_FNOP, bind_x87<fnop>),
    x87_row(ZYDIS_MNEMONIC_FINCSTP, bind_x87<rotate_stack<1>>),
    x87_row(ZYDIS_MNEMONIC_FDECSTP, bind_x87<rotate_stack<7>>),
    x87_row(ZYDIS_MNEMONIC_FFREE, bind_x87<ffree<Pop::kNo>>),
    x87_row(ZYDIS_MNEMONIC_FFREEP, bind_x87<ffree<Pop::kYes>>),
};

}  // namespace

Rows x87_control_rows() { return kRows; }

}  // namespace vtsim::cpu
