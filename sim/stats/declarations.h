#pragma once
// Every statistic that a run can report, declared once: result files, `vtsim list statistics` and
// the manual page read this table, and the registry refuses names that are not in it.

#include <span>
#include <string>
#include <string_view>

namespace vtsim::stats {

struct Declaration {
  std::string_view name;  // {} stands for a core's number or the name of an event
  std::string_view unit;
  std::string_view help;
};

std::span<const Declaration> declarations();

// One line a statistic.
std::string list_statistics();

}  // namespace vtsim::stats
