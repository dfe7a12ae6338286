#pragma once
// What the command line asks of one run, as plain data. Everything about the machine itself (also
// --memory, --cpus and --device) is in config::MachineConfig instead.

#include <optional>
#include <string>
#include <vector>

#include "model/base/clock.h"
#include "model/base/types.h"

namespace vtsim::cli {

enum class Mode { kFunctional, kTiming };

struct GuestOptions {
  std::string kernel;          // path; empty: no kernel
  std::string initrd;          // path; empty: none
  std::string append;          // the kernel's command line
  std::optional<u64> load_at;  // where a flat binary goes
};

struct Limits {
  std::optional<u64> instructions;  // retired, all cores together
  std::optional<u64> cycles;        // of core 0
  std::optional<Ps> time;           // simulated
  std::optional<double> timeout;    // seconds of host time
};

enum class ConsoleKind { kStdio, kFile, kNone };

struct ConsoleOptions {
  ConsoleKind kind = ConsoleKind::kStdio;
  std::string path;                  // of kFile
  std::vector<std::string> expect;   // regular expressions; the run ends well when all have matched
  std::vector<std::string> fail_on;  // the run ends badly when one of them matches
};

// One end of a trace window: a number of instructions retired by the event's core, or a simulated
// time.
struct TracePoint {
  enum class Unit { kInstruction, kPicosecond } unit = Unit::kInstruction;
  u64 value = 0;
  bool operator==(const TracePoint&) const = default;
};

struct TraceOptions {
  std::vector<std::string> categories;  // names of `vtsim list events`; empty: no trace
  std::string path;                     // its end chooses the format: .log, .jsonl, .perfetto.json
  std::optional<TracePoint> from;
  std::optional<TracePoint> to;
};

enum class ProgressWhen { kAuto, kAlways, kNever };

struct RunOptions {
  std::string platform;              // as given
  std::vector<std::string> command;  // the whole command line, argv[0] included
  GuestOptions guest;
  Mode mode = Mode::kFunctional;
  Limits limits;
  ConsoleOptions console;
  bool no_reboot = false;
  bool check_invalidation = false;
  std::vector<std::string> stats_paths;  // .json, .csv or .txt
  TraceOptions trace;
  std::string commit_log;  // path, or path.zst; empty: none
  u64 commit_log_first = 0;  // instructions of a core that have lines
  u64 commit_log_last = ~u64{0};
  bool commit_log_disassembly = false;
  ProgressWhen progress = ProgressWhen::kAuto;
};

}  // namespace vtsim::cli
