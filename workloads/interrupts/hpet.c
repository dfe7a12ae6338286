/* HPET, and with its level interrupts the I/O APIC's remote IRR. IA-PC HPET specification 1.0a. */
#include "chapters.h"

enum { CAPABILITIES = 0, CONFIGURATION = 0x10, STATUS = 0x20, COUNTER = 0xf0, VECTOR = 0x35 };
enum { ENABLE = 1, LEGACY = 2 };
enum {
  LEVEL = 2,
  INTERRUPTS = 4,
  PERIODIC = 8,
  PERIODIC_CAPABLE = 16,
  SET_PERIOD = 64,
  FSB = 1 << 14,
  FSB_CAPABLE = 1 << 15
};

static volatile u64* reg(u32 offset) { return mmio64(machine.hpet + offset); }
static volatile u64* config(u32 timer) { return reg(0x100 + 0x20 * timer); }
static volatile u64* comparator(u32 timer) { return reg(0x108 + 0x20 * timer); }

static u64 ticks_per_ms;

static void restart(u64 flags) {
  *reg(CONFIGURATION) = 0;
  *reg(STATUS) = 7;
  *reg(COUNTER) = 0;
  *reg(CONFIGURATION) = flags | ENABLE;
}

/* The highest input that timer `n` may be routed to. */
static u32 input_of(u32 timer) {
  const u32 allowed = (u32)(*config(timer) >> 32);
  u32 input = 31;
  while (input > 0 && !(allowed >> input & 1)) --input;
  return input;
}

/* Inputs 16 and up are PCI's: low when active. */
static u32 polarity(u32 input) { return input >= 16 ? IO_APIC_ACTIVE_LOW : 0; }
static void route(u32 input, u32 low) {
  io_apic_route(input, low | polarity(input), own_apic_id());
}

static void check_counter(void) {
  *reg(CONFIGURATION) = 0;
  *reg(COUNTER) = 0x123456789;
  check_equal(*reg(COUNTER), 0x123456789,
              "HPET: the counter is writable and stands while it is disabled");
  restart(0);
  const u32 start = pm_ticks();
  const u64 first = *reg(COUNTER);
  delay_us(3000);
  const u64 ticks = (*reg(COUNTER) - first) * PM_TICKS(3000) / pm_ticks_since(start);
  check(ticks > 3 * ticks_per_ms * 9 / 10 && ticks < 3 * ticks_per_ms * 11 / 10,
        "HPET: the counter keeps its period");
}

static void check_one_shot(void) {
  const u32 input = input_of(0);
  *config(0) = INTERRUPTS | (u64)input << 9;
  route(input, VECTOR);
  const u64 before = taken(VECTOR);
  restart(0);
  *comparator(0) = *reg(COUNTER) + 2 * ticks_per_ms;
  const u32 start = pm_ticks();
  check(wait_taken(VECTOR, before, 1, 1000000), "HPET one-shot: an interrupt");
  check(took(pm_ticks_since(start), 1900, 500000), "HPET one-shot: after 2 ms");
  doze(5000);
  check_equal(taken(VECTOR) - before, 1, "HPET one-shot: one only");
  *config(0) = (u64)input << 9;
  *comparator(0) = *reg(COUNTER) + ticks_per_ms;
  doze(3000);
  check_equal(taken(VECTOR) - before, 1, "HPET: without INT_ENB none");
}

static void check_periodic(void) {
  enum { PERIODS = 10 };
  if (!(*config(0) & PERIODIC_CAPABLE)) {
    skip("HPET: timer 0 cannot be periodic");
    return;
  }
  const u32 input = input_of(0);
  *reg(CONFIGURATION) = 0;
  *reg(COUNTER) = 0;
  *config(0) = INTERRUPTS | PERIODIC | SET_PERIOD | (u64)input << 9;
  *comparator(0) = ticks_per_ms; /* the first match */
  *comparator(0) = ticks_per_ms; /* the period */
  const u64 before = taken(VECTOR);
  const u32 start = pm_ticks();
  *reg(CONFIGURATION) = ENABLE;
  check(wait_taken(VECTOR, before, PERIODS, 2000000), "HPET periodic: interrupts");
  check(took(pm_ticks_since(start), 1000 * (PERIODS - 1), 1000000),
        "HPET periodic: one a millisecond");
  const u64 next = *comparator(0);
  check(next >= PERIODS * ticks_per_ms && next % ticks_per_ms == 0,
        "HPET periodic: the comparator moves on by the period");
  *config(0) = 0;
  *reg(CONFIGURATION) = 0;
}

/* Level-triggered: the handler looks at remote IRR, and clears the source only the second time. */
static u32 levels, remote_irr, status_within;
static void level_handler(struct frame* frame) {
  (void)frame;
  const u32 input = input_of(1);
  if (++levels == 1) {
    remote_irr = io_apic_read(0x10 + 2 * input) & IO_APIC_REMOTE_IRR;
    status_within = (u32)*reg(STATUS);
  } else {
    *reg(STATUS) = 2;
  }
  end_of_interrupt();
}

