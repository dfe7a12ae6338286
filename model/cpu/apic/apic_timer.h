#pragma once
// The local APIC timer's down-counter as arithmetic on the cycles of its input clock: nothing
// ticks, the current count is computed from time. SDM 3A "APIC Timer".

#include "model/base/bits.h"

namespace vtsim::cpu {

struct ApicTimerState {
  u32 initial_count = 0;
  u32 divide_configuration = 0;
  // Counting down since `start_cycle`, when the count was `start_count`; 0: stopped.
  u32 start_count = 0;
  u64 start_cycle = 0;
  u64 tsc_deadline = 0;  // IA32_TSC_DEADLINE; 0: disarmed
  bool operator==(const ApicTimerState&) const = default;
};

enum class Reload : u8 { kNo, kAtZero };

// What the divide configuration register divides by: 1, 2, 4 ... 128.
unsigned timer_divisor(u32 divide_configuration);

// The current count at `cycle`.
u32 timer_count(const ApicTimerState& timer, u64 cycle, Reload reload);

// Moves the start to the last tick at or before `cycle`, with the count of that moment.
void advance_timer(ApicTimerState& timer, u64 cycle, Reload reload);

// The cycle at which the count next becomes 0. Only while it counts (start_count != 0).
u64 timer_expiry(const ApicTimerState& timer);

}  // namespace vtsim::cpu
