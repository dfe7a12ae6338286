#pragma once
// The vtsim command line: declared once, parsed into plain data, printed as help and manual page.

#include <string>
#include <variant>
#include <vector>

#include "sim/cli/exit_status.h"
#include "sim/cli/run_options.h"
#include "sim/config/resolve.h"

namespace vtsim::cli {

struct RunCommand {
  RunOptions options;
  config::Request machine;
};

struct ConfigCommand {
  config::Request machine;
  bool json = false;
};

enum class ListSubject {
  kAll,
  kPlatforms,
  kDevices,
  kParameters,
  kStatistics,
  kEvents,
  kMarkers,
};

struct ListCommand {
  ListSubject subject = ListSubject::kAll;
};

struct ManualCommand {};

// Nothing is left to do but to print: help and version on standard output, errors on standard
// error.
struct Finished {
  ExitStatus status = ExitStatus::kOk;
  std::string text;
};

using Command = std::variant<RunCommand, ConfigCommand, ListCommand, ManualCommand, Finished>;

// `words`: argv, argv[0] included. Never throws for what a user can write.
Command parse_command_line(const std::vector<std::string>& words);

// The manual page, in man's macros.
std::string manual_page();

}  // namespace vtsim::cli
