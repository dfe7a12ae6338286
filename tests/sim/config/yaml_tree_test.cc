#include "sim/config/yaml_tree.h"

#include <catch2/catch.hpp>

using namespace vtsim::config;

namespace {

ConfigError::Parts error_of(const std::string& text) {
  try {
    parse_yaml(text, "x.yaml");
  } catch (const ConfigError& error) {
    return error.parts();
  }
  FAIL("no error");
  return {};
}

}  // namespace

TEST_CASE("a YAML tree knows its lines") {
  const YamlNode root = parse_yaml("a: 1\nb:\n  c: [x, \"y z\"]\n\n  d:\n", "x.yaml");
  REQUIRE(root.is_mapping());
  REQUIRE(root.entries.size() == 2);
  CHECK(root.entries[0].key == "a");
  CHECK(root.entries[0].line == 1);
  CHECK(root.entries[0].value.text == "1");
  const YamlNode* b = root.find("b");
  REQUIRE(b != nullptr);
  const YamlNode* c = b->find("c");
  REQUIRE(c != nullptr);
  REQUIRE(c->items.size() == 2);
  CHECK(c->items[1].text == "y z");
  CHECK(c->items[1].quoted);
  CHECK(c->items[1].line == 3);
  CHECK(b->find("d")->kind == YamlNode::Kind::kNull);
  CHECK(b->find("d")->line == 5);
  CHECK(b->find("e") == nullptr);
}

TEST_CASE("an empty document is empty, not an error") {
  CHECK(parse_yaml("", "x.yaml").kind == YamlNode::Kind::kNull);
  CHECK(parse_yaml("# nothing\n", "x.yaml").kind == YamlNode::Kind::kNull);
}

TEST_CASE("what a platform file may not hold is refused with its line") {
  struct Row {
    std::string text;
    int line;
    std::string problem;
  };
  const Row rows[] = {
      {"a: 1\nb: [1, 2\n", 3, "not valid YAML"},
      {"a: &x 1\nb: 2\n", 1, "an anchor"},
      {"a: 1\na: 2\n", 2, "given twice"},
      {"{[1]: 2}\n", 1, "a key that is not a name"},
      {"a: 1\n---\nb: 2\n", 0, "more than one document"},
      {"a: 1\n\tb: 2\n", 2, "not valid YAML"},
      {std::string(64, '[') + std::string(64, ']'), 1, "nested too deeply"},
  };
  for (const Row& row : rows) {
    INFO(row.text);
    const auto parts = error_of(row.text);
    CHECK(parts.file == "x.yaml");
    CHECK(parts.line == row.line);
    CHECK(parts.problem.find(row.problem) != std::string::npos);
  }
}

TEST_CASE("aliases cannot multiply") {
  std::string text = "a0: &a0 [x, x, x, x]\n";
  for (int i = 1; i < 40; ++i) {
    const std::string above = "*a" + std::to_string(i - 1);
    text +=
        "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + above + "," + above + "]\n";
  }
  CHECK(error_of(text).problem.find("an anchor") != std::string::npos);
}

TEST_CASE("size and number of values are bounded") {
  CHECK(error_of(std::string(kMaxYamlBytes + 1, ' ')).problem.find("larger") != std::string::npos);
  std::string list = "[";
  for (std::size_t i = 0; i <= kMaxYamlNodes; ++i) list += "1,";
  CHECK(error_of(list + "]").problem.find("too many") != std::string::npos);
  CHECK(error_of(std::string(100'000, '[')).line >= 0);
  CHECK(error_of(std::string(100'000, '{')).line >= 0);
}
