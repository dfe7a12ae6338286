#pragma once
// Writes of control registers with all their checks, for MOV, LMSW, RSM, task switches and VM entries.
// False: #GP(0) was recorded and nothing has changed.

#include "model/cpu/core.h"

namespace vtsim::cpu {

bool write_cr0(Core& core, u64 value);
bool write_cr3(Core& core, u64 value);
bool write_cr4(Core& core, u64 value);

// The bits of CR4 that can be set with the features offered.
u64 supported_cr4(const Core& core);

// The bits of DR7 that always read as in Dr7::kReset.
inline constexpr u64 kDr7Reserved =
    Field{12, 10}.mask() | Field{15, 14}.mask() | Field{63, 32}.mask();

// The linear address of INVLPG's operand: no check of segments.
u64 unchecked_linear(const Core& core, const Op& op);

// Turning IA-32e mode on while TR holds a 16-bit TSS raises #GP.
inline bool tss_allows_ia32e_mode(const SegmentRegister& tr) {
  const u64 type = tr.rights[SegmentRights::TYPE];
  return type != kTss16Available && type != kTss16Busy;
}

}  // namespace vtsim::cpu
