#pragma once
// Puts a core into the state in which a loaded image starts, and performs what firmware would have
// done before.

#include <span>

#include "model/cpu/core.h"
#include "sim/firmware_tables/machine_setup.h"
#include "sim/loader/entry_state.h"

namespace vtsim::machine {

void apply_entry_state(cpu::Core& core, const loader::EntryState& entry);

// The model-specific registers that firmware sets alike on every core. Unknown ones are a defect.
void apply_core_setup(cpu::Core& core, std::span<const firmware_tables::MsrValue> values);

// Accesses that firmware makes on the boot processor.
void apply_setup_accesses(cpu::Core& core,
                          std::span<const firmware_tables::SetupAccess> accesses, Ps now);

}  // namespace vtsim::machine
