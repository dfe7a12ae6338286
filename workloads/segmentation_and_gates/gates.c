/* Interrupt and trap gates of protected mode. SDM 3A "Exception- or Interrupt-Handler Procedures".
 */
#include "segmentation.h"

#define DPL DESCRIPTOR_DPL
enum { RPL3 = 3, VECTOR = 0x21 };

static u64 saved_gate;
static void set_gate(u32 vector, u64 value) { legacy_idt[vector] = value; }
static u64 gate_to(u32 type_and_dpl, u32 selector, const u8* code) {
  return gate(type_and_dpl, selector, (u32)(u64)code, 0);
}

static const struct gate_row {
  const char* name;
  u32 cpl, type, target; /* type and DPL of the gate; A's attributes, 0: the flat CPL-0 code */
  u64 want;
} gate_rows[] = {
    {"at CPL 0", 0, TYPE_INTERRUPT, CODE_XR, DONE},
    {"at CPL 3, gate of DPL 3", 3, TYPE_INTERRUPT | DPL(3), CODE_XR, DONE},
    {"at CPL 3, gate of DPL 0", 3, TYPE_INTERRUPT, CODE_XR, FAULT(GP, IDT_ENTRY(VECTOR))},
    {"at CPL 2, gate of DPL 1", 2, TYPE_INTERRUPT | DPL(1), CODE_XR, FAULT(GP, IDT_ENTRY(VECTOR))},
    {"through a call gate", 0, TYPE_CALL, CODE_XR, FAULT(GP, IDT_ENTRY(VECTOR))},
    {"through a data segment", 0, DATA_RW, CODE_XR, FAULT(GP, IDT_ENTRY(VECTOR))},
    {"to outer code", 0, TYPE_INTERRUPT, CODE_XR | DPL(3), FAULT(GP, A)},
    {"to data", 0, TYPE_INTERRUPT, DATA_RW, FAULT(GP, A)},
    {"to absent code", 0, TYPE_INTERRUPT, CODE_XR & ~PRESENT, FAULT(NP, A)},
    {"to conforming code at CPL 3", 3, TYPE_TRAP | DPL(3), CONFORMING, DONE},
};

static void check_rows(void) {
  for (u32 i = 0; i < sizeof gate_rows / sizeof *gate_rows; ++i) {
    const struct gate_row* row = &gate_rows[i];
    set_descriptor(A, flat(row->target));
    set_gate(VECTOR, gate_to(row->type, A, code_done));
    struct context context = legacy_context(row->cpl, code_int);
    run_legacy(&context);
    check_equal(event(&context), row->want, "INT n: %s", row->name);
    if (row->want == DONE) {
      check_equal(context.cs, row->target == CONFORMING ? A | row->cpl : A, "INT n: %s: CS",
                  row->name);
    } else {
      check_equal(context.rip, (u64)code_int, "INT n: %s: the fault points at it", row->name);
    }
  }
  set_gate(VECTOR, gate_to(TYPE_INTERRUPT, CODE32, code_done) & ~((u64)PRESENT << 40));
  struct context context = legacy_context(0, code_int);
  run_legacy(&context);
  check_equal(event(&context), FAULT(NP, IDT_ENTRY(VECTOR)), "INT n: the gate is not present");
}

/* What is pushed, and which flags the handler begins with. */
static void check_frames(void) {
  static const struct {
    const char* name;
    u32 type;
    u64 flag;
  } rows[] = {{"interrupt gate", TYPE_INTERRUPT, 0}, {"trap gate", TYPE_TRAP, RFLAGS_IF}};
  for (u32 i = 0; i < 2; ++i) {
    set_gate(VECTOR, gate_to(rows[i].type | DPL(3), CODE32, code_done));
    struct context context = legacy_context(3, code_int);
    context.rflags |= RFLAGS_NT | RFLAGS_IOPL(3) | 1;
    run_legacy(&context);
    check_equal(context.rflags & (RFLAGS_IF | RFLAGS_NT), 0, "%s: IF and NT are clear",
                rows[i].name);
    const u32* stack = (const u32*)(STACK_END(legacy_interrupt_stack) - 20);
    check_equal(context.rsp, (u64)stack, "%s from CPL 3: five doublewords", rows[i].name);
    check_equal(stack[0], (u64)code_after_int, "%s: EIP behind INT", rows[i].name);
    check_equal(stack[1], CODE32_OF(3), "%s: CS", rows[i].name);
    check_equal(stack[2] & 0x7fff, RFLAGS_NT | RFLAGS_IOPL(3) | 3, "%s: EFLAGS", rows[i].name);
    check_equal(stack[3], STACK_END(outer_stack), "%s: ESP", rows[i].name);
    check_equal(stack[4], DATA_OF(3), "%s: SS", rows[i].name);
  }
  set_descriptor(A, descriptor(0x10000, FLAT_LIMIT, CODE_XR | DESCRIPTOR_4K));
  *(volatile u8*)0x13000 = 0xcc;
  set_gate(VECTOR, gate(TYPE_INTERRUPT16 | DPL(3), A, 0x3000, 0));
  struct context context = legacy_context(3, code_int);
  run_legacy(&context);
  const u16* words = (const u16*)(STACK_END(legacy_interrupt_stack) - 10);
  check_equal(context.rsp, (u64)words, "16-bit interrupt gate: five words");
  check_equal(words[1], CODE32_OF(3), "16-bit interrupt gate: CS");
}

