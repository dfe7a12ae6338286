/* What a segment allows, and which may be loaded where. SDM 3A "Limit Checking", "Type Checking",
 * "Privilege Level Checking When Accessing Data Segments". */
#include "segmentation.h"

enum { MEMORY = 0x400000 }; /* free memory that the segments begin at */
enum { EXPAND_DOWN = DATA_RW | DESCRIPTOR_EXPAND_DOWN, BIG = DESCRIPTOR_32BIT };

static const struct access_row {
  const char* name;
  u32 limit, attributes;
  const u8* code;
  u32 offset;
  u64 want;
} access_rows[] = {
    {"the byte at the limit", 0xfff, DATA_RW, code_load8, 0xfff, DONE},
    {"the byte above the limit", 0xfff, DATA_RW, code_load8, 0x1000, FAULT(GP, 0)},
    {"a doubleword up to the limit", 0xfff, DATA_RW, code_load32, 0xffc, DONE},
    {"a doubleword across the limit", 0xfff, DATA_RW, code_load32, 0xffd, FAULT(GP, 0)},
    {"a write above the limit", 0xfff, DATA_RW, code_store8, 0x1000, FAULT(GP, 0)},
    {"limit 0, byte 0", 0, DATA_RW, code_load8, 0, DONE},
    {"limit 0, byte 1", 0, DATA_RW, code_load8, 1, FAULT(GP, 0)},
    {"limit in pages, the last byte", 1, DATA_RW | DESCRIPTOR_4K, code_load8, 0x1fff, DONE},
    {"limit in pages, above", 1, DATA_RW | DESCRIPTOR_4K, code_load8, 0x2000, FAULT(GP, 0)},
    {"expand-down, at the limit", 0xfff, EXPAND_DOWN, code_load8, 0xfff, FAULT(GP, 0)},
    {"expand-down, offset 0", 0xfff, EXPAND_DOWN, code_load8, 0, FAULT(GP, 0)},
    {"expand-down, above the limit", 0xfff, EXPAND_DOWN, code_load8, 0x1000, DONE},
    {"expand-down, 16 bits, FFFFh", 0xfff, EXPAND_DOWN, code_load8, 0xffff, DONE},
    {"expand-down, 16 bits, 10000h", 0xfff, EXPAND_DOWN, code_load8, 0x10000, FAULT(GP, 0)},
    {"expand-down, 16 bits, across FFFFh", 0xfff, EXPAND_DOWN, code_load32, 0xfffd, FAULT(GP, 0)},
    {"expand-down, 32 bits, 10000h", 0xfff, EXPAND_DOWN | BIG, code_load8, 0x10000, DONE},
    {"expand-down, 32 bits, the limit", 0xfff, EXPAND_DOWN | BIG, code_load8, 0xfff, FAULT(GP, 0)},
    {"expand-down, limit in pages", 0, EXPAND_DOWN | BIG | DESCRIPTOR_4K, code_load8, 0xfff,
     FAULT(GP, 0)},
    {"expand-down, limit in pages, above", 0, EXPAND_DOWN | BIG | DESCRIPTOR_4K, code_load8, 0x1000,
     DONE},
    {"read-only data read", 0xfff, DATA, code_load8, 0, DONE},
    {"read-only data written", 0xfff, DATA, code_store8, 0, FAULT(GP, 0)},
    {"readable code read", 0xfff, CODE_XR, code_load8, 0, DONE},
    {"readable code written", 0xfff, CODE_XR, code_store8, 0, FAULT(GP, 0)},
};

static u64 run_with(const u8* code, u32 ds, u32 ebx) {
  struct context context = legacy_context(0, code);
  context.ds = ds;
  context.rbx = ebx;
  run_legacy(&context);
  return event(&context);
}

