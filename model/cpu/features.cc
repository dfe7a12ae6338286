#include "model/cpu/features.h"

namespace vtsim::cpu {
namespace {

constexpr bool rows_stand_in_order() {
  for (std::size_t i = 0; i < kFeatureCount; ++i) {
    if (static_cast<std::size_t>(kFeatures[i].feature) != i) return false;
  }
  return true;
}

constexpr bool names_and_locations_are_unique() {
  for (std::size_t i = 0; i < kFeatureCount; ++i) {
    for (std::size_t j = i + 1; j < kFeatureCount; ++j) {
      if (kFeatures[i].name == kFeatures[j].name) return false;
      if (kFeatures[i].location == kFeatures[j].location) return false;
    }
  }
  return true;
}

struct Requirement {
  Feature feature;
  Feature needs;
};

// SDM 1 and 2 "Detection" sections of each extension. A feature's own requirements stand before it,
// so that one pass is enough.
constexpr Requirement kRequirements[] = {
    {Feature::kSse, Feature::kFxsr},
    {Feature::kSse2, Feature::kSse},
    {Feature::kSse3, Feature::kSse2},
    {Feature::kSsse3, Feature::kSse3},
    {Feature::kSse41, Feature::kSsse3},
    {Feature::kSse42, Feature::kSse41},
    {Feature::kAes, Feature::kSse2},
    {Feature::kPclmulqdq, Feature::kSse2},
    {Feature::kSha, Feature::kSse2},
    {Feature::kXsave, Feature::kFxsr},
    {Feature::kXsaveopt, Feature::kXsave},
    {Feature::kXsavec, Feature::kXsave},
    {Feature::kXgetbv1, Feature::kXsave},
    {Feature::kXsaves, Feature::kXsavec},
    {Feature::kMpx, Feature::kXsave},
    {Feature::kPku, Feature::kXsave},
    {Feature::kAvx, Feature::kXsave},
    {Feature::kAvx2, Feature::kAvx},
    {Feature::kFma, Feature::kAvx},
    {Feature::kF16c, Feature::kAvx},
    {Feature::kVaes, Feature::kAvx},
    {Feature::kVpclmulqdq, Feature::kAvx},
    {Feature::kAvx512f, Feature::kAvx2},
    {Feature::kAvx512dq, Feature::kAvx512f},
    {Feature::kAvx512ifma, Feature::kAvx512f},
    {Feature::kAvx512cd, Feature::kAvx512f},
    {Feature::kAvx512bw, Feature::kAvx512f},
    {Feature::kAvx512vl, Feature::kAvx512f},
    {Feature::kAvx512vbmi, Feature::kAvx512bw},
    {Feature::kAvx512vbmi2, Feature::kAvx512bw},
    {Feature::kAvx512vnni, Feature::kAvx512f},
    {Feature::kAvx512bitalg, Feature::kAvx512bw},
    {Feature::kAvx512vpopcntdq, Feature::kAvx512f},
    {Feature::kPse36, Feature::kPse},
    {Feature::kNx, Feature::kPae},
    {Feature::kLm, Feature::kPae},
    {Feature::kPdpe1gb, Feature::kLm},
    {Feature::kPcid, Feature::kLm},
    {Feature::kLa57, Feature::kLm},
    {Feature::kFsgsbase, Feature::kLm},
    {Feature::kSyscall, Feature::kLm},
    {Feature::kLahfLm, Feature::kLm},
    {Feature::kCx16, Feature::kLm},
    {Feature::kX2apic, Feature::kApic},
    {Feature::kTscDeadline, Feature::kApic},
    {Feature::kRdtscp, Feature::kTsc},
    {Feature::kTscAdjust, Feature::kTsc},
    {Feature::kInvariantTsc, Feature::kTsc},
};

constexpr bool requirements_stand_before_their_users() {
  for (std::size_t i = 0; i < std::size(kRequirements); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (kRequirements[j].needs == kRequirements[i].feature) return false;
    }
  }
  return true;
}

static_assert(requirements_stand_before_their_users());
static_assert(rows_stand_in_order());
static_assert(names_and_locations_are_unique());
static_assert(kFeatureCount <= 256, "Feature is a byte");

}  // namespace

u32 CpuFeatures::cpuid_bits(u32 leaf, u32 subleaf, CpuidRegister reg) const {
  u64 result = 0;
  for (const FeatureInfo& row : kFeatures) {
    const FeatureLocation& at = row.location;
    const bool here = at.kind == FeatureLocation::Kind::kCpuid && at.index == leaf &&
                      at.subleaf == subleaf && at.reg == reg;
    if (here && (*this)[row.feature]) result |= Flag{at.bit}.mask();
  }
  return static_cast<u32>(result);
}

u64 CpuFeatures::msr_bits(u32 index) const {
  u64 result = 0;
  for (const FeatureInfo& row : kFeatures) {
    const FeatureLocation& at = row.location;
    const bool here = at.kind == FeatureLocation::Kind::kMsr && at.index == index;
    if (here && (*this)[row.feature]) result |= Flag{at.bit}.mask();
  }
  return result;
}

std::vector<std::string_view> CpuFeatures::names() const {
  std::vector<std::string_view> result;
  for (const FeatureInfo& row : kFeatures) {
    if ((*this)[row.feature]) result.push_back(row.name);
  }
  return result;
}

CpuFeatures with_requirements_met(const CpuFeatures& features) {
  CpuFeatures result = features;
  for (const Requirement& row : kRequirements) {
    if (!result[row.needs]) result.remove(row.feature);
  }
  // The bits of IA32_ARCH_CAPABILITIES need that register.
  for (const FeatureInfo& row : kFeatures) {
    const bool in_msr = row.location.kind == FeatureLocation::Kind::kMsr;
    if (in_msr && !result[Feature::kArchCapabilities]) result.remove(row.feature);
  }
  return result;
}

std::optional<Feature> feature_named(std::string_view name) {
  for (const FeatureInfo& row : kFeatures) {
    if (row.name == name) return row.feature;
  }
  return std::nullopt;
}

}  // namespace vtsim::cpu
