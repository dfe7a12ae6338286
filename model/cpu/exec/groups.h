#pragma once
// Every instruction group of the table, each defined in exec/<group>.cc.

#include <span>

#include "model/cpu/exec/table.h"

namespace vtsim::cpu {

using Rows = std::span<const InstructionRow>;

Rows data_transfer_rows();   // MOV, XCHG, PUSH, POP, MOVSX...
Rows arithmetic_rows();      // ADD ... CMP, INC, DEC, NEG, NOT, AND, OR, XOR, TEST
Rows branch_rows();          // near JMP, CALL, RET, Jcc, LOOPcc, JRCXZ

}  // namespace vtsim::cpu
