/* Far jumps, calls and returns, and call gates. SDM 3A "Privilege Level Checking When Transferring
 * Program Control Between Code Segments"; SDM 2 "JMP", "CALL", "RET". */
#include "segmentation.h"

#define DPL DESCRIPTOR_DPL
enum { RPL1 = 1, RPL2 = 2, RPL3 = 3, IN_LDT = 4 };

static struct far_pointer pointer;

static struct context far(const u8* code, u32 cpl, u32 selector) {
  pointer = (struct far_pointer){(u32)(u64)code_done, (u16)selector};
  struct context context = legacy_context(cpl, code);
  context.rbx = (u64)&pointer;
  return context;
}

static const struct jump_row {
  const char* name;
  u32 cpl, attributes; /* of A, flat */
  u32 selector;
  u64 want;
  u32 cs; /* if it goes well */
} jump_rows[] = {
    {"code of its own level", 0, CODE_XR, A, DONE, A},
    {"code of its own level at CPL 3", 3, CODE_XR | DPL(3), A | RPL3, DONE, A | RPL3},
    {"RPL below CPL is forgotten", 3, CODE_XR | DPL(3), A, DONE, A | RPL3},
    {"RPL above CPL", 0, CODE_XR, A | RPL1, FAULT(GP, A), 0},
    {"inner code", 3, CODE_XR, A | RPL3, FAULT(GP, A), 0},
    {"outer code", 0, CODE_XR | DPL(3), A, FAULT(GP, A), 0},
    {"inner conforming code keeps CPL", 3, CONFORMING, A | RPL3, DONE, A | RPL3},
    {"conforming code, RPL 0", 3, CONFORMING, A, DONE, A | RPL3},
    {"outer conforming code", 0, CONFORMING | DPL(1), A, FAULT(GP, A), 0},
    {"not present", 0, CODE_XR & ~PRESENT, A, FAULT(NP, A), 0},
    {"inner and not present: the level first", 3, CODE_XR & ~PRESENT, A | RPL3, FAULT(GP, A), 0},
    {"data", 0, DATA_RW, A, FAULT(GP, A), 0},
    {"null", 0, CODE_XR, 0, FAULT(GP, 0), 0},
    {"null with RPL 3", 3, CODE_XR, RPL3, FAULT(GP, 0), 0},
    {"beyond the GDT", 0, CODE_XR, BEYOND_GDT, FAULT(GP, BEYOND_GDT), 0},
    {"in an LDT that there is not", 0, CODE_XR, A | IN_LDT, FAULT(GP, A | IN_LDT), 0},
    {"an LDT's descriptor", 0, TYPE_LDT | PRESENT, A, FAULT(GP, A), 0},
    {"an interrupt gate", 0, TYPE_INTERRUPT | PRESENT, A, FAULT(GP, A), 0},
};

void check_transfers(void) {
  for (u32 i = 0; i < sizeof jump_rows / sizeof *jump_rows; ++i) {
    const struct jump_row* row = &jump_rows[i];
    for (u32 call = 0; call < 2; ++call) {
      set_descriptor(A, flat(row->attributes));
      struct context context = far(call ? code_far_call : code_far_jump, row->cpl, row->selector);
      run_legacy(&context);
      const char* name = call ? "CALL" : "JMP";
      check_equal(event(&context), row->want, "far %s: %s", name, row->name);
      if (row->want == DONE) check_equal(context.cs, row->cs, "far %s: %s: CS", name, row->name);
    }
  }
  /* The offset must lie within the new segment; then nothing has changed. */
  set_descriptor(A, descriptor(0, 0xfff, CODE_XR));
  struct context context = far(code_far_jump, 0, A);
  run_legacy(&context);
  check_equal(event(&context), FAULT(GP, 0), "far JMP: an offset beyond the limit");
  check_equal(context.cs, CODE32, "far JMP: CS after a fault is the old one");
  set_descriptor(A, flat(CODE_XR));
  context = far(code_far_call, 0, A);
  run_legacy(&context);
  const u32* stack = (const u32*)context.rsp;
  check_equal((u64)stack[1] << 32 | stack[0], (u64)CODE32 << 32 | (u32)(u64)code_after_call,
              "far CALL pushes CS and EIP");
}

