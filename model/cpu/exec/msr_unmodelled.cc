// Registers that SDM 4 documents for parts like the presets, and that are not modelled: an access is
// reported by name, and raises #GP. A number that is neither here nor among the modelled ones is one
// that the silicon lacks, or one of another vendor or of a hypervisor: #GP is its true answer.

#include <algorithm>

#include "model/cpu/environment.h"
#include "model/cpu/exec/msr.h"

namespace vtsim::cpu {

namespace {

// Models of family 6 from which on a register is there.
enum Generation : u32 { kAny = 0, kNehalem = 0x1A, kSandyBridge = 0x2A, kHaswell = 0x3C, kSkylake = 0x4E,
                        kIceLake = 0x6A };

struct UnmodelledMsr {
  u32 first;
  u32 last;
  std::string_view name;
  Generation from;
  std::optional<Feature> feature;  // of the silicon
};

constexpr UnmodelledMsr kRows[] = {
    {0x033, 0x033, "MSR_TEST_CTRL", kIceLake, {}},
    {0x08C, 0x08F, "IA32_SGXLEPUBKEYHASH0", kAny, Feature::kSgxLc},
    {0x0E7, 0x0E8, "IA32_MPERF", kAny, Feature::kAperfmperf},
    {0x10F, 0x10F, "MSR_TSX_FORCE_ABORT", kAny, Feature::kTsxForceAbort},
    {0x122, 0x122, "IA32_TSX_CTRL", kAny, Feature::kTsxCtrl},
    {0x1A4, 0x1A4, "MSR_MISC_FEATURE_CONTROL", kNehalem, {}},
    {0x1B0, 0x1B0, "IA32_ENERGY_PERF_BIAS", kAny, Feature::kEpb},
    {0x1B1, 0x1B2, "IA32_PACKAGE_THERM_STATUS", kAny, Feature::kPts},
    {0x345, 0x345, "IA32_PERF_CAPABILITIES", kAny, Feature::kPdcm},
    {0x3F1, 0x3F1, "IA32_PEBS_ENABLE", kAny, Feature::kDts},
    {0x3F6, 0x3F6, "MSR_PEBS_LD_LAT", kNehalem, {}},
    {0x3F8, 0x3FA, "MSR_PKG_C3_RESIDENCY", kNehalem, {}},
    {0x3FC, 0x3FE, "MSR_CORE_C3_RESIDENCY", kNehalem, {}},
    {0x500, 0x500, "IA32_SGX_SVN_STATUS", kAny, Feature::kSgx},
    {0x570, 0x587, "IA32_RTIT_CTL", kAny, Feature::kIntelPt},
    {0x600, 0x600, "IA32_DS_AREA", kAny, Feature::kDts},
    {0x60D, 0x60D, "MSR_PKG_C2_RESIDENCY", kSandyBridge, {}},
    {0x606, 0x606, "MSR_RAPL_POWER_UNIT", kSandyBridge, {}},
    {0x610, 0x614, "MSR_PKG_POWER_LIMIT", kSandyBridge, {}},
    {0x618, 0x61C, "MSR_DRAM_POWER_LIMIT", kSandyBridge, {}},
    {0x620, 0x621, "MSR_UNCORE_RATIO_LIMIT", kHaswell, {}},
    {0x648, 0x64C, "MSR_CONFIG_TDP_NOMINAL", kHaswell, {}},
    {0x64F, 0x64F, "MSR_CORE_PERF_LIMIT_REASONS", kSkylake, {}},
    {0x770, 0x774, "IA32_PM_ENABLE", kAny, Feature::kHwp},
    {0x981, 0x984, "IA32_TME_CAPABILITY", kAny, Feature::kTme},
    {0xC81, 0xC82, "IA32_L3_QOS_CFG", kAny, Feature::kRdtA},
    {0xC8D, 0xC8F, "IA32_QM_EVTSEL", kAny, Feature::kRdtM},
    {0xC90, 0xC9F, "IA32_L3_MASK_0", kAny, Feature::kRdtA},
    {0xD90, 0xD90, "IA32_BNDCFGS", kAny, Feature::kMpx},
};

bool silicon_has(const CpuModel& model, const UnmodelledMsr& row) {
  return model.model >= row.from && (!row.feature || model.silicon[*row.feature]);
}

}  // namespace

std::string_view unmodelled_msr(const Core& core, u32 index) {
  const auto row = std::ranges::find_if(kRows, [&](const UnmodelledMsr& candidate) {
    return index >= candidate.first && index <= candidate.last &&
           silicon_has(core.model(), candidate);
  });
  return row == std::end(kRows) ? std::string_view() : row->name;
}

}  // namespace vtsim::cpu