static void check_stack_segments(void) {
  set_descriptor(A, descriptor(MEMORY, 0xfff, DATA_RW | BIG));
  struct context context = legacy_context(0, code_load32_ss);
  context.ss = A;
  context.rsp = 0x800;
  context.rbx = 0xffd;
  run_legacy(&context);
  check_equal(event(&context), FAULT(SS, 0), "stack segment: beyond the limit is #SS(0)");
  context = legacy_context(0, code_push);
  context.ss = A;
  context.rsp = 0x1000;
  run_legacy(&context);
  check_equal(event(&context), DONE, "stack segment: a push that ends at the limit");
  check_equal(context.rsp, 0xffc, "stack segment: ESP after it");
  /* B = 0: SP counts, and wraps. */
  set_descriptor(A, descriptor(MEMORY, 0xffff, DATA_RW));
  context = legacy_context(0, code_push);
  context.ss = A;
  context.rsp = 0xabcd0000;
  context.rax = 0x11223344;
  run_legacy(&context);
  check_equal(*(volatile u32*)(MEMORY + 0xfffc), 0x11223344,
              "16-bit stack: a push wraps from SP = 0");
  check_equal(context.rsp & 0xffff, 0xfffc, "16-bit stack: SP after it");
}

static void check_code_segments(void) {
  set_descriptor(A, flat(CODE_X));
  struct context context = legacy_context(0, code_load32_cs);
  context.cs = A;
  context.rbx = MEMORY;
  run_legacy(&context);
  check_equal(event(&context), FAULT(GP, 0), "execute-only code is not read by a CS prefix");
  context = legacy_context(0, code_store8_cs);
  context.rbx = MEMORY;
  run_legacy(&context);
  check_equal(event(&context), FAULT(GP, 0), "readable code is not written by a CS prefix");
  /* MOV EAX, imm32 whose last byte lies beyond the limit. */
  volatile u8* code = (volatile u8*)MEMORY;
  const u8 bytes[] = {0xb8, 1, 2, 3, 4, 0xcc};
  for (u32 i = 0; i < sizeof bytes; ++i) code[0x100 + i] = bytes[i];
  static const struct {
    u32 limit;
    u64 want, rip;
    const char* name;
  } rows[] = {{0x105, DONE, 0x106, "up to INT3 within the limit"},
              {0x104, FAULT(GP, 0), 0x105, "the instruction at the limit's end faults"},
              {0x103, FAULT(GP, 0), 0x100, "an instruction across the limit faults as a whole"},
              {0x0ff, FAULT(GP, 0), 0x100, "an instruction beyond the limit"}};
  for (u32 i = 0; i < 4; ++i) {
    set_descriptor(A, descriptor(MEMORY, rows[i].limit, CODE_XR));
    context = legacy_context(0, (const void*)0x100);
    context.cs = A;
    /* IRET itself checks the limit: it faults with the return address still its own. */
    run_legacy(&context);
    check_equal(event(&context), rows[i].want, "code limit: %s", rows[i].name);
    if (rows[i].limit >= 0x100)
      check_equal(context.rip, rows[i].rip, "code limit: %s: EIP", rows[i].name);
  }
}

void check_access(void) {
  for (u32 i = 0; i < sizeof access_rows / sizeof *access_rows; ++i) {
    const struct access_row* row = &access_rows[i];
    set_descriptor(A, descriptor(MEMORY, row->limit, row->attributes));
    check_equal(run_with(row->code, A, row->offset), row->want, "segment: %s", row->name);
    check_equal(get_descriptor(A) >> 40 & 1, 1, "segment: %s: its accessed bit is set", row->name);
  }
  check_equal(run_with(code_load8, 0, 0), FAULT(GP, 0), "a null segment faults when it is used");
  check_equal(run_with(code_load8, 3, 0), FAULT(GP, 0), "a null segment with RPL 3 likewise");
  check_stack_segments();
  check_code_segments();
}

enum { RPL1 = 1, RPL3 = 3, IN_LDT = 4 };
#define DPL DESCRIPTOR_DPL

