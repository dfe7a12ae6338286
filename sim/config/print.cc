#include "sim/config/print.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "sim/config/declarations.h"
#include "sim/config/device_list.h"

namespace vtsim::config {
namespace {

// Dotted keys as a tree; children in the order in which they came.
struct Group {
  std::string name;
  const Setting* setting = nullptr;
  std::vector<std::unique_ptr<Group>> children;

  Group& child(const std::string& child_name) {
    for (const auto& known : children) {
      if (known->name == child_name) return *known;
    }
    children.push_back(std::make_unique<Group>());
    children.back()->name = child_name;
    return *children.back();
  }
};

// A feature that nobody asked for is not worth a line.
bool is_shown(const Setting& setting) {
  if (!setting.value) return false;
  return !(setting.parameter.key.starts_with("cores.features.") && setting.origin.is_default());
}

Group group_settings(const Resolved& resolved) {
  Group root;
  for (const Setting& setting : resolved.settings) {
    if (!is_shown(setting)) continue;
    Group* at = &root;
    const std::string& key = setting.parameter.key;
    std::size_t begin = 0;
    while (begin <= key.size()) {
      const std::size_t end = std::min(key.find('.', begin), key.size());
      at = &at->child(key.substr(begin, end - begin));
      begin = end + 1;
    }
    at->setting = &setting;
  }
  return root;
}

bool is_dropped(const Resolved& resolved, const Setting& setting) {
  const auto& dropped = resolved.machine.cores.dropped;
  return std::any_of(dropped.begin(), dropped.end(), [&](const DroppedFeature& feature) {
    return setting.parameter.key == "cores.features." + feature.name;
  });
}

std::string single_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return text;
}

std::string remark(const Resolved& resolved, const Setting& setting) {
  std::vector<std::string> parts;
  const auto add = [&](std::string_view part) {
    if (!part.empty()) parts.emplace_back(single_line(std::string(part)));
  };
  if (is_dropped(resolved, setting)) add("dropped: not implemented");
  add(setting.parameter.unit_text());
  add(setting.origin.place());
  add(setting.origin.source);
  add(without_effect(setting.parameter.spec.use));
  return fmt::format("{}", fmt::join(parts, "; "));
}

class YamlWriter {
 public:
  explicit YamlWriter(const Resolved& resolved) : resolved_(resolved) {}

  std::string write() {
    text_ = fmt::format("# {}, resolved from\n", single_line(resolved_.machine.name));
    for (const std::string& file : resolved_.files) text_ += "#   " + single_line(file) + "\n";
    for (const auto& child : group_settings(resolved_).children) group(*child, 0);
    devices();
    dropped();
    return text_;
  }

 private:
  void line(const std::string& content, const std::string& comment) {
    constexpr std::size_t kCommentColumn = 44;
    const std::size_t pad = content.size() < kCommentColumn ? kCommentColumn - content.size() : 1;
    text_ +=
        comment.empty() ? content + "\n" : content + std::string(pad, ' ') + "# " + comment + "\n";
  }

  void group(const Group& group, std::size_t depth) {
    const std::string indent(2 * depth, ' ');
    if (const Setting* setting = group.setting) {
      line(indent + group.name + ": " + setting->parameter.format(*setting->value),
           remark(resolved_, *setting));
      return;
    }
    line(indent + group.name + ":", "");
    for (const auto& child : group.children) this->group(*child, depth + 1);
  }

  void devices() {
    if (resolved_.devices.empty()) return;
    line("devices:", "");
    for (const ResolvedDevice& entry : resolved_.devices) {
      std::string text = "  - { kind: " + entry.device.kind;
      if (entry.device.bdf) text += ", bdf: \"" + format_bdf(*entry.device.bdf) + "\"";
      for (const auto& [name, value] : entry.device.options) {
        text += fmt::format(", {}: \"{}\"", name, value);
      }
      line(text + " }", entry.origin.place());
    }
  }

  void dropped() {
    if (resolved_.machine.cores.dropped.empty()) return;
    text_ += "# Dropped: what the silicon has and this simulator does not offer.\n";
    std::string row = "#  ";
    for (const DroppedFeature& feature : resolved_.machine.cores.dropped) {
      constexpr std::size_t kWidth = 96;
      if (row.size() + feature.name.size() > kWidth) {
        text_ += row + "\n";
        row = "#  ";
      }
      row += " " + feature.name;
    }
    text_ += row + "\n";
  }

