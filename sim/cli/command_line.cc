#include "sim/cli/command_line.h"

#include <algorithm>

#include "sim/cli/application.h"
#include "sim/cli/option_values.h"
#include "sim/config/nearest_name.h"

namespace vtsim::cli {
namespace {

Finished usage_error(const std::string& command, const std::string& problem) {
  const std::string help = command.empty() ? "vtsim --help" : "vtsim " + command + " --help";
  return {ExitStatus::kUsage, "vtsim: " + problem + "\nSee `" + help + "`.\n"};
}

// The option among `app`'s that `word` is a slip of.
std::string nearest_option(const CLI::App& app, const std::string& word) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return config::nearest_name(word.substr(0, word.find('=')), names).value_or("");
}

std::string nearest_command(const CLI::App& app, const std::string& word) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands(nullptr)) names.push_back(command->get_name());
  return config::nearest_name(word, names).value_or("");
}

std::string with_suggestion(std::string text, const std::string& nearest) {
  return nearest.empty() ? text : text + "; did you mean '" + nearest + "'?";
}

// The subcommand that the words chose, as far as parsing got.
const CLI::App* chosen(const CLI::App& app) {
  const auto parsed = app.get_subcommands();
  return parsed.empty() ? nullptr : parsed.front();
}

Finished parse_failure(const Application& application, const CLI::ParseError& error,
                       const std::vector<std::string>& words) {
  const CLI::App& app = application.app;
  const CLI::App* command = chosen(app);
  const std::string name = command == nullptr ? "" : command->get_name();
  if (dynamic_cast<const CLI::CallForHelp*>(&error) != nullptr) {
    return {ExitStatus::kOk, command == nullptr ? app.help() : command->help("vtsim")};
  }
  if (dynamic_cast<const CLI::CallForVersion*>(&error) != nullptr)
    return {ExitStatus::kOk, std::string(error.what()) + "\n"};
  if (command == nullptr && words.size() > 1) {
    const std::string& word = words[1];
    const std::string nearest =
        word.starts_with('-') ? nearest_option(app, word) : nearest_command(app, word);
    return usage_error("", with_suggestion("unknown command '" + word + "'", nearest));
  }
  if (command == nullptr) return usage_error("", "no command");
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) {
    const auto extras = app.remaining(true);
    const std::string word = extras.empty() ? "" : extras.front();
    if (word.starts_with('-')) {
      return usage_error(
          name, with_suggestion("unknown option '" + word + "'", nearest_option(*command, word)));
    }
    return usage_error(name, "one word too many: '" + word + "'");
  }
  std::string problem = error.what();
  std::replace(problem.begin(), problem.end(), '\n', ' ');
  return usage_error(name, name + ": " + problem);
}

config::Request machine_request(const CLI::App& command, const RawOptions& raw) {
  config::Request request;
  request.platform = raw.platform;
  for (const std::string& text : raw.set) request.overrides.push_back(config::parse_set(text));
  if (command.count("--memory") > 0) {
    request.overrides.push_back({"--memory", "memory.size", raw.memory});
  }
  if (command.count("--cpus") > 0) request.overrides.push_back({"--cpus", "cores.count", raw.cpus});
  request.devices = raw.devices;
  return request;
}

[[noreturn]] void refuse(const std::string& option, const std::string& problem,
                         const std::string& expected = {}) {
  throw config::ConfigError({.file = option,
                             .line = 0,
                             .key = {},
                             .problem = problem,
                             .expected = expected,
                             .nearest = {}});
}

Mode parse_mode(const std::string& text) {
  if (text == "functional") return Mode::kFunctional;
  if (text == "timing") refuse("--mode", "timing mode is not yet available");
  refuse("--mode", "'" + text + "' is not valid here", "functional or timing");
}

ProgressWhen parse_progress(const std::string& text) {
  if (text == "auto") return ProgressWhen::kAuto;
  if (text == "always") return ProgressWhen::kAlways;
  if (text == "never") return ProgressWhen::kNever;
  refuse("--progress", "'" + text + "' is not valid here", "auto, always or never");
}

GuestOptions parse_guest(const CLI::App& run, const RawOptions& raw) {
  GuestOptions guest{raw.kernel, raw.initrd, raw.append, std::nullopt};
  if (run.count("--load-at") > 0) {
    guest.load_at = config::parse_quantity(raw.load_at, config::Quantity::kSize);
    if (!guest.load_at)
      refuse("--load-at", "'" + raw.load_at + "' is not valid here", "an address");
  }
  if (guest.kernel.empty()) refuse("run", "no guest", "--kernel FILE");
  return guest;
}

