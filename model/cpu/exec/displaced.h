#pragma once
// Memory operands whose address is moved by something that no address form knows: a bit offset, AL.

#include "model/cpu/exec/memory.h"

namespace vtsim::cpu {

inline bool displaced_linear(Core& core, const Op& op, u64 displacement, unsigned size,
                             Intent intent, u64& lin) {
  const u64 offset = effective_offset(core, op) + displacement;
  if (!op.mem.general()) {
    lin = offset;
    return true;
  }
  return segment_to_linear(core, op.mem.segment(), truncate(offset, op.mem.address_size_log2()),
                           size, intent, lin);
}

}  // namespace vtsim::cpu
