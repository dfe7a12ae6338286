/* Interrupt controllers and timers: local APIC (xAPIC and x2APIC), 8259, I/O APIC, 8254, RTC, HPET,
 * PM timer. */
#include "chapters.h"
#include "contexts.h"

const char guest_name[] = "interrupts";

/* Once the local APIC's timer is known to work, it ends the wait for what may not come. */
enum { WAKER = 0x71 };
static u32 waker_count;
void start_waker(u32 count) { waker_count = count; }

static void sleep(void) {
  if (waker_count == 0) {
    enable_interrupts();
    for (u32 i = 0; i < 32; ++i) pause();
    disable_interrupts();
    return;
  }
  apic_write(APIC_LVT_TIMER, WAKER);
  apic_write(APIC_TIMER_INITIAL, waker_count);
  wait_for_interrupt();
}

int wait_taken(u32 vector, u64 before, u64 count, u32 limit_us) {
  const u32 start = pm_ticks();
  while (taken(vector) - before < count) {
    sleep();
    if (pm_ticks_since(start) > PM_TICKS(limit_us)) return taken(vector) - before >= count;
  }
  return 1;
}

void doze(u32 microseconds) {
  enable_interrupts();
  delay_us(microseconds);
  disable_interrupts();
}

int took(u32 ticks, u32 least_us, u32 most_us) {
  return ticks >= PM_TICKS(least_us) && ticks <= PM_TICKS(most_us);
}

/* The clocks that everything else is measured by must agree. */
static void check_pm_timer(void) {
  u32 last = pm_ticks();
  u32 backwards = 0;
  for (u32 i = 0; i < 1000; ++i) {
    const u32 now = pm_ticks();
    backwards += ((now - last) & 0xffffff) > 0x800000;
    last = now;
  }
  check_equal(backwards, 0, "PM timer: never goes back");
  const u64 tsc = read_tsc();
  const u32 start = pm_ticks();
  delay_us(2000);
  const u64 first = (read_tsc() - tsc) * 1000 / (pm_ticks_since(start) + 1);
  const u64 again_tsc = read_tsc();
  const u32 again = pm_ticks();
  delay_us(4000);
  const u64 second = (read_tsc() - again_tsc) * 1000 / (pm_ticks_since(again) + 1);
  check(first < second * 5 / 4 && second < first * 5 / 4, "PM timer: keeps step with the TSC");
}

void guest_main(void) {
  contexts_init();
  local_apic_init();
  check_pm_timer();
  check_local_apic();
  check_apic_timer();
  check_pic();
  check_pit();
  check_rtc();
  check_io_apic();
  check_hpet();
  check_x2apic(); /* last: it ends with the APIC in another mode */
}
