#pragma once
// The lazy record of arithmetic flags, as far as a block's instructions tell it.

#include "model/cpu/flags.h"

namespace vtsim::cpu {

struct FlagKnowledge {
  bool known = false;
  FlagKind kind = FlagKind::kExplicit;
  unsigned size_log2 = 0;
};

}  // namespace vtsim::cpu
