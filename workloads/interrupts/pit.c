/* The 8254's modes: channel 2, whose gate and output are bits of port 61h, and channel 0's
 * interrupt. Intel 8254 data sheet. */
#include "chapters.h"

enum {
  CONTROL = 0x43,
  CHANNEL_2 = 0x42,
  PORT_61 = 0x61,
  GATE = 1,
  OUTPUT = 0x20,
  READ_BACK_2 = 0xe8
};
enum { BOTH_BYTES = 0x30, SELECT_2 = 0x80, BCD = 1 };
#define US(clocks) ((u32)((u64)(clocks)*1000000 / PIT_HZ))

static void set_gate(u32 level) { out8(PORT_61, (u8)((in8(PORT_61) & 0x0c) | (level ? GATE : 0))); }
static u32 output(void) { return in8(PORT_61) >> 5 & 1; }
static void set_mode(u32 mode) { out8(CONTROL, (u8)(SELECT_2 | BOTH_BYTES | mode << 1)); }
static void load(u32 count) {
  out8(CHANNEL_2, (u8)count);
  out8(CHANNEL_2, (u8)(count >> 8));
}
static u32 read_count(void) {
  out8(CONTROL, SELECT_2); /* latch */
  const u32 low = in8(CHANNEL_2);
  return low | (u32)in8(CHANNEL_2) << 8;
}
static u32 read_status(void) {
  out8(CONTROL, READ_BACK_2);
  return in8(CHANNEL_2);
}
/* PM-timer ticks until the output is `level`. */
static u32 wait_output(u32 level) {
  const u32 start = pm_ticks();
  while (output() != level && pm_ticks_since(start) < PM_TICKS(500000)) {
    for (u32 i = 0; i < 8; ++i) pause();
  }
  return pm_ticks_since(start);
}

static void check_mode_0(void) {
  enum { CLOCKS = 6000 };
  set_gate(1);
  set_mode(0);
  check_equal(output(), 0, "8254 mode 0: OUT is low after the control word");
  const u32 start = pm_ticks();
  load(CLOCKS);
  wait_output(1);
  check(took(pm_ticks_since(start), US(CLOCKS), 400000),
        "8254 mode 0: high when the count is over");
  check_equal(read_status() & 0xbf, 0xb0, "8254 mode 0: status: OUT, both bytes, mode 0");
  set_mode(0);
  set_gate(0);
  load(CLOCKS);
  delay_us(50);
  const u32 held = read_count();
  delay_us(1000);
  check_equal(read_count(), held, "8254 mode 0: a low gate holds the count");
  set_gate(1);
  delay_us(1000);
  check(read_count() < held, "8254 mode 0: a high one lets it go");
}

static void check_mode_1(void) {
  enum { CLOCKS = 6000 };
  set_gate(0);
  set_mode(1);
  check_equal(output(), 1, "8254 mode 1: OUT is high");
  load(CLOCKS);
  delay_us(200);
  check_equal(output(), 1, "8254 mode 1: until the gate rises");
  const u32 start = pm_ticks();
  set_gate(1);
  wait_output(0);
  wait_output(1);
  check(took(pm_ticks_since(start), US(CLOCKS), 400000), "8254 mode 1: then low for the count");
  set_gate(0);
  set_gate(1);
  check(took(wait_output(0), 0, 100000) && output() == 0,
        "8254 mode 1: and again with the next edge");
}

/* How often the output is high, in thousandths, and the highest count seen, over some periods. */
static u32 duty(u32 microseconds, u32* highest) {
  const u32 start = pm_ticks();
  u32 samples = 0, high = 0;
  *highest = 0;
  while (pm_ticks_since(start) < PM_TICKS(microseconds)) {
    high += output();
    const u32 count = read_count();
    if (count > *highest) *highest = count;
    ++samples;
  }
  return high * 1000 / samples;
}

