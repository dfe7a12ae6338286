#include "sim/cli/command_line.h"

#include <catch2/catch.hpp>
#include <fstream>

using namespace vtsim;
using namespace vtsim::cli;

namespace {

Command parse(std::vector<std::string> words) {
  words.insert(words.begin(), "vtsim");
  return parse_command_line(words);
}

RunCommand parsed_run(std::vector<std::string> words) {
  words.insert(words.begin(), {"run", "q35-skylake", "--kernel", "vmlinuz"});
  const Command command = parse(words);
  if (const auto* finished = std::get_if<Finished>(&command)) FAIL(finished->text);
  return std::get<RunCommand>(command);
}

std::string refusal(const std::vector<std::string>& words) {
  const Command command = parse(words);
  const auto* finished = std::get_if<Finished>(&command);
  REQUIRE(finished != nullptr);
  CHECK(finished->status == ExitStatus::kUsage);
  return finished->text;
}

std::string refused_run(std::vector<std::string> words) {
  words.insert(words.begin(), {"run", "q35-skylake", "--kernel", "vmlinuz"});
  return refusal(words);
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a run with every option becomes plain data") {
  const RunCommand run = parsed_run({"--initrd",
                                     "i",
                                     "--append",
                                     "console=ttyS0 -- x",
                                     "--load-at",
                                     "0x100000",
                                     "--mode",
                                     "functional",
                                     "--max-instructions",
                                     "1_000",
                                     "--max-cycles",
                                     "5",
                                     "--max-time",
                                     "10s",
                                     "--timeout",
                                     "1.5s",
                                     "--no-reboot",
                                     "--console",
                                     "out.txt",
                                     "--expect",
                                     "a",
                                     "--expect",
                                     "b",
                                     "--fail-on",
                                     "c",
                                     "--stats",
                                     "s.json",
                                     "--stats",
                                     "s.csv",
                                     "--trace",
                                     "exception,walk",
                                     "--trace-file",
                                     "t.log",
                                     "--trace-window",
                                     "10:2ms",
                                     "--commit-log",
                                     "c.zst",
                                     "--commit-log-disassembly",
                                     "--commit-log-window",
                                     "5:70",
                                     "--progress",
                                     "never",
                                     "--set",
                                     "quantum=10us",
                                     "--memory",
                                     "2G",
                                     "--cpus",
                                     "4",
                                     "--device",
                                     "pci-testdev"});
  const RunOptions& o = run.options;
  CHECK(o.platform == "q35-skylake");
  CHECK(o.command.front() == "vtsim");
  CHECK(o.command.back() == "pci-testdev");
  CHECK(o.guest.kernel == "vmlinuz");
  CHECK(o.guest.initrd == "i");
  CHECK(o.guest.append == "console=ttyS0 -- x");
  CHECK(o.guest.load_at == 0x100000);
  CHECK(o.limits.instructions == 1000);
  CHECK(o.limits.cycles == 5);
  CHECK(o.limits.time == 10 * kPsPerSecond);
  CHECK(o.limits.timeout == 1.5);
  CHECK(o.no_reboot);
  CHECK(o.console.kind == ConsoleKind::kFile);
  CHECK(o.console.path == "out.txt");
  CHECK(o.console.expect == std::vector<std::string>{"a", "b"});
  CHECK(o.console.fail_on == std::vector<std::string>{"c"});
  CHECK(o.stats_paths == std::vector<std::string>{"s.json", "s.csv"});
  CHECK(o.trace.categories == std::vector<std::string>{"exception", "walk"});
  CHECK(o.trace.path == "t.log");
  CHECK(o.trace.from == TracePoint{TracePoint::Unit::kInstruction, 10});
  CHECK(o.trace.to == TracePoint{TracePoint::Unit::kPicosecond, 2'000'000'000});
  CHECK(o.commit_log == "c.zst");
  CHECK(o.commit_log_disassembly);
  CHECK(o.commit_log_first == 5);
  CHECK(o.commit_log_last == 70);
  CHECK(o.progress == ProgressWhen::kNever);
  REQUIRE(run.machine.overrides.size() == 3);
  CHECK(run.machine.overrides[0].key == "quantum");
  CHECK(run.machine.overrides[1].option == "--memory");
  CHECK(run.machine.overrides[2].key == "cores.count");
  CHECK(run.machine.devices == std::vector<std::string>{"pci-testdev"});
}

TEST_CASE("a run without options has the documented defaults") {
  const RunOptions o = parsed_run({}).options;
  CHECK(o.mode == Mode::kFunctional);
  CHECK(o.console.kind == ConsoleKind::kStdio);
  CHECK(o.progress == ProgressWhen::kAuto);
  CHECK_FALSE(o.limits.instructions.has_value());
  CHECK_FALSE(o.limits.timeout.has_value());
  CHECK_FALSE(o.no_reboot);
  CHECK(o.stats_paths.empty());
  CHECK(o.trace.path.empty());
  CHECK(o.commit_log.empty());
}

TEST_CASE("option values may begin with a dash after an equals sign") {
  CHECK(parsed_run({"--append=-v --x"}).options.guest.append == "-v --x");
  CHECK(parsed_run({"--expect=--- done"}).options.console.expect.front() == "--- done");
}

TEST_CASE("wrong options are refused by name, with what was expected") {
  struct Row {
    std::vector<std::string> words;
    std::string text;
  };
  const Row rows[] = {
      {{"--max-instructions", "0"}, "--max-instructions: '0' is not valid here; expected a number"},
      {{"--max-cycles", "x"}, "--max-cycles: 'x' is not valid here; expected a number"},
      {{"--max-time", "10"}, "--max-time: '10' is not valid here; expected a time"},
      {{"--timeout", "soon"}, "--timeout: 'soon' is not valid here; expected a time"},
      {{"--load-at", "top"}, "--load-at: 'top' is not valid here; expected an address"},
      {{"--expect", "a("}, "--expect: 'a(': missing ): a("},
      {{"--fail-on", "*"}, "--fail-on: '*': no argument for repetition operator"},
      {{"--stats", "s.xml"}, "--stats: 's.xml' is not valid here; expected a name in .json"},
      {{"--trace", "walk"}, "--trace: not given alone; expected --trace-file FILE too"},
      {{"--trace-file", "t.log"}, "--trace-file: not given alone; expected --trace CATEGORIES"},
      {{"--trace", "wlak", "--trace-file", "t.log"}, "did you mean 'walk'?"},
      {{"--trace", "walk", "--trace-file", "t.txt"}, "--trace-file: 't.txt' is not valid here"},
      {{"--trace-window", "1:2"}, "--trace-window: nothing is traced"},
      {{"--trace", "walk", "--trace-file", "t.log", "--trace-window", "9"}, "expected FROM:TO"},
      {{"--trace", "walk", "--trace-file", "t.log", "--trace-window", "9:9"}, "'9:9' is empty"},
      {{"--trace", "walk", "--trace-file", "t.log", "--trace-window", "a:b"}, "'a' is not valid"},
      {{"--progress", "maybe"}, "--progress: 'maybe' is not valid here; expected auto, always"},
      {{"--mode", "fast"}, "--mode: 'fast' is not valid here; expected functional or timing"},
      {{"--mode", "timing"}, "--mode: timing mode is not yet available"},
      {{"--console", ""}, "--console: no file"},
      {{"--set", "quantum"}, "--set: 'quantum' is not an assignment; expected key.path=value"},
      {{"--memroy", "2G"}, "unknown option '--memroy'; did you mean '--memory'?"},
      {{"--no-rebot"}, "did you mean '--no-reboot'?"},
      {{"extra"}, "one word too many: 'extra'"},
      {{"--kernel"}, "--kernel"},
  };
  for (const Row& row : rows) {
    const std::string text = refused_run(row.words);
    INFO(text);
    CHECK(contains(text, row.text));
  }
}

TEST_CASE("what is not there yet is refused by name") {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"--firmware", "f"},
                                             {"--disk", "d.img,driver=nvme"},
                                             {"--cdrom", "c"},
                                             {"--save", "d"},
                                             {"--save-at", "1"},
                                             {"--restore", "d"},
                                             {"--gdb", "1234"},
                                             {"--check-invalidation"}}) {
    CHECK(refused_run(words) == "vtsim: " + words.front() + ": not yet available\n");
  }
  for (const std::string command : {"step", "sweep", "report"}) {
    CHECK(refusal({command, "q35-skylake", "--jobs", "4"}) ==
          "vtsim: the command '" + command + "' is not yet available\n");
  }
}

