#pragma once
// Everything that software can see of a core, as a list of named values: what two runs must agree on.

#include <string>
#include <vector>

#include "model/cpu/core.h"

namespace vtsim::cpu::test {

struct NamedValue {
  const char* name;
  unsigned index;
  u64 value;
};

class CoreImage {
 public:
  CoreImage() = default;
  explicit CoreImage(const CoreState& state);
  // Empty: the same. Else every difference, as "name[index] want -> got".
  std::string differences(const CoreImage& got) const;

 private:
  void add(const char* name, u64 value) { values_.push_back({name, 0, value}); }
  template <class Array>
  void add_all(const char* name, const Array& array) {
    unsigned n = 0;
    for (const auto& value : array) values_.push_back({name, n++, value});
  }
  void add_segments(const CoreState& state);
  void add_vectors(const CoreState& state);

  std::vector<NamedValue> values_;
};

}  // namespace vtsim::cpu::test
