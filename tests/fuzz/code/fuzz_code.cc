// Random programs on bare cores, in every mode: whatever the code, nothing crashes, the budget is
// exact, host memory outside of the guest's is left alone, and the results do not depend on how the
// program is cut into blocks and budgets.

#include <fmt/format.h>

#include "tests/fuzz/code/program.h"
#include "tests/fuzz/code/snapshot.h"
#include "tests/fuzz/harness/campaign.h"

using namespace vtsim;
using namespace vtsim::fuzz;

namespace {

std::unique_ptr<Machine> run(const Program& program, Manner manner, u64 cycles, std::string& broken) {
  auto machine = std::make_unique<Machine>(program.model, program.cores);
  program.install(*machine);
  broken = machine->run(cycles, program.quantum, manner);
  if (!broken.empty()) broken += fmt::format(" ({})", name_of(manner));
  return machine;
}

// The first cycle after which the two manners differ, and in what.
std::string where_they_part(const Program& program, Manner manner) {
  u64 good = 0, bad = program.cycles;
  std::string text;
  while (bad - good > 1 || text.empty()) {
    const u64 middle = text.empty() ? bad : good + (bad - good) / 2;
    std::string broken;
    const auto first = run(program, Manner::kFree, middle, broken);
    const auto second = run(program, manner, middle, broken);
    const std::string found = difference(*first, *second);
    if (found.empty() && middle == bad) return "(only in the digest)";
    (found.empty() ? good : bad) = middle;
    if (!found.empty()) text = found;
  }
  return fmt::format("after cycle {} of {}:\n  {}", bad, program.cycles, text);
}

std::string judge(Tape& tape) {
  const Program program(tape);
  std::string broken;
  const u64 expected = digest_of(*run(program, Manner::kFree, program.cycles, broken));
  if (!broken.empty()) return broken;
  for (const Manner manner : kManners) {  // kFree again: runs are the same
    const u64 digest = digest_of(*run(program, manner, program.cycles, broken));
    if (!broken.empty()) return broken;
    if (digest != expected)
      return fmt::format("{} differs from free: {}", name_of(manner), where_they_part(program, manner));
  }
  return {};
}

std::string describe(Tape& tape) { return Program(tape).describe(); }

}  // namespace

int main(int argc, char** argv) {
  const Fuzzer fuzzer{.name = "code",
                      .longest_tape = 900,
                      .iterations = 400,
                      .case_seconds = 20,
                      .judge = judge,
                      .describe = describe};
  return run_fuzzer(fuzzer, argc, argv);
}
