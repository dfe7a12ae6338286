#pragma once
// System-management mode. SDM 3C "System Management Mode".

#include "model/cpu/core.h"

namespace vtsim::cpu {

// Takes an SMI: saves the state at SMBASE, enters SMM. Called by the run loop between instructions,
// never while state.in_smm. state.rip is where RSM comes back to.
void enter_smm(Core& core);

Outcome rsm(Core& core, const Op& op);

}  // namespace vtsim::cpu
