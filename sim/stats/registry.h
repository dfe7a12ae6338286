#pragma once
// The statistics of one machine: names bound to getters. Reading them changes nothing.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "model/base/types.h"
#include "sim/stats/declarations.h"

namespace vtsim::stats {

// Values at one moment of a run.
struct Snapshot {
  struct Entry {
    std::string name;
    std::string_view unit;
    std::string_view help;
    u64 value = 0;
  };
  std::string label;  // "end", "marker 5"
  std::vector<Entry> entries;

  // The value of a statistic; 0 if it is not there.
  u64 value(std::string_view name) const;
};

class Registry {
 public:
  using Getter = std::function<u64()>;

  // `declared` is a name of declarations(), `parts` what its {} stand for:
  //   add("cpu{}.instructions", {"0"}, getter)
  // An undeclared or repeated name is a defect of ours.
  void add(std::string_view declared, const std::vector<std::string>& parts, Getter getter);

  // All values, ordered by name with numbers by their value: cpu2 before cpu10.
  Snapshot snapshot(std::string label) const;

 private:
  struct Statistic {
    std::string name;
    const Declaration* declaration;
    Getter getter;
  };
  std::vector<Statistic> statistics_;  // in that order
};

// Text order in which runs of digits compare as numbers.
bool natural_less(std::string_view a, std::string_view b);

}  // namespace vtsim::stats
