#pragma once
// A case on both sides, and the smallest case that still differs.

#include <functional>

#include "tests/cpu/differential/known_differences.h"
#include "tests/cpu/differential/native_user.h"
#include "tests/cpu/differential/simulated_user.h"

namespace vtsim::cpu::test {

class UserComparison {
 public:
  NativeUser native;
  KnownDifferences known;

  // What differs; empty: nothing, or what may, or the case does not run on this host.
  std::string differs(const UserCase& c);
  u64 compared() const { return compared_; }  // cases that ran on both sides

 private:
  std::string outcome_differs(const UserCase& c, const UserResult& host,
                              const UserResult& model) const;

  SimulatedUser simulated_;
  Decoder decoder_{DecoderOptions{}};
  ArenaImage host_image_, model_image_;
  u64 compared_ = 0;
};

// Why the host does not run an instruction; empty: it does.
std::string_view reason_not_to_run(const Decoded& in);

// Takes away from a failing case what it does not need to fail.
UserCase shrink(UserCase c, const std::function<bool(const UserCase&)>& fails);

}  // namespace vtsim::cpu::test
