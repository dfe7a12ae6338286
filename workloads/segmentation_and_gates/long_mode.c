/* Segments and gates of IA-32e mode. SDM 3A "Segmentation in IA-32e Mode", "Exception and Interrupt
 * Handling in 64-bit Mode". */
#include "segmentation.h"

#define DPL DESCRIPTOR_DPL
enum { RPL3 = 3, VECTOR = 0x31, IST_STACK = 2 };
#define NON_CANONICAL 0x800000000000ul

extern const u8 vector_entries[];

struct far_pointer_64 {
  u64 offset;
  u16 selector;
} __attribute__((packed));
static struct far_pointer_64 pointer;
static u8 ist_stack[1024] __attribute__((aligned(16)));

static void set_call_gate(u32 type_and_dpl, u32 selector, u64 offset) {
  set_descriptor(B, gate(type_and_dpl, selector, (u32)offset, 0));
  set_descriptor(C, offset >> 32);
}

static struct context through_gate(u32 cpl) {
  struct context context = long_context(CODE_64, cpl, code_far_call);
  pointer = (struct far_pointer_64){(u64)B << 32 | 0x1234, 0};
  ((u8*)&pointer)[4] = (u8)B | (u8)cpl; /* m16:32: the selector follows 4 bytes of offset */
  ((u8*)&pointer)[5] = B >> 8;
  context.rbx = (u64)&pointer + (cpl == 3 ? USER_BASE : 0);
  return context;
}

static void check_call_gates_64(void) {
  set_call_gate(TYPE_CALL | DPL(3), CODE64, (u64)code_done);
  struct context context = through_gate(3);
  run_long(&context);
  check_equal(event(&context), DONE, "64-bit call gate from CPL 3");
  check_equal(context.cs, CODE64, "64-bit call gate: CS");
  check_equal(context.ss, 0, "64-bit call gate: SS is null");
  check_equal(context.rsp, STACK_END(interrupt_stack) - 32, "64-bit call gate: four quadwords");
  set_call_gate(TYPE_CALL | DPL(3), CODE32, (u64)code_done);
  context = through_gate(3);
  run_long(&context);
  check_equal(event(&context), FAULT(GP, CODE32), "64-bit call gate to compatibility code");
  set_call_gate(TYPE_CALL | DPL(3), CODE64, NON_CANONICAL);
  context = through_gate(3);
  run_long(&context);
  check_equal(event(&context), FAULT(GP, 0), "64-bit call gate to a non-canonical address");
  set_call_gate(TYPE_CALL16 | DPL(3), CODE64, (u64)code_done);
  context = through_gate(3);
  run_long(&context);
  check_equal(event(&context), FAULT(GP, B), "a 16-bit call gate in IA-32e mode");
  set_descriptor(B, descriptor((u32)(u64)&tss32, 103, TYPE_TSS | PRESENT | DPL(3)));
  context = through_gate(0);
  run_long(&context);
  check_equal(event(&context), FAULT(GP, B), "a TSS as the target of CALL in IA-32e mode");
  set_descriptor(B, gate(TYPE_TASK | DPL(3), TSS64, 0, 0));
  context = through_gate(0);
  run_long(&context);
  check_equal(event(&context), FAULT(GP, B), "a task gate as the target of CALL in IA-32e mode");
}

static void check_segments_64(void) {
  set_descriptor(A, descriptor(0x400000, 0, DATA | DPL(3))); /* read-only, limit 0 */
  struct context context = long_context(CODE_64, 3, code_store8);
  context.ds = A | RPL3;
  context.rbx = 0x500000 + USER_BASE;
  run_long(&context);
  check_equal(event(&context), DONE, "64-bit: DS has no limit and no type");
  context = long_context(CODE_32, 3, code_load8);
  context.ds = A | RPL3;
  context.rbx = 1;
  run_long(&context);
  check_equal(event(&context), FAULT(GP, 0), "compatibility: DS has its limit");
  for (u32 cpl = 0; cpl < 4; ++cpl) {
    context = long_context(CODE_64, cpl, code_load_ss);
    context.rax = cpl;
    run_long(&context);
    check_equal(event(&context), cpl == 3 ? FAULT(GP, 0) : DONE,
                "64-bit: null SS with RPL = CPL = %u", (u64)cpl);
  }
  context = long_context(CODE_64, 0, code_load_ss);
  context.rax = 1;
  run_long(&context);
  check_equal(event(&context), FAULT(GP, 0), "64-bit: null SS with another RPL");
  set_descriptor(A, flat(CODE_XR | DESCRIPTOR_LONG));
  pointer.selector = A;
  pointer.offset = (u64)code_done;
  context = long_context(CODE_64, 0, code_far_jump_64);
  context.rbx = (u64)&pointer;
  run_long(&context);
  check_equal(event(&context), FAULT(GP, A), "a code segment with both L and D");
}

