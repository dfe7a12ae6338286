#pragma once
// What instructions that write RFLAGS must do besides writing it.

#include "model/cpu/core.h"
#include "model/cpu/flags.h"

namespace vtsim::cpu {

// Writes the bits of `mask` from `value`, and makes the run loop look where that may let an interrupt
// in or a single-step trap begin. After a change of AC or VM the caller calls Core::mode_changed().
void change_rflags(Core& core, u64 value, u64 mask);

// The bits that POPF and IRET of the same or an inner task may always change, outside VM, IOPL, IF.
inline constexpr u64 kFreeFlags = Rflags::kArithmetic | Rflags::TF.mask() | Rflags::DF.mask() |
                                  Rflags::NT.mask() | Rflags::AC.mask() | Rflags::ID.mask();

}  // namespace vtsim::cpu
