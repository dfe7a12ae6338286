// CLI, STI, PUSHF, POPF. SDM 2A "CLI", 2B "POPF/POPFD/POPFQ", "PUSHF/PUSHFD/PUSHFQ", "STI".

#include "model/cpu/exec/interrupt_flags.h"

#include "model/cpu/exec/groups.h"

namespace vtsim::cpu {

void change_rflags(Core& core, u64 value, u64 mask) {
  CoreState& state = core.state;
  const u64 old = state.rflags_other;
  write_rflags(state, (read_rflags(state) & ~mask) | (value & mask));
  rflags_written(core, old);
}

namespace {

unsigned iopl(const Core& core) {
  return static_cast<unsigned>(Rflags::IOPL.get(core.state.rflags_other));
}

// SDM 3A "Virtual Interrupts": CLI and STI act on VIF where IOPL does not allow IF.
bool uses_virtual_interrupts(const Core& core) {
  const CoreState& state = core.state;
  if (state.v8086_mode()) return state.cr4[Cr4::VME];
  return state.cr4[Cr4::PVI] && state.cpl == 3;
}

bool may_change_interrupt_flag(const Core& core) {
  return core.state.real_mode() || iopl(core) >= core.state.cpl;
}

Outcome cli(Core& core, const Op&) {
  CoreState& state = core.state;
  if (may_change_interrupt_flag(core)) {
    state.rflags_other &= ~Rflags::IF.mask();
  } else if (uses_virtual_interrupts(core)) {
    state.rflags_other &= ~Rflags::VIF.mask();
  } else {
    return core.raise(kGp, 0);
  }
  return Outcome::kNext;
}

Outcome sti(Core& core, const Op& op) {
  CoreState& state = core.state;
  const Reg<Rflags> flags(state.rflags_other);
  if (may_change_interrupt_flag(core)) {
    if (!flags[Rflags::IF]) {
      state.shadow = kShadowSti;
      state.shadow_cycle = core.cycles_at(op) + 1;
    }
    change_rflags(core, Rflags::IF.mask(), Rflags::IF.mask());
  } else if (uses_virtual_interrupts(core) && !flags[Rflags::VIP]) {
    state.rflags_other |= Rflags::VIF.mask();
  } else {
    return core.raise(kGp, 0);
  }
  return Outcome::kNext;
}

// Goes on within the block where no event waits: the run loop drops the shadow by its cycle.
Next sti_and_go_on(Core* core, const Op* op) {
  if (sti(*core, *op) == Outcome::kFault) return leave_on_fault(core, op);
  if (core->attention) return leave_synchronized(core, op);
  VTSIM_DISPATCH(core, op + 1);
}

Handler bind_sti(const Binding&, Op&) { return &sti_and_go_on; }

// VM and RF read as 0.
u64 pushed_flags(const Core& core) {
  return read_rflags(core.state) & ~(Rflags::VM.mask() | Rflags::RF.mask());
}

template <class T>
Outcome pushf(Core& core, const Op& op) {
  Reg<Rflags> image(pushed_flags(core));
  if (core.state.v8086_mode() && iopl(core) < 3) {
    if (sizeof(T) != 2 || !core.state.cr4[Cr4::VME]) return core.raise(kGp, 0);
    image.set(Rflags::IOPL, 3);
    image.set(Rflags::IF, image[Rflags::VIF]);
  }
  return push(core, op, static_cast<T>(image.value)) ? Outcome::kNext : Outcome::kFault;
}

template <class T>
bool pop_flags(Core& core, const Op& op, T& image) {
  return peek(core, op, 0, image);
}

template <class T>
void finish_popf(Core& core, u64 image, u64 mask) {
  set_stack_pointer(core, stack_pointer(core) + sizeof(T));
  if constexpr (sizeof(T) == 2) mask &= low_mask(16);
  const u64 before = core.state.rflags_other;
  core.state.rflags_other &= ~Rflags::RF.mask();
  change_rflags(core, image, mask);
  if ((before ^ core.state.rflags_other) & Rflags::AC.mask()) core.mode_changed();
}

// Virtual-8086 mode with IOPL < 3 and CR4.VME, 16-bit: IF of the image goes to VIF.
Outcome popf_virtual_interrupts(Core& core, const Op& op) {
  u16 image;
  if (!pop_flags(core, op, image)) return Outcome::kFault;
  const Reg<Rflags> popped(image);
  const Reg<Rflags> flags(core.state.rflags_other);
  if (popped[Rflags::TF] || (popped[Rflags::IF] && flags[Rflags::VIP])) return core.raise(kGp, 0);
  finish_popf<u16>(core, image, kFreeFlags);
  core.state.rflags_other =
      Reg<Rflags>(core.state.rflags_other).with(Rflags::VIF, popped[Rflags::IF]).value;
  return Outcome::kNext;
}

template <class T>
Outcome popf(Core& core, const Op& op) {
  const bool v8086 = core.state.v8086_mode();
  u64 mask = kFreeFlags;
  if (v8086 && iopl(core) < 3) {
    if (sizeof(T) != 2 || !core.state.cr4[Cr4::VME]) return core.raise(kGp, 0);
    return popf_virtual_interrupts(core, op);
  }
  if (may_change_interrupt_flag(core)) mask |= Rflags::IF.mask();
  if (core.state.cpl == 0 && !v8086)
    mask |= Rflags::IOPL.mask() | Rflags::VIF.mask() | Rflags::VIP.mask();
  T image;
  if (!pop_flags(core, op, image)) return Outcome::kFault;
  u64 value = image;
  if (core.state.cpl == 0 && !v8086) value &= ~(Rflags::VIF.mask() | Rflags::VIP.mask());
  finish_popf<T>(core, value, mask);
  return Outcome::kNext;
}

template <Outcome (*handler)(Core&, const Op&)>
Handler looks_for_interrupts(const Binding&, Op&) {
  return &run_and_synchronize<handler>;
}

constexpr InstructionRow flag_row(Mnemonic mnemonic, Binder bind, FlagUse use, Flow flow) {
  return {.mnemonic = mnemonic, .bind = bind, .privilege = Privilege::kInHandler,
          .timing = Timing::kSystem, .flow = flow, .flags = use};
}

constexpr InstructionRow kRows[] = {
    flag_row(ZYDIS_MNEMONIC_CLI, plain<cli>, FlagUse::kNone, Flow::kSequential),
    flag_row(ZYDIS_MNEMONIC_STI, bind_sti, FlagUse::kNone, Flow::kSequential),
    flag_row(ZYDIS_MNEMONIC_PUSHF, plain<pushf<u16>>, FlagUse::kReads, Flow::kSequential),
    flag_row(ZYDIS_MNEMONIC_PUSHFD, plain<pushf<u32>>, FlagUse::kReads, Flow::kSequential),
    flag_row(ZYDIS_MNEMONIC_PUSHFQ, plain<pushf<u64>>, FlagUse::kReads, Flow::kSequential),
    flag_row(ZYDIS_MNEMONIC_POPF, looks_for_interrupts<popf<u16>>, FlagUse::kReadsAndWrites,
             Flow::kSynchronize),
    flag_row(ZYDIS_MNEMONIC_POPFD, looks_for_interrupts<popf<u32>>, FlagUse::kReadsAndWrites,
             Flow::kSynchronize),
    flag_row(ZYDIS_MNEMONIC_POPFQ, looks_for_interrupts<popf<u64>>, FlagUse::kReadsAndWrites,
             Flow::kSynchronize),
};

}  // namespace

Rows interrupt_flag_rows() { return kRows; }

}  // namespace vtsim::cpu
