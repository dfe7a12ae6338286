#pragma once
// The vtsim program, but for running a machine.

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "sim/cli/run_options.h"
#include "sim/config/machine_config.h"

namespace vtsim::cli {

// Runs a guest and returns the process's exit status; `configuration` goes into results. May throw
// config::ConfigError and std::runtime_error (status 2: the user's), and SimDefect (status 10:
// ours).
using Runner = int (*)(const config::MachineConfig& machine, const RunOptions& options,
                       const nlohmann::ordered_json& configuration);

// Does what the command line says; returns the process's exit status. Never throws.
int execute(const std::vector<std::string>& words, Runner runner);

}  // namespace vtsim::cli
