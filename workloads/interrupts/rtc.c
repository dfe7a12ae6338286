/* The real-time clock's interrupts. Motorola MC146818A data sheet. */
#include "chapters.h"

enum { VECTOR = 0x28 };
enum { REG_A = 0x0a, REG_B = 0x0b, REG_C = 0x0c, REG_D = 0x0d };
enum { PERIODIC = 0x40, ALARM = 0x20, UPDATE = 0x10, HOURS_24 = 2 };

u8 read_cmos(u8 index) {
  out8(0x70, index);
  return in8(0x71);
}
void write_cmos(u8 index, u8 value) {
  out8(0x70, index);
  out8(0x71, value);
}

static u8 flags_seen;
static void handler(struct frame* frame) {
  (void)frame;
  flags_seen |= read_cmos(REG_C);
  end_of_interrupt();
}

static void check_periodic(void) {
  enum { COUNT = 20 };
  static const struct {
    u8 rate;
    u32 period_us;
  } rows[] = {{6, 976}, {7, 1953}, {9, 7812}};
  for (u32 i = 0; i < 3; ++i) {
    write_cmos(REG_A, 0x20 | rows[i].rate);
    write_cmos(REG_B, PERIODIC | HOURS_24);
    read_cmos(REG_C);
    u64 before = taken(VECTOR);
    check(wait_taken(VECTOR, before, 1, 200000), "RTC: periodic interrupt, rate %u",
          (u64)rows[i].rate);
    const u32 start = pm_ticks();
    before = taken(VECTOR);
    flags_seen = 0;
    wait_taken(VECTOR, before, COUNT, 2000000);
    check(took(pm_ticks_since(start), (COUNT - 2) * rows[i].period_us, 1900000),
          "RTC: rate %u: the period", (u64)rows[i].rate);
    check_equal(flags_seen & 0xc0, 0xc0, "RTC: register C says periodic");
  }
  write_cmos(REG_B, HOURS_24);
  read_cmos(REG_C);
  const u64 before = taken(VECTOR);
  doze(5000);
  check_equal(taken(VECTOR) - before, 0, "RTC: disabled, no interrupt");
  check_equal(read_cmos(REG_C) & 0x80, 0, "RTC: and no request");
}

static void check_update(void) {
  write_cmos(REG_B, UPDATE | HOURS_24);
  read_cmos(REG_C);
  u64 before = taken(VECTOR);
  flags_seen = 0;
  check(wait_taken(VECTOR, before, 1, 1500000), "RTC: update-ended interrupt");
  check_equal(flags_seen & 0x90, 0x90, "RTC: register C says update");
  const u8 second = read_cmos(0);
  before = taken(VECTOR);
  const u32 start = pm_ticks();
  wait_taken(VECTOR, before, 1, 3000000);
  check(took(pm_ticks_since(start), 900000, 2000000), "RTC: the next one a second later");
  check(read_cmos(0) != second, "RTC: the seconds count");
  check_equal(read_cmos(REG_A) & 0x80, 0, "RTC: no update in progress after one ended");
}

/* Alarm bytes of C0h and above match anything. */
static void check_alarm(void) {
  write_cmos(REG_B, HOURS_24 | 4); /* binary */
  for (u32 i = 0; i < 2; ++i) {
    const u8 second = (u8)((read_cmos(0) + 1) % 60);
    write_cmos(1, i == 0 ? 0xff : second);
    write_cmos(3, 0xff);
    write_cmos(5, 0xff);
    read_cmos(REG_C);
    flags_seen = 0;
    const u64 before = taken(VECTOR);
    write_cmos(REG_B, ALARM | HOURS_24 | 4);
    check(wait_taken(VECTOR, before, 1, 3000000), "RTC: alarm, %s",
          i == 0 ? "every second" : "a second ahead");
    check_equal(flags_seen & 0xa0, 0xa0, "RTC: register C says alarm");
    if (i == 1) check_equal(read_cmos(0), second, "RTC: the alarm comes at its second");
    write_cmos(REG_B, HOURS_24 | 4);
  }
}

void check_rtc(void) {
  set_handler(VECTOR, handler);
  const u8 old_a = read_cmos(REG_A), old_b = read_cmos(REG_B);
  io_apic_route(machine.gsi[8], VECTOR, own_apic_id());
  check_equal(read_cmos(REG_D) & 0x80, 0x80, "RTC: register D says valid");
  check_periodic();
  check_update();
  check_alarm();
  write_cmos(REG_A, old_a);
  write_cmos(REG_B, old_b & 0x8f);
  read_cmos(REG_C);
  io_apic_route(machine.gsi[8], IO_APIC_MASKED, 0);
  set_handler(VECTOR, 0);
}
