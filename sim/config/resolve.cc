#include "sim/config/resolve.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "sim/config/declarations.h"
#include "sim/config/device_list.h"
#include "sim/config/finish.h"
#include "sim/config/nearest_name.h"

namespace vtsim::config {
namespace {

constexpr int kMaxExtends = 16;
constexpr std::string_view kPresetKey = "cores.preset";

struct Given {
  Value value;
  Origin origin;
};

// One file's or option's values, and what it is allowed to say.
struct Place {
  std::string file;
  std::string source;  // inherited from the groups around
};

[[noreturn]] void fail(const std::string& file, int line, const std::string& key,
                       std::string problem, std::string expected = {}, std::string nearest = {}) {
  throw ConfigError({.file = file,
                     .line = line,
                     .key = key,
                     .problem = std::move(problem),
                     .expected = std::move(expected),
                     .nearest = std::move(nearest)});
}

// Keys may hold anything; messages show them short and printable.
std::string printable(std::string key) {
  constexpr std::size_t kLongest = 120;
  if (key.size() > kLongest) key = key.substr(0, kLongest) + "...";
  for (char& c : key) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  return key;
}

// Collects layers into `given`.
class Collector {
 public:
  Collector(const Schema& schema, const PlatformFiles& files) : schema_(schema), files_(files) {}

  std::map<std::string, Given> given;
  std::vector<ResolvedDevice> devices;
  std::vector<std::string> read;

  // A file, after what it extends. `prefix`: "" for platforms, "cores" for presets.
  void file(const std::string& path, const std::string& prefix, int depth = 0) {
    const YamlNode root = read_yaml_file(path);
    if (root.kind == YamlNode::Kind::kNull) {
      read.push_back(path);
      return;
    }
    if (!root.is_mapping()) fail(path, root.line, "", "not a platform file", "parameters: values");
    if (const YamlNode* base = root.find("extends")) extend(*base, path, prefix, depth);
    read.push_back(path);
    mapping(root, prefix, {path, {}});
  }

  void option(const Override& option) {
    YamlNode node;
    node.kind = YamlNode::Kind::kScalar;
    node.text = option.text;
    const bool structured = option.text.starts_with('[') || option.text.starts_with('{');
    if (structured) node = parse_yaml(option.text, option.option);
    clear_lines(node);
    set(option.key, node, {option.option, {}});
  }

 private:
  static void clear_lines(YamlNode& node) {
    node.line = 0;
    for (YamlNode& item : node.items) clear_lines(item);
    for (YamlEntry& entry : node.entries) {
      entry.line = 0;
      clear_lines(entry.value);
    }
  }

  void extend(const YamlNode& base, const std::string& path, const std::string& prefix, int depth) {
    if (depth >= kMaxExtends) {
      fail(path, base.line, "extends", "more than 16 files extend each other", "no circle");
    }
    std::vector<const YamlNode*> names;
    if (base.is_sequence()) {
      for (const YamlNode& item : base.items) names.push_back(&item);
    } else {
      names.push_back(&base);
    }
    for (const YamlNode* name : names) {
      if (!name->is_scalar()) fail(path, name->line, "extends", "not a file's name", "a YAML file");
      const std::string found = files_.extended(name->text, path);
      if (found.empty()) {
        fail(path, name->line, "extends", "there is no file '" + printable(name->text) + "'",
             "a YAML file beside this one or below platforms/");
      }
      if (++extended_ > kMaxExtends) fail(path, name->line, "extends", "extends too many files");
      file(found, prefix, depth + 1);
    }
  }

  void mapping(const YamlNode& node, const std::string& prefix, Place place) {
    if (const YamlNode* source = node.find("source"); source != nullptr && source->is_scalar()) {
      place.source = source->text;
    }
    for (const YamlEntry& entry : node.entries) {
      if (entry.key == "source") continue;
      if (entry.key == "extends" && (prefix.empty() || prefix == "cores")) continue;
      const std::string key = prefix.empty() ? entry.key : prefix + "." + entry.key;
      set(key, entry.value, place, entry.line);
    }
  }

  void set(const std::string& key, const YamlNode& node, const Place& place, int key_line = 0) {
    if (key == "devices") return add_devices(node, place);
    const bool as_group =
        node.is_mapping() && node.find("value") == nullptr && schema_.is_group(key);
    if (const auto parameter = schema_.find(key); parameter && !as_group) {
      return assign(*parameter, node, place);
    }
    if (!schema_.is_group(key)) {
      fail(place.file, key_line, printable(key), "unknown parameter", {},
           schema_.nearest(key).value_or(""));
    }
    if (key == "cores.features" && node.is_sequence()) return features(node, place);
    if (node.kind == YamlNode::Kind::kNull) return;  // an empty group
    if (!node.is_mapping()) {
      fail(place.file, node.line, key, "this is a group of parameters", "name: value lines");
    }
    mapping(node, key, place);
  }

