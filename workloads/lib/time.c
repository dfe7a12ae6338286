#include "parts.h"

u32 pm_ticks(void) { return in32(machine.pm_timer); }
u32 pm_ticks_since(u32 start) { return (pm_ticks() - start) & 0xffffff; }

void delay_us(u32 microseconds) {
  u32 last = pm_ticks();
  for (u64 left = PM_TICKS(microseconds) + 1; left > 0;) {
    for (u32 i = 0; i < 32; ++i) pause();
    const u32 passed = pm_ticks_since(last);
    last += passed;
    left = passed < left ? left - passed : 0;
  }
}
