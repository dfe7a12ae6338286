#pragma once
// What an instruction changed: the differences between two states of a core, as the commit log
// lists them. Made for being called after every instruction.

#include <vector>

#include "model/cpu/flags.h"
#include "model/cpu/state/core_state.h"
#include "sim/observe/commit_record.h"

namespace vtsim::observe {

// Appends the registers of `now` that differ from `before`, in LogRegister's order. RIP is not
// among them: the next record has it.
void append_changes(const cpu::CoreState& before, const cpu::CoreState& now,
                    std::vector<RegisterChange>& changes);

// A core's state as of its last record.
class StateTracker {
 public:
  u64 mode_changes = ~u64{0};  // for the user's bookkeeping: Core::mode_changes() at the last record

  const cpu::CoreState& last() const { return last_; }
  // As append_changes(last(), now, changes), and makes `now` the last.
  void advance(const cpu::CoreState& now, std::vector<RegisterChange>& changes);
  // The same when nothing but general registers and RFLAGS can have changed: quick.
  void advance_integers(const cpu::CoreState& now, std::vector<RegisterChange>& changes);

 private:
  void advance_rflags(const cpu::CoreState& now, std::vector<RegisterChange>& changes);

  cpu::CoreState last_;  // at first as at power-on
  u64 rflags_ = cpu::read_rflags(last_);
};

}  // namespace vtsim::observe