  void assign(const Parameter& parameter, const YamlNode& node, const Place& place) {
    const YamlNode* value = &node;
    std::string source = place.source;
    if (node.is_mapping()) {
      for (const YamlEntry& entry : node.entries) {
        if (entry.key == "value") continue;
        if (entry.key != "source" || !entry.value.is_scalar()) {
          fail(place.file, entry.line, parameter.key,
               "'" + printable(entry.key) + "' is not valid here",
               "a value, or {value: ..., source: \"...\"}");
        }
        source = entry.value.text;
      }
      value = node.find("value");
      if (value == nullptr) {
        fail(place.file, node.line, parameter.key, "no value",
             "a value, or {value: ..., source: \"...\"}");
      }
    }
    given.insert_or_assign(parameter.key, Given{parameter.parse(*value, place.file),
                                                {place.file, value->line, source}});
  }

  // features: [a, b] is short for {a: true, b: true}.
  void features(const YamlNode& list, const Place& place) {
    YamlNode yes;
    yes.kind = YamlNode::Kind::kScalar;
    yes.text = "true";
    for (const YamlNode& item : list.items) {
      if (!item.is_scalar()) {
        fail(place.file, item.line, "cores.features", "not a feature's name", "a list of names");
      }
      yes.line = item.line;
      const std::string key = "cores.features." + item.text;
      if (!schema_.find(key)) {
        fail(place.file, item.line, printable(key), "unknown feature", {},
             schema_.nearest(key).value_or(""));
      }
      set(key, yes, place, item.line);
    }
  }

  void add_devices(const YamlNode& node, const Place& place) {
    if (node.kind == YamlNode::Kind::kNull) return;
    if (!node.is_sequence()) {
      fail(place.file, node.line, "devices", "not a list", "a list of {kind: ..., bdf: ...}");
    }
    for (const YamlNode& item : node.items) {
      const std::string key = fmt::format("devices[{}]", devices.size());
      devices.push_back(
          {parse_device(item, place.file, key), {place.file, item.line, place.source}});
    }
  }

  const Schema& schema_;
  const PlatformFiles& files_;
  int extended_ = 0;
};

// What a file on its way down says about cores.preset, before any preset is read.
std::string preset_of(const std::map<std::string, Given>& given, const Schema& schema) {
  const auto found = given.find(std::string(kPresetKey));
  if (found != given.end()) return std::get<std::string>(found->second.value);
  return schema.find(std::string(kPresetKey))->spec.fallback;
}

Value default_of(const Parameter& parameter) {
  YamlNode node;
  node.kind = YamlNode::Kind::kScalar;
  node.text = parameter.spec.fallback;
  return parameter.parse(node, "default");
}

Setting setting_of(const Parameter& parameter, std::map<std::string, Given>& given) {
  Setting setting{parameter, std::nullopt, {"default", 0, parameter.spec.source}};
  if (const auto found = given.find(parameter.key); found != given.end()) {
    setting.value = std::move(found->second.value);
    setting.origin = std::move(found->second.origin);
    given.erase(found);
  } else if (!parameter.spec.fallback.empty()) {
    setting.value = default_of(parameter);
  }
  return setting;
}

}  // namespace

std::string Origin::place() const { return line > 0 ? fmt::format("{}:{}", file, line) : file; }

Override parse_set(const std::string& argument) {
  const auto equals = argument.find('=');
  if (equals == std::string::npos || equals == 0) {
    fail("--set", 0, "", "'" + printable(argument) + "' is not an assignment", "key.path=value");
  }
  return {"--set", argument.substr(0, equals), argument.substr(equals + 1)};
}

Resolved resolve(const Request& request, const PlatformFiles& files) {
  Resolved resolved;
  Schema schema;
  declare_parameters(schema, resolved.machine);

  Collector platform(schema, files);
  platform.file(files.machine(request.platform), "");
  for (const Override& option : request.overrides) platform.option(option);
  for (const std::string& text : request.devices) {
    platform.devices.push_back({parse_device_option(text), {"--device", 0, {}}});
  }

  Collector preset(schema, files);
  preset.file(files.core(preset_of(platform.given, schema)), "cores");
  if (preset.given.contains(std::string(kPresetKey))) {
    fail(preset.read.back(), 0, std::string(kPresetKey), "a preset cannot name another", "extends");
  }
  auto given = std::move(platform.given);
  given.merge(preset.given);  // keeps what the platform gave

  for (const Parameter& parameter : schema.parameters()) {
    resolved.settings.push_back(setting_of(parameter, given));
  }
  std::vector<std::string> rest;  // members of families
  for (const auto& [key, value] : given) rest.push_back(key);
  for (const std::string& key : rest) {
    resolved.settings.push_back(setting_of(*schema.find(key), given));
  }
  for (const Setting& setting : resolved.settings) {
    if (setting.value && setting.parameter.assign) setting.parameter.assign(*setting.value);
  }
  resolved.machine.name = request.platform;
  resolved.devices = std::move(platform.devices);
  for (const auto& entry : resolved.devices) resolved.machine.devices.push_back(entry.device);
  resolved.files = std::move(preset.read);
  resolved.files.insert(resolved.files.end(), platform.read.begin(), platform.read.end());
  check_and_finish(resolved);
  // The bindings refer to this function's schema and machine.
  for (Setting& setting : resolved.settings) setting.parameter.assign = nullptr;
  return resolved;
}

}  // namespace vtsim::config