static void check_levels(void) {
  const u32 input = input_of(1);
  set_handler(VECTOR + 1, level_handler);
  route(input, IO_APIC_LEVEL | (VECTOR + 1));
  const u64 before = taken(VECTOR + 1);
  *config(1) = INTERRUPTS | LEVEL | (u64)input << 9;
  restart(0);
  *comparator(1) = *reg(COUNTER) + ticks_per_ms;
  check(wait_taken(VECTOR + 1, before, 2, 1000000),
        "I/O APIC: a level that stays is taken again after EOI");
  doze(1000);
  check_equal(taken(VECTOR + 1) - before, 2, "I/O APIC: until it falls");
  check_equal(remote_irr, IO_APIC_REMOTE_IRR, "I/O APIC: remote IRR is set while the handler runs");
  check_equal(io_apic_read(0x10 + 2 * input) & IO_APIC_REMOTE_IRR, 0,
              "I/O APIC: EOI clears remote IRR");
  check_equal(status_within, 2, "HPET: the status register says which timer");
  check_equal(*reg(STATUS), 0, "HPET: writing 1 clears it");
  route(input, IO_APIC_LEVEL | IO_APIC_MASKED | (VECTOR + 1));
  levels = 1;
  *comparator(1) = *reg(COUNTER) + ticks_per_ms / 2;
  doze(2000);
  check_equal(taken(VECTOR + 1) - before, 2, "I/O APIC: a masked level is not taken");
  route(input, IO_APIC_LEVEL | (VECTOR + 1));
  check(wait_taken(VECTOR + 1, before, 3, 100000),
        "I/O APIC: unmasked, it is: levels are not lost");
  *config(1) = 0;
  *reg(CONFIGURATION) = 0;
  io_apic_route(input, IO_APIC_MASKED, 0);
}

/* Timer 0 instead of the 8254, timer 1 instead of the RTC. */
static void check_legacy(void) {
  if (!(*reg(CAPABILITIES) >> 15 & 1)) {
    skip("HPET: no legacy replacement");
    return;
  }
  const u32 pit_input = machine.gsi[0], rtc_input = machine.gsi[8];
  io_apic_route(pit_input, VECTOR_PIT, own_apic_id());
  io_apic_route(rtc_input, VECTOR + 2, own_apic_id());
  start_pit(1000);
  *config(0) = INTERRUPTS;
  *config(1) = INTERRUPTS;
  restart(LEGACY);
  take_pending();
  u64 before = taken(VECTOR_PIT);
  doze(5000);
  check_equal(taken(VECTOR_PIT) - before, 0, "HPET legacy replacement: the 8254 is cut off");
  before = taken(VECTOR_PIT);
  const u64 before_rtc = taken(VECTOR + 2);
  *comparator(0) = *reg(COUNTER) + ticks_per_ms;
  check(wait_taken(VECTOR_PIT, before, 1, 500000), "HPET legacy replacement: timer 0 is IRQ 0");
  *comparator(1) = *reg(COUNTER) + ticks_per_ms;
  check(wait_taken(VECTOR + 2, before_rtc, 1, 500000), "HPET legacy replacement: timer 1 is IRQ 8");
  restart(0);
  before = taken(VECTOR_PIT);
  check(wait_taken(VECTOR_PIT, before, 2, 500000),
        "HPET legacy replacement ends: the 8254 is back");
  stop_pit();
  io_apic_route(pit_input, IO_APIC_MASKED, 0);
  io_apic_route(rtc_input, IO_APIC_MASKED, 0);
  *config(0) = 0;
  *config(1) = 0;
}

static void check_messages(void) {
  if (!(*config(2) & FSB_CAPABLE)) {
    skip("HPET: no messages (FSB interrupts)");
    return;
  }
  *reg(0x110 + 0x40) = (u64)(LOCAL_APIC | own_apic_id() << 12) << 32 | (VECTOR + 3);
  *config(2) = INTERRUPTS | FSB;
  const u64 before = taken(VECTOR + 3);
  restart(0);
  *comparator(2) = *reg(COUNTER) + ticks_per_ms;
  check(wait_taken(VECTOR + 3, before, 1, 500000), "HPET: an interrupt as a message");
  *config(2) = 0;
}

void check_hpet(void) {
  if (machine.hpet == 0) {
    skip("HPET: none");
    return;
  }
  const u64 capabilities = *reg(CAPABILITIES);
  const u64 femtoseconds = capabilities >> 32;
  check(femtoseconds > 0 && femtoseconds <= 100000000, "HPET: a period of 100 ns at most");
  check((capabilities >> 8 & 0x1f) >= 2, "HPET: three timers or more");
  ticks_per_ms = 1000000000000ul / femtoseconds;
  check_counter();
  check_one_shot();
  check_periodic();
  check_levels();
  check_legacy();
  check_messages();
  *reg(CONFIGURATION) = 0;
}
