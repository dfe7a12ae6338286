#include "sim/config/yaml_tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

namespace vtsim::config {
namespace {

[[noreturn]] void fail(const std::string& file, int line, std::string problem,
                       std::string expected = {}) {
  throw ConfigError({.file = file,
                     .line = line,
                     .key = {},
                     .problem = std::move(problem),
                     .expected = std::move(expected),
                     .nearest = {}});
}

// Builds the tree from the parser's events; `open_` is the path from the root to where we are.
class TreeBuilder final : public YAML::EventHandler {
 public:
  explicit TreeBuilder(const std::string& file) : file_(file) {}

  YamlNode take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuse_anchor(mark, anchor);
    add(mark, YamlNode::Kind::kNull, {});
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    fail(file_, mark.line + 1, "an alias", "values written out");
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_anchor(mark, anchor);
    if (YamlNode* node = add(mark, YamlNode::Kind::kScalar, value)) node->quoted = tag == "!";
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    refuse_anchor(mark, anchor);
    open(mark, YamlNode::Kind::kSequence);
  }
  void OnSequenceEnd() override { open_.pop_back(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    refuse_anchor(mark, anchor);
    open(mark, YamlNode::Kind::kMapping);
  }
  void OnMapEnd() override { open_.pop_back(); }

 private:
  struct Level {
    YamlNode* node;
    bool has_key = false;  // of a mapping: the last entry waits for its value
  };

  void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) const {
    if (anchor != 0) fail(file_, mark.line + 1, "an anchor", "values written out");
  }

  // nullptr: the scalar became a key.
  YamlNode* add(const YAML::Mark& mark, YamlNode::Kind kind, const std::string& text) {
    const int line = mark.line + 1;
    if (++nodes_ > kMaxYamlNodes) fail(file_, line, "too many values in one file");
    YamlNode node;
    node.kind = kind;
    node.line = line;
    node.text = text;
    if (open_.empty()) {
      root_ = std::move(node);
      return &root_;
    }
    Level& level = open_.back();
    if (level.node->kind == YamlNode::Kind::kSequence) {
      return &level.node->items.emplace_back(std::move(node));
    }
    if (!level.has_key) {
      add_key(level, node);
      return nullptr;
    }
    level.has_key = false;
    if (kind == YamlNode::Kind::kNull) node.line = level.node->entries.back().line;
    YamlNode& value = level.node->entries.back().value;
    value = std::move(node);
    return &value;
  }

  void add_key(Level& level, const YamlNode& node) {
    if (!node.is_scalar()) fail(file_, node.line, "a key that is not a name", "name: value");
    const bool repeated =
        std::any_of(level.node->entries.begin(), level.node->entries.end(),
                    [&](const YamlEntry& entry) { return entry.key == node.text; });
    if (repeated) fail(file_, node.line, "'" + node.text + "' is given twice in one mapping");
    if (level.node->entries.size() >= kMaxEntries) fail(file_, node.line, "a mapping too large");
    level.node->entries.push_back({node.text, node.line, {}});
    level.has_key = true;
  }

  void open(const YAML::Mark& mark, YamlNode::Kind kind) {
    if (open_.size() >= kMaxYamlDepth) fail(file_, mark.line + 1, "nested too deeply");
    YamlNode* node = add(mark, kind, {});
    if (node == nullptr) fail(file_, mark.line + 1, "a key that is not a name", "name: value");
    open_.push_back({node});
  }

  static constexpr std::size_t kMaxEntries = 2'000;  // uniqueness is checked by looking

  const std::string& file_;
  YamlNode root_;
  // Pointers stay good: a vector grows only while its last element, our path, is complete.
  std::vector<Level> open_;
  std::size_t nodes_ = 0;
};

}  // namespace

const YamlNode* YamlNode::find(std::string_view key) const {
  const auto entry = std::find_if(entries.begin(), entries.end(),
                                  [&](const YamlEntry& e) { return e.key == key; });
  return entry == entries.end() ? nullptr : &entry->value;
}

YamlNode parse_yaml(const std::string& text, const std::string& file) {
  if (text.size() > kMaxYamlBytes) fail(file, 0, "larger than 1M", "a platform file");
  std::istringstream stream(text);
  TreeBuilder builder(file);
  try {
    YAML::Parser parser(stream);
    parser.HandleNextDocument(builder);
    YamlNode root = builder.take();
    TreeBuilder rest(file);
    if (parser.HandleNextDocument(rest)) fail(file, 0, "more than one document", "one");
    return root;
  } catch (const YAML::Exception& error) {
    fail(file, error.mark.is_null() ? 0 : error.mark.line + 1, "not valid YAML: " + error.msg);
  }
}

YamlNode read_yaml_file(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  std::string text(kMaxYamlBytes + 1, '\0');
  if (stream) {
    stream.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(stream.gcount()));
  }
  if (!stream.is_open() || stream.bad()) {
    fail(path, 0, std::string("cannot be read: ") + std::strerror(errno));
  }
  return parse_yaml(text, path);
}

}  // namespace vtsim::config
