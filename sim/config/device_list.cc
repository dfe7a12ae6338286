#include "sim/config/device_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "model/base/bits.h"
#include "sim/config/declarations.h"
#include "sim/config/nearest_name.h"

namespace vtsim::config {
namespace {

// A PCI address. PCI Local Bus Specification 3.0, "Configuration Mechanism".
struct Bdf {
  static constexpr Field kBus{15, 8};
  static constexpr Field kDevice{7, 3};
  static constexpr Field kFunction{2, 0};
};

struct Where {
  std::string file;
  int line;
  std::string key;

  [[noreturn]] void fail(std::string problem, std::string expected = {},
                         std::string nearest = {}) const {
    throw ConfigError({.file = file,
                       .line = line,
                       .key = key,
                       .problem = std::move(problem),
                       .expected = std::move(expected),
                       .nearest = std::move(nearest)});
  }
};

std::optional<u64> hex_field(std::string_view text, u64 max) {
  u64 value = 0;
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value, 16);
  if (text.empty() || result.ec != std::errc{} || result.ptr != end || value > max) {
    return std::nullopt;
  }
  return value;
}

// bus:device.function in hexadecimal
std::optional<u16> parse_bdf(std::string_view text) {
  const auto colon = text.find(':');
  const auto dot = text.find('.');
  if (colon == std::string_view::npos || dot == std::string_view::npos || dot < colon) {
    return std::nullopt;
  }
  const auto bus = hex_field(text.substr(0, colon), 255);
  const auto device = hex_field(text.substr(colon + 1, dot - colon - 1), 31);
  const auto function = hex_field(text.substr(dot + 1), 7);
  if (!bus || !device || !function) return std::nullopt;
  return static_cast<u16>(
      Bdf::kBus.put(Bdf::kDevice.put(Bdf::kFunction.put(0, *function), *device), *bus));
}

const DeviceKind& kind_called(const std::string& name, const Where& where) {
  const auto& kinds = device_kinds();
  const auto found =
      std::find_if(kinds.begin(), kinds.end(), [&](const DeviceKind& k) { return k.name == name; });
  if (found == kinds.end()) {
    std::vector<std::string> names;
    for (const DeviceKind& kind : kinds) names.emplace_back(kind.name);
    where.fail("unknown kind of device '" + name.substr(0, 60) + "'", "one of `vtsim list devices`",
               nearest_name(name, names).value_or(""));
  }
  if (!found->available) {
    where.fail("the device '" + name + "' is not yet available", "one of `vtsim list devices`");
  }
  return *found;
}

void set_option(DeviceConfig& device, const DeviceKind& kind, const std::string& name,
                const std::string& value, const Where& where) {
  if (name == "bdf") {
    device.bdf = parse_bdf(value);
    if (!device.bdf) {
      where.fail("'" + value.substr(0, 60) + "' is not valid here",
                 "bus:device.function in hexadecimal, such as 01:00.0");
    }
    return;
  }
  std::vector<std::string> known = {"kind", "bdf"};
  for (const DeviceOption& option : kind.options) known.emplace_back(option.name);
  if (std::find(known.begin(), known.end(), name) == known.end()) {
    where.fail("a " + std::string(kind.name) + " has no such option", {},
               nearest_name(name, known).value_or(""));
  }
  if (!device.options.emplace(name, value).second) where.fail("given twice");
}

}  // namespace

DeviceConfig parse_device(const YamlNode& node, const std::string& file, const std::string& key) {
  const Where here{file, node.line, key};
  if (!node.is_mapping()) here.fail("not a device", "{kind: ..., bdf: \"bus:device.function\"}");
  const YamlNode* kind_node = node.find("kind");
  if (kind_node == nullptr || !kind_node->is_scalar()) {
    here.fail("no kind", "{kind: ..., bdf: \"bus:device.function\"}");
  }
  const DeviceKind& kind = kind_called(kind_node->text, {file, kind_node->line, key + ".kind"});
  DeviceConfig device{.kind = kind_node->text, .bdf = std::nullopt, .options = {}};
  for (const YamlEntry& entry : node.entries) {
    if (entry.key == "kind") continue;
    const Where where{file, entry.line, key + "." + entry.key.substr(0, 60)};
    if (!entry.value.is_scalar()) where.fail("not a single value", "text");
    set_option(device, kind, entry.key, entry.value.text, where);
  }
  return device;
}

DeviceConfig parse_device_option(const std::string& text) {
  std::size_t end = std::min(text.find(','), text.size());
  const std::string name = text.substr(0, end);
  const DeviceKind& kind = kind_called(name, {"--device", 0, ""});
  DeviceConfig device{.kind = name, .bdf = std::nullopt, .options = {}};
  while (end < text.size()) {
    const std::size_t begin = end + 1;
    end = std::min(text.find(',', begin), text.size());
    const std::string part = text.substr(begin, end - begin);
    const auto equals = part.find('=');
    const std::string key = part.substr(0, equals);
    const Where where{"--device", 0, name + "." + key.substr(0, 60)};
    if (equals == std::string::npos) where.fail("no value", "KIND,key=value");
    set_option(device, kind, key, part.substr(equals + 1), where);
  }
  return device;
}

std::string format_bdf(u16 bdf) {
  return fmt::format("{:02x}:{:02x}.{}", Bdf::kBus.get(bdf), Bdf::kDevice.get(bdf),
                     Bdf::kFunction.get(bdf));
}

}  // namespace vtsim::config
