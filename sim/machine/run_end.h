#pragma once
// How a run ended: the first reason counts.

#include <optional>
#include <string>

#include "sim/cli/exit_status.h"

namespace vtsim::machine {

struct RunEnd {
  int status = 0;
  std::string reason;
};

}  // namespace vtsim::machine
