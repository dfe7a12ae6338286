// Whole machines, by the command line of vtsim: random code and accesses to the chipset as flat
// binaries, and images of the loader's kinds, sound and spoiled. Every run ends in one of the
// documented ways, within its limits, and a second run is the same byte for byte.

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <fmt/format.h>
#include <fstream>
#include <iterator>

#include "sim/cli/execute.h"
#include "sim/machine/runner.h"
#include "tests/fuzz/harness/campaign.h"
#include "tests/fuzz/machine/guest_image.h"
#include "tests/sim/support/temporary_files.h"

using namespace vtsim;
using namespace vtsim::fuzz;

namespace {

// SystemC elaborates one design a process.
int run_in_child(const std::vector<std::string>& words, const std::string& folder) {
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    const rlimit processor_time{60, 60};
    setrlimit(RLIMIT_CPU, &processor_time);
    if (chdir(folder.c_str()) != 0 || std::freopen("messages", "w", stderr) == nullptr) _exit(10);
    const int status = cli::execute(words, &machine::run);
    std::fflush(nullptr);
    _exit(status);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}

std::string verdict_on(int status) {
  if (!WIFEXITED(status)) return fmt::format("crash: signal {}", WTERMSIG(status));
  const int code = WEXITSTATUS(status);
  constexpr int kFailed = 8;  // 10 is a defect, 12 an interruption; odd ones are the guest's
  return code % 2 == 1 || code <= kFailed ? "" : fmt::format("exit status {}", code);
}

struct Run {
  std::vector<std::string> words;
  Bytes image;
  std::string initrd;
};

Run draw(Tape& tape) {
  Run run;
  const bool flat = !tape.chance(70);
  const u64 cpus = 1 + (tape.chance(60) ? tape.below(3) : 0);
  const u64 limit = 2000 + tape.number(2) % 30000;
  run.words = {"vtsim", "run", tape.chance(200) ? "q35-skylake-sp" : "q35-penryn",
               "--kernel", "image", "--memory", "16M", "--cpus", std::to_string(cpus),
               "--max-instructions", std::to_string(limit), "--max-time", "20ms",
               "--console", "none", "--progress", "never", "--stats", "stats.json"};
  if (flat) run.words.insert(run.words.end(), {"--load-at", fmt::format("{:#x}", kLoadAddress)});
  if (tape.chance(128)) run.words.emplace_back("--no-reboot");
  if (tape.chance(40)) run.words.insert(run.words.end(), {"--commit-log", "/dev/null"});
  if (!flat && tape.chance(100)) {
    run.initrd = std::string(tape.below(5000), 'i');
    run.words.insert(run.words.end(), {"--initrd", "initrd", "--append", "a=b c"});
  }
  run.image = flat ? flat_image(tape) : container_image(tape);
  return run;
}

std::string contents(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

std::string judge(Tape& tape) {
  const Run run = draw(tape);
  const test::TemporaryFiles files;
  std::string statistics[2];
  int statuses[2];
  for (unsigned n = 0; n < 2; ++n) {
    const std::string name = n == 0 ? "first/" : "second/";
    files.write(name + "image", std::string(run.image.begin(), run.image.end()));
    files.write(name + "initrd", run.initrd);
    statuses[n] = run_in_child(run.words, files.path(name));
    if (std::string bad = verdict_on(statuses[n]); !bad.empty()) return bad;
    statistics[n] = contents(files.path(name + "stats.json"));
  }
  if (statuses[0] != statuses[1] || statistics[0] != statistics[1]) return "two runs differ";
  return {};
}

std::string describe(Tape& tape) {
  const Run run = draw(tape);
  return fmt::format("{}\nimage of {} bytes\n", fmt::join(run.words, " "), run.image.size());
}

}  // namespace

int main(int argc, char** argv) {
  setenv("VTSIM_PLATFORMS", VTSIM_TEST_PLATFORMS, 1);
  const Fuzzer fuzzer{.name = "machine",
                      .longest_tape = 1500,
                      .iterations = 40,
                      .case_seconds = 60,
                      .judge = judge,
                      .describe = describe};
  return run_fuzzer(fuzzer, argc, argv);
}