static const struct load_row {
  const char* name;
  const u8* code;
  u32 cpl, attributes; /* of A, flat */
  u32 selector;
  u64 want;
} load_rows[] = {
    {"DS: null", code_load_ds, 0, DATA_RW, 0, DONE},
    {"DS: null at CPL 3", code_load_ds, 3, DATA_RW, 3, DONE},
    {"DS: writable data", code_load_ds, 0, DATA_RW, A, DONE},
    {"DS: read-only data", code_load_ds, 0, DATA, A, DONE},
    {"DS: readable code", code_load_ds, 0, CODE_XR, A, DONE},
    {"DS: execute-only code", code_load_ds, 0, CODE_X, A, FAULT(GP, A)},
    {"DS: not present", code_load_ds, 0, DATA_RW & ~PRESENT, A, FAULT(NP, A)},
    {"DS: execute-only and not present: the type first", code_load_ds, 0, CODE_X & ~PRESENT, A,
     FAULT(GP, A)},
    {"DS: a TSS", code_load_ds, 0, TYPE_TSS | PRESENT, A, FAULT(GP, A)},
    {"DS: beyond the GDT", code_load_ds, 0, DATA_RW, BEYOND_GDT, FAULT(GP, BEYOND_GDT)},
    {"DS: in an LDT that there is not", code_load_ds, 0, DATA_RW, A | IN_LDT,
     FAULT(GP, A | IN_LDT)},
    {"DS: DPL 0 at CPL 3", code_load_ds, 3, DATA_RW, A | RPL3, FAULT(GP, A)},
    {"DS: DPL 3 at CPL 3, RPL 0", code_load_ds, 3, DATA_RW | DPL(3), A, DONE},
    {"DS: DPL 0 at CPL 0, RPL 3", code_load_ds, 0, DATA_RW, A | RPL3, FAULT(GP, A)},
    {"DS: DPL 2 at CPL 1, RPL 1", code_load_ds, 1, DATA_RW | DPL(2), A | RPL1, DONE},
    {"DS: conforming code of DPL 0 at CPL 3", code_load_ds, 3, CONFORMING, A | RPL3, DONE},
    {"FS: DPL 0 at CPL 3", code_load_fs, 3, DATA_RW, A | RPL3, FAULT(GP, A)},
    {"SS: null", code_load_ss, 0, DATA_RW, 0, FAULT(GP, 0)},
    {"SS: writable data of its own level", code_load_ss, 0, DATA_RW | BIG, A, DONE},
    {"SS: RPL other than CPL", code_load_ss, 0, DATA_RW | BIG, A | RPL3, FAULT(GP, A)},
    {"SS: DPL other than CPL", code_load_ss, 0, DATA_RW | DPL(3), A, FAULT(GP, A)},
    {"SS: DPL 0 at CPL 3", code_load_ss, 3, DATA_RW, A | RPL3, FAULT(GP, A)},
    {"SS: DPL 3 at CPL 3", code_load_ss, 3, DATA_RW | BIG | DPL(3), A | RPL3, DONE},
    {"SS: read-only data", code_load_ss, 0, DATA, A, FAULT(GP, A)},
    {"SS: readable code", code_load_ss, 0, CODE_XR, A, FAULT(GP, A)},
    {"SS: not present", code_load_ss, 0, (DATA_RW | BIG) & ~PRESENT, A, FAULT(SS, A)},
    {"LLDT: an LDT", code_lldt, 0, TYPE_LDT | PRESENT, A, DONE},
    {"LLDT: null", code_lldt, 0, TYPE_LDT | PRESENT, 0, DONE},
    {"LLDT: not an LDT", code_lldt, 0, TYPE_TSS | PRESENT, A, FAULT(GP, A)},
    {"LLDT: not present", code_lldt, 0, TYPE_LDT, A, FAULT(NP, A)},
    {"LLDT: selector of an LDT", code_lldt, 0, TYPE_LDT | PRESENT, A | IN_LDT,
     FAULT(GP, A | IN_LDT)},
    {"LTR: available", code_ltr, 0, TYPE_TSS | PRESENT, A, DONE},
    {"LTR: busy", code_ltr, 0, TYPE_TSS_BUSY | PRESENT, A, FAULT(GP, A)},
    {"LTR: null", code_ltr, 0, TYPE_TSS | PRESENT, 0, FAULT(GP, 0)},
    {"LTR: not present", code_ltr, 0, TYPE_TSS, A, FAULT(NP, A)},
    {"LTR: not a TSS", code_ltr, 0, TYPE_LDT | PRESENT, A, FAULT(GP, A)},
};

