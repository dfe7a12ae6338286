/* EFLAGS.IOPL and the TSS's I/O permission bitmap. SDM 1 "I/O Privilege Level" and "I/O Permission
 * Bit Map"; SDM 3A "Protected-Mode Virtual Interrupts". */
#include "privilege.h"

enum { PORT = 0x80 };

static const struct row {
  const char* name;
  const u8* code;
} rows[] = {
    {"CLI", code_cli},
    {"STI", code_sti},
    {"IN AL, imm8", code_in_imm},
    {"OUT imm8, AL", code_out_imm},
    {"IN EAX, DX", code_in_dx},
    {"INSB", code_ins},
    {"OUTSB", code_outs},
};

static struct context prepared(struct context context, u32 iopl, u64 memory) {
  context.rflags |= RFLAGS_IOPL(iopl);
  context.rdx = PORT;
  context.rsi = memory;
  context.rdi = memory;
  return context;
}

/* One hexadecimal digit a result, IOPL 0 lowest: 0 runs, d is #GP(0). */
static u32 digit(u32 outcome) { return outcome == DONE ? 0 : outcome == GP ? 0xd : 0xf; }

static void check_levels(void) {
  for (u32 i = 0; i < sizeof rows / sizeof *rows; ++i) {
    for (u32 cpl = 0; cpl < 4; ++cpl) {
      u32 long_got = 0, legacy_got = 0, want = 0;
      const u64 memory = (u64)operand;
      for (u32 iopl = 0; iopl < 4; ++iopl) {
        const u64 reachable = cpl == 3 ? memory + USER_BASE : memory;
        struct context context = long_context(CODE_64, cpl, rows[i].code);
        long_got |= digit(outcome_long(prepared(context, iopl, reachable))) << 4 * iopl;
        context = legacy_context(cpl, rows[i].code);
        legacy_got |= digit(outcome_legacy(prepared(context, iopl, memory))) << 4 * iopl;
        want |= (cpl > iopl ? 0xd : 0) << 4 * iopl;
      }
      check_equal(long_got, want, "64-bit: %s at CPL %u faults below its IOPL", rows[i].name,
                  (u64)cpl);
      check_equal(legacy_got, want, "protected: %s at CPL %u faults below its IOPL", rows[i].name,
                  (u64)cpl);
    }
  }
}

/* POPF: IOPL changes at CPL 0 only, IF at CPL <= IOPL only, and neither faults. */
static void check_popf(void) {
  for (u32 cpl = 0; cpl < 4; ++cpl) {
    for (u32 iopl = 0; iopl < 4; iopl += 3) {
      struct context context = prepared(long_context(CODE_64, cpl, code_popf), iopl, 0);
      context.rflags |= RFLAGS_IF;
      u64* stack = (u64*)(STACK_END(outer_stack) - 8);
      *stack = RFLAGS_IOPL(3 - iopl) | 2; /* clears IF */
      context.rsp -= 8;
      run_long(&context);
      const u64 new_iopl = cpl == 0 ? 3 - iopl : iopl;
      const u64 new_if = cpl <= iopl ? 0 : RFLAGS_IF;
      check_equal(context.rflags & (RFLAGS_IOPL(3) | RFLAGS_IF), RFLAGS_IOPL(new_iopl) | new_if,
                  "64-bit: POPF at CPL %u with IOPL %u changes IF and IOPL as allowed", (u64)cpl,
                  (u64)iopl);
    }
  }
}

/* All bits of an access must be 0, and within the limit of the TSS. */
static const struct bitmap_row {
  const char* name;
  const u8* code;
  u32 port, first_denied, limit_cut; /* limit_cut: bytes that the TSS's limit lacks */
  u32 want;
} bitmap_rows[] = {
    {"byte, permitted", code_in_dx8, 0x80, 0x81, 0, DONE},
    {"byte, denied", code_in_dx8, 0x80, 0x80, 0, GP},
    {"byte, its neighbour below denied", code_in_dx8, 0x80, 0x7f, 0, DONE},
    {"doubleword, the last byte denied", code_in_dx, 0x80, 0x83, 0, GP},
    {"doubleword, the byte after denied", code_in_dx, 0x80, 0x84, 0, DONE},
    {"doubleword across bitmap bytes, denied in the second", code_in_dx, 0x86, 0x89, 0, GP},
    {"byte at the bitmap's end", code_in_dx8, 0x3fff, 0, 0, DONE},
    {"byte whose second bitmap byte is beyond the limit", code_in_dx8, 0x3fff, 0, 1, GP},
    {"byte beyond the limit", code_in_dx8, 0x4000, 0, 0, GP},
};
enum { BITMAP_PORTS = 0x4000, BITMAP_BYTES = BITMAP_PORTS / 8 };