static const struct gate_row {
  const char* name;
  u32 call, cpl, gate, target, selector; /* gate: type and DPL; target: A's attributes */
  u64 want;
  u32 cs;
} gate_rows[] = {
    {"CALL, same level", 1, 0, TYPE_CALL, CODE_XR, B, DONE, A},
    {"JMP, same level", 0, 0, TYPE_CALL, CODE_XR, B, DONE, A},
    {"CALL from 3 to 0", 1, 3, TYPE_CALL | DPL(3), CODE_XR, B | RPL3, DONE, A},
    {"CALL from 3 to 1", 1, 3, TYPE_CALL | DPL(3), CODE_XR | DPL(1), B | RPL3, DONE, A | RPL1},
    {"CALL from 2 to 1", 1, 2, TYPE_CALL | DPL(3), CODE_XR | DPL(1), B | RPL2, DONE, A | RPL1},
    {"JMP from 3 to 0", 0, 3, TYPE_CALL | DPL(3), CODE_XR, B | RPL3, FAULT(GP, A), 0},
    {"JMP to conforming code", 0, 3, TYPE_CALL | DPL(3), CONFORMING, B | RPL3, DONE, A | RPL3},
    {"CALL to conforming code", 1, 3, TYPE_CALL | DPL(3), CONFORMING, B | RPL3, DONE, A | RPL3},
    {"CALL, gate below CPL", 1, 3, TYPE_CALL | DPL(2), CODE_XR, B | RPL3, FAULT(GP, B), 0},
    {"CALL, gate below RPL", 1, 0, TYPE_CALL | DPL(2), CODE_XR, B | RPL3, FAULT(GP, B), 0},
    {"CALL, the gate's RPL may be low", 1, 3, TYPE_CALL | DPL(3), CODE_XR, B, DONE, A},
    {"CALL to outer code", 1, 0, TYPE_CALL, CODE_XR | DPL(3), B, FAULT(GP, A), 0},
    {"CALL to data", 1, 0, TYPE_CALL, DATA_RW, B, FAULT(GP, A), 0},
    {"CALL to absent code", 1, 0, TYPE_CALL, CODE_XR & ~PRESENT, B, FAULT(NP, A), 0},
};

static void check_gate_rows(void) {
  tss32.ss1 = DATA_OF(1);
  tss32.esp1 = (u32)STACK_END(interrupt_stack);
  for (u32 i = 0; i < sizeof gate_rows / sizeof *gate_rows; ++i) {
    const struct gate_row* row = &gate_rows[i];
    set_descriptor(A, flat(row->target));
    set_descriptor(B,
                   gate(row->gate, A | RPL3, (u32)(u64)code_done, 0)); /* its RPL does not matter */
    struct context context =
        far(row->call ? code_far_call : code_far_jump, row->cpl, row->selector);
    pointer.offset = 0x12345; /* not used */
    run_legacy(&context);
    check_equal(event(&context), row->want, "call gate: %s", row->name);
    if (row->want == DONE) check_equal(context.cs, row->cs, "call gate: %s: CS", row->name);
  }
  set_descriptor(A, flat(CODE_XR));
  set_descriptor(B, gate(TYPE_CALL, A, (u32)(u64)code_done, 0) & ~((u64)PRESENT << 40));
  struct context context = far(code_far_call, 0, B);
  run_legacy(&context);
  check_equal(event(&context), FAULT(NP, B), "call gate: not present");
  set_descriptor(B, gate(TYPE_CALL, 0, (u32)(u64)code_done, 0));
  context = far(code_far_call, 0, B);
  run_legacy(&context);
  check_equal(event(&context), FAULT(GP, 0), "call gate: null code segment");
}

