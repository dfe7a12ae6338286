#pragma once
// A compare, test or arithmetic instruction and the conditional branch behind it as one op.

#include "model/cpu/exec/table.h"

namespace vtsim::cpu {

// Fills `op` with the operands of `compare` and returns what it calls; nullptr: not fused. The op
// sets the lazy flags as `compare` does and goes to successor 1 of its block when the condition
// holds, else to successor 0.
Handler fuse_compare_branch(const Binding& compare, const Binding& branch, Op& op);

}  // namespace vtsim::cpu
