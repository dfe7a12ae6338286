#pragma once
// All that a program has computed, as named numbers: two runs that agree in it are the same.

#include <string>
#include <vector>

#include "tests/fuzz/code/machine.h"

namespace vtsim::fuzz {

struct NamedValue {
  std::string name;
  u64 value;
};

u64 digest_of(Machine& machine);
// Empty, or the first values in which the two differ.
std::string difference(Machine& first, Machine& second);

}  // namespace vtsim::fuzz