TEST_CASE("wrong commands are refused with a suggestion") {
  CHECK(contains(refusal({"rnu"}), "unknown command 'rnu'; did you mean 'run'?"));
  CHECK(contains(refusal({"--versoin"}), "did you mean '--version'?"));
  CHECK(contains(refusal({}), "no command"));
  CHECK(contains(refusal({"run"}), "platform"));
  CHECK(contains(refusal({"run", "q35-skylake"}), "run: no guest; expected --kernel FILE"));
  CHECK(contains(refusal({"list", "platfroms"}), "platforms"));
}

TEST_CASE("help and version go to standard output") {
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"--help"}, {"-h"}, {"run", "--help"}, {"config", "-h"}, {"--version"}}) {
    const Command command = parse(words);
    const auto* finished = std::get_if<Finished>(&command);
    REQUIRE(finished != nullptr);
    CHECK(finished->status == ExitStatus::kOk);
    CHECK_FALSE(finished->text.empty());
  }
  const auto help = std::get<Finished>(parse({"run", "--help"})).text;
  CHECK(contains(help, "Usage: vtsim run"));
  CHECK(contains(help, "Exit status"));
  CHECK(std::get<Finished>(parse({"--version"})).text.starts_with("vtsim "));
}

TEST_CASE("list and config are parsed") {
  CHECK(std::get<ListCommand>(parse({"list"})).subject == ListSubject::kAll);
  CHECK(std::get<ListCommand>(parse({"list", "platforms"})).subject == ListSubject::kPlatforms);
  CHECK(std::get<ListCommand>(parse({"list", "markers"})).subject == ListSubject::kMarkers);
  const auto config = std::get<ConfigCommand>(parse({"config", "x.yaml", "--json", "--cpus", "2"}));
  CHECK(config.machine.platform == "x.yaml");
  CHECK(config.json);
  CHECK(config.machine.overrides.size() == 1);
}

