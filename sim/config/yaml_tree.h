#pragma once
// A YAML file as a plain tree with line numbers. The only place that knows yaml-cpp. Bounded: no
// input, however hostile, makes it deeper, larger or slower than the limits below allow.

#include <string>
#include <string_view>
#include <vector>

#include "sim/config/config_error.h"

namespace vtsim::config {

struct YamlEntry;

struct YamlNode {
  enum class Kind { kNull, kScalar, kSequence, kMapping };

  Kind kind = Kind::kNull;
  int line = 0;      // from 1
  std::string text;  // of a scalar
  bool quoted = false;
  std::vector<YamlNode> items;     // of a sequence
  std::vector<YamlEntry> entries;  // of a mapping, in the order of the file; keys are unique

  bool is_scalar() const { return kind == Kind::kScalar; }
  bool is_sequence() const { return kind == Kind::kSequence; }
  bool is_mapping() const { return kind == Kind::kMapping; }
  const YamlNode* find(std::string_view key) const;  // in a mapping; nullptr: not there
};

struct YamlEntry {
  std::string key;
  int line = 0;
  YamlNode value;
};

inline constexpr std::size_t kMaxYamlBytes = std::size_t{1} << 20;
inline constexpr int kMaxYamlDepth = 32;
inline constexpr std::size_t kMaxYamlNodes = 100'000;

// One document (an empty one is kNull). Anchors, aliases and second documents are refused.
// `file` only names it in errors. Throws ConfigError.
YamlNode parse_yaml(const std::string& text, const std::string& file);
YamlNode read_yaml_file(const std::string& path);

}  // namespace vtsim::config
