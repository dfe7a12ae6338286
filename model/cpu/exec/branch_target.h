#pragma once
// Where near branches may go. SDM 2 "JMP", "CALL", "RET", "Jcc": #GP(0) when the target is outside
// the code segment's limit or, in 64-bit mode, not canonical; the branch itself is to blame.

#include "model/cpu/exec/memory.h"

namespace vtsim::cpu {

inline constexpr unsigned kLinearWidth4Level = 48;
inline constexpr unsigned kLinearWidth5Level = 57;

// What is canonical for 48 bits is so for 57.
inline bool is_canonical_target(const Core& core, u64 rip) {
  return is_canonical(rip, kLinearWidth4Level) ||
         (core.state.cr4[Cr4::LA57] && is_canonical(rip, kLinearWidth5Level));
}

// T: the operand size.
template <class T>
inline bool is_valid_target(const Core& core, T rip) {
  if constexpr (sizeof(T) == 8) {
    return is_canonical_target(core, rip);
  } else {
    return rip <= core.state.seg[kCs].limit;
  }
}

}  // namespace vtsim::cpu