static void check_canonical(void) {
  struct context context = long_context(CODE_64, 0, code_load8);
  context.rbx = NON_CANONICAL;
  run_long(&context);
  check_equal(event(&context), FAULT(GP, 0), "64-bit: a non-canonical address of DS: #GP(0)");
  context = long_context(CODE_64, 0, code_load_at_rbp);
  context.rbp = NON_CANONICAL;
  run_long(&context);
  check_equal(event(&context), FAULT(SS, 0), "64-bit: a non-canonical address by RBP: #SS(0)");
  context = long_context(CODE_64, 0, code_jump_rax);
  context.rax = NON_CANONICAL;
  run_long(&context);
  check_equal(event(&context), FAULT(GP, 0), "64-bit: a jump to a non-canonical address: #GP(0)");
  check_equal(context.rip, (u64)code_jump_rax, "64-bit: and RIP is the jump's");
  context = long_context(CODE_64, 3, code_push_64);
  context.rsp = NON_CANONICAL + 8;
  run_long(&context);
  check_equal(event(&context), FAULT(SS, 0), "64-bit: a push at a non-canonical RSP: #SS(0)");
}

/* The frame is five quadwords, always, on a stack aligned to 16 bytes; IST gives another one. */
static void check_interrupt_stacks(void) {
  static const u8 offsets[] = {0, 8, 15, 1};
  for (u32 i = 0; i < 4; ++i) {
    struct context context = long_context(CODE_64, 0, code_ud);
    context.rsp = STACK_END(outer_stack) - offsets[i];
    run_long(&context);
    check_equal(context.handler_stack, context.rsp & ~0xful,
                "64-bit: RSP = ...%x is aligned down to 16", context.rsp & 0xf);
    check_equal(context.ss, DATA64, "64-bit: SS is pushed without a change of privilege");
  }
  struct context context = long_context(CODE_64, 3, code_ud);
  run_long(&context);
  check_equal(context.handler_stack, STACK_END(interrupt_stack), "64-bit: from CPL 3 on RSP0");
  idt[UD].attributes |= IST_STACK;
  tss64.ist[IST_STACK - 1] = STACK_END(ist_stack) - 4; /* is aligned as well */
  for (u32 cpl = 0; cpl < 4; ++cpl) {
    context = long_context(CODE_64, cpl, code_ud);
    run_long(&context);
    check_equal(context.handler_stack, STACK_END(ist_stack) - 16, "64-bit: IST 2 from CPL %u",
                (u64)cpl);
  }
  tss64.ist[IST_STACK - 1] = NON_CANONICAL;
  idt[DF].attributes |= 1;
  tss64.ist[0] = STACK_END(ist_stack);
  context = long_context(CODE_64, 0, code_ud);
  run_long(&context);
  check_equal(event(&context), FAULT(SS, 0 | EXTERNAL),
              "64-bit: a non-canonical IST: #SS with EXT");
  idt[UD].attributes &= (u16)~7;
  context = long_context(CODE_64, 0, code_push_64);
  context.rsp = NON_CANONICAL + 8;
  run_long(&context);
  check_equal(event(&context), FAULT(DF, 0),
              "64-bit: no stack for the handler of #SS: #DF on its own");
  check_equal(context.handler_stack, STACK_END(ist_stack), "64-bit: #DF on IST 1");
  idt[DF].attributes &= (u16)~7;
}

