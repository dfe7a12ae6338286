/* Several cores: starting them, interrupts between them, memory that they share, time, and starting
 * them again. With one core the guest says so. */
#include "smp.h"

const char guest_name[] = "smp";

u32 cores;
static u32 ids[MAX_CORES];
static u32 counts[MAX_CORES][256];
static u32 up, generation, finished;
static work_function current_work;

u32 apic_id_of(u32 number) { return ids[number]; }
u32 taken_by(u32 number, u32 vector) {
  return __atomic_load_n(&counts[number][vector], __ATOMIC_SEQ_CST);
}

int wait_taken_by(u32 number, u32 vector, u32 count) {
  for (u32 i = 0; i < 5000; ++i) {
    if (taken_by(number, vector) >= count) return 1;
    delay_us(20);
  }
  return 0;
}

static u32 number_of(u32 id) {
  for (u32 number = 0; number < cores; ++number) {
    if (ids[number] == id) return number;
  }
  return MAX_CORES - 1;
}

static u32 x2apic;
void use_x2apic(void) { x2apic = 1; }

/* CPUID tells the id in either mode. */
static void count_interrupt(struct frame* frame) {
  const u32 id = read_cpuid(1, 0).ebx >> 24;
  __atomic_add_fetch(&counts[number_of(id)][frame->vector], 1, __ATOMIC_SEQ_CST);
  if (x2apic) {
    write_msr(0x80b, 0);
  } else {
    end_of_interrupt();
  }
}

/* Waits for work with interrupts on. */
static void other_core(u32 number) {
  ids[number] = own_apic_id();
  u32 seen = __atomic_load_n(&generation, __ATOMIC_ACQUIRE);
  __atomic_add_fetch(&up, 1, __ATOMIC_RELEASE);
  enable_interrupts();
  for (;;) {
    while (__atomic_load_n(&generation, __ATOMIC_ACQUIRE) == seen) pause();
    ++seen;
    current_work(number);
    __atomic_add_fetch(&finished, 1, __ATOMIC_RELEASE);
  }
}

static void rejoin(u32 number) {
  (void)number; /* starts are counted on; this is the last core again */
  other_core(cores - 1);
}

void restart_last_core(void) {
  const u32 before = __atomic_load_n(&up, __ATOMIC_ACQUIRE);
  set_start_function(rejoin);
  send_interrupt(apic_id_of(cores - 1), ICR_INIT | ICR_ASSERT);
  delay_us(200);
  send_startup(apic_id_of(cores - 1));
  while (__atomic_load_n(&up, __ATOMIC_ACQUIRE) == before) pause();
}

void begin_on_others(work_function work) {
  current_work = work;
  __atomic_store_n(&finished, 0, __ATOMIC_RELAXED);
  __atomic_add_fetch(&generation, 1, __ATOMIC_RELEASE);
}
void run_on_all(work_function work) {
  begin_on_others(work);
  work(0);
  while (__atomic_load_n(&finished, __ATOMIC_ACQUIRE) < cores - 1) pause();
}

void guest_main(void) {
  cores = machine.cores;
  ids[0] = own_apic_id();
  local_apic_init();
  for (u32 vector = VECTOR_COUNT; vector <= VECTOR_LOWEST; ++vector)
    set_handler(vector, count_interrupt);
  if (cores < 2) {
    skip("the other cores: there are none");
    check_time();
    return;
  }
  start_other_cores(other_core);
  while (__atomic_load_n(&up, __ATOMIC_ACQUIRE) < cores - 1) pause();
  enable_interrupts();
  check_identities();
  check_destinations();
  check_memory();
  check_shootdown();
  check_monitor();
  check_time();
  check_restart();
  restart_last_core();
  check_x2apic();
}