void check_loads(void) {
  for (u32 i = 0; i < sizeof load_rows / sizeof *load_rows; ++i) {
    const struct load_row* row = &load_rows[i];
    set_descriptor(A, flat(row->attributes));
    struct context context = legacy_context(row->cpl, row->code);
    context.rax = row->selector;
    run_legacy(&context);
    check_equal(event(&context), row->want, "load %s", row->name);
  }
  check_equal(get_descriptor(A) >> 40 & 0xf, TYPE_LDT, "a TSS that was refused is not marked");
}

/* One bit a type of descriptor: does the instruction set ZF? */
static u32 accepted(struct context context, u32 segment) {
  u32 result = 0;
  for (u32 type = 0; type < 16; ++type) {
    set_descriptor(A, flat(type | PRESENT | (segment ? DESCRIPTOR_SEGMENT : 0)));
    set_descriptor(B, 0);
    struct context copy = context;
    copy.rax = A;
    copy.rcx = 0;
    if (context.cs == CODE64) {
      run_long(&copy);
    } else {
      run_legacy(&copy);
    }
    result |= (u32)(copy.rflags >> 6 & 1) << type;
  }
  return result;
}

static void check_arpl(void) {
  static const struct {
    u32 destination, source, result, zero_flag;
  } rows[] = {
      {0x10, 0x23, 0x13, 1}, {0x13, 0x20, 0x13, 0}, {0x11, 0x21, 0x11, 0}, {0xfff1, 2, 0xfff2, 1}};
  for (u32 i = 0; i < 4; ++i) {
    struct context context = legacy_context(0, code_arpl);
    context.rcx = rows[i].destination;
    context.rax = rows[i].source;
    run_legacy(&context);
    check(context.rcx == rows[i].result && (context.rflags >> 6 & 1) == rows[i].zero_flag,
          "ARPL of %x with %x is %x", (u64)rows[i].destination, (u64)rows[i].source,
          (u64)rows[i].result);
  }
}

/* SDM 2A "LAR", "LSL": the tables of segment and gate types. */
void check_inspection(void) {
  const struct context legacy_lar = legacy_context(0, code_lar),
                       legacy_lsl = legacy_context(0, code_lsl);
  check_equal(accepted(legacy_lar, 0), 0x1a3e, "LAR: system types 1-5, 9, B, C");
  check_equal(accepted(legacy_lar, 1), 0xffff, "LAR: all code and data");
  check_equal(accepted(legacy_lsl, 0), 0x0a0e, "LSL: system types 1-3, 9, B");
  check_equal(accepted(legacy_lsl, 1), 0xffff, "LSL: all code and data");
  check_equal(accepted(long_context(CODE_64, 0, code_lar), 0), 0x1a04,
              "64-bit LAR: types 2, 9, B, C");
  check_equal(accepted(long_context(CODE_64, 0, code_lsl), 0), 0x0a04, "64-bit LSL: types 2, 9, B");
  check_equal(accepted(legacy_context(0, code_verr), 1), 0xccff, "VERR: data, and readable code");
  check_equal(accepted(legacy_context(0, code_verw), 1), 0x00cc, "VERW: writable data");
  check_equal(accepted(legacy_context(0, code_verr), 0), 0, "VERR: no system segment");
  check_equal(accepted(legacy_context(3, code_lar), 1), 0xf000,
              "LAR at CPL 3 of DPL 0: conforming code");
  check_equal(accepted(legacy_context(3, code_verr), 1), 0xc000, "VERR at CPL 3 of DPL 0");

  set_descriptor(A,
                 descriptor(0x12345678, 0xabcde, DATA_RW | DPL(2) | BIG | DESCRIPTOR_4K | 0x1000));
  struct context context = legacy_context(0, code_lar);
  context.rax = A;
  run_legacy(&context);
  check_equal(context.rcx & ~0xf0000u, 0xd0d200, "LAR: the rights, AVL among them");
  context = legacy_context(0, code_lsl);
  context.rax = A;
  run_legacy(&context);
  check_equal(context.rcx, 0xabcdefff, "LSL: the limit in bytes");
  check_arpl();
}
