#pragma once
// PCI functions, as platform files and --device name them.

#include <string>

#include "sim/config/machine_config.h"
#include "sim/config/yaml_tree.h"

namespace vtsim::config {

// {kind: nvme, bdf: "01:00.0", image: disk.img}. `key` names it in errors: "devices[0]".
DeviceConfig parse_device(const YamlNode& node, const std::string& file, const std::string& key);

// KIND[,key=value...] of --device.
DeviceConfig parse_device_option(const std::string& text);

std::string format_bdf(u16 bdf);

}  // namespace vtsim::config
