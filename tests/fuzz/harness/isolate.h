#pragma once
// Judges cases in forked processes.

#include <optional>

#include "tests/fuzz/harness/campaign.h"

namespace vtsim::fuzz {

struct Failure {
  std::string kind;     // equal for failures that are alike
  std::string message;
  Bytes tape;
};

// The random tape of one iteration.
Bytes random_tape(const Fuzzer& fuzzer, u64 seed, u64 iteration);

// Judges one tape in a process of its own.
std::optional<Failure> judge_isolated(const Fuzzer& fuzzer, const Bytes& tape);

struct Stretch {
  std::optional<Failure> failure;
  u64 next = 0;  // the iteration after the last one that was judged
};
// Judges random cases from iteration `first` on in one process, until `end`, a failure, or `seconds`
// of host time have passed.
Stretch judge_stretch(const Fuzzer& fuzzer, u64 seed, u64 first, u64 end, double seconds);

// What `describe` says, also when it crashes.
std::string describe_isolated(const Fuzzer& fuzzer, const Bytes& tape);

}  // namespace vtsim::fuzz