static void check_gates_64(void) {
  const struct gate64 old = idt[VECTOR];
  static const u8 int_code[] = {0xcd, VECTOR, 0xcc};
  static const struct {
    const char* name;
    u32 cpl;
    u16 attributes, selector;
    u64 want;
  } rows[] = {
      {"DPL 3 at CPL 3", 3, 0xee00, CODE64, DONE},
      {"DPL 0 at CPL 3", 3, 0x8e00, CODE64, FAULT(GP, IDT_ENTRY(VECTOR))},
      {"not present", 0, 0x0e00, CODE64, FAULT(NP, IDT_ENTRY(VECTOR))},
      {"compatibility code", 0, 0x8e00, CODE32, FAULT(GP, CODE32)},
      {"a task gate", 0, 0x8500, CODE64, FAULT(GP, IDT_ENTRY(VECTOR))},
      {"a 16-bit gate", 0, 0x8600, CODE64, FAULT(GP, IDT_ENTRY(VECTOR))},
      {"null code segment", 0, 0x8e00, 0, FAULT(GP, 0)},
      {"data", 0, 0x8e00, DATA64, FAULT(GP, DATA64)},
  };
  const u64 to = (u64)code_done;
  for (u32 i = 0; i < sizeof rows / sizeof *rows; ++i) {
    idt[VECTOR] =
        (struct gate64){(u16)to, rows[i].selector, rows[i].attributes, (u16)(to >> 16), 0, 0};
    struct context context = long_context(CODE_64, rows[i].cpl, int_code);
    run_long(&context);
    check_equal(event(&context), rows[i].want, "64-bit gate: %s", rows[i].name);
  }
  idt[VECTOR] =
      (struct gate64){(u16)to, CODE64, 0x8e00, (u16)(to >> 16), (u32)(NON_CANONICAL >> 32), 0};
  struct context context = long_context(CODE_64, 0, int_code);
  run_long(&context);
  check_equal(event(&context), FAULT(GP, 0), "64-bit gate: a non-canonical address");
  idt[VECTOR] = old;
}

static void check_returns_64(void) {
  u64* stack = (u64*)(STACK_END(outer_stack) - 64);
  static const struct {
    const char* name;
    const u8* code;
    u64 rip, cs, rflags, rsp, ss, want;
  } rows[] = {
      {"IRETQ to CPL 3", code_iretq, 0, CODE64_OF(3), 2, 0x1000, DATA_OF(3), DONE},
      {"IRETQ to compatibility code", code_iretq, 0, CODE32_OF(3), 2, 0x1000, DATA_OF(3), DONE},
      {"IRETQ with SS null at CPL 0", code_iretq, 0, CODE64, 2, 0, 0, DONE},
      {"IRETQ with SS null to CPL 3", code_iretq, 0, CODE64_OF(3), 2, 0x1000, 3, FAULT(GP, 0)},
      {"IRETQ to a non-canonical address", code_iretq, NON_CANONICAL, CODE64, 2, 0, DATA64,
       FAULT(GP, 0)},
      {"IRETQ with NT", code_iretq, 0, CODE64, 2, 0, DATA64, FAULT(GP, 0)},
      {"IRETQ to a null CS", code_iretq, 0, 0, 2, 0, DATA64, FAULT(GP, 0)},
      {"IRETQ, SS of another RPL", code_iretq, 0, CODE64_OF(3), 2, 0x1000, DATA_OF(2),
       FAULT(GP, SELECTOR(DATA_OF(2)))},
      {"far RETQ to CPL 3", code_far_return_64, 0, CODE64_OF(3), 0x1000, DATA_OF(3), 0, DONE},
      {"far RETQ to a non-canonical address", code_far_return_64, NON_CANONICAL, CODE64, 0, 0, 0,
       FAULT(GP, 0)},
  };
  for (u32 i = 0; i < sizeof rows / sizeof *rows; ++i) {
    const u64 done = (u64)code_done + ((rows[i].cs & 3) == 3 ? USER_BASE : 0);
    stack[0] = rows[i].rip ? rows[i].rip : done;
    stack[1] = rows[i].cs;
    stack[2] = rows[i].rflags;
    stack[3] = rows[i].rsp ? rows[i].rsp : STACK_END(outer_stack);
    stack[4] = rows[i].ss;
    struct context context = long_context(CODE_64, 0, rows[i].code);
    context.rsp = (u64)stack;
    if (i == 5) context.rflags |= RFLAGS_NT;
    run_long(&context);
    check_equal(event(&context), rows[i].want, "64-bit: %s", rows[i].name);
    if (rows[i].want == DONE) check_equal(context.cs, rows[i].cs, "64-bit: %s: CS", rows[i].name);
  }
}

void check_long_mode(void) {
  check_call_gates_64();
  check_segments_64();
  check_canonical();
  check_interrupt_stacks();
  check_gates_64();
  check_returns_64();
}
