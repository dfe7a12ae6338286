/* x2APIC mode on every core. SDM 3A "Extended XAPIC (x2APIC)": 32-bit ids, logical ids that follow
 * from them, one write an IPI, and what INIT leaves of the mode. */
#include "smp.h"

enum { X2 = 1 << 10, MSR_ID = 0x802, MSR_LDR = 0x80d, MSR_SVR = 0x80f, MSR_ICR = 0x830 };
#define BROADCAST 0xffffffffu

static u32 ids[MAX_CORES], logical_ids[MAX_CORES];

static void change_mode(u32 number) {
  write_msr(IA32_APIC_BASE, read_msr(IA32_APIC_BASE) | X2);
  ids[number] = (u32)read_msr(MSR_ID);
  logical_ids[number] = (u32)read_msr(MSR_LDR);
}

static void send(u32 destination, u32 command) {
  write_msr(MSR_ICR, (u64)destination << 32 | ICR_ASSERT | command);
}

static void check_destination(u32 destination, u32 command, u32 expected, const char* what) {
  begin_count();
  send(destination, command | VECTOR_COUNT);
  check_equal(wait_count(expected), expected, "x2APIC: %s %x", what, (u64)destination);
}

/* Bits of cluster 0's members, as logical destinations, that are cores here. */
static u32 cores_of(u32 members) {
  u32 result = 0;
  for (u32 i = 0; i < cores; ++i) {
    if (logical_ids[i] >> 16 == 0 && (logical_ids[i] & members & 0xffff)) result |= 1u << i;
  }
  return result;
}

static u64 base_after_init, id_after_init, svr_after_init;
static u32 restarted_cores;
static void restarted(u32 number) {
  (void)number;
  base_after_init = read_msr(IA32_APIC_BASE);
  if (base_after_init & X2) {
    id_after_init = read_msr(MSR_ID);
    svr_after_init = read_msr(MSR_SVR);
  }
  __atomic_add_fetch(&restarted_cores, 1, __ATOMIC_RELEASE);
  for (;;) __asm__ volatile("cli; hlt");
}

static void check_init(void) {
  const u32 last = cores - 1;
  set_start_function(restarted);
  send(ids[last], ICR_INIT);
  delay_us(500);
  send(ids[last], ICR_STARTUP | TRAMPOLINE >> 12);
  for (u32 i = 0; i < 5000 && !__atomic_load_n(&restarted_cores, __ATOMIC_ACQUIRE); ++i)
    delay_us(20);
  check_equal(restarted_cores, 1, "x2APIC: INIT and start-up IPI start a core anew");
  check_equal(base_after_init & (X2 | 0x900), X2 | 0x800, "x2APIC: INIT leaves the mode");
  check_equal(id_after_init, ids[last], "x2APIC: and the id");
  check_equal(svr_after_init, 0xff, "x2APIC: but not SVR");
}

void check_x2apic(void) {
  if (!(read_cpuid(1, 0).ecx >> 21 & 1)) {
    skip("x2APIC: not offered");
    return;
  }
  const u32 everyone = (1u << cores) - 1;
  use_x2apic();
  run_on_all(change_mode);
  for (u32 i = 0; i < cores; ++i) {
    check_equal(ids[i], apic_id_of(i), "x2APIC: core %u keeps its id", (u64)i);
    check_equal(logical_ids[i], (ids[i] >> 4) << 16 | 1u << (ids[i] & 0xf),
                "x2APIC: core %u's logical id follows from it", (u64)i);
  }
  for (u32 i = 0; i < cores; ++i)
    check_destination(ids[i], ICR_FIXED, 1u << i, "physical destination");
  check_destination(BROADCAST, ICR_FIXED, everyone, "physical broadcast");
  check_destination(0xff, ICR_FIXED, 0, "FFh is no broadcast:");
  check_destination(0, ICR_SELF, 1, "shorthand self, destination");
  check_destination(0, ICR_ALL, everyone, "shorthand all including self, destination");
  check_destination(0, ICR_OTHERS, everyone & ~1u, "shorthand all excluding self, destination");
  for (u32 members = 1; members < 16; ++members) {
    check_destination(members, ICR_LOGICAL, cores_of(members), "logical destination");
  }
  check_destination(1u << 16 | 0xffff, ICR_LOGICAL, 0, "a cluster without members:");
  check_destination(BROADCAST, ICR_LOGICAL, everyone, "logical broadcast");
  check_init();
}