  const Resolved& resolved_;
  std::string text_;
};

nlohmann::ordered_json json_of(const Value& value) {
  return std::visit([](const auto& v) { return nlohmann::ordered_json(v); }, value);
}

nlohmann::ordered_json json_of(const Group& group) {
  if (group.setting != nullptr) return json_of(*group.setting->value);
  nlohmann::ordered_json object = nlohmann::ordered_json::object();
  for (const auto& child : group.children) object[child->name] = json_of(*child);
  return object;
}

nlohmann::ordered_json json_of(const DeviceConfig& device) {
  nlohmann::ordered_json object = {{"kind", device.kind}};
  if (device.bdf) object["bdf"] = format_bdf(*device.bdf);
  for (const auto& [name, value] : device.options) object[name] = value;
  return object;
}

std::string type_text(const Parameter& parameter) {
  switch (parameter.type) {
    case Type::kBool:
      return "true|false";
    case Type::kText:
      return "text";
    case Type::kChoice:
      return fmt::format("{}", fmt::join(parameter.choices, "|"));
    case Type::kList:
      return "list";
    case Type::kNumber:
      break;
  }
  const std::string unit = parameter.unit_text();
  return unit.empty() ? "number" : unit;
}

std::string parameter_line(const std::string& key, const Parameter& parameter) {
  std::string help = parameter.spec.help;
  if (parameter.type == Type::kNumber && parameter.spec.quantity == Quantity::kCount) {
    const std::string expectation = parameter.expectation();
    const auto range = expectation.find(" from ");
    if (range != std::string::npos) help += " (" + expectation.substr(range + 1) + ")";
  }
  if (parameter.spec.use != Use::kMachine) {
    help += fmt::format(" [{}]", without_effect(parameter.spec.use));
  }
  return fmt::format("{:<44} {:<10} {:<12} {}\n", key, type_text(parameter),
                     parameter.spec.fallback, help);
}

}  // namespace

std::string to_yaml(const Resolved& resolved) { return YamlWriter(resolved).write(); }

nlohmann::ordered_json to_json(const Resolved& resolved) {
  nlohmann::ordered_json root = json_of(group_settings(resolved));
  root["devices"] = nlohmann::ordered_json::array();
  for (const auto& entry : resolved.devices) root["devices"].push_back(json_of(entry.device));
  root["dropped_features"] = nlohmann::ordered_json::array();
  for (const auto& feature : resolved.machine.cores.dropped) {
    root["dropped_features"].push_back(feature.name);
  }
  return root;
}

nlohmann::ordered_json to_json_with_origins(const Resolved& resolved) {
  nlohmann::ordered_json root = nlohmann::ordered_json::object();
  for (const Setting& setting : resolved.settings) {
    if (!is_shown(setting)) continue;
    nlohmann::ordered_json& entry = root[setting.parameter.key];
    entry["value"] = json_of(*setting.value);
    entry["unit"] = setting.parameter.unit_text();
    entry["origin"] = setting.origin.place();
    entry["source"] = setting.origin.source;
    entry["estimate"] = setting.origin.is_estimate();
    entry["effect"] = without_effect(setting.parameter.spec.use).empty();
    if (is_dropped(resolved, setting)) entry["dropped"] = true;
  }
  for (std::size_t i = 0; i < resolved.devices.size(); ++i) {
    nlohmann::ordered_json& entry = root[fmt::format("devices[{}]", i)];
    entry["value"] = json_of(resolved.devices[i].device);
    entry["origin"] = resolved.devices[i].origin.place();
  }
  return root;
}

std::string list_parameters() {
  MachineConfig machine;
  Schema schema;
  declare_parameters(schema, machine);
  std::string text =
      fmt::format("{:<44} {:<10} {:<12} {}\n", "PARAMETER", "UNIT", "DEFAULT", "MEANING");
  for (const Parameter& parameter : schema.parameters()) {
    text += parameter_line(parameter.key, parameter);
  }
  for (const Family& family : schema.families()) {
    text += parameter_line(family.prefix + family.placeholder, family.pattern);
    for (const std::string& name : family.known) {
      text += parameter_line(family.prefix + name, *schema.find(family.prefix + name));
    }
  }
  text +=
      parameter_line("devices", {.key = {},
                                 .type = Type::kList,
                                 .spec = {.help = "PCI functions: {kind: ..., bdf: \"bus:device."
                                                  "function\", ...}; see `vtsim list devices`"},
                                 .choices = {},
                                 .assign = {}});
  return text;
}

std::string list_devices() {
  std::string text;
  for (const DeviceKind& kind : device_kinds()) {
    text += fmt::format("{:<18} {}{}\n", kind.name, kind.help,
                        kind.available ? "" : " (not yet available)");
    for (const DeviceOption& option : kind.options) {
      text += fmt::format("  {:<16} {}\n", option.name, option.help);
    }
  }
  return text;
}

std::string list_platforms(const PlatformFiles& files) {
  std::string text;
  for (const std::string& name : files.machines()) {
    try {
      const Resolved resolved = resolve({.platform = name, .overrides = {}, .devices = {}}, files);
      const CoresConfig& cores = resolved.machine.cores;
      text += fmt::format("{:<18} {} core{}, {}; {}\n", name, cores.topology.cores_per_package,
                          cores.topology.cores_per_package == 1 ? "" : "s",
                          format_quantity(resolved.machine.memory.bytes, Quantity::kSize),
                          cores.model.brand);
    } catch (const ConfigError& error) {
      text += fmt::format("{:<18} {}\n", name, error.what());
    }
  }
  return text;
}

}  // namespace vtsim::config
