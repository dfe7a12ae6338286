/* SDM 3A "APIC Timer": one-shot, periodic, TSC-deadline. */
#include "chapters.h"

enum { VECTOR = 0x70, PERIODIC = 1 << 17, TSC_DEADLINE = 2 << 17, DIVIDE_BY_1 = 0xb };
static u64 ticks_per_ms;

static void start(u32 mode, u32 count) {
  apic_write(APIC_LVT_TIMER, mode | VECTOR);
  apic_write(APIC_TIMER_INITIAL, count);
}
static void stop(void) {
  apic_write(APIC_LVT_TIMER, LVT_MASKED);
  apic_write(APIC_TIMER_INITIAL, 0);
}

/* Timer ticks in 4 ms. */
static u64 measure(u32 divide) {
  apic_write(APIC_TIMER_DIVIDE, divide);
  start(LVT_MASKED, 0xffffffff);
  const u32 begin = pm_ticks(), count = apic_read(APIC_TIMER_CURRENT);
  delay_us(4000);
  const u32 ticks = count - apic_read(APIC_TIMER_CURRENT);
  const u32 elapsed = pm_ticks_since(begin);
  stop();
  return (u64)ticks * PM_TICKS(4000) / elapsed;
}

static void check_divider(void) {
  static const u8 codes[] = {0xb, 0, 1, 2, 3, 8, 9, 0xa}; /* by 1, 2, 4 ... 128 */
  const u64 by_1 = measure(codes[0]);
  ticks_per_ms = by_1 / 4;
  for (u32 i = 1; i < 8; ++i) {
    const u64 scaled = measure(codes[i]) << i;
    check(scaled > by_1 * 4 / 5 && scaled < by_1 * 5 / 4, "divided by %u", 1ul << i);
  }
  apic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_1);
}

static void check_one_shot(void) {
  u64 before = taken(VECTOR);
  const u32 begin = pm_ticks();
  start(0, (u32)(2 * ticks_per_ms));
  check(wait_taken(VECTOR, before, 1, 500000), "one-shot: fires");
  check(took(pm_ticks_since(begin), 1950, 100000), "one-shot of 2 ms: not too early");
  check_equal(apic_read(APIC_TIMER_CURRENT), 0, "one-shot: the count stays 0");
  doze(5000);
  check_equal(taken(VECTOR) - before, 1, "one-shot: fires once");
  before = taken(VECTOR);
  start(0, (u32)(8 * ticks_per_ms));
  apic_write(APIC_TIMER_INITIAL, 0);
  doze(10000);
  check_equal(taken(VECTOR) - before, 0, "an initial count of 0 stops the timer");
  start(LVT_MASKED, (u32)ticks_per_ms);
  doze(3000);
  check_equal(apic_read(APIC_TIMER_CURRENT), 0, "masked: it counts down");
  check_equal(taken(VECTOR) - before, 0, "masked: without an interrupt");
  apic_write(APIC_LVT_TIMER, VECTOR);
  doze(1000);
  check_equal(taken(VECTOR) - before, 0, "unmasked afterwards: nothing is made up for");
  check_equal(apic_read(APIC_TIMER_INITIAL), (u32)ticks_per_ms, "the initial count reads back");
}

static void check_periodic(void) {
  enum { PERIODS = 10 };
  const u64 before = taken(VECTOR);
  const u32 begin = pm_ticks();
  start(PERIODIC, (u32)ticks_per_ms);
  check(wait_taken(VECTOR, before, PERIODS, 1000000), "periodic: keeps firing");
  check(took(pm_ticks_since(begin), 1000 * PERIODS - 1000, 500000),
        "periodic: ten periods of 1 ms");
  const u32 count = apic_read(APIC_TIMER_CURRENT);
  check(count <= (u32)ticks_per_ms, "periodic: the count is reloaded");
  stop();
  const u64 stopped = taken(VECTOR);
  doze(3000);
  check(taken(VECTOR) - stopped <= 1, "periodic: stops");
}

static void check_deadline(void) {
  if (!(read_cpuid(1, 0).ecx >> 24 & 1)) {
    skip("TSC deadline: not offered");
    return;
  }
  u32 start_pm = pm_ticks();
  const u64 start_tsc = read_tsc();
  delay_us(2000);
  const u64 tsc_per_ms = (read_tsc() - start_tsc) * PM_TICKS(1000) / pm_ticks_since(start_pm);
  apic_write(APIC_LVT_TIMER, VECTOR);
  write_msr(IA32_TSC_DEADLINE, read_tsc() + tsc_per_ms);
  check_equal(read_msr(IA32_TSC_DEADLINE), 0, "TSC deadline: in another mode the register stays 0");
  apic_write(APIC_LVT_TIMER, TSC_DEADLINE | VECTOR);
  apic_write(APIC_TIMER_INITIAL, 1000);
  check_equal(apic_read(APIC_TIMER_CURRENT), 0, "TSC deadline: there is no current count");
  const u64 before = taken(VECTOR);
  const u64 deadline = read_tsc() + 20 * tsc_per_ms;
  write_msr(IA32_TSC_DEADLINE, deadline);
  check_equal(read_msr(IA32_TSC_DEADLINE), deadline, "TSC deadline: armed");
  check(wait_taken(VECTOR, before, 1, 1000000), "TSC deadline: fires");
  check(read_tsc() >= deadline, "TSC deadline: not before its time");
  check_equal(read_msr(IA32_TSC_DEADLINE), 0, "TSC deadline: 0 afterwards");
  write_msr(IA32_TSC_DEADLINE, 1);
  take_pending();
  check(wait_taken(VECTOR, before, 2, 100000), "TSC deadline: one that has passed fires at once");
  write_msr(IA32_TSC_DEADLINE, read_tsc() + 5 * tsc_per_ms);
  write_msr(IA32_TSC_DEADLINE, 0);
  doze(10000);
  check_equal(taken(VECTOR) - before, 2, "TSC deadline: 0 disarms");
  write_msr(IA32_TSC_DEADLINE, read_tsc() + 5 * tsc_per_ms);
  apic_write(APIC_LVT_TIMER, VECTOR);
  check_equal(read_msr(IA32_TSC_DEADLINE), 0, "TSC deadline: a change of mode disarms");
  doze(10000);
  check_equal(taken(VECTOR) - before, 2, "TSC deadline: and nothing fires");
  stop();
}

void check_apic_timer(void) {
  check_divider();
  check_one_shot();
  check_periodic();
  check_deadline();
  stop();
  start_waker((u32)(20 * ticks_per_ms));
}
