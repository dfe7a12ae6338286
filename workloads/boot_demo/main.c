/* The demo: long mode and paging (start.S), interrupts, page faults, a second core; every result is
 * checked. It ends by powering the machine off; a failed check ends it through the debug-exit port.
 */
#include "layout.h"
#include "parts.h"
#include "vtsim.h"

struct start_info { /* hvm_start_info */
  u32 magic, version, flags, module_count;
  u64 modules, command_line, rsdp, memory_map;
  u32 memory_map_entries, reserved;
};
struct memory_range {
  u64 base, bytes;
  u32 type, reserved;
};

extern const u8 trampoline[], trampoline_end[], image_end[];

static struct machine_info machine;

/* The largest usable range above the image and below 4 GiB. */
static void find_memory(const struct start_info* info) {
  enum { USABLE = 1 };
  const struct memory_range* ranges = (const struct memory_range*)info->memory_map;
  u64 best = 0, best_end = 0, total = 0;
  for (u32 i = 0; i < info->memory_map_entries; ++i) {
    if (ranges[i].type != USABLE) continue;
    total += ranges[i].bytes;
    u64 base = ranges[i].base;
    const u64 end = base + ranges[i].bytes;
    if (base < (u64)image_end && end > (u64)image_end) base = (u64)image_end;
    if (end <= 0x100000000ul && base >= (u64)image_end && end - base > best_end - best) {
      best = base;
      best_end = end;
    }
  }
  print("memory: %u MiB usable\n", total >> 20);
  check(best_end - best > 2 * LAZY_BYTES, "enough memory above the image");
  paging_init((best + 4095) & ~4095ul, best_end);
}

/* Every page faults once, is mapped, and keeps what was written; then the pages are read in an
 * order that gives the translation caches something to do. */
static void touch_pages(void) {
  enum { PASSES = 4, STRIDE = 1021 };
  const u64 pages = LAZY_BYTES / 4096;
  vtsim_region_begin(1);
  for (u64 page = 0; page < pages; ++page) *(u64*)(LAZY_BASE + 4096 * page) = page;
  check(taken(VECTOR_PAGE_FAULT) == pages, "one page fault a page");
  check(pages_mapped() == pages, "one mapping a fault");
  u64 sum = 0;
  for (u64 i = 0; i < PASSES * pages; ++i) sum += *(u64*)(LAZY_BASE + 4096 * (i * STRIDE % pages));
  vtsim_region_end(1);
  check(sum == PASSES * (pages * (pages - 1) / 2), "the sum of what the pages hold");
  print("paging: %u pages faulted in, read %u times each\n", pages, (u64)PASSES);
}

static void take_timer_interrupts(void) {
  enum { HZ = 1000, TICKS = 10 };
  local_apic_init();
  io_apic_route(machine.io_apic, machine.timer_gsi, VECTOR_PIT);
  start_pit(HZ);
  while (taken(VECTOR_PIT) < TICKS) wait_for_interrupt();
  stop_pit();
  print("8254: %u interrupts through I/O APIC input %u\n", (u64)TICKS, (u64)machine.timer_gsi);
  start_apic_timer(100000);
  while (taken(VECTOR_APIC_TIMER) == 0) wait_for_interrupt();
  check(taken(VECTOR_APIC_TIMER) == 1, "a one-shot timer fires once");
  print("local APIC timer: fired once\n");
}

enum { ADDITIONS = 100000 };
static u64 counter;
static u32 other_core_is_up, additions_may_begin, other_core_is_done;

static void wait_until(u32* flag) {
  while (!__atomic_load_n(flag, __ATOMIC_ACQUIRE)) pause();
}
static void raise_flag(u32* flag) { __atomic_store_n(flag, 1, __ATOMIC_RELEASE); }

static void add_many(void) {
  for (u32 i = 0; i < ADDITIONS; ++i) __atomic_add_fetch(&counter, 1, __ATOMIC_SEQ_CST);
}

/* The second core: adds at the same time as the first, then sleeps until it is called. */
void other_core_main(void) {
  load_idt();
  local_apic_init();
  raise_flag(&other_core_is_up);
  wait_until(&additions_may_begin);
  add_many();
  while (taken(VECTOR_IPI) == 0) wait_for_interrupt();
  raise_flag(&other_core_is_done);
}

/* INIT, 10 ms, start-up IPI: SDM 3A "MP Initialization Protocol Algorithm for MP Systems". */
static void wait_milliseconds(u32 count) {
  const u64 end = taken(VECTOR_PIT) + count + 1;
  start_pit(1000);
  while (taken(VECTOR_PIT) < end) wait_for_interrupt();
  stop_pit();
}

static void start_second_core(void) {
  if (machine.cores < 2) {
    print("one core: nothing to start\n");
    return;
  }
  for (const u8* byte = trampoline; byte < trampoline_end; ++byte) {
    ((volatile u8*)TRAMPOLINE)[byte - trampoline] = *byte;
  }
  const u32 id = machine.apic_ids[1];
  send_init(id);
  wait_milliseconds(10);
  send_startup(id, TRAMPOLINE >> 12);
  wait_until(&other_core_is_up);
  print("core %u: up, in 64-bit mode\n", (u64)id);
  raise_flag(&additions_may_begin);
  add_many();
  send_ipi(id, VECTOR_IPI);
  wait_until(&other_core_is_done);
  check(taken(VECTOR_IPI) == 1, "one IPI is taken once");
  check(counter == 2 * ADDITIONS, "locked additions of two cores do not get lost");
  print("two cores: %u locked additions, one IPI\n", counter);
}

void boot_main(const struct start_info* info) {
  console_init();
  print("boot_demo: 64-bit mode, paging on\n");
  check(info->magic == 0x336ec578, "the magic of hvm_start_info");
  interrupts_init();
  find_memory(info);
  read_acpi(info->rsdp, &machine);
  print("ACPI: %u core(s), I/O APIC at %x\n", (u64)machine.cores, (u64)machine.io_apic);
  touch_pages();
  take_timer_interrupts();
  start_second_core();
  vtsim_dump_statistics();
  print("boot_demo: all %u checks passed\n", checks_passed());
  power_off(&machine);
}
