#pragma once
// From a platform's name and options to a machine's complete description, in which every value
// knows where it comes from.
//
// Layers, later ones win: defaults of the declarations; the processor preset (cores.preset) and
// what it extends; the files that the platform extends; the platform; options, in their order.
// Lists of devices add up, everything else is replaced value by value.
//
// In a file, a value is written plainly, or as {value: 9, source: "where it was published"};
// `source` in a group holds for all values of the group that have none of their own. A source that
// begins with "estimate" marks a guess.

#include <optional>
#include <string>
#include <vector>

#include "sim/config/machine_config.h"
#include "sim/config/parameter.h"
#include "sim/config/platform_files.h"

namespace vtsim::config {

// --set KEY=TEXT, or an option that is a shorthand of it.
struct Override {
  std::string option;  // as it names itself in errors: "--set", "--memory"
  std::string key;
  std::string text;
};

struct Origin {
  std::string file;  // path or option; "default"
  int line = 0;
  std::string source;  // where the value was published; may be empty

  std::string place() const;  // "platforms/cores/haswell.yaml:12"
  bool is_default() const { return file == "default"; }
  bool is_estimate() const { return source.starts_with("estimate"); }
};

struct Setting {
  Parameter parameter;
  std::optional<Value> value;  // absent: an optional parameter that nobody gave
  Origin origin;
};

struct ResolvedDevice {
  DeviceConfig device;
  Origin origin;
};

struct Resolved {
  MachineConfig machine;
  std::vector<Setting>
      settings;  // in the order of the declarations; families' members after theirs
  std::vector<ResolvedDevice> devices;
  std::vector<std::string> files;  // read, in the order of the layers
};

struct Request {
  std::string platform;  // path or name
  std::vector<Override> overrides;
  std::vector<std::string> devices;  // --device KIND[,key=value...]
};

// Throws ConfigError.
Resolved resolve(const Request& request, const PlatformFiles& files);

// Splits "key=text" of --set. Throws ConfigError.
Override parse_set(const std::string& argument);

}  // namespace vtsim::config
