#include "sim/cli/execute.h"

#include <fmt/format.h>

#include <cstdio>

#include "model/base/check.h"
#include "sim/cli/command_line.h"
#include "sim/config/print.h"
#include "sim/observe/markers.h"
#include "sim/observe/trace_writer.h"
#include "sim/stats/declarations.h"
#include "sim/stats/version.h"

namespace vtsim::cli {
namespace {

int say(ExitStatus status, const std::string& text) {
  std::FILE* stream = status == ExitStatus::kOk ? stdout : stderr;
  const bool written = std::fwrite(text.data(), 1, text.size(), stream) == text.size();
  if (!written || std::fflush(stream) != 0) return exit_code(ExitStatus::kUsage);
  return exit_code(status);
}

int defect(const std::string& what, const std::vector<std::string>& words) {
  return say(ExitStatus::kDefect,
             fmt::format("vtsim: this is a defect of vtsim: {}\n"
                         "Please report it with the version ({}), the command below, and the "
                         "images:\n  {}\n",
                         what, stats::version(), fmt::join(words, " ")));
}

std::string list_text(ListSubject subject, const config::PlatformFiles& files) {
  switch (subject) {
    case ListSubject::kPlatforms:
      return config::list_platforms(files);
    case ListSubject::kDevices:
      return config::list_devices();
    case ListSubject::kParameters:
      return config::list_parameters();
    case ListSubject::kStatistics:
      return stats::list_statistics();
    case ListSubject::kEvents:
      return observe::list_events();
    case ListSubject::kMarkers:
      return observe::list_markers();
    case ListSubject::kAll:
      break;
  }
  return "PLATFORMS\n" + config::list_platforms(files) + "\nDEVICES\n" + config::list_devices() +
         "\n" + config::list_parameters() + "\n" + stats::list_statistics() + "\n" +
         observe::list_events() + "\nMARKERS\n" + observe::list_markers();
}

class Executor {
 public:
  Executor(const config::PlatformFiles& files, Runner runner) : files_(files), runner_(runner) {}

  int operator()(const Finished& finished) const { return say(finished.status, finished.text); }
  int operator()(const ManualCommand&) const { return say(ExitStatus::kOk, manual_page()); }
  int operator()(const ListCommand& list) const {
    return say(ExitStatus::kOk, list_text(list.subject, files_));
  }
  int operator()(const ConfigCommand& command) const {
    const config::Resolved resolved = config::resolve(command.machine, files_);
    return say(ExitStatus::kOk, command.json ? config::to_json_with_origins(resolved).dump(2) + "\n"
                                             : config::to_yaml(resolved));
  }
  int operator()(const RunCommand& command) const {
    const config::Resolved resolved = config::resolve(command.machine, files_);
    return runner_(resolved.machine, command.options, config::to_json(resolved));
  }

 private:
  const config::PlatformFiles& files_;
  Runner runner_;
};

}  // namespace

int execute(const std::vector<std::string>& words, Runner runner) {
  try {
    const auto files = config::PlatformFiles::standard();
    return std::visit(Executor(files, runner), parse_command_line(words));
  } catch (const config::ConfigError& error) {
    return say(ExitStatus::kUsage, fmt::format("vtsim: {}\n", error.what()));
  } catch (const SimDefect& error) {
    return defect(error.what(), words);
  } catch (const std::bad_alloc&) {
    return say(ExitStatus::kUsage, "vtsim: not enough host memory for this machine\n");
  } catch (const std::runtime_error& error) {
    return say(ExitStatus::kUsage, fmt::format("vtsim: {}\n", error.what()));
  } catch (const std::exception& error) {
    return defect(error.what(), words);
  }
}

}  // namespace vtsim::cli