/* A new stack, the old one's pointer, the parameters, the return address. */
static void check_parameters(void) {
  u32* outer = (u32*)(STACK_END(outer_stack) - 16);
  for (u32 i = 0; i < 4; ++i) outer[i] = 0x11110001 * (i + 1);
  set_descriptor(A, flat(CODE_XR));
  set_descriptor(B, gate(TYPE_CALL | DPL(3), A, (u32)(u64)code_done, 3));
  struct context context = far(code_far_call, 3, B | RPL3);
  context.rsp = (u64)outer;
  run_legacy(&context);
  check_equal(context.rsp, STACK_END(legacy_interrupt_stack) - 7 * 4,
              "call gate with 3 parameters: the new ESP");
  check_equal(context.ss, DATA64, "call gate with 3 parameters: the new SS");
  const u32* inner = (const u32*)(STACK_END(legacy_interrupt_stack) - 7 * 4);
  const u32 want[] = {(u32)(u64)code_after_call, CODE32_OF(3), outer[0], outer[1], outer[2],
                      (u32)(u64)outer,           DATA_OF(3)};
  for (u32 i = 0; i < 7; ++i) {
    check_equal(inner[i], want[i], "call gate with 3 parameters: doubleword %u of the stack",
                (u64)i);
  }
  /* A 16-bit gate: words. */
  volatile u16* low_code = (volatile u16*)0x13000;
  *low_code = 0xcccc;
  set_descriptor(B, gate(TYPE_CALL16 | DPL(3), A, 0x13000 & 0xffff, 2));
  set_descriptor(A, descriptor(0x10000, FLAT_LIMIT, CODE_XR | DESCRIPTOR_4K));
  context = far(code_far_call, 3, B | RPL3);
  context.rsp = (u64)outer;
  run_legacy(&context);
  check_equal(context.rsp, STACK_END(legacy_interrupt_stack) - 6 * 2,
              "16-bit call gate with 2 parameters: the new ESP");
  const u16* words = (const u16*)(STACK_END(legacy_interrupt_stack) - 6 * 2);
  const u16* outer_words = (const u16*)outer;
  check(words[2] == outer_words[0] && words[3] == outer_words[1],
        "16-bit call gate with 2 parameters: they are words");
  check_equal(words[1], CODE32_OF(3), "16-bit call gate: the old CS");
  check_equal(words[5], DATA_OF(3), "16-bit call gate: the old SS");
}

/* SDM 2A "CALL": what is wrong with the inner stack is an invalid TSS. */
static void check_inner_stacks(void) {
  static const struct {
    const char* name;
    u32 attributes, ss1, esp1;
    u64 want;
  } rows[] = {
      {"null", DATA_RW, 0, 0x1000, FAULT(TS, 0)},
      {"RPL other than the code's DPL", DATA_RW | DPL(1), C, 0x1000, FAULT(TS, C)},
      {"DPL other than the code's", DATA_RW, C | RPL1, 0x1000, FAULT(TS, C)},
      {"read-only", DATA | DPL(1), C | RPL1, 0x1000, FAULT(TS, C)},
      {"code", CODE_XR | DPL(1), C | RPL1, 0x1000, FAULT(TS, C)},
      {"beyond the GDT", DATA_RW, BEYOND_GDT | RPL1, 0x1000, FAULT(TS, BEYOND_GDT)},
      {"not present", (DATA_RW | DPL(1)) & ~PRESENT, C | RPL1, 0x1000, FAULT(SS, C)},
      {"no room", DATA_RW | DPL(1), C | RPL1, 8, FAULT(SS, C)},
  };
  set_descriptor(A, flat(CODE_XR | DPL(1)));
  set_descriptor(B, gate(TYPE_CALL | DPL(3), A, (u32)(u64)code_done, 0));
  for (u32 i = 0; i < sizeof rows / sizeof *rows; ++i) {
    set_descriptor(C, descriptor(0x400000, 0xffff, rows[i].attributes | DESCRIPTOR_32BIT));
    tss32.ss1 = rows[i].ss1;
    tss32.esp1 = rows[i].esp1;
    struct context context = far(code_far_call, 3, B | RPL3);
    run_legacy(&context);
    check_equal(event(&context), rows[i].want, "call gate: inner stack segment: %s", rows[i].name);
    check_equal(context.cs, CODE32_OF(3), "call gate: inner stack segment: %s: still at CPL 3",
                rows[i].name);
  }
}