static void check_mode_2_and_3(void) {
  enum { CLOCKS = 2000 };
  u32 highest;
  set_gate(1);
  set_mode(2);
  load(CLOCKS);
  delay_us(100);
  check(duty(6000, &highest) > 950, "8254 mode 2: OUT is high but for one clock");
  check(highest <= CLOCKS && highest > CLOCKS / 2, "8254 mode 2: the count is reloaded");
  set_mode(3);
  load(CLOCKS);
  delay_us(100);
  const u32 half = duty(10000, &highest);
  check(half > 400 && half < 600, "8254 mode 3: OUT is high half of the time");
  check(highest <= CLOCKS && highest > CLOCKS / 2, "8254 mode 3: the count is reloaded");
  set_gate(0);
  delay_us(50);
  check_equal(output(), 1, "8254 mode 3: a low gate makes OUT high");
}

static void check_mode_4_and_5(void) {
  enum { CLOCKS = 60000 };
  set_gate(1);
  set_mode(4);
  load(CLOCKS);
  delay_us(100);
  check_equal(output(), 1, "8254 mode 4: OUT is high while it counts");
  const u32 first = read_count();
  delay_us(500);
  const u32 second = read_count();
  check(first > second && first <= CLOCKS, "8254 mode 4: software starts it");
  set_gate(0);
  set_mode(5);
  load(CLOCKS);
  delay_us(500);
  check_equal(output(), 1, "8254 mode 5: OUT is high");
  set_gate(1);
  delay_us(500);
  const u32 third = read_count();
  check(third < CLOCKS && third > 0, "8254 mode 5: the gate's edge starts it");
}

static void check_reading(void) {
  set_gate(1);
  set_mode(2);
  load(50000);
  delay_us(100);
  out8(CONTROL, SELECT_2);
  const u32 low = in8(CHANNEL_2);
  delay_us(1000);
  const u32 latched = low | (u32)in8(CHANNEL_2) << 8;
  check(latched > 49000, "8254: a latched count does not move");
  check(read_count() < latched, "8254: the counter went on meanwhile");
  set_mode(2);
  check_equal(read_status() & 0x40, 0x40, "8254: null count until one is loaded");
  load(50000);
  delay_us(100);
  check_equal(read_status() & 0x40, 0, "8254: then not");
  out8(CONTROL, SELECT_2 | BOTH_BYTES | 2 << 1 | BCD);
  load(0x1000);
  delay_us(100);
  u32 wrong = 0;
  for (u32 i = 0; i < 200; ++i) {
    const u32 count = read_count();
    for (u32 digit = 0; digit < 16; digit += 4) wrong += (count >> digit & 0xf) > 9;
    wrong += count > 0x1000;
    delay_us(3);
  }
  check_equal(wrong, 0, "8254: decimal counts have decimal digits");
  out8(CONTROL, SELECT_2 | 1 << 4 | 2 << 1); /* the low byte only */
  out8(CHANNEL_2, 100);
  delay_us(100);
  check(in8(CHANNEL_2) <= 100, "8254: one byte, one write");
}

static void check_interrupt(void) {
  enum { TICKS = 50 };
  io_apic_route(machine.gsi[0], VECTOR_PIT, own_apic_id());
  static const u8 modes[] = {2, 3};
  for (u32 i = 0; i < 2; ++i) {
    out8(CONTROL, (u8)(BOTH_BYTES | modes[i] << 1));
    out8(0x40, 1193 & 0xff);
    out8(0x40, 1193 >> 8);
    u64 before = taken(VECTOR_PIT);
    wait_taken(VECTOR_PIT, before, 1, 100000);
    const u32 start = pm_ticks();
    before = taken(VECTOR_PIT);
    check(wait_taken(VECTOR_PIT, before, TICKS, 1000000), "8254 mode %u: interrupts",
          (u64)modes[i]);
    check(took(pm_ticks_since(start), (TICKS - 3) * 1000, 500000),
          "8254 mode %u: one a millisecond", (u64)modes[i]);
  }
  out8(CONTROL, BOTH_BYTES);
  take_pending(); /* mode 3's last edge */
  const u64 before = taken(VECTOR_PIT);
  out8(0x40, 0x00);
  out8(0x40, 0x08);
  doze(10000);
  check_equal(taken(VECTOR_PIT) - before, 1, "8254 mode 0: one interrupt");
  io_apic_route(machine.gsi[0], IO_APIC_MASKED, 0);
}

void check_pit(void) {
  check_mode_0();
  check_mode_1();
  check_mode_2_and_3();
  check_mode_4_and_5();
  check_reading();
  check_interrupt();
}
