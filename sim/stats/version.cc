#include "sim/stats/version.h"

namespace vtsim::stats {

std::string_view version() { return VTSIM_VERSION; }

}  // namespace vtsim::stats
