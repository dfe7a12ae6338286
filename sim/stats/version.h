#pragma once

#include <string_view>

namespace vtsim::stats {

std::string_view version();

}  // namespace vtsim::stats
