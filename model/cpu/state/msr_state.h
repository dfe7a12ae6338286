#pragma once
// Model-specific registers that no instruction uses directly: read and written by exec/msr.cc.

#include <array>

#include "model/base/types.h"

namespace vtsim::cpu {

struct MsrState {
  u64 mtrr_def_type = 0;
  std::array<u64, 11> mtrr_fixed{};
  std::array<u64, 20> mtrr_variable{};  // base, mask pairs
  u64 misc_enable = 0;
  u64 feature_control = 0;
  u64 spec_ctrl = 0;
};

}  // namespace vtsim::cpu