/* The gate is reached with interrupts on: an interrupt gate turns them off, a trap gate does not.
 * No interrupt is pending: both 8259s and the I/O APIC are masked. */
static void check_interrupt_flag(void) {
  set_gate(VECTOR, gate_to(TYPE_INTERRUPT, CODE32, code_done));
  struct context context = legacy_context(0, code_int);
  context.rflags |= RFLAGS_IF;
  run_legacy(&context);
  check_equal(context.rflags & RFLAGS_IF, 0, "an interrupt gate clears IF");
  set_gate(VECTOR, gate_to(TYPE_TRAP, CODE32, code_done));
  set_gate(DONE, gate_to(TYPE_TRAP, CODE32, legacy_vector_entries + 16 * DONE));
  context = legacy_context(0, code_int);
  context.rflags |= RFLAGS_IF;
  run_legacy(&context);
  check_equal(context.rflags & RFLAGS_IF, RFLAGS_IF, "a trap gate leaves IF");
  set_gate(DONE, gate_to(TYPE_INTERRUPT | DPL(3), CODE32, legacy_vector_entries + 16 * DONE));
}

/* Single stepping, and the instructions that raise what they are named for. */
static void check_sources(void) {
  struct context context = legacy_context(0, code_int1);
  run_legacy(&context);
  check(context.vector == DB && context.rip == (u64)code_after_int1, "INT1 is a trap, vector 1");
  context = legacy_context(3, code_into);
  context.rflags |= 1 << 11;
  run_legacy(&context);
  check_equal(event(&context), OF, "INTO with OF set");
  context = legacy_context(3, code_into);
  run_legacy(&context);
  check_equal(event(&context), DONE, "INTO with OF clear");
  static const u32 bounds[] = {(u32)-5, 10};
  static const struct {
    u32 index;
    u64 want;
  } rows[] = {{(u32)-5, DONE}, {10, DONE}, {11, BR}, {(u32)-6, BR}};
  for (u32 i = 0; i < 4; ++i) {
    context = legacy_context(3, code_bound);
    context.rax = rows[i].index;
    context.rbx = (u64)bounds;
    run_legacy(&context);
    check_equal(event(&context), rows[i].want, "BOUND: %x of [-5, 10]", (u64)rows[i].index);
  }
  context = legacy_context(0, code_load32);
  context.rflags |= RFLAGS_TF;
  context.rbx = 0x400000;
  run_legacy(&context);
  check(context.vector == DB && context.rip == (u64)code_load32 + 2,
        "TF traps after one instruction");
  check_equal(context.rflags & RFLAGS_TF, RFLAGS_TF, "the pushed EFLAGS show TF");
}

/* EXT is set where the faulting delivery is not that of INT n. SDM 3A "Error Code". */
static void check_faults_in_delivery(void) {
  saved_gate = legacy_idt[UD];
  set_descriptor(A, flat(CODE_XR & ~PRESENT));
  set_gate(UD, gate_to(TYPE_INTERRUPT, A, code_done));
  struct context context = legacy_context(0, code_ud);
  run_legacy(&context);
  check_equal(event(&context), FAULT(NP, A | EXTERNAL), "#UD to absent code: #NP with EXT");
  check_equal(context.rip, (u64)code_ud, "and EIP of the instruction");
  set_gate(UD, saved_gate & ~((u64)PRESENT << 40));
  context = legacy_context(0, code_ud);
  run_legacy(&context);
  check_equal(event(&context), FAULT(NP, IDT_ENTRY(UD) | EXTERNAL),
              "#UD by an absent gate: #NP with EXT");
  set_gate(UD, saved_gate);

  /* #GP whose delivery is #NP: two contributory faults. */
  saved_gate = legacy_idt[GP];
  set_gate(GP, saved_gate & ~((u64)PRESENT << 40));
  context = legacy_context(0, code_load_ds);
  context.rax = BEYOND_GDT;
  run_legacy(&context);
  check_equal(event(&context), FAULT(DF, 0), "#NP in the delivery of #GP: #DF(0)");
  set_gate(GP, saved_gate);
}

void check_legacy_interrupts(void) {
  saved_gate = legacy_idt[VECTOR];
  const u64 old_gate = saved_gate;
  check_rows();
  check_frames();
  check_interrupt_flag();
  set_gate(VECTOR, old_gate);
  check_sources();
  check_faults_in_delivery();
}
