#include "model/cpu/apic/apic_timer.h"

#include "model/base/check.h"

namespace vtsim::cpu {
namespace {

struct Ticks {
  u64 passed;      // since start_cycle
  u32 count_left;  // 0 only when stopped
};

Ticks ticks_at(const ApicTimerState& timer, u64 cycle, Reload reload) {
  const u64 passed = (cycle - timer.start_cycle) / timer_divisor(timer.divide_configuration);
  if (passed < timer.start_count) {
    return {passed, static_cast<u32>(timer.start_count - passed)};
  }
  if (reload == Reload::kNo || timer.initial_count == 0) return {passed, 0};
  const u64 into_period = (passed - timer.start_count) % timer.initial_count;
  return {passed, static_cast<u32>(timer.initial_count - into_period)};
}

}  // namespace

unsigned timer_divisor(u32 divide_configuration) {
  // SDM 3A "Divide Configuration Register": bits 3, 1 and 0; 000 divides by 2, 111 by 1.
  const u64 value = bits(divide_configuration, 3, 3) << 2 | bits(divide_configuration, 1, 0);
  return value == 7 ? 1 : 2U << value;
}

u32 timer_count(const ApicTimerState& timer, u64 cycle, Reload reload) {
  return timer.start_count == 0 ? 0 : ticks_at(timer, cycle, reload).count_left;
}

void advance_timer(ApicTimerState& timer, u64 cycle, Reload reload) {
  if (timer.start_count == 0) return;
  const Ticks ticks = ticks_at(timer, cycle, reload);
  timer.start_cycle += ticks.passed * timer_divisor(timer.divide_configuration);
  timer.start_count = ticks.count_left;
}

u64 timer_expiry(const ApicTimerState& timer) {
  SIM_CHECK(timer.start_count != 0);
  return timer.start_cycle + u64{timer.start_count} * timer_divisor(timer.divide_configuration);
}

}  // namespace vtsim::cpu
