/* Local APIC, I/O APIC, and the 8254 that ticks through it. */
#include "layout.h"
#include "parts.h"

enum {
  LOCAL_APIC = 0xfee00000,
  EOI = 0x0b0,
  SPURIOUS = 0x0f0,
  ICR_LOW = 0x300,
  ICR_HIGH = 0x310,
  LVT_TIMER = 0x320,
  INITIAL_COUNT = 0x380,
  DIVIDE = 0x3e0,
};
enum { DELIVERY_INIT = 5 << 8, DELIVERY_STARTUP = 6 << 8, ASSERT = 1 << 14, PENDING = 1 << 12 };

static void apic_write(u32 reg, u32 value) { *mmio32(LOCAL_APIC + reg) = value; }

void local_apic_init(void) {
  enum { SOFTWARE_ENABLE = 0x100, DIVIDE_BY_1 = 0xb };
  apic_write(SPURIOUS, SOFTWARE_ENABLE | VECTOR_SPURIOUS);
  apic_write(DIVIDE, DIVIDE_BY_1);
}

void end_of_interrupt(void) { apic_write(EOI, 0); }

static void send(u32 apic_id, u32 command) {
  apic_write(ICR_HIGH, apic_id << 24);
  apic_write(ICR_LOW, command);
  while (*mmio32(LOCAL_APIC + ICR_LOW) & PENDING) pause();
}

void send_init(u32 apic_id) { send(apic_id, DELIVERY_INIT | ASSERT); }
void send_startup(u32 apic_id, u32 page) { send(apic_id, DELIVERY_STARTUP | ASSERT | page); }
void send_ipi(u32 apic_id, u32 vector) { send(apic_id, ASSERT | vector); }

/* One shot, `count` bus clocks from now. */
void start_apic_timer(u32 count) {
  apic_write(LVT_TIMER, VECTOR_APIC_TIMER);
  apic_write(INITIAL_COUNT, count);
}

/* Edge-triggered, active high, fixed delivery to APIC id 0. */
void io_apic_route(u32 io_apic, u32 input, u32 vector) {
  enum { SELECT = 0x00, WINDOW = 0x10, REDIRECTION = 0x10 };
  *mmio32(io_apic + SELECT) = REDIRECTION + 2 * input + 1;
  *mmio32(io_apic + WINDOW) = 0;
  *mmio32(io_apic + SELECT) = REDIRECTION + 2 * input;
  *mmio32(io_apic + WINDOW) = vector;
}

enum { PIT_CHANNEL_0 = 0x40, PIT_CONTROL = 0x43, PIT_HZ = 1193182 };

void start_pit(u32 hz) {
  const u32 divisor = PIT_HZ / hz;
  out8(PIT_CONTROL, 0x34); /* channel 0, both bytes, mode 2: rate generator */
  out8(PIT_CHANNEL_0, (u8)divisor);
  out8(PIT_CHANNEL_0, (u8)(divisor >> 8));
}

void stop_pit(void) { out8(PIT_CONTROL, 0x30); } /* mode 0 without a count: silent */