TEST_CASE("exit statuses are those that scripts rely on") {
  CHECK(exit_code(ExitStatus::kOk) == 0);
  CHECK(exit_code(ExitStatus::kUsage) == 2);
  CHECK(exit_code(ExitStatus::kLimit) == 4);
  CHECK(exit_code(ExitStatus::kDead) == 6);
  CHECK(exit_code(ExitStatus::kFailed) == 8);
  CHECK(exit_code(ExitStatus::kDefect) == 10);
  CHECK(exit_code(ExitStatus::kInterrupted) == 12);
  CHECK(guest_exit_code(0) == 1);
  CHECK(guest_exit_code(0x10) == 0x21);
  CHECK(guest_exit_code(0xff) == 0xff);
  CHECK(guest_exit_code(0x80) == 0x01);
}

TEST_CASE("docs/vtsim.1 is what `vtsim manual` prints") {
  std::ifstream file(VTSIM_TEST_MANUAL, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  CHECK(text == manual_page());
}

TEST_CASE("the manual page names every command, option, statistic and parameter family") {
  const std::string page = manual_page();
  for (const char* name :
       {"vtsim run", "vtsim config", "vtsim list", "\\-\\-fail\\-on", "\\-\\-commit\\-log",
        "cores.mmu.stlb.entries", "cores.msr.IA32_MISC_ENABLE", "cpu{}.walk.references",
        "msr_access", "dump_statistics", "VTSIM_PLATFORMS", "pci\\-testdev"}) {
    INFO(name);
    CHECK(contains(page, name));
  }
}
