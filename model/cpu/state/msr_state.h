#pragma once
// Model-specific registers that no instruction uses directly: read and written by exec/msr*.cc.

#include <array>
#include <vector>

#include "model/base/types.h"

namespace vtsim::cpu {

// The performance monitoring unit. A counter's value is what it held when it was last brought up to
// date plus what its source has counted since.
struct PerformanceState {
  static constexpr unsigned kMaxGeneral = 8;
  static constexpr unsigned kMaxFixed = 4;

  std::array<u64, kMaxGeneral> event_select{};
  std::array<u64, kMaxGeneral> general{};
  std::array<u64, kMaxFixed> fixed{};
  u64 fixed_control = 0;
  u64 global_control = 0;
  u64 global_status = 0;
  u64 instructions_then = 0;  // what the sources showed at the last update
  u64 cycles_then = 0;
  u64 reference_then = 0;
};

struct MsrState {
  static constexpr unsigned kVariableRanges = 10;
  static constexpr unsigned kMaxBanks = 32;
  static constexpr unsigned kMaxBranches = 32;

  u64 mtrr_def_type = 0;
  std::array<u64, 11> mtrr_fixed{};
  std::array<u64, 2 * kVariableRanges> mtrr_variable{};  // base, mask pairs
  u64 misc_enable = 0;
  u64 feature_control = 0;
  u64 spec_ctrl = 0;
  u64 mcu_opt_ctrl = 0;
  u64 misc_features_enables = 0;
  u64 mcg_status = 0;
  std::array<u64, kMaxBanks> mc_ctl{}, mc_addr{}, mc_misc{};
  std::array<u64, kMaxBanks> mc_ctl2{};
  u64 perf_ctl = 0;
  u64 clock_modulation = 0;
  u64 therm_interrupt = 0;
  u64 therm_status = 0;
  u64 lbr_select = 0;
  u64 lbr_tos = 0;
  std::array<u64, kMaxBranches> lbr_from{}, lbr_to{}, lbr_info{};
  std::array<u64, 2> offcore_response{};
  PerformanceState performance;
  std::vector<u64> preset;  // values of CpuModel::msrs, in its order
};

}  // namespace vtsim::cpu
