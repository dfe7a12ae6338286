/* SDM 3A "Determining IPI Destination": who takes what. */
#include "smp.h"

static u32 seen_ids[MAX_CORES], cpuid_ids[MAX_CORES], bsp_flags[MAX_CORES];

static void tell_identity(u32 number) {
  seen_ids[number] = own_apic_id();
  cpuid_ids[number] = read_cpuid(1, 0).ebx >> 24;
  bsp_flags[number] = (u32)(read_msr(IA32_APIC_BASE) >> 8 & 1);
}

void check_identities(void) {
  run_on_all(tell_identity);
  u32 unknown = 0, different = 0, bootstrap = 0, twice = 0;
  for (u32 i = 0; i < cores; ++i) {
    u32 known = 0;
    for (u32 j = 0; j < cores; ++j) {
      known += machine.apic_ids[j] == seen_ids[i];
      twice += j < i && seen_ids[j] == seen_ids[i];
    }
    unknown += !known;
    different += seen_ids[i] != cpuid_ids[i];
    bootstrap += bsp_flags[i];
  }
  check_equal(unknown, 0, "each core's APIC id is in the MADT");
  check_equal(twice, 0, "no two have the same");
  check_equal(different, 0, "CPUID leaf 1 tells the same id");
  check(bootstrap == 1 && bsp_flags[0], "the boot core alone has IA32_APIC_BASE.BSP");
}

static u32 members_of(u32 set) {
  u32 count = 0;
  for (; set != 0; set &= set - 1) ++count;
  return count;
}

static u32 before[MAX_CORES];
static u32 taken_since(void) {
  u32 result = 0;
  for (u32 i = 0; i < cores; ++i) {
    const u32 count = taken_by(i, VECTOR_COUNT) - before[i];
    if (count > 1) result |= 1u << 31; /* never more than once */
    if (count) result |= 1u << i;
  }
  return result;
}

void begin_count(void) {
  for (u32 i = 0; i < cores; ++i) before[i] = taken_by(i, VECTOR_COUNT);
}

u32 wait_count(u32 expected) {
  for (u32 i = 0; i < 2000; ++i) {
    if (members_of(taken_since()) >= members_of(expected)) break;
    delay_us(100);
  }
  delay_us(200);
  return taken_since();
}

static u32 takers(u32 destination, u32 command, u32 expected) {
  begin_count();
  send_interrupt(destination, command | ICR_ASSERT | VECTOR_COUNT);
  return wait_count(expected);
}
static void check_takers(u32 destination, u32 command, u32 expected, const char* what) {
  check_equal(takers(destination, command, expected), expected, "%s %x", what, (u64)destination);
}

static void set_flat(u32 number) {
  apic_write(APIC_DFR, 0xffffffff);
  apic_write(APIC_LDR, 1u << (24 + number));
}
/* Clusters of two: cluster n / 2, member n % 2. */
static void set_cluster(u32 number) {
  apic_write(APIC_DFR, 0x0fffffff);
  apic_write(APIC_LDR, (number / 2 << 4 | 1u << number % 2) << 24);
}

static int is_single(u32 set) { return members_of(set) == 1; }

static u32 everyone; /* one bit a core */
static u32 priority_of[MAX_CORES];
static void set_priority(u32 number) { apic_write(APIC_TPR, priority_of[number]); }

static void check_lowest_priority(void) {
  for (u32 lowest = 0; lowest < cores; ++lowest) {
    for (u32 i = 0; i < cores; ++i) priority_of[i] = i == lowest ? 0x10 : 0x20 + 0x10 * (i % 2);
    run_on_all(set_priority);
    check(is_single(takers(everyone, ICR_LOWEST | ICR_LOGICAL, 1)),
          "lowest priority: one core takes it, core %u having the lowest TPR", (u64)lowest);
  }
  for (u32 i = 0; i < cores; ++i) priority_of[i] = 0;
  run_on_all(set_priority);
  check(is_single(takers(everyone, ICR_LOWEST | ICR_LOGICAL, 1)),
        "lowest priority among equals: one core");
}

void check_destinations(void) {
  everyone = (1u << cores) - 1;
  for (u32 i = 0; i < cores; ++i) {
    check_takers(apic_id_of(i), ICR_FIXED, 1u << i, "physical destination");
  }
  check_takers(0xff, ICR_FIXED, everyone, "physical broadcast");
  check_takers(0x70, ICR_FIXED, 0, "a physical destination that is nobody:");
  check_takers(0, ICR_SELF, 1, "shorthand self, destination");
  check_takers(0, ICR_ALL, everyone, "shorthand all including self, destination");
  check_takers(0, ICR_OTHERS, everyone & ~1u, "shorthand all excluding self, destination");
  run_on_all(set_flat);
  for (u32 set = 1; set <= everyone; ++set) {
    check_takers(set, ICR_LOGICAL, set, "flat logical destination");
  }
  check_takers(0xff, ICR_LOGICAL, everyone, "flat logical broadcast");
  check_takers(0x80, ICR_LOGICAL, 0, "a flat logical destination that is nobody:");
  check_lowest_priority();
  run_on_all(set_cluster);
  for (u32 cluster = 0; cluster <= (cores - 1) / 2; ++cluster) {
    for (u32 members = 1; members < 4; ++members) {
      check_takers(cluster << 4 | members, ICR_LOGICAL, (members << 2 * cluster) & everyone,
                   "cluster destination");
    }
  }
  check_takers(0xff, ICR_LOGICAL, everyone, "cluster broadcast");
  run_on_all(set_flat);
}
