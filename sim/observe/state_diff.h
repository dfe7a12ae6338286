#pragma once
// What an instruction changed: the differences between two states of a core, as the commit log
// lists them. Made for being called after every instruction.

#include <vector>

#include "model/cpu/state/core_state.h"
#include "sim/observe/commit_record.h"

namespace vtsim::observe {

// Appends the registers of `now` that differ from `before`, in LogRegister's order. RIP is not
// among them: the next record has it.
void append_changes(const cpu::CoreState& before, const cpu::CoreState& now,
                    std::vector<RegisterChange>& changes);

// to = from, quick when little differs.
void copy_state(const cpu::CoreState& from, cpu::CoreState& to);

}  // namespace vtsim::observe
