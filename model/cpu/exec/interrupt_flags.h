#pragma once
// What instructions that write RFLAGS must do besides writing it.

#include "model/cpu/apic/local_apic.h"
#include "model/cpu/core.h"
#include "model/cpu/flags.h"

namespace vtsim::cpu {

// Writes the bits of `mask` from `value`, and makes the run loop look where that may let an interrupt
// in or a single-step trap begin. After a change of AC or VM the caller calls Core::mode_changed().
void change_rflags(Core& core, u64 value, u64 mask);

// The second half of that, for instructions that write RFLAGS themselves: `old` is rflags_other as it
// was.
inline void rflags_written(Core& core, u64 old) {
  const u64 risen = core.state.rflags_other & ~old;
  if ((risen & (Rflags::IF.mask() | Rflags::TF.mask())) == 0) return;
  if ((risen & Rflags::IF.mask()) != 0 && core.apic().interrupt_pending()) core.set_attention();
  if (core.attention || (risen & Rflags::TF.mask()) != 0) core.request_sync();
}

// The bits that POPF and IRET of the same or an inner task may always change, outside VM, IOPL, IF.
inline constexpr u64 kFreeFlags = Rflags::kArithmetic | Rflags::TF.mask() | Rflags::DF.mask() |
                                  Rflags::NT.mask() | Rflags::AC.mask() | Rflags::ID.mask();

}  // namespace vtsim::cpu
