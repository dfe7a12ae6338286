// INT n, INT1, INT3, INTO, BOUND. SDM 2A "BOUND", "INT n/INTO/INT3/INT1". They record the event; its
// delivery starts at the instruction's own RIP, so that a fault on the way leaves it restartable.

#include "model/cpu/exec/groups.h"
#include "model/cpu/exec/interrupt_return.h"
#include "model/cpu/interrupts.h"

namespace vtsim::cpu {

namespace {

Outcome raise_software(Core& core, const Op& op, u8 vector, EventType type) {
  return core.raise(Event{.vector = vector, .type = type, .length = static_cast<u8>(op.length())});
}

Outcome int_n(Core& core, const Op& op) {
  const CoreState& state = core.state;
  const u8 vector = static_cast<u8>(op.imm);
  if (state.v8086_mode() && Rflags::IOPL.get(state.rflags_other) < 3) {
    bool redirected = false;
    if (state.cr4[Cr4::VME] && !read_redirection(core, vector, redirected)) return Outcome::kFault;
    if (!redirected) return core.raise(kGp, 0);
  }
  return raise_software(core, op, vector, EventType::kSoftwareInterrupt);
}

Outcome int1(Core& core, const Op& op) {
  return raise_software(core, op, kDb, EventType::kPrivilegedSoftwareException);
}

Outcome int3(Core& core, const Op& op) {
  return raise_software(core, op, kBp, EventType::kSoftwareException);
}

Outcome into(Core& core, const Op& op) {
  if (!condition_holds(Condition::kO, core.state.lazy)) return Outcome::kNext;
  return raise_software(core, op, kOf, EventType::kSoftwareException);
}

template <class T>
Outcome bound(Core& core, const Op& op) {
  struct Bounds {
    T lower;
    T upper;
  };
  Bounds bounds;
  if (!load_operand(core, op, bounds)) return Outcome::kFault;
  const T index = get_gpr<T>(core, op.dst);
  return index < bounds.lower || index > bounds.upper ? core.raise(kBr) : Outcome::kNext;
}

constexpr InstructionRow event_row(Mnemonic mnemonic, Binder bind) {
  return {.mnemonic = mnemonic, .bind = bind, .privilege = Privilege::kInHandler,
          .timing = Timing::kSystem, .flow = Flow::kBranch, .flags = FlagUse::kReads};
}

constexpr InstructionRow iret_row(Mnemonic mnemonic, Binder bind) {
  return {.mnemonic = mnemonic, .bind = bind, .privilege = Privilege::kInHandler,
          .timing = Timing::kSystem, .flow = Flow::kBranch, .flags = FlagUse::kReadsAndWrites};
}

constexpr InstructionRow kRows[] = {
    event_row(ZYDIS_MNEMONIC_INT, plain<int_n>),
    event_row(ZYDIS_MNEMONIC_INT1, plain<int1>),
    event_row(ZYDIS_MNEMONIC_INT3, plain<int3>),
    event_row(ZYDIS_MNEMONIC_INTO, plain<into>),
    {.mnemonic = ZYDIS_MNEMONIC_BOUND, .bind = by_operand_size<bound<i16>, bound<i32>, bound<i32>>,
     .timing = Timing::kLoadStore},
    iret_row(ZYDIS_MNEMONIC_IRET, bind_iret<2>),
    iret_row(ZYDIS_MNEMONIC_IRETD, bind_iret<4>),
    iret_row(ZYDIS_MNEMONIC_IRETQ, bind_iret<8>),
};

}  // namespace

Rows interrupt_rows() { return kRows; }

}  // namespace vtsim::cpu
