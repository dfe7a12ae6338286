#pragma once
// A fuzzer: random cases, each judged; what fails is made small, printed, and kept.
//
// Cases run in forked processes, so that a crash, an abort of a sanitizer or a hang is a failure
// like any other. Options of every fuzzer:
//   --seed N  --iterations N  --seconds N   the campaign (VTSIM_FUZZ_SEED, VTSIM_FUZZ_SECONDS too)
//   --kept DIR      replays DIR/*.hex first
//   --keep DIR      writes a shrunk failure there
//   --replay FILE   one kept case, in this process: for a debugger

#include <functional>
#include <string>

#include "tests/fuzz/harness/tape.h"

namespace vtsim::fuzz {

struct Fuzzer {
  std::string name;
  std::size_t longest_tape = 1024;
  u64 iterations = 1000;  // unless the command line says otherwise
  // Host processor time after which a case counts as hung.
  unsigned case_seconds = 10;
  // Cases leave something behind in their process (SystemC elaborates one design in each).
  bool process_a_case = false;

  // Judges a case: empty, or what is wrong. What is before the first ':' tells kinds of failures
  // apart: a shrunk case must fail in the same way. An exception is a failure too.
  std::function<std::string(Tape&)> judge;
  // The case for people.
  std::function<std::string(Tape&)> describe = {};
};

// The program: exit status 0 when every case was good, 1 when one failed, 2 for wrong usage.
int run_fuzzer(const Fuzzer& fuzzer, int argc, char** argv);

}  // namespace vtsim::fuzz
