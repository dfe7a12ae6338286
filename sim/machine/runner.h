#pragma once
// One headless run, from images to exit status: what `vtsim run` does once everything is parsed.

#include <nlohmann/json.hpp>

#include "sim/cli/run_options.h"
#include "sim/config/machine_config.h"

namespace vtsim::machine {

// Loads the guest, runs it until it ends in one of the ways of docs/vtsim.1, writes what was asked
// for, and says on standard error why a run did not end well. `configuration` goes into results.
// Returns the process's exit status. Throws ImageError and OutputError before the guest starts.
int run(const config::MachineConfig& config, const cli::RunOptions& options,
        const nlohmann::ordered_json& configuration);

}  // namespace vtsim::machine
