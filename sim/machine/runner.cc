#include "sim/machine/runner.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <systemc>
#include <utility>

#include "sim/machine/guest_files.h"
#include "sim/machine/host_signals.h"
#include "sim/machine/machine.h"
#include "sim/machine/run_end.h"
#include "sim/observe/commit_log.h"
#include "sim/observe/console.h"
#include "sim/observe/core_bridge.h"
#include "sim/observe/line_watch.h"
#include "sim/observe/markers.h"
#include "sim/observe/output_file.h"
#include "sim/observe/progress.h"
#include "sim/observe/trace_writer.h"
#include "sim/stats/event_counters.h"
#include "sim/stats/registry.h"
#include "sim/stats/result.h"

namespace vtsim::machine {

namespace {

using cli::ExitStatus;
using observe::Verdict;

// A file descriptor of the console's output that closes itself.
class ConsoleOutput {
 public:
  explicit ConsoleOutput(const cli::ConsoleOptions& options) {
    if (options.kind == cli::ConsoleKind::kStdio) fd_ = STDOUT_FILENO;
    if (options.kind != cli::ConsoleKind::kFile) return;
    fd_ = open(options.path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd_ < 0) throw observe::OutputError(options.path + ": " + std::strerror(errno));
    owned_ = true;
  }
  ~ConsoleOutput() {
    if (owned_) close(fd_);
  }
  ConsoleOutput(const ConsoleOutput&) = delete;
  ConsoleOutput& operator=(const ConsoleOutput&) = delete;

  int fd() const { return fd_; }

 private:
  int fd_ = -1;
  bool owned_ = false;
};

class Runner final : private QuantumWatcher, private cpu::CoreObserver {
 public:
  Runner(const config::MachineConfig& config, const cli::RunOptions& options);

  RunEnd run();
  std::string where();  // the guest stands, for messages
  // Writes the files of --stats. What went wrong, or nothing.
  std::string write_results(const RunEnd& end, const nlohmann::ordered_json& configuration);

 private:
  // QuantumWatcher
  u64 next_quantum(const cpu::Core& core) override;
  void idle(const cpu::Core& core, Ps until) override;
  // CoreObserver
  void on_retire(const cpu::Core& core, u64 rip, std::span<const u8> code) override {
    bridge_.on_retire(core, rip, code);
  }
  void on_store(const cpu::Core& core, u64 lin, std::span<const u8> bytes) override {
    bridge_.on_store(core, lin, bytes);
  }
  void on_event(const cpu::Core& core, const cpu::Event& event) override {
    bridge_.on_event(core, event);
  }
  void on_delivered(const cpu::Core& core, const cpu::Event& event) override {
    bridge_.on_delivered(core, event);
  }
  void on_marker(cpu::Core& core, u32 code, u64 rax, u64 rdx) override {
    bridge_.on_marker(core, code, rax, rdx);
  }
  void on_unmodelled(const cpu::Core& core, std::string_view what) override {
    bridge_.on_unmodelled(core, what);
  }

  MachineSinks sinks();
  void observe();
  void add_markers();
  void add_statistics();
  void snapshot(std::string label) { snapshots_.push_back(statistics_.snapshot(std::move(label))); }
  void end(int status, std::string reason);
  void end(ExitStatus status, std::string reason) { end(cli::exit_code(status), std::move(reason)); }
  void stop();
  void judge(Verdict verdict);
  void mix_state(const cpu::Core& core);
  void guest_reset();
  void request(bool& pending);
  void do_what_is_pending(Ps now);
  void end_if_dead(const cpu::Core& core);
  void look_at_host(Ps now);
  u64 within_limits(const cpu::Core& core, u64 cycles);
  void wait_for_input(Ps simulated);

  const cli::RunOptions& options_;
  HostSignals signals_;
  GuestFiles files_;
  ConsoleOutput output_;
  observe::Console console_;
  observe::LineWatch lines_;
  observe::Progress progress_;
  Machine machine_;
  Frequency frequency_;
  u64 quantum_cycles_;
  bool reset_pending_ = false;
  bool suspend_pending_ = false;
  bool wake_pending_ = false;
  u64 state_hash_ = 0;
  std::optional<RunEnd> end_;
  bool stopping_ = false;

