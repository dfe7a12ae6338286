/* SDM 3A "Extended XAPIC (x2APIC)": the MSRs, their faults, and the changes between the modes. */
#include "chapters.h"
#include "contexts.h"

enum { GP = 13, DONE = VECTOR_DONE, VECTOR = 0x61 };
enum { ENABLED = 1 << 11, X2 = 1 << 10 };
enum {
  MSR_ID = 0x802,
  MSR_VERSION = 0x803,
  MSR_TPR = 0x808,
  MSR_PPR = 0x80a,
  MSR_EOI = 0x80b,
  MSR_LDR = 0x80d,
  MSR_DFR = 0x80e,
  MSR_SVR = 0x80f,
  MSR_ISR = 0x810,
  MSR_IRR = 0x820,
  MSR_ESR = 0x828,
  MSR_ICR = 0x830,
  MSR_ICR_HIGH = 0x831,
  MSR_LVT_TIMER = 0x832,
  MSR_INITIAL = 0x838,
  MSR_CURRENT = 0x839,
  MSR_DIVIDE = 0x83e,
  MSR_SELF = 0x83f
};

static const u8 rdmsr_code[] = {0x0f, 0x32, 0xcc}, wrmsr_code[] = {0x0f, 0x30, 0xcc};

static u64 try_write(u32 msr, u64 value) {
  struct context context = long_context(CODE_64, 0, wrmsr_code);
  context.rcx = msr;
  context.rax = (u32)value;
  context.rdx = value >> 32;
  run_long(&context);
  return context.vector;
}
static u64 try_read(u32 msr) {
  struct context context = long_context(CODE_64, 0, rdmsr_code);
  context.rcx = msr;
  run_long(&context);
  return context.vector;
}

static void handler(struct frame* frame) {
  (void)frame;
  write_msr(MSR_EOI, 0);
}

static void check_transitions_from_xapic(u64 base) {
  check_equal(try_read(MSR_ID), GP, "xAPIC mode: the x2APIC's MSRs fault");
  check_equal(try_write(IA32_APIC_BASE, base & ~(u64)ENABLED), DONE, "xAPIC -> disabled");
  check_equal(read_cpuid(1, 0).edx >> 9 & 1, 0, "disabled: CPUID does not show an APIC");
  check_equal(try_write(IA32_APIC_BASE, (base & ~(u64)ENABLED) | X2), GP,
              "disabled -> x2APIC bit alone: #GP");
  check_equal(try_write(IA32_APIC_BASE, base | X2), GP, "disabled -> x2APIC: #GP");
  check_equal(try_write(IA32_APIC_BASE, base), DONE, "disabled -> xAPIC");
  check_equal(try_write(IA32_APIC_BASE, (base & ~(u64)ENABLED) | X2), GP,
              "xAPIC -> x2APIC without enable: #GP");
  check_equal(try_write(IA32_APIC_BASE, base | X2), DONE, "xAPIC -> x2APIC");
}

static void check_transitions_from_x2apic(u64 base) {
  check_equal(try_write(IA32_APIC_BASE, base), GP, "x2APIC -> xAPIC: #GP");
  check_equal(try_write(IA32_APIC_BASE, (base & ~(u64)ENABLED) | X2), GP,
              "x2APIC -> x2APIC bit alone: #GP");
  check_equal(try_write(IA32_APIC_BASE, base & ~(u64)ENABLED), DONE, "x2APIC -> disabled");
  check_equal(try_write(IA32_APIC_BASE, base | X2), GP, "disabled -> x2APIC: #GP again");
  check_equal(try_write(IA32_APIC_BASE, base), DONE, "disabled -> xAPIC again");
  check_equal(try_write(IA32_APIC_BASE, base | X2), DONE, "xAPIC -> x2APIC again");
}