void check_call_gates(void) {
  check_gate_rows();
  check_parameters();
  check_inner_stacks();
}

static struct context returning(const u8* code, u32 cpl, u32 cs, u32 bytes_of_parameters) {
  u32* stack = (u32*)(STACK_END(outer_stack) - 64);
  for (u32 i = 0; i < 16; ++i) stack[i] = 0;
  stack[0] = (u32)(u64)code_done;
  stack[1] = cs;
  const u32 next = 2 + bytes_of_parameters / 4;
  stack[next] = (u32)STACK_END(interrupt_stack) - 64;
  stack[next + 1] = DATA_OF(cs & 3);
  struct context context = legacy_context(cpl, code);
  context.rsp = (u64)stack;
  return context;
}

/* SDM 2B "RET": outwards only; both stacks lose the parameters; segments that the outer level may
 * not use become null. */
void check_far_returns(void) {
  struct context context = returning(code_far_return, 0, CODE32, 0);
  run_legacy(&context);
  check_equal(event(&context), DONE, "far RET to the same level");
  check_equal(context.rsp, STACK_END(outer_stack) - 64 + 8, "far RET to the same level: ESP");

  set_descriptor(A, flat(CONFORMING));
  context = returning(code_far_return_8, 0, CODE32_OF(3), 8);
  context.ds = DATA_OF(0);
  context.es = DATA_OF(3);
  context.fs = A;
  context.gs = DATA_OF(2) & ~3u;
  run_legacy(&context);
  check_equal(event(&context), DONE, "far RET 8 outwards");
  check_equal(context.cs, CODE32_OF(3), "far RET 8 outwards: CS");
  check_equal(context.ss, DATA_OF(3), "far RET 8 outwards: SS");
  check_equal(context.rsp, STACK_END(interrupt_stack) - 64 + 8,
              "far RET 8 outwards: ESP, parameters gone");
  check_equal(context.ds, 0, "far RET outwards: DS of DPL 0 becomes null");
  check_equal(context.es, DATA_OF(3), "far RET outwards: ES of DPL 3 stays");
  check_equal(context.fs, A, "far RET outwards: FS, conforming code, stays");
  check_equal(context.gs, 0, "far RET outwards: GS of DPL 2 becomes null");

  static const struct {
    const char* name;
    u32 cpl, cs, attributes;
    u64 want;
  } rows[] = {
      {"inwards", 3, CODE32, CODE_XR, FAULT(GP, CODE32)},
      {"null", 0, 0, CODE_XR, FAULT(GP, 0)},
      {"to data", 0, A, DATA_RW, FAULT(GP, A)},
      {"to absent code", 0, A, CODE_XR & ~PRESENT, FAULT(NP, A)},
      {"DPL other than RPL", 0, A | RPL3, CODE_XR | DPL(2), FAULT(GP, A)},
      {"conforming code of a higher DPL", 0, A | RPL1, CONFORMING | DPL(3), FAULT(GP, A)},
      {"conforming code outwards", 0, A | RPL3, CONFORMING, DONE},
  };
  for (u32 i = 0; i < sizeof rows / sizeof *rows; ++i) {
    set_descriptor(A, flat(rows[i].attributes));
    context = returning(code_far_return, rows[i].cpl, rows[i].cs, 0);
    run_legacy(&context);
    check_equal(event(&context), rows[i].want, "far RET: %s", rows[i].name);
  }
  context = returning(code_far_return, 0, CODE32_OF(3), 0);
  ((u32*)context.rsp)[3] = DATA_OF(2);
  run_legacy(&context);
  check_equal(event(&context), FAULT(GP, SELECTOR(DATA_OF(2))),
              "far RET outwards: SS of another RPL");
}
