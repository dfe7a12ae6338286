#pragma once
// What the mode decides about an instruction before it runs: whether it raises #UD, #NM or #GP.

#include "model/cpu/exec/table.h"

namespace vtsim::cpu {

// The handler of an op that raises instead of executing, or nullptr where the instruction may run.
Handler closed_gate(const InstructionRow& row, const Decoded& in, Mode mode);

Next raise_ud(Core* core, const Op* op);
Next raise_gp0(Core* core, const Op* op);

}  // namespace vtsim::cpu