  std::optional<observe::CommitLog> log_;
  observe::CoreBridge bridge_;
  std::optional<observe::TraceWriter> trace_;
  observe::MarkerDispatcher markers_;
  stats::Registry statistics_;
  std::optional<stats::EventCounters> counters_;
  std::vector<stats::Snapshot> snapshots_;
};

std::optional<observe::TraceWindow::Bound> trace_bound(const std::optional<cli::TracePoint>& point) {
  if (!point) return std::nullopt;
  return observe::TraceWindow::Bound{point->unit == cli::TracePoint::Unit::kPicosecond,
                                     point->value};
}

Runner::Runner(const config::MachineConfig& config, const cli::RunOptions& options)
    : options_(options),
      files_(options.guest),
      output_(options.console),
      console_(options.console.kind == cli::ConsoleKind::kStdio ? STDIN_FILENO : -1, output_.fd()),
      lines_(options.console.expect, options.console.fail_on),
      progress_(STDERR_FILENO, options.progress == cli::ProgressWhen::kAlways ||
                                   (options.progress == cli::ProgressWhen::kAuto &&
                                    isatty(STDERR_FILENO) && !isatty(STDOUT_FILENO))),
      machine_(config, sinks(), *this, *this),
      frequency_{config.cores.frequency_hz},
      quantum_cycles_(std::max<u64>(1, frequency_.cycles_at(config.quantum))),
      log_(options.commit_log.empty()
               ? std::nullopt
               : std::make_optional<observe::CommitLog>(observe::CommitLog::Options{
                     .path = options.commit_log,
                     .disassembly = options.commit_log_disassembly,
                     .first = options.commit_log_first,
                     .last = options.commit_log_last})),
      bridge_(machine_.shared().probes, log_ ? &*log_ : nullptr,
              [](std::string_view what, const cpu::Core&) {
                fmt::print(stderr, "vtsim: not modelled: {}\n", what);
              }),
      markers_(machine_.shared().probes.marker) {
  observe();
  sc_core::sc_report_handler::set_actions("/OSCI/SystemC", sc_core::SC_DO_NOTHING);
  sc_core::sc_start(sc_core::SC_ZERO_TIME);  // elaborates
  files_.load_into(machine_, 0);
}

MachineSinks Runner::sinks() {
  return {.console =
              [this](u8 byte, Ps now) {
                console_.put(byte);
                judge(lines_.put(byte, now));
              },
          .debug_console = [](u8 byte, Ps) { fmt::print(stderr, "{}", static_cast<char>(byte)); },
          .debug_exit =
              [this](u32 value) {
                end(cli::guest_exit_code(value),
                    fmt::format("the guest wrote {:#x} to the debug-exit port", value));
              },
          .power_off = [this] { end(ExitStatus::kOk, "the guest shut down"); },
          .reset = [this] { guest_reset(); },
          .suspend = [this] { request(suspend_pending_); },
          .wake = [this] { request(wake_pending_); }};
}

void Runner::observe() {
  add_markers();
  if (!options_.stats_paths.empty()) add_statistics();
  if (!options_.trace.categories.empty())
    trace_.emplace(machine_.shared().probes, options_.trace.categories, options_.trace.path,
                   observe::TraceWindow{trace_bound(options_.trace.from),
                                        trace_bound(options_.trace.to)});
  if (log_)
    for (unsigned n = 0; n < machine_.core_count(); ++n) machine_.core(n).observe_instructions(true);
}

void Runner::add_markers() {
  using observe::Marker;
  markers_.on(Marker::kStop, [this](const MarkerEvent&) {
    end(ExitStatus::kOk, "the guest executed the stop marker");
  });
  for (const Marker code : {Marker::kRegionBegin, Marker::kRegionEnd, Marker::kDumpStatistics})
    markers_.on(code, [this](const MarkerEvent& event) {
      if (!options_.stats_paths.empty()) snapshot(fmt::format("marker {}", event.code));
    });
}

void Runner::add_statistics() {
  counters_.emplace(machine_.shared().probes, machine_.core_count());
  counters_->add_to(statistics_);
  statistics_.add("time", {}, [this] {
    const cpu::Core& core = machine_.core(0);
    return core.time_of_cycle(core.cycle());
  });
  statistics_.add("state_hash", {}, [this] { return state_hash_; });
  statistics_.add("instructions", {}, [this] { return machine_.instructions(); });
  for (unsigned n = 0; n < machine_.core_count(); ++n) {
    const std::vector<std::string> part = {std::to_string(n)};
    const cpu::Core& core = machine_.core(n);
    statistics_.add("cpu{}.instructions", part, [&core] { return core.instructions(); });
    statistics_.add("cpu{}.cycles", part, [&core] { return core.cycle(); });
  }
  statistics_.add("blocks.built", {}, [this] { return machine_.shared().blocks.blocks_built(); });
  statistics_.add("blocks.dropped", {}, [this] { return machine_.shared().blocks.blocks_dropped(); });
}

std::string Runner::write_results(const RunEnd& end, const nlohmann::ordered_json& configuration) {
  std::string error = console_.error();
  if (trace_) {
    trace_->close();
    if (error.empty()) error = trace_->error();
  }
  if (log_) {
    log_->close();
    if (error.empty()) error = log_->error();
  }
  if (options_.stats_paths.empty()) return error;
  snapshot("end");
  stats::Result result{.command = options_.command,
                       .configuration = configuration,
                       .images = files_.describe(),
                       .ended = true,
                       .exit_status = end.status,
                       .end_reason = end.reason,
                       .commit_log_hash = {},
                       .snapshots = snapshots_};
  if (log_) result.commit_log_hash = log_->hash();
  for (const std::string& path : options_.stats_paths) {
    const std::string problem = stats::write_result(result, path);
    if (error.empty()) error = problem;
  }
  return error;
}

// Everything that ends a run comes through here, within an instruction of the guest or between
// quanta; the cores notice after that instruction.
void Runner::end(int status, std::string reason) {
  if (end_) return;
  end_ = RunEnd{status, std::move(reason)};
  for (unsigned n = 0; n < machine_.core_count(); ++n) machine_.core(n).request_leave();
}

// Every core comes here when the run has ended; SystemC warns of a second call.
void Runner::stop() {
  if (!std::exchange(stopping_, true)) sc_core::sc_stop();
}

void Runner::judge(Verdict verdict) {
  if (verdict == Verdict::kExpected)
    end(ExitStatus::kOk, fmt::format("--expect matched: {}", lines_.line()));
  if (verdict == Verdict::kFailed)
    end(ExitStatus::kFailed, fmt::format("--fail-on {} matched: {}", lines_.pattern(), lines_.line()));
}

void Runner::guest_reset() {
  if (options_.no_reboot) return end(ExitStatus::kOk, "the guest reset the machine (--no-reboot)");
  request(reset_pending_);
}

// What the machine as a whole does comes after the instruction that asked for it, between quanta.
void Runner::request(bool& pending) {
  pending = true;
  for (unsigned n = 0; n < machine_.core_count(); ++n) machine_.core(n).request_leave();
}

void Runner::do_what_is_pending(Ps now) {
  if (std::exchange(suspend_pending_, false)) machine_.suspend(now);
  const bool starts_over = std::exchange(wake_pending_, false) && !machine_.resume(now);
  if (std::exchange(reset_pending_, false) || starts_over) {
    machine_.reset(now);
    files_.load_into(machine_, now);
  }
}

void Runner::look_at_host(Ps now) {
  if (const int signal = HostSignals::arrived())
    end(ExitStatus::kInterrupted, signal == SIGINT ? "interrupted by Ctrl-C" : "terminated");
  console_.poll_input();
  while (const auto byte = console_.take()) machine_.console_input({&*byte, 1}, now);
  if (console_.leave_requested()) end(ExitStatus::kOk, "left by Ctrl-A x");
  if (!console_.error().empty()) end(ExitStatus::kFailed, console_.error());
  judge(lines_.poll(now));
  if (options_.limits.timeout && progress_.host_seconds() >= *options_.limits.timeout)
    end(ExitStatus::kLimit, "--timeout was reached");
  progress_.update({.time = now, .instructions = machine_.instructions(), .done = {}});
}

u64 Runner::within_limits(const cpu::Core& core, u64 cycles) {
  const auto limit = [&](const std::optional<u64>& most, u64 spent, const char* option) {
    if (!most) return;
    if (spent >= *most) return end(ExitStatus::kLimit, fmt::format("{} was reached", option));
    cycles = std::min(cycles, *most - spent);
  };
  limit(options_.limits.instructions, machine_.instructions(), "--max-instructions");
  if (core.index() == 0) limit(options_.limits.cycles, core.cycle(), "--max-cycles");
  std::optional<u64> last_cycle;
  if (options_.limits.time) last_cycle = frequency_.cycles_at(*options_.limits.time);
  limit(last_cycle, core.cycle(), "--max-time");
  return cycles;
}

void Runner::end_if_dead(const cpu::Core& core) {
  if (suspend_pending_ || wake_pending_ || reset_pending_) return;
  if (core.state.activity == cpu::Activity::kShutdown)
    end(ExitStatus::kDead, fmt::format("core {} took a triple fault", core.index()));
  if (machine_.is_suspended() && !machine_.can_wake())
    end(ExitStatus::kDead, "the guest sleeps (ACPI S3) and has enabled nothing that could wake it");
  if (machine_.is_dead())
    end(ExitStatus::kDead, "all cores are halted with interrupts off and nothing is pending");
}

// Cheap enough to be always on: two runs that agree in it have computed the same.
void Runner::mix_state(const cpu::Core& core) {
  const auto mix = [this](u64 word) {
    state_hash_ = (state_hash_ ^ word) * 0x9E37'79B9'7F4A'7C15;
    state_hash_ ^= state_hash_ >> 29;
  };
  mix(core.index());
  mix(core.cycle());
  mix(core.state.rip);
  for (const u64 reg : core.state.gpr) mix(reg);
}

u64 Runner::next_quantum(const cpu::Core& core) {
  mix_state(core);
  const Ps now = core.time_of_cycle(core.cycle());
  if (!end_) do_what_is_pending(now);
  if (core.index() == 0) look_at_host(now);
  end_if_dead(core);
  const u64 cycles = within_limits(core, quantum_cycles_);
  if (!end_) return cycles;
  stop();
  return 0;
}

void Runner::idle(const cpu::Core& core, Ps until) {
  end_if_dead(core);
  if (core.index() != 0) {
    if (end_) stop();
    return;
  }
  const Ps now = core.time_of_cycle(core.cycle());
  console_.flush();
  look_at_host(now);
  const bool has_user =
      options_.console.kind == cli::ConsoleKind::kStdio && isatty(STDIN_FILENO);
  if (!has_user && machine_.events().next() == kNever && machine_.all_asleep())
    end(ExitStatus::kDead, "nothing is pending that could wake a core");
  if (!end_ && has_user) wait_for_input(until > now ? until - now : 0);
  if (end_) stop();
}

// An idle machine at a terminal keeps step with the host's clock, so that `sleep 1` takes a second
// and keys are taken when they come.
void Runner::wait_for_input(Ps simulated) {
  constexpr u64 kPsPerMs = 1'000'000'000;
  pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  poll(&input, 1, static_cast<int>(std::min<u64>(simulated / kPsPerMs, 1000)));
}

RunEnd Runner::run() {
  sc_core::sc_start();
  console_.flush();
  console_.restore_terminal();
  progress_.clear();
  if (!end_) end(ExitStatus::kDead, "nothing is pending that could wake a core");
  judge(lines_.finish());
  if (end_->status == 0 && lines_.expects_something() && lines_.verdict() != Verdict::kExpected)
    end_ = RunEnd{cli::exit_code(ExitStatus::kFailed),
                  fmt::format("{}, but --expect {} did not match", end_->reason,
                              lines_.missing().front())};
  return *end_;
}

std::string Runner::where() {
  std::string text;
  for (unsigned n = 0; n < machine_.core_count(); ++n) {
    const cpu::Core& core = machine_.core(n);
    const cpu::CoreState& s = core.state;
    const char* mode = s.mode64()          ? "64-bit"
                       : s.long_mode()     ? "compatibility"
                       : s.v8086_mode()    ? "virtual-8086"
                       : s.real_mode()     ? "real"
                                           : "protected";
    constexpr const char* kActivity[] = {"running", "halted", "shut down", "waiting for SIPI",
                                         "in MWAIT", "without power (S3)"};
    text += fmt::format("  core {}: {} mode, CPL {}, CS:RIP {:04x}:{:016x}, {}, {}\n", n, mode, s.cpl,
                        s.seg[cpu::kCs].selector, s.rip, s.view.non_root ? "non-root" : "root",
                        kActivity[static_cast<unsigned>(s.activity)]);
  }
  return text;
}

}  // namespace

int run(const config::MachineConfig& config, const cli::RunOptions& options,
        const nlohmann::ordered_json& configuration) {
  Runner runner(config, options);
  RunEnd end = runner.run();
  if (const std::string problem = runner.write_results(end, configuration); !problem.empty()) {
    if (end.status == 0) end.status = cli::exit_code(ExitStatus::kUsage);
    fmt::print(stderr, "vtsim: {}\n", problem);
  }
  if (end.status != 0)
    fmt::print(stderr, "vtsim: {} (exit status {})\n{}", end.reason, end.status, runner.where());
  return end.status;
}

}  // namespace vtsim::machine

// SystemC's library wants one; vtsim has its own main() and starts the kernel from run().
int sc_main(int, char**) { return 0; }
