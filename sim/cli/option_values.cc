#include "sim/cli/option_values.h"

#include <fmt/format.h>

#include <algorithm>

#include "sim/config/config_error.h"
#include "sim/config/nearest_name.h"
#include "sim/config/quantity.h"
#include "sim/observe/line_watch.h"
#include "sim/observe/trace_writer.h"
#include "sim/stats/result.h"

namespace vtsim::cli {
namespace {

using config::parse_quantity;
using config::Quantity;

[[noreturn]] void refuse(const std::string& option, const std::string& problem,
                         const std::string& expected, const std::string& nearest = {}) {
  throw config::ConfigError({.file = option,
                             .line = 0,
                             .key = {},
                             .problem = problem,
                             .expected = expected,
                             .nearest = nearest});
}

std::string not_valid(const std::string& text) { return "'" + text + "' is not valid here"; }

std::optional<TracePoint> parse_trace_point(const std::string& text) {
  if (text.empty()) return std::nullopt;
  if (const auto count = parse_quantity(text, Quantity::kCount)) {
    return TracePoint{TracePoint::Unit::kInstruction, *count};
  }
  if (const auto time = parse_quantity(text, Quantity::kTime)) {
    return TracePoint{TracePoint::Unit::kPicosecond, *time};
  }
  refuse("--trace-window", not_valid(text), "a number of instructions, or a time such as 1.5ms");
}

}  // namespace

u64 parse_count(const std::string& option, const std::string& text) {
  const auto value = parse_quantity(text, Quantity::kCount);
  if (!value || *value == 0) refuse(option, not_valid(text), "a number from 1");
  return *value;
}

Ps parse_simulated_time(const std::string& option, const std::string& text) {
  const auto value = parse_quantity(text, Quantity::kTime);
  if (!value || *value == 0) {
    refuse(option, not_valid(text), std::string(config::example_of(Quantity::kTime)));
  }
  return *value;
}

double parse_host_seconds(const std::string& option, const std::string& text) {
  return static_cast<double>(parse_simulated_time(option, text)) /
         static_cast<double>(kPsPerSecond);
}

void parse_trace_window(const std::string& text, TraceOptions& trace) {
  const auto colon = text.find(':');
  if (colon == std::string::npos) refuse("--trace-window", not_valid(text), "FROM:TO");
  trace.from = parse_trace_point(text.substr(0, colon));
  trace.to = parse_trace_point(text.substr(colon + 1));
  const bool comparable = trace.from && trace.to && trace.from->unit == trace.to->unit;
  if (comparable && trace.from->value >= trace.to->value) {
    refuse("--trace-window", "'" + text + "' is empty", "FROM below TO");
  }
}

void parse_commit_log_window(const std::string& text, RunOptions& options) {
  constexpr const char* kOption = "--commit-log-window";
  const auto colon = text.find(':');
  if (colon == std::string::npos) refuse(kOption, not_valid(text), "FROM:TO");
  const std::string from = text.substr(0, colon), to = text.substr(colon + 1);
  if (!from.empty()) options.commit_log_first = parse_count(kOption, from);
  if (!to.empty()) options.commit_log_last = parse_count(kOption, to);
  if (options.commit_log_first > options.commit_log_last)
    refuse(kOption, "'" + text + "' is empty", "FROM not above TO");
}

std::vector<std::string> parse_categories(const std::string& text) {
  std::vector<std::string> known = observe::trace_categories();
  known.emplace_back("all");
  std::vector<std::string> categories;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    std::string name = text.substr(begin, end - begin);
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      refuse("--trace", "unknown category '" + name + "'",
             fmt::format("one of {}", fmt::join(known, ", ")),
             config::nearest_name(name, known).value_or(""));
    }
    categories.push_back(std::move(name));
    begin = end + 1;
  }
  return categories;
}

ConsoleOptions parse_console(const std::string& text) {
  ConsoleOptions console;
  if (text == "none") {
    console.kind = ConsoleKind::kNone;
  } else if (text != "stdio") {
    if (text.empty()) refuse("--console", "no file", "stdio, none or a file");
    console.kind = ConsoleKind::kFile;
    console.path = text;
  }
  return console;
}

void check_pattern(const std::string& option, const std::string& pattern) {
  const std::string problem = observe::LineWatch::check(pattern);
  if (!problem.empty()) refuse(option, "'" + pattern + "': " + problem, "a regular expression");
}

void check_trace_file(const std::string& path) {
  if (!observe::trace_format_of(path)) {
    refuse("--trace-file", not_valid(path), "a name in .log, .jsonl or .perfetto.json");
  }
}

void check_stats_file(const std::string& path) {
  if (!stats::format_of(path)) {
    refuse("--stats", not_valid(path), "a name in .json, .csv or .txt");
  }
}

}  // namespace vtsim::cli
