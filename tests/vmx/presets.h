#pragma once
// The VMX capabilities of the presets, as platforms/cores says.

#include <yaml-cpp/yaml.h>

#include <string>
#include <vector>

#include "model/vmx/capabilities.h"

namespace vtsim::vmx::test {

inline constexpr std::array kPresetNames = {"penryn", "nehalem", "haswell", "skylake-sp",
                                            "icelake-sp"};

struct Preset {
  std::string name;
  unsigned physical_width = 0;
  unsigned linear_width = 0;
  std::vector<Capabilities::Value> silicon;

  u64* find(CapabilityMsr msr) {
    for (Capabilities::Value& one : silicon) {
      if (one.msr == msr) return &one.value;
    }
    return nullptr;
  }
  Capabilities capabilities() const { return Capabilities(silicon, ~u64{0}); }
  // What a machine offers of it.
  Preset offered() const {
    Preset less = *this;
    for (Capabilities::Value& one : less.silicon)
      one.value = Capabilities::implemented(one.msr, one.value);
    return less;
  }
};

inline Preset read_preset(const std::string& name) {
  static constexpr std::pair<const char*, CapabilityMsr> kNames[] = {
      {"IA32_VMX_BASIC", CapabilityMsr::kBasic},
      {"IA32_VMX_PINBASED_CTLS", CapabilityMsr::kPinBased},
      {"IA32_VMX_PROCBASED_CTLS", CapabilityMsr::kPrimary},
      {"IA32_VMX_EXIT_CTLS", CapabilityMsr::kExit},
      {"IA32_VMX_ENTRY_CTLS", CapabilityMsr::kEntry},
      {"IA32_VMX_MISC", CapabilityMsr::kMisc},
      {"IA32_VMX_CR0_FIXED0", CapabilityMsr::kCr0Fixed0},
      {"IA32_VMX_CR0_FIXED1", CapabilityMsr::kCr0Fixed1},
      {"IA32_VMX_CR4_FIXED0", CapabilityMsr::kCr4Fixed0},
      {"IA32_VMX_CR4_FIXED1", CapabilityMsr::kCr4Fixed1},
      {"IA32_VMX_VMCS_ENUM", CapabilityMsr::kVmcsEnum},
      {"IA32_VMX_PROCBASED_CTLS2", CapabilityMsr::kSecondary},
      {"IA32_VMX_EPT_VPID_CAP", CapabilityMsr::kEptVpid},
      {"IA32_VMX_TRUE_PINBASED_CTLS", CapabilityMsr::kTruePinBased},
      {"IA32_VMX_TRUE_PROCBASED_CTLS", CapabilityMsr::kTruePrimary},
      {"IA32_VMX_TRUE_EXIT_CTLS", CapabilityMsr::kTrueExit},
      {"IA32_VMX_TRUE_ENTRY_CTLS", CapabilityMsr::kTrueEntry},
      {"IA32_VMX_VMFUNC", CapabilityMsr::kVmFunc},
  };
  const YAML::Node file = YAML::LoadFile(VTSIM_CORES "/" + name + ".yaml");
  Preset preset{name,
                file["physical_address_bits"].as<unsigned>(),
                file["linear_address_bits"].as<unsigned>(),
                {}};
  for (const auto& [key, msr] : kNames) {
    YAML::Node value = file["vmx"]["capabilities"][key];
    if (!value) continue;
    if (value.IsMap()) value = value["value"];
    preset.silicon.push_back({msr, std::stoull(value.as<std::string>(), nullptr, 0)});
  }
  return preset;
}

// Read once.
inline const Preset& preset(std::string_view name) {
  static const std::vector<Preset> all = [] {
    std::vector<Preset> list;
    for (const char* each : kPresetNames) list.push_back(read_preset(each));
    return list;
  }();
  for (const Preset& one : all) {
    if (one.name == name) return one;
  }
  throw std::invalid_argument("no preset " + std::string(name));
}

}  // namespace vtsim::vmx::test
