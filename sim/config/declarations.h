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

// What a processor can have beyond CPUID bits, or what no core model has yet: known by name, so
// that presets can say that the silicon has it and `vtsim config` that it is dropped.
struct SiliconOnlyFeature {
  std::string_view name;
  std::string_view help;
  u32 msr =
      0;  // where software sees it, if it does: this bit is cleared when the feature is dropped
  unsigned bit = 0;
};
std::span<const SiliconOnlyFeature> silicon_only_features();

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
