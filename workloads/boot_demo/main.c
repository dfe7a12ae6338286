/* The demo: long mode and paging (lib/start.S), interrupts, page faults, a second core; every
 * result is checked. It ends by powering the machine off; a failed check ends it through the
 * debug-exit port.
 */
#include "lazy_pages.h"
#include "parts.h"
#include "vtsim.h"

extern const u8 image_end[];

const char guest_name[] = "boot_demo";

/* The largest usable range above the image and below 1 GiB, where memory is identity-mapped. */
static void find_memory(void) {
  const struct boot_info* info = boot_info();
  u64 best = 0, best_end = 0, total = 0;
  for (u32 i = 0; i < info->ranges; ++i) {
    const struct memory_range* range = &info->usable[i];
    total += range->bytes;
    u64 base = range->base;
    u64 end = base + range->bytes;
    if (end > USER_BASE) end = USER_BASE;
    if (base < (u64)image_end && end > (u64)image_end) base = (u64)image_end;
    if (base >= (u64)image_end && end > base && end - base > best_end - best) {
      best = base;
      best_end = end;
    }
  }
  print("memory: %u MiB usable\n", total >> 20);
  require(best_end - best > 2 * LAZY_BYTES, "enough memory above the image");
  lazy_pages_init((best + 4095) & ~4095ul, best_end);
}

/* Every page faults once, is mapped, and keeps what was written; then the pages are read in an
 * order that gives the translation caches something to do. */
static void touch_pages(void) {
  enum { PASSES = 4, STRIDE = 1021 };
  const u64 pages = LAZY_BYTES / 4096;
  vtsim_region_begin(1);
  for (u64 page = 0; page < pages; ++page) *(u64*)(LAZY_BASE + 4096 * page) = page;
  require(taken(VECTOR_PAGE_FAULT) == pages, "one page fault a page");
  require(pages_mapped() == pages, "one mapping a fault");
  u64 sum = 0;
  for (u64 i = 0; i < PASSES * pages; ++i) sum += *(u64*)(LAZY_BASE + 4096 * (i * STRIDE % pages));
  vtsim_region_end(1);
  require(sum == PASSES * (pages * (pages - 1) / 2), "the sum of what the pages hold");
  print("paging: %u pages faulted in, read %u times each\n", pages, (u64)PASSES);
}

static void take_timer_interrupts(void) {
  enum { HZ = 1000, TICKS = 10 };
  local_apic_init();
  io_apic_route(machine.gsi[0], VECTOR_PIT, own_apic_id());
  start_pit(HZ);
  while (taken(VECTOR_PIT) < TICKS) wait_for_interrupt();
  stop_pit();
  print("8254: %u interrupts through I/O APIC input %u\n", (u64)TICKS, (u64)machine.gsi[0]);
  apic_write(APIC_LVT_TIMER, VECTOR_APIC_TIMER); /* one-shot */
  apic_write(APIC_TIMER_INITIAL, 100000);
  while (taken(VECTOR_APIC_TIMER) == 0) wait_for_interrupt();
  require(taken(VECTOR_APIC_TIMER) == 1, "a one-shot timer fires once");
  print("local APIC timer: fired once\n");
}

enum { ADDITIONS = 100000 };
static u64 counter;
static u32 cores_up, additions_may_begin, other_cores_done;

static void add_many(void) {
  for (u32 i = 0; i < ADDITIONS; ++i) __atomic_add_fetch(&counter, 1, __ATOMIC_SEQ_CST);
}

/* The other cores: add at the same time as the first, then sleep until they are called. */
static void other_core(u32 number) {
  (void)number;
  __atomic_add_fetch(&cores_up, 1, __ATOMIC_RELEASE);
  wait_until(&additions_may_begin);
  add_many();
  wait_for_interrupt();
  __atomic_add_fetch(&other_cores_done, 1, __ATOMIC_RELEASE);
}

static void wait_for_others(const u32* count, u32 cores) {
  while (__atomic_load_n(count, __ATOMIC_ACQUIRE) < cores - 1) pause();
}

static void use_all_cores(void) {
  if (machine.cores < 2) {
    print("one core: nothing to start\n");
    return;
  }
  const u32 cores = start_other_cores(other_core);
  wait_for_others(&cores_up, cores);
  print("%u cores: up, in 64-bit mode\n", (u64)cores);
  raise_flag(&additions_may_begin);
  add_many();
  for (u32 i = 0; i < cores; ++i) {
    if (machine.apic_ids[i] != own_apic_id()) send_ipi(machine.apic_ids[i], VECTOR_IPI);
  }
  wait_for_others(&other_cores_done, cores);
  require(taken(VECTOR_IPI) == cores - 1, "one IPI a core is taken once");
  require(counter == (u64)cores * ADDITIONS, "locked additions do not get lost");
  print("%u cores: %u locked additions, %u IPI\n", (u64)cores, counter, (u64)cores - 1);
}

void guest_main(void) {
  print("boot_demo: 64-bit mode, paging on\n");
  find_memory();
  print("ACPI: %u core(s), I/O APIC at %x\n", (u64)machine.cores, (u64)machine.io_apic);
  touch_pages();
  take_timer_interrupts();
  use_all_cores();
  vtsim_dump_statistics();
  print("boot_demo: all %u checks passed\n", checks_passed());
  power_off();
}
