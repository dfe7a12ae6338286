#include "model/cpu/cpu_model.h"

#include "model/cpu/state/registers.h"

namespace vtsim::cpu {

namespace {

struct Cr4Row {
  Flag bit;
  Feature feature;
};
constexpr Cr4Row kCr4Bits[] = {
    {Cr4::VME, Feature::kVme},         {Cr4::PVI, Feature::kVme},
    {Cr4::TSD, Feature::kTsc},         {Cr4::DE, Feature::kDe},
    {Cr4::PSE, Feature::kPse},         {Cr4::PAE, Feature::kPae},
    {Cr4::MCE, Feature::kMce},         {Cr4::PGE, Feature::kPge},
    {Cr4::PCE, Feature::kMsr},         {Cr4::OSFXSR, Feature::kFxsr},
    {Cr4::OSXMMEXCPT, Feature::kSse},  {Cr4::UMIP, Feature::kUmip},
    {Cr4::LA57, Feature::kLa57},       {Cr4::VMXE, Feature::kVmx},
    {Cr4::SMXE, Feature::kSmx},        {Cr4::FSGSBASE, Feature::kFsgsbase},
    {Cr4::PCIDE, Feature::kPcid},      {Cr4::OSXSAVE, Feature::kXsave},
    {Cr4::SMEP, Feature::kSmep},       {Cr4::SMAP, Feature::kSmap},
    {Cr4::PKE, Feature::kPku},
};

}  // namespace

u64 supported_cr4(const CpuFeatures& features) {
  u64 supported = 0;
  for (const Cr4Row& row : kCr4Bits)
    if (features[row.feature]) supported |= row.bit.mask();
  return supported;
}

vmx::Capabilities offered_vmx(const CpuModel& model, const CpuFeatures& offered) {
  if (!offered[Feature::kVmx]) return {};
  std::vector<vmx::Capabilities::Value> values;
  for (const MsrRow& row : model.vmx_capabilities) {
    const auto msr = static_cast<vmx::CapabilityMsr>(row.index);
    values.push_back({msr, vmx::Capabilities::implemented(msr, row.reset)});
  }
  return {values, supported_cr4(offered)};
}

}  // namespace vtsim::cpu