static void fill_bitmap(u8* permission, u32 denied) {
  for (u32 i = 0; i < BITMAP_BYTES; ++i) permission[i] = 0;
  permission[BITMAP_BYTES] = 0xff;
  if (denied) permission[denied / 8] |= (u8)(1 << denied % 8);
}

static void check_bitmap(void) {
  for (u32 i = 0; i < sizeof bitmap_rows / sizeof *bitmap_rows; ++i) {
    const struct bitmap_row* row = &bitmap_rows[i];
    fill_bitmap(tss32.permission, row->first_denied);
    fill_bitmap(tss64.permission, row->first_denied);
    tss32.io_map = (u16)((u64)tss32.permission - (u64)&tss32);
    tss64.io_map = (u16)((u64)tss64.permission - (u64)&tss64);
    const u64 cut = row->limit_cut;
    set_descriptor(TSS32, get_descriptor(TSS32) - cut);
    set_descriptor(TSS64, (get_descriptor(TSS64) - cut) & ~(2ul << 40)); /* not busy */
    __asm__ volatile("ltr %w0" : : "r"(TSS64));
    struct context context = prepared(long_context(CODE_64, 3, row->code), 0, 0);
    context.rdx = row->port;
    check_equal(outcome_long(context), row->want, "64-bit: I/O bitmap: %s", row->name);
    context = prepared(legacy_context(3, row->code), 0, 0);
    context.rdx = row->port;
    check_equal(outcome_legacy(context), row->want, "protected: I/O bitmap: %s", row->name);
    set_descriptor(TSS32, get_descriptor(TSS32) + cut);
    set_descriptor(TSS64, get_descriptor(TSS64) + cut);
  }
  /* Virtual-8086 mode asks the bitmap whatever the IOPL is. */
  fill_bitmap(tss32.permission, 0x80);
  check_equal(outcome_v86(code_in_imm, RFLAGS_IOPL(3)), GP, "virtual-8086: IN denied, IOPL 3");
  fill_bitmap(tss32.permission, 0x81);
  check_equal(outcome_v86(code_in_imm, 0), DONE, "virtual-8086: IN permitted, IOPL 0");
  tss32.io_map = sizeof tss32;
  tss64.io_map = sizeof tss64;
}

/* CR4.PVI: at CPL 3 with IOPL < 3, CLI and STI change VIF; with VIP set, STI faults. */
static void check_virtual_interrupts(void) {
  if (!has_feature(1, EDX, 1)) {
    skip("protected-mode virtual interrupts: not offered");
    return;
  }
  write_cr4(read_cr4() | CR4_PVI);
  struct context context = legacy_context(3, code_sti);
  run_legacy(&context);
  check_equal(context.vector, DONE, "protected: STI at CPL 3, CR4.PVI = 1, runs");
  check_equal(context.rflags & (RFLAGS_VIF | RFLAGS_IF), RFLAGS_VIF, "and sets VIF, not IF");
  context = legacy_context(3, code_cli);
  context.rflags |= RFLAGS_VIF | RFLAGS_IF;
  run_legacy(&context);
  check_equal(context.rflags & (RFLAGS_VIF | RFLAGS_IF), RFLAGS_IF, "CLI clears VIF, not IF");
  context = legacy_context(3, code_sti);
  context.rflags |= RFLAGS_VIP;
  check_equal(outcome_legacy(context), GP, "protected: STI with VIP set faults");
  context = legacy_context(2, code_sti);
  check_equal(outcome_legacy(context), GP, "protected: CR4.PVI changes nothing at CPL 2");
  write_cr4(read_cr4() & ~(u64)CR4_PVI);
}

void check_iopl(void) {
  check_levels();
  check_popf();
  check_bitmap();
  check_virtual_interrupts();
}
