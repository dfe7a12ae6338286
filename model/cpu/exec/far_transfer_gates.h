#pragma once
// Far transfers through call gates, task gates and TSSs, and far returns.

#include "model/cpu/exec/far_transfer.h"
#include "model/cpu/exec/table.h"

namespace vtsim::cpu {

enum class FarKind : u8 { kJump, kCall };

// What a far JMP or CALL was given.
struct FarPointer {
  FarKind kind = FarKind::kJump;
  unsigned size = 4;  // bytes of the offset and of what CALL pushes: 2, 4 or 8
  Selector selector;
  u64 offset = 0;
  u64 return_rip = 0;
  u8 length = 0;  // of the instruction
};

Outcome transfer_through_system_descriptor(Core& core, const FarPointer& to,
                                           const LocatedDescriptor& located);

Handler bind_far_return(const Binding& binding, Op& op);

}  // namespace vtsim::cpu
