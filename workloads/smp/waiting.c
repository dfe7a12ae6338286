/* MONITOR and MWAIT, time across cores, and INIT of a core that runs. */
#include "smp.h"

static volatile u32 mailbox __attribute__((aligned(64)));
static u32 awake;

/* MWAIT may end early; the program looks at what it waits for. */
static void wait_for_mail(u32 number) {
  disable_interrupts();
  while (mailbox != number) {
    __asm__ volatile("monitor" : : "a"(&mailbox), "c"(0), "d"(0));
    if (mailbox == number) break;
    __asm__ volatile("mwait" : : "a"(0), "c"(0));
  }
  __atomic_add_fetch(&awake, 1, __ATOMIC_RELEASE);
  enable_interrupts();
}
static void send_mail(u32 number) {
  if (number != 0) {
    wait_for_mail(number);
    return;
  }
  for (u32 to = 1; to < cores; ++to) {
    delay_us(50);
    mailbox = to;
    while (__atomic_load_n(&awake, __ATOMIC_ACQUIRE) < to) pause();
  }
}

static u32 asleep, woken;
static void sleep_until_interrupt(u32 number) {
  if (number == 0) return;
  static volatile u32 untouched[MAX_CORES][16] __attribute__((aligned(64)));
  disable_interrupts();
  __asm__ volatile("monitor" : : "a"(&untouched[number]), "c"(0), "d"(0));
  __atomic_add_fetch(&asleep, 1, __ATOMIC_RELEASE);
  const u32 before = taken_by(number, VECTOR_WAKE);
  while (taken_by(number, VECTOR_WAKE) == before) {
    __asm__ volatile("sti; mwait" : : "a"(0), "c"(0) : "memory");
  }
  __atomic_add_fetch(&woken, 1, __ATOMIC_RELEASE);
}
static void wake_by_interrupt(u32 number) {
  if (number != 0) {
    sleep_until_interrupt(number);
    return;
  }
  while (__atomic_load_n(&asleep, __ATOMIC_ACQUIRE) < cores - 1) pause();
  delay_us(100);
  send_interrupt(0, ICR_OTHERS | ICR_ASSERT | VECTOR_WAKE);
  for (u32 to = 1; to < cores; ++to) wait_taken_by(to, VECTOR_WAKE, 1);
}

void check_monitor(void) {
  if (!(read_cpuid(1, 0).ecx >> 3 & 1)) {
    skip("MONITOR and MWAIT: not offered");
    return;
  }
  run_on_all(send_mail);
  check_equal(awake, cores - 1, "MWAIT ends at another core's store, in turn");
  run_on_all(wake_by_interrupt);
  check_equal(woken, cores - 1, "MWAIT ends at an interrupt");
}

/* A token with the time goes round: nobody may receive it before it was sent. */
static u64 last_time;
static u32 token, backwards;
static void pass_token(u32 number) {
  for (u32 round = 0; round < 40; ++round) {
    while (__atomic_load_n(&token, __ATOMIC_ACQUIRE) != round * cores + number) pause();
    const u64 now = read_tsc();
    backwards += now < last_time;
    last_time = now;
    __atomic_add_fetch(&token, 1, __ATOMIC_RELEASE);
  }
}

/* The clocks of one core never go back. */
static u32 own_backwards;
static void watch_clocks(u32 number) {
  (void)number;
  u64 tsc = read_tsc();
  u32 ticks = pm_ticks();
  for (u32 i = 0; i < 2000; ++i) {
    const u64 tsc_now = read_tsc();
    const u32 ticks_now = pm_ticks();
    if (tsc_now < tsc || ((ticks_now - ticks) & 0xffffff) > 0x800000) {
      __atomic_add_fetch(&own_backwards, 1, __ATOMIC_RELAXED);
    }
    tsc = tsc_now;
    ticks = ticks_now;
  }
}

void check_time(void) {
  run_on_all(watch_clocks);
  check_equal(own_backwards, 0, "no clock goes back on a core");
  run_on_all(pass_token);
  check_equal(backwards, 0, "the TSC does not go back from core to core");
}

/* INIT stops a core whatever it does; it starts anew at the start-up IPI, with the state of INIT.
 */
static u32 starts, spinning;
static u64 tpr_after, id_after, lvt_after;
static void spin_for_ever(u32 number) {
  if (number != cores - 1) return;
  disable_interrupts();
  apic_write(APIC_TPR, 0x50);
  raise_flag(&spinning);
  for (;;) pause();
}

static void restarted(u32 number) {
  (void)number;
  tpr_after = apic_read(APIC_TPR);
  lvt_after = apic_read(APIC_LVT_LINT0);
  id_after = apic_read(APIC_ID) >> 24;
  __atomic_add_fetch(&starts, 1, __ATOMIC_RELEASE);
  for (;;) __asm__ volatile("cli; hlt");
}

static int starts_reach(u32 count) {
  for (u32 i = 0; i < 5000 && __atomic_load_n(&starts, __ATOMIC_ACQUIRE) < count; ++i) delay_us(20);
  return __atomic_load_n(&starts, __ATOMIC_ACQUIRE) == count;
}

void check_restart(void) {
  const u32 victim = apic_id_of(cores - 1);
  begin_on_others(spin_for_ever);
  wait_until(&spinning);
  set_start_function(restarted);
  send_startup(victim);
  delay_us(1000);
  check_equal(starts, 0, "a start-up IPI to a core that runs does nothing");
  send_interrupt(victim, ICR_INIT | ICR_ASSERT);
  delay_us(1000);
  check_equal(starts, 0, "INIT alone does not start it");
  send_startup(victim);
  check(starts_reach(1), "INIT and start-up IPI start it anew");
  send_startup(victim);
  delay_us(1000);
  check_equal(starts, 1, "a second start-up IPI does nothing");
  check_equal(tpr_after, 0, "INIT has cleared TPR");
  check_equal(lvt_after & LVT_MASKED, LVT_MASKED, "INIT has masked the LVT");
  check_equal(id_after, victim, "INIT leaves the APIC id");
  send_interrupt(victim, ICR_INIT | ICR_ASSERT);
  delay_us(200);
  send_startup(victim);
  check(starts_reach(2), "INIT wakes a core that has halted with interrupts off");
}
