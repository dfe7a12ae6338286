#include "sim/config/parameter.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "model/base/check.h"
#include "sim/config/nearest_name.h"

namespace vtsim::config {
namespace {

constexpr u64 kNoLimit = std::numeric_limits<u64>::max();
constexpr std::size_t kLongestKey = 200;  // longer ones are not slips

std::string number_text(const Spec& spec, u64 value) {
  if (spec.hex) return fmt::format("{:#x}", value);
  return format_quantity(value, spec.quantity);
}

bool in_range(const Spec& spec, u64 value) {
  if (spec.allow_zero && value == 0) return true;
  if (spec.power_of_two && (value == 0 || (value & (value - 1)) != 0)) return false;
  return value >= spec.min && value <= spec.max;
}

std::string number_expectation(const Spec& spec) {
  std::string text(example_of(spec.quantity));
  if (spec.quantity == Quantity::kCount) {
    text = spec.unit.empty() ? "an integer" : "a number of " + spec.unit;
  }
  if (spec.power_of_two) text += ", a power of two";
  if (spec.min > 0 && spec.max != kNoLimit) {
    text += fmt::format(" from {} to {}", number_text(spec, spec.min), number_text(spec, spec.max));
  } else if (spec.min > 0) {
    text += " of at least " + number_text(spec, spec.min);
  } else if (spec.max != kNoLimit) {
    text += " up to " + number_text(spec, spec.max);
  }
  if (spec.allow_zero) text += ", or 0";
  return text;
}

std::optional<bool> parse_bool(const std::string& text) {
  static constexpr std::string_view kYes[] = {"true", "yes", "on", "1"};
  static constexpr std::string_view kNo[] = {"false", "no", "off", "0"};
  if (std::find(std::begin(kYes), std::end(kYes), text) != std::end(kYes)) return true;
  if (std::find(std::begin(kNo), std::end(kNo), text) != std::end(kNo)) return false;
  return std::nullopt;
}

// Quotes what YAML would otherwise read as something else.
std::string yaml_text(const std::string& text) {
  const bool plain = !text.empty() &&
                     std::all_of(text.begin(), text.end(),
                                 [](char c) {
                                   return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                                          (c >= '0' && c <= '9') || c == '_' || c == '-' ||
                                          c == '.' || c == '/';
                                 }) &&
                     text != "null" && text != "~";
  if (plain) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      quoted += fmt::format("\\x{:02x}", byte);
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

// At most this much of a bad value is repeated in the message.
std::string shown(const YamlNode& node) {
  constexpr std::size_t kLongest = 60;
  switch (node.kind) {
    case YamlNode::Kind::kNull:
      return "nothing";
    case YamlNode::Kind::kSequence:
      return "a list";
    case YamlNode::Kind::kMapping:
      return "a group";
    case YamlNode::Kind::kScalar:
      break;
  }
  std::string text = node.text.substr(0, kLongest);
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  return "'" + text + (node.text.size() > kLongest ? "..." : "") + "'";
}

class ValueParser {
 public:
  ValueParser(const Parameter& parameter, const YamlNode& node, const std::string& file)
      : parameter_(parameter), node_(node), file_(file) {}

  Value parse() const {
    if (parameter_.type == Type::kList) return list();
    if (!node_.is_scalar()) refuse(node_);
    switch (parameter_.type) {
      case Type::kBool: {
        const auto value = parse_bool(node_.text);
        if (!value) refuse(node_);
        return *value;
      }
      case Type::kNumber:
        return number(node_);
      case Type::kChoice:
        return choice();
      case Type::kText:
      case Type::kList:
        break;
    }
    return node_.text;
  }

 private:
  [[noreturn]] void refuse(const YamlNode& node, std::string nearest = {}) const {
    throw ConfigError({.file = file_,
                       .line = node.line,
                       .key = parameter_.key,
                       .problem = shown(node) + " is not valid here",
                       .expected = parameter_.expectation(),
                       .nearest = std::move(nearest)});
  }

  u64 number(const YamlNode& node) const {
    const auto value = parse_quantity(node.text, parameter_.spec.quantity);
    if (!value || !in_range(parameter_.spec, *value)) refuse(node);
    return *value;
  }

  std::string choice() const {
    const auto& choices = parameter_.choices;
    if (std::find(choices.begin(), choices.end(), node_.text) == choices.end()) {
      refuse(node_, nearest_name(node_.text, choices).value_or(""));
    }
    return node_.text;
  }

  std::vector<u64> list() const {
    std::vector<u64> values;
    if (node_.is_scalar()) {
      values.push_back(number(node_));
    } else if (node_.is_sequence()) {
      for (const YamlNode& item : node_.items) {
        if (!item.is_scalar()) refuse(item);
        values.push_back(number(item));
      }
    } else {
      refuse(node_);
    }
    const Spec& spec = parameter_.spec;
    if (values.size() < spec.min_items || values.size() > spec.max_items) refuse(node_);
    return values;
  }

  const Parameter& parameter_;
  const YamlNode& node_;
  const std::string& file_;
};

std::string last_component(const std::string& key) {
  const auto dot = key.rfind('.');
  return dot == std::string::npos ? key : key.substr(dot + 1);
}

std::string parent(const std::string& key) {
  const auto dot = key.rfind('.');
  return dot == std::string::npos ? std::string() : key.substr(0, dot + 1);
}

}  // namespace

std::string_view without_effect(Use use) {
  switch (use) {
    case Use::kMachine:
      return "";
    case Use::kTiming:
      return "no effect yet: used by the timing mode";
    case Use::kVmx:
      return "no effect yet: used by VMX operation";
    case Use::kIommu:
      return "no effect yet: used by the IOMMU";
  }
  return "";
}

std::string Parameter::unit_text() const {
  if (type != Type::kNumber) return spec.unit;
  switch (spec.quantity) {
    case Quantity::kSize:
      return "bytes";
    case Quantity::kTime:
      return "time";
    case Quantity::kFrequency:
      return "Hz";
    case Quantity::kCount:
      break;
  }
  return spec.unit;
}

std::string Parameter::expectation() const {
  switch (type) {
    case Type::kBool:
      return "true or false";
    case Type::kNumber:
      return number_expectation(spec);
    case Type::kText:
      return "text";
    case Type::kChoice:
      return "one of " + fmt::format("{}", fmt::join(choices, ", "));
    case Type::kList:
      break;
  }
  const std::string items = spec.min_items == spec.max_items
                                ? fmt::format("{}", spec.min_items)
                                : fmt::format("{} to {}", spec.min_items, spec.max_items);
  return "a list of " + items + " integers" +
         (spec.max == kNoLimit ? "" : fmt::format(" up to {:#x}", spec.max));
}

std::string Parameter::format(const Value& value) const {
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* number = std::get_if<u64>(&value)) return number_text(spec, *number);
  if (const auto* text = std::get_if<std::string>(&value)) return yaml_text(*text);
  std::vector<std::string> items;
  for (const u64 item : std::get<std::vector<u64>>(value)) items.push_back(number_text(spec, item));
  return fmt::format("[{}]", fmt::join(items, ", "));
}

Value Parameter::parse(const YamlNode& node, const std::string& file) const {
  return ValueParser(*this, node, file).parse();
}

void Schema::declare(const std::string& key, Type type, Spec spec, std::vector<std::string> choices,
                     std::function<void(const Value&)> assign) {
  SIM_CHECK(!index_.contains(key), key);
  index_.emplace(key, parameters_.size());
  parameters_.push_back({key, type, std::move(spec), std::move(choices), std::move(assign)});
}

void Schema::add(const std::string& key, u64& field, Spec spec) {
  declare(key, Type::kNumber, std::move(spec), {},
          [&field](const Value& value) { field = std::get<u64>(value); });
}
void Schema::add(const std::string& key, u32& field, Spec spec) {
  spec.max = std::min<u64>(spec.max, std::numeric_limits<u32>::max());
  declare(key, Type::kNumber, std::move(spec), {},
          [&field](const Value& value) { field = static_cast<u32>(std::get<u64>(value)); });
}
void Schema::add(const std::string& key, u8& field, Spec spec) {
  spec.max = std::min<u64>(spec.max, std::numeric_limits<u8>::max());
  declare(key, Type::kNumber, std::move(spec), {},
          [&field](const Value& value) { field = static_cast<u8>(std::get<u64>(value)); });
}
void Schema::add(const std::string& key, bool& field, Spec spec) {
  add_flag(
      key, [&field](bool on) { field = on; }, std::move(spec));
}
void Schema::add(const std::string& key, std::string& field, Spec spec) {
  declare(key, Type::kText, std::move(spec), {},
          [&field](const Value& value) { field = std::get<std::string>(value); });
}
void Schema::add(const std::string& key, std::optional<u64>& field, Spec spec) {
  declare(key, Type::kNumber, std::move(spec), {},
          [&field](const Value& value) { field = std::get<u64>(value); });
}
void Schema::add(const std::string& key, std::vector<u64>& field, Spec spec) {
  add_list(
      key, [&field](const std::vector<u64>& list) { field = list; }, std::move(spec));
}
void Schema::add_list(const std::string& key, std::function<void(const std::vector<u64>&)> assign,
                      Spec spec) {
  declare(key, Type::kList, std::move(spec), {}, [assign = std::move(assign)](const Value& value) {
    assign(std::get<std::vector<u64>>(value));
  });
}
void Schema::add_flag(const std::string& key, std::function<void(bool)> assign, Spec spec) {
  declare(key, Type::kBool, std::move(spec), {},
          [assign = std::move(assign)](const Value& value) { assign(std::get<bool>(value)); });
}
void Schema::add_family(Family family) { families_.push_back(std::move(family)); }

std::optional<Parameter> Schema::find(const std::string& key) const {
  if (const auto found = index_.find(key); found != index_.end()) return parameters_[found->second];
  for (const Family& family : families_) {
    if (!key.starts_with(family.prefix) || key.size() == family.prefix.size()) continue;
    auto member = family.member(key.substr(family.prefix.size()));
    if (member) member->key = key;
    return member;
  }
  return std::nullopt;
}

bool Schema::is_group(const std::string& key) const {
  const std::string prefix = key + ".";
  const auto next = index_.lower_bound(prefix);
  if (next != index_.end() && next->first.starts_with(prefix)) return true;
  return std::any_of(families_.begin(), families_.end(), [&](const Family& family) {
    return family.prefix.starts_with(prefix) ||
           (family.is_nested && prefix.starts_with(family.prefix));
  });
}

std::optional<std::string> Schema::nearest(const std::string& key) const {
  if (key.size() > kLongestKey) return std::nullopt;
  const std::string above = parent(key);
  const std::string name = last_component(key);
  std::vector<std::string> siblings;   // parameters and groups beside it
  std::vector<std::string> namesakes;  // the same last component elsewhere
  std::vector<std::string> all;
  std::set<std::string> seen;
  for (const Parameter& parameter : parameters_) {
    const std::string& candidate = parameter.key;
    all.push_back(candidate);
    if (last_component(candidate) == name) namesakes.push_back(candidate);
    if (!candidate.starts_with(above)) continue;
    const auto dot = candidate.find('.', above.size());
    std::string sibling = candidate.substr(above.size(), dot - above.size());
    if (seen.insert(sibling).second) siblings.push_back(std::move(sibling));
  }
  for (const Family& family : families_) {
    if (family.prefix != above) continue;
    siblings.insert(siblings.end(), family.known.begin(), family.known.end());
  }
  if (const auto sibling = nearest_name(name, siblings)) return above + *sibling;
  if (!namesakes.empty()) {
    return *std::min_element(namesakes.begin(), namesakes.end(), [&](const auto& a, const auto& b) {
      return edit_distance(a, key) < edit_distance(b, key);
    });
  }
  return nearest_name(key, all);
}

}  // namespace vtsim::config
