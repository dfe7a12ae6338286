#include "sim/cli/application.h"

#include "sim/stats/version.h"

namespace vtsim::cli {
namespace {

constexpr const char* kMachine = "Machine";
constexpr const char* kGuest = "Guest";
constexpr const char* kEnd = "When it ends";
constexpr const char* kConsole = "Console";
constexpr const char* kResults = "Results";
constexpr const char* kUnavailable = "Not yet available";

constexpr std::size_t kHelpColumn = 34;

constexpr const char* kExitStatus =
    "Exit status: odd numbers are the guest's: (v << 1 | 1) & 0xff for its write of v to port "
    "0xf4.\n"
    "   0  the guest powered off, --expect matched, or Ctrl-A x\n"
    "   2  bad usage, configuration or image\n"
    "   4  a limit was reached\n"
    "   6  triple fault, or all cores halted with nothing that could wake them\n"
    "   8  --fail-on matched, or the guest ended without --expect matching\n"
    "  10  a defect of vtsim\n"
    "  12  Ctrl-C or SIGTERM";

// One value per option, whatever its text begins with.
CLI::Option* one(CLI::App* app, const std::string& names, std::string& value, const char* type,
                 const char* help, const char* group) {
  return app->add_option(names, value, help)->type_name(type)->group(group);
}

CLI::Option* many(CLI::App* app, const std::string& names, std::vector<std::string>& values,
                  const char* type, const char* help, const char* group) {
  return app->add_option(names, values, help)
      ->type_name(type)
      ->group(group)
      ->expected(1)
      ->take_all()
      ->allow_extra_args(false);
}

void declare_machine(CLI::App* app, RawOptions& raw) {
  one(app, "platform", raw.platform, "PLATFORM", "a file, or a name of `vtsim list platforms`",
      kMachine)
      ->required();
  many(app, "--set", raw.set, "KEY=VALUE",
       "override a parameter of `vtsim list parameters`; may be repeated", kMachine);
  one(app, "--memory", raw.memory, "SIZE", "RAM: --set memory.size=SIZE", kMachine);
  one(app, "--cpus", raw.cpus, "N", "cores: --set cores.count=N", kMachine);
  many(app, "--device", raw.devices, "KIND[,key=value...]",
       "add a PCI function of `vtsim list devices`; may be repeated", kMachine);
}

void declare_guest(CLI::App* app, RawOptions& raw) {
  one(app, "--kernel", raw.kernel, "FILE",
      "bzImage, multiboot 1 or 2, ELF with or without a PVH note, or a flat binary", kGuest);
  one(app, "--initrd", raw.initrd, "FILE", "initial RAM disk, or first module", kGuest);
  one(app, "--append", raw.append, "STRING", "the kernel's command line", kGuest);
  one(app, "--load-at", raw.load_at, "ADDRESS", "where a flat binary goes and starts", kGuest);
}

void declare_end(CLI::App* app, RawOptions& raw) {
  one(app, "--max-instructions", raw.max_instructions, "N",
      "end after so many instructions of all cores together", kEnd);
  one(app, "--max-cycles", raw.max_cycles, "N", "end after so many cycles", kEnd);
  one(app, "--max-time", raw.max_time, "TIME", "end after so much simulated time, such as 10s",
      kEnd);
  one(app, "--timeout", raw.timeout, "TIME", "end after so much host time, such as 60s", kEnd);
  app->add_flag("--no-reboot", raw.no_reboot, "a reset by the guest ends the run")->group(kEnd);
}

void declare_console(CLI::App* app, RawOptions& raw) {
  one(app, "--console", raw.console, "stdio|FILE|none",
      "where the first serial port goes; Ctrl-A x leaves, Ctrl-A h helps (default stdio)",
      kConsole);
  many(app, "--expect", raw.expect, "REGEX",
       "end well when a line of the console matches; repeated: when all have matched", kConsole);
  many(app, "--fail-on", raw.fail_on, "REGEX",
       "end with status 8 when a line of the console matches; may be repeated", kConsole);
}

void declare_results(CLI::App* app, RawOptions& raw) {
  one(app, "--mode", raw.mode, "functional|timing",
      "how to run at first; markers may change it (default functional)", kResults);
  many(app, "--stats", raw.stats, "FILE.json|.csv|.txt",
       "write the statistics, at each marker and at the end; may be repeated", kResults);
  one(app, "--trace", raw.trace, "CATEGORY,...", "trace events of `vtsim list events`, or all",
      kResults);
  one(app, "--trace-file", raw.trace_file, "FILE.log|.jsonl|.perfetto.json", "where the trace goes",
      kResults);
  one(app, "--trace-window", raw.trace_window, "FROM:TO",
      "trace only between these: instructions of the core, or times such as 1.5ms", kResults);
  one(app, "--commit-log", raw.commit_log, "FILE[.zst]",
      "write a line for each retired instruction and each delivered event, with the registers and "
      "the memory that it wrote, and the hash of them all; /dev/null: only the hash",
      kResults);
  one(app, "--commit-log-window", raw.commit_log_window, "FROM:TO",
      "write only the lines of these instructions of a core; the hash is of all", kResults);
  app->add_flag("--commit-log-disassembly", raw.disassemble, "with disassembly")->group(kResults);
  one(app, "--progress", raw.progress, "auto|always|never",
      "a line with simulated time, MIPS and how far the run is (default auto)", kResults);
}

void declare_unavailable(CLI::App* app, std::vector<CLI::Option*>& options) {
  struct Row {
    const char* name;
    const char* type;
    const char* help;
  };
  static constexpr Row kRows[] = {
      {"--firmware", "FILE", "SeaBIOS or OVMF"}, {"--disk", "FILE[,...]", "a disk"},
      {"--cdrom", "FILE", "a CD-ROM"},           {"--save", "DIR", "save the machine's state"},
      {"--save-at", "WHEN", "when to save it"},  {"--restore", "DIR", "start from a saved state"},
      {"--gdb", "[HOST:]PORT", "wait for gdb"},
  };
  for (const Row& row : kRows) {
    options.push_back(
        app->add_option(row.name, row.help)->type_name(row.type)->group(kUnavailable)->expected(1));
  }
  options.push_back(
      app->add_flag_callback(
             "--check-invalidation", [] {}, "report translations used after their tables changed")
          ->group(kUnavailable));
}

CLI::App* subcommand(CLI::App& app, const char* name, const char* help) {
  CLI::App* command = app.add_subcommand(name, help);
  command->get_formatter()->column_width(kHelpColumn);
  command->group("Commands");
  return command;
}

}  // namespace

const std::vector<std::string>& list_subjects() {
  static const std::vector<std::string> subjects = {"platforms",  "devices", "parameters",
                                                    "statistics", "events",  "markers"};
  return subjects;
}

Application::Application()
    : app("vtsim: a full-system x86-64 simulator that models the hardware of virtualization",
          "vtsim") {
  app.require_subcommand(1);
  app.set_version_flag("--version", "vtsim " + std::string(stats::version()), "print the version");
  app.get_formatter()->column_width(kHelpColumn);
  app.get_formatter()->label("SUBCOMMAND", "COMMAND");
  app.set_help_flag("-h,--help", "print this help");
  app.footer("`vtsim COMMAND --help` tells a command's options; vtsim(1) is the manual page.");

  run = subcommand(app, "run", "run a guest headlessly or on the terminal");
  run->footer(std::string(kExitStatus) +
              "\n\nExample, with a kernel and an initial RAM disk of yours:\n"
              "  vtsim run q35-skylake --kernel vmlinuz --initrd root.cpio.gz \\\n"
              "    --append console=ttyS0 --expect 'Run /init'");
  declare_machine(run, raw);
  declare_guest(run, raw);
  declare_end(run, raw);
  declare_console(run, raw);
  declare_results(run, raw);
  declare_unavailable(run, unavailable_options);

  config = subcommand(app, "config",
                      "print the resolved configuration, each value with its unit and source");
  declare_machine(config, raw);
  config->add_flag("--json", raw.json, "as JSON, by full key");

  list = subcommand(app, "list", "print what there is: names that other commands take");
  std::string subjects;
  for (const std::string& subject : list_subjects()) {
    subjects += (subjects.empty() ? "" : "|") + subject;
  }
  list->add_option("subject", raw.subject, "what to list; nothing: all of them")
      ->type_name(subjects)
      ->check(CLI::IsMember(list_subjects()));

  struct Row {
    const char* name;
    const char* help;
  };
  static constexpr Row kCommands[] = {
      {"step", "run a guest step by step (not yet available)"},
      {"sweep", "run many configurations (not yet available)"},
      {"report", "tables and plots of results (not yet available)"},
  };
  for (const Row& row : kCommands) {
    CLI::App* command = subcommand(app, row.name, row.help);
    command->allow_extras();
    unavailable_commands.push_back(command);
  }
  manual = subcommand(app, "manual", "print the manual page");
  manual->group("");
}

}  // namespace vtsim::cli
