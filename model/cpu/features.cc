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

std::optional<Feature> feature_named(std::string_view name) {
  for (const FeatureInfo& row : kFeatures) {
    if (row.name == name) return row.feature;
  }
  return std::nullopt;
}

}  // namespace vtsim::cpu
