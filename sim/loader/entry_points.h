#pragma once
// The entry states that boot protocols share, and the structures in guest memory behind them.

#include "sim/loader/entry_state.h"
#include "sim/loader/placement.h"

namespace vtsim::loader {

// Real mode at a linear address below 1 MiB: CS:IP is 0000:addr in the first 64 KiB, otherwise
// addr/16:addr%16. Other segments are 0; SS:SP is 9000:FC00, the top of conventional memory.
EntryState real_mode_entry(Hpa entry);

// After S3. ACPI "Firmware ACPI Control Structure (FACS)": real mode with CS = vector/16 and IP =
// vector%16, or 32-bit protected mode with paging off and flat segments (which are in no GDT: there
// is no memory of firmware's own to hold one). Interrupts off.
EntryState real_mode_wake_entry(Hpa vector);
EntryState protected_mode_wake_entry(Hpa vector);

// 32-bit protected mode, paging off, flat segments (CS 10h, all others 18h) from a GDT that is
// placed, and a 32-bit TSS in TR (base 0, limit 67h) as PVH wants it. Interrupts off.
EntryState protected_mode_entry(Hpa entry, Placement& placement);

// 64-bit mode, the low 4 GiB mapped to themselves with 2 MiB pages, flat segments as above.
EntryState long_mode_entry(Hpa entry, Placement& placement);

}  // namespace vtsim::loader
