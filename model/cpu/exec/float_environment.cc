#include "model/cpu/exec/float_environment.h"

namespace vtsim::cpu {

// SDM 1 "SIMD Floating-Point Exception Conditions": an unmasked exception that is found before the
// computation (invalid, denormal, divide by zero) leaves nothing to be found after it. MXCSR
// changes although the instruction faults.
bool record_float_flags(Core& core, u32 flags) {
  u32& mxcsr = core.state.vector.mxcsr;
  constexpr u32 kBefore = static_cast<u32>(Mxcsr::IE.mask() | Mxcsr::DE.mask() | Mxcsr::ZE.mask());
  const u32 unmasked = flags & ~static_cast<u32>(Mxcsr::MASKS.get(mxcsr));
  if (unmasked & kBefore) flags &= kBefore;
  mxcsr |= flags;
  if (unmasked == 0) return true;
  core.raise(core.state.cr4[Cr4::OSXMMEXCPT] ? kXm : kUd);
  return false;
}

}  // namespace vtsim::cpu
