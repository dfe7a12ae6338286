#pragma once
// Configurations and declarations as text, for `vtsim config`, `vtsim list` and result files.

#include <nlohmann/json.hpp>
#include <string>

#include "sim/config/resolve.h"

namespace vtsim::config {

// A platform file that resolves to the same machine; behind each value, as a comment, its unit,
// where it was given and where it was published, and at the end the features that were dropped.
std::string to_yaml(const Resolved& resolved);

// The values alone, nested as in a platform file; numbers in base units (bytes, Hz, picoseconds).
nlohmann::ordered_json to_json(const Resolved& resolved);

// Every value with its unit, origin and source, by full key.
nlohmann::ordered_json to_json_with_origins(const Resolved& resolved);

// One line a parameter: key, type and range, default, meaning.
std::string list_parameters();
std::string list_devices();
std::string list_platforms(const PlatformFiles& files);

}  // namespace vtsim::config
