#pragma once
// A parameter is declared once, with all that is known about it: the parser, the error messages,
// `vtsim config`, `vtsim list parameters` and the manual page read the same declaration.

#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "model/base/types.h"
#include "sim/config/quantity.h"
#include "sim/config/yaml_tree.h"

namespace vtsim::config {

enum class Type {
  kBool,
  kNumber,  // of the parameter's quantity
  kText,
  kChoice,  // one of `choices`
  kList,    // min_items to max_items counts
};

// What makes use of it. All are accepted and checked; those of parts that are not there have no
// effect, and `vtsim config` says so.
enum class Use { kMachine, kTiming, kVmx, kIommu };
std::string_view without_effect(Use use);  // "" or the reason why it has no effect

using Value = std::variant<bool, u64, std::string, std::vector<u64>>;

// A declaration's facts, named at the place of declaration.
struct Spec {
  std::string help;
  std::string fallback = {};  // the default, as one would write it; empty: absent unless given
  Quantity quantity = Quantity::kCount;
  std::string unit = {};  // of a count: "cycles", "entries", "ways"
  u64 min = 0;
  u64 max = std::numeric_limits<u64>::max();
  bool hex = false;           // prints in hexadecimal
  bool power_of_two = false;  // zero is not one; see allow_zero
  bool allow_zero = false;
  std::size_t min_items = 0;
  std::size_t max_items = 64;
  Use use = Use::kMachine;
  std::string source = {};  // of the default
};

struct Parameter {
  std::string key;  // full, dotted
  Type type = Type::kNumber;
  Spec spec;
  std::vector<std::string> choices;
  std::function<void(const Value&)> assign;  // into the MachineConfig that the schema is bound to

  std::string unit_text() const;                 // "bytes", "Hz", "cycles", ""
  std::string expectation() const;               // "an integer from 1 to 64"
  std::string format(const Value& value) const;  // as YAML; parse() reads it back
  // Throws ConfigError{file, node.line, key}.
  Value parse(const YamlNode& node, const std::string& file) const;
};

// A name of an enumerator, as platform files write it.
template <class Enum>
struct Choice {
  std::string_view name;
  Enum value;
};

// Parameters whose last components are data themselves: cores.msr.<name>, cores.cpuid.leaf.<n>.<m>.
struct Family {
  std::string prefix;       // "cores.msr."
  std::string placeholder;  // "<name>"
  Parameter pattern;        // its key is set for each member
  // The member called `rest` (what follows the prefix), or nullopt if there can be none.
  std::function<std::optional<Parameter>(const std::string& rest)> member;
  std::vector<std::string> known;  // for suggestions; may be empty
  bool is_nested = false;          // a member's key may go on: <leaf>.<subleaf>
};

// All parameters, bound to one MachineConfig.
class Schema {
 public:
  void add(const std::string& key, u64& field, Spec spec);
  void add(const std::string& key, u32& field, Spec spec);
  void add(const std::string& key, u8& field, Spec spec);
  void add(const std::string& key, bool& field, Spec spec);
  void add(const std::string& key, std::string& field, Spec spec);
  void add(const std::string& key, std::optional<u64>& field, Spec spec);
  void add(const std::string& key, std::vector<u64>& field, Spec spec);
  void add_list(const std::string& key, std::function<void(const std::vector<u64>&)> assign,
                Spec spec);
  void add_flag(const std::string& key, std::function<void(bool)> assign, Spec spec);
  void add_family(Family family);

  template <class Enum>
  void add(const std::string& key, Enum& field,
           std::type_identity_t<std::span<const Choice<Enum>>> choices, Spec spec) {
    std::vector<std::string> names;
    for (const auto& choice : choices) names.emplace_back(choice.name);
    declare(key, Type::kChoice, std::move(spec), std::move(names),
            [&field, choices](const Value& v) {
              for (const auto& choice : choices) {
                if (choice.name == std::get<std::string>(v)) field = choice.value;
              }
            });
  }

  const std::vector<Parameter>& parameters() const { return parameters_; }
  const std::vector<Family>& families() const { return families_; }

  std::optional<Parameter> find(const std::string& key) const;
  bool is_group(const std::string& key) const;  // some parameter's key begins with key + "."
  // The valid key nearest to a wrong one: a slip in its last component, the same last component
  // elsewhere, or a slip in the whole.
  std::optional<std::string> nearest(const std::string& key) const;

 private:
  void declare(const std::string& key, Type type, Spec spec, std::vector<std::string> choices,
               std::function<void(const Value&)> assign);

  std::vector<Parameter> parameters_;  // in the order of declaration, which is that of output
  std::map<std::string, std::size_t> index_;
  std::vector<Family> families_;
};

}  // namespace vtsim::config
