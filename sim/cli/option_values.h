#pragma once
// The forms in which options take their values. Each throws config::ConfigError that names the
// option.

#include <optional>
#include <string>
#include <vector>

#include "sim/cli/run_options.h"

namespace vtsim::cli {

u64 parse_count(const std::string& option, const std::string& text);
Ps parse_simulated_time(const std::string& option, const std::string& text);
double parse_host_seconds(const std::string& option, const std::string& text);

// FROM:TO, either may be empty; instructions, or times with a unit.
void parse_trace_window(const std::string& text, TraceOptions& trace);

// FROM:TO, either may be empty; instructions.
void parse_commit_log_window(const std::string& text, RunOptions& options);

// a,b,c: categories of `vtsim list events`, or all.
std::vector<std::string> parse_categories(const std::string& text);

ConsoleOptions parse_console(const std::string& text);

void check_pattern(const std::string& option, const std::string& pattern);
void check_trace_file(const std::string& path);
void check_stats_file(const std::string& path);

}  // namespace vtsim::cli