Limits parse_limits(const CLI::App& run, const RawOptions& raw) {
  Limits limits;
  if (run.count("--max-instructions") > 0) {
    limits.instructions = parse_count("--max-instructions", raw.max_instructions);
  }
  if (run.count("--max-cycles") > 0) limits.cycles = parse_count("--max-cycles", raw.max_cycles);
  if (run.count("--max-time") > 0) limits.time = parse_simulated_time("--max-time", raw.max_time);
  if (run.count("--timeout") > 0) limits.timeout = parse_host_seconds("--timeout", raw.timeout);
  return limits;
}

TraceOptions parse_trace(const CLI::App& run, const RawOptions& raw) {
  TraceOptions trace;
  const bool has_trace = run.count("--trace") > 0;
  const bool has_file = run.count("--trace-file") > 0;
  if (has_trace != has_file) {
    refuse(has_trace ? "--trace" : "--trace-file", "not given alone",
           has_trace ? "--trace-file FILE too" : "--trace CATEGORIES too");
  }
  if (run.count("--trace-window") > 0) {
    if (!has_trace) refuse("--trace-window", "nothing is traced", "--trace CATEGORIES too");
    parse_trace_window(raw.trace_window, trace);
  }
  if (!has_trace) return trace;
  trace.categories = parse_categories(raw.trace);
  check_trace_file(raw.trace_file);
  trace.path = raw.trace_file;
  return trace;
}

RunOptions parse_run(const Application& application) {
  const RawOptions& raw = application.raw;
  const CLI::App& run = *application.run;
  for (const CLI::Option* option : application.unavailable_options) {
    if (option->count() > 0) refuse(option->get_name(), "not yet available");
  }
  RunOptions options;
  options.platform = raw.platform;
  options.guest = parse_guest(run, raw);
  options.mode = parse_mode(raw.mode);
  options.limits = parse_limits(run, raw);
  options.console = parse_console(raw.console);
  for (const std::string& pattern : raw.expect) check_pattern("--expect", pattern);
  for (const std::string& pattern : raw.fail_on) check_pattern("--fail-on", pattern);
  options.console.expect = raw.expect;
  options.console.fail_on = raw.fail_on;
  options.no_reboot = raw.no_reboot;
  for (const std::string& path : raw.stats) check_stats_file(path);
  options.stats_paths = raw.stats;
  options.trace = parse_trace(run, raw);
  options.commit_log = raw.commit_log;
  if (run.count("--commit-log-window") > 0) {
    if (raw.commit_log.empty())
      refuse("--commit-log-window", "there is no log", "--commit-log FILE too");
    parse_commit_log_window(raw.commit_log_window, options);
  }
  options.commit_log_disassembly = raw.disassemble;
  options.progress = parse_progress(raw.progress);
  return options;
}

ListSubject parse_subject(const std::string& text) {
  const auto& subjects = list_subjects();
  const auto found = std::find(subjects.begin(), subjects.end(), text);
  if (found == subjects.end()) return ListSubject::kAll;
  return static_cast<ListSubject>(1 + (found - subjects.begin()));
}

Command command_of(const Application& application, const std::vector<std::string>& words) {
  const CLI::App* command = chosen(application.app);
  if (command == application.manual) return ManualCommand{};
  if (command == application.list) return ListCommand{parse_subject(application.raw.subject)};
  if (command == application.config) {
    return ConfigCommand{machine_request(*command, application.raw), application.raw.json};
  }
  if (command == application.run) {
    RunCommand run{parse_run(application), machine_request(*command, application.raw)};
    run.options.command = words;
    return run;
  }
  return Finished{ExitStatus::kUsage,
                  "vtsim: the command '" + command->get_name() + "' is not yet available\n"};
}

}  // namespace

Command parse_command_line(const std::vector<std::string>& words) {
  Application application;
  try {
    // CLI11 takes the words from the back.
    std::vector<std::string> reversed;
    if (words.size() > 1) reversed.assign(words.rbegin(), words.rend() - 1);
    application.app.parse(reversed);
    return command_of(application, words);
  } catch (const CLI::ParseError& error) {
    return parse_failure(application, error, words);
  } catch (const config::ConfigError& error) {
    return Finished{ExitStatus::kUsage, "vtsim: " + std::string(error.what()) + "\n"};
  }
}

}  // namespace vtsim::cli
