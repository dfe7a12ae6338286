#include "parts.h"

enum { PIT_CHANNEL_0 = 0x40, PIT_CONTROL = 0x43 };

void start_pit(u32 hz) {
  const u32 divisor = PIT_HZ / hz;
  out8(PIT_CONTROL, 0x34); /* channel 0, both bytes, mode 2: rate generator */
  out8(PIT_CHANNEL_0, (u8)divisor);
  out8(PIT_CHANNEL_0, (u8)(divisor >> 8));
}

void stop_pit(void) { out8(PIT_CONTROL, 0x30); } /* mode 0 without a count: silent */