static const struct access_row {
  const char* name;
  u32 msr;
  u64 value;
  u64 reading, writing;
} access_rows[] = {
    {"ID", MSR_ID, 0, DONE, GP},
    {"version", MSR_VERSION, 0, DONE, GP},
    {"TPR", MSR_TPR, 0, DONE, DONE},
    {"TPR, a reserved bit", MSR_TPR, 0x100, DONE, GP},
    {"APR, which there is not", 0x809, 0, GP, GP},
    {"PPR", MSR_PPR, 0, DONE, GP},
    {"EOI", MSR_EOI, 0, GP, DONE},
    {"EOI, not 0", MSR_EOI, 1, GP, GP},
    {"LDR", MSR_LDR, 0, DONE, GP},
    {"DFR, which there is not", MSR_DFR, 0, GP, GP},
    {"SVR", MSR_SVR, 0x1ff, DONE, DONE},
    {"SVR, a reserved bit", MSR_SVR, 0x101ff, DONE, GP},
    {"ISR", MSR_ISR, 0, DONE, GP},
    {"IRR", MSR_IRR, 0, DONE, GP},
    {"ESR", MSR_ESR, 0, DONE, DONE},
    {"ESR, not 0", MSR_ESR, 1, DONE, GP},
    {"ICR's high half, which there is not", MSR_ICR_HIGH, 0, GP, GP},
    {"LVT timer", MSR_LVT_TIMER, LVT_MASKED | 0x40, DONE, DONE},
    {"LVT timer, a reserved bit", MSR_LVT_TIMER, 1 << 20, DONE, GP},
    {"LVT timer, the upper half", MSR_LVT_TIMER, 1ul << 32, DONE, GP},
    {"initial count", MSR_INITIAL, 0, DONE, DONE},
    {"current count", MSR_CURRENT, 0, DONE, GP},
    {"divide configuration", MSR_DIVIDE, 0xb, DONE, DONE},
    {"divide configuration, a reserved bit", MSR_DIVIDE, 4, DONE, GP},
    {"self IPI", MSR_SELF, 0x61, GP, DONE},
    {"self IPI, a reserved bit", MSR_SELF, 0x161, GP, GP},
    {"a number between registers", 0x801, 0, GP, GP},
    {"a number above all registers", 0x8ff, 0, GP, GP},
};

static void check_accesses(void) {
  for (u32 i = 0; i < sizeof access_rows / sizeof *access_rows; ++i) {
    const struct access_row* row = &access_rows[i];
    check_equal(try_read(row->msr), row->reading, "x2APIC: reading of %s", row->name);
    check_equal(try_write(row->msr, row->value), row->writing, "x2APIC: writing of %s", row->name);
  }
}

static void check_interrupts(void) {
  const u64 before = taken(VECTOR);
  take_pending(); /* of the self IPI above */
  check_equal(taken(VECTOR) - before, 1, "x2APIC: a self IPI by its register");
  const u64 id = read_msr(MSR_ID);
  write_msr(MSR_ICR, id << 32 | VECTOR);
  take_pending();
  check_equal(taken(VECTOR) - before, 2, "x2APIC: an IPI by one write of ICR");
  check_equal(read_msr(MSR_LDR), (id >> 4) << 16 | 1u << (id & 0xf),
              "x2APIC: the logical id follows from the id");
  write_msr(MSR_ICR, read_msr(MSR_LDR) << 32 | ICR_LOGICAL | VECTOR);
  take_pending();
  check_equal(taken(VECTOR) - before, 3, "x2APIC: an IPI to the logical id");
  write_msr(MSR_ICR, 0xfffffffful << 32 | VECTOR);
  take_pending();
  check_equal(taken(VECTOR) - before, 4, "x2APIC: an IPI to FFFFFFFFh, which is all");
  write_msr(MSR_TPR, 0x70);
  write_msr(MSR_SELF, VECTOR);
  check_equal(read_msr(MSR_IRR + VECTOR / 32) >> VECTOR % 32 & 1, 1, "x2APIC: IRR");
  take_pending();
  check_equal(taken(VECTOR) - before, 4, "x2APIC: TPR holds back");
  write_cr8(0);
  take_pending();
  check_equal(taken(VECTOR) - before, 5, "x2APIC: CR8 lets in");
}

void check_x2apic(void) {
  if (!(read_cpuid(1, 0).ecx >> 21 & 1)) {
    skip("x2APIC: not offered");
    return;
  }
  const u64 base = read_msr(IA32_APIC_BASE);
  const u32 id = own_apic_id();
  set_handler(VECTOR, handler);
  check_transitions_from_xapic(base);
  if (!check_equal(read_msr(IA32_APIC_BASE) & X2, X2, "x2APIC: IA32_APIC_BASE says so")) return;
  check_equal(read_msr(MSR_ID), id, "x2APIC: the id");
  check_transitions_from_x2apic(base);
  write_msr(MSR_SVR, 0x100 | VECTOR_SPURIOUS);
  check_accesses();
  check_interrupts();
}
