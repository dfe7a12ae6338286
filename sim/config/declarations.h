#pragma once
// All parameters of a machine: the one place where a key, its default, its range, its meaning and
// its field of MachineConfig stand together.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/config/machine_config.h"
#include "sim/config/parameter.h"

namespace vtsim::config {

// The schema keeps references into `machine`: it must not move while the schema is used.
void declare_parameters(Schema& schema, MachineConfig& machine);

// Features that are no rows of model/cpu/features.h: they show in model-specific registers, or no
// core model has them and presets say so.
struct ExtraFeature {
  std::string_view name;
  std::string_view help;
  bool implemented = false;
  u32 msr = 0;  // the preset's register in which software sees it, if any: the bit is cleared there
  unsigned bit = 0;  // where the feature is not offered
};
std::span<const ExtraFeature> extra_features();

struct NamedMsr {
  std::string_view name;
  u32 index;
  std::string_view help;
};
std::span<const NamedMsr> named_msrs();
std::span<const NamedMsr> vmx_capability_msrs();

// A PCI function that a platform or --device can name.
struct DeviceOption {
  std::string_view name;
  std::string_view help;
};
struct DeviceKind {
  std::string_view name;
  std::string_view help;
  bool available;                     // false: a later version has it; refused by name
  std::vector<DeviceOption> options;  // besides kind and bdf
};
const std::vector<DeviceKind>& device_kinds();

}  // namespace vtsim::config
