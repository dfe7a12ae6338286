/* Task switches of protected mode. SDM 3A "Task Switching", "Task Linking". */
#include "segmentation.h"

#define DPL DESCRIPTOR_DPL
enum { TASK_B = A, GATE_B = B, TASK_16 = C, TABLE_B = D, TASK_C = D + 8, VECTOR = 0x21 };
enum { MARK = 0x5a5a0000 };

static struct tss32 task_b;
static u8 stack_b[512] __attribute__((aligned(16)));
static struct tss32 task_c; /* the handler of #TS: the manual wants a task for it */
static u8 stack_c[512] __attribute__((aligned(16)));
static u16 task_16[22];
static struct far_pointer pointer;

static void prepare_b(const u8* code) {
  task_c = (struct tss32){.eip = (u32)(u64)code_done,
                          .eflags = 2,
                          .esp = (u32)STACK_END(stack_c),
                          .cs = CODE32,
                          .ss = DATA64,
                          .ds = DATA64,
                          .io_map = sizeof task_c};
  set_descriptor(TASK_C, descriptor((u32)(u64)&task_c, sizeof task_c - 1, TYPE_TSS | PRESENT));
  task_b = (struct tss32){.link = 0xdead,
                          .cr3 = (u32)read_cr3(),
                          .eip = (u32)(u64)code,
                          .eflags = 2 | 1, /* CF */
                          .eax = MARK + 1,
                          .ecx = MARK + 2,
                          .edx = MARK + 3,
                          .ebx = MARK + 4,
                          .esp = (u32)STACK_END(stack_b),
                          .ebp = MARK + 5,
                          .esi = MARK + 6,
                          .edi = MARK + 7,
                          .es = DATA64,
                          .cs = CODE32,
                          .ss = DATA64,
                          .ds = DATA64,
                          .fs = 0,
                          .gs = DATA_OF(3),
                          .io_map = sizeof task_b};
  set_descriptor(TASK_B, descriptor((u32)(u64)&task_b, sizeof task_b - 1, TYPE_TSS | PRESENT));
  set_descriptor(GATE_B, gate(TYPE_TASK | DPL(3), TASK_B, 0, 0));
}

static u32 tss_type(u32 selector) { return (u32)(get_descriptor(selector) >> 40) & 0xf; }

static struct context switching(const u8* code, u32 cpl, u32 selector) {
  pointer = (struct far_pointer){0x12345, (u16)selector};
  struct context context = legacy_context(cpl, code);
  context.rbx = (u64)&pointer;
  context.rcx = 0xc0c0c0c0;
  context.rbp = 0xb0b0b0b0;
  return context;
}

static void check_jump(void) {
  prepare_b(code_done);
  struct context context = switching(code_far_jump, 0, TASK_B);
  run_legacy(&context);
  check_equal(event(&context), DONE, "JMP to a TSS: the task runs");
  check_equal(context.tr, TASK_B, "JMP to a TSS: TR");
  check(context.rax == MARK + 1 && context.rcx == MARK + 2 && context.rdx == MARK + 3 &&
            context.rbx == MARK + 4 && context.rbp == MARK + 5 && context.rsi == MARK + 6 &&
            context.rdi == MARK + 7 && context.rsp == STACK_END(stack_b),
        "JMP to a TSS: the new task's registers");
  check(context.ds == DATA64 && context.fs == 0 && context.gs == DATA_OF(3),
        "JMP to a TSS: the new task's segments");
  check_equal(context.rflags & (RFLAGS_NT | 1), 1, "JMP to a TSS: its EFLAGS, NT clear");
  check_equal(tss_type(TASK_B), TYPE_TSS_BUSY, "JMP to a TSS: the new task is busy");
  check_equal(tss_type(TSS32), TYPE_TSS, "JMP to a TSS: the old task is not");
  check_equal(task_b.link, 0xdead, "JMP to a TSS: no link");
  check_equal(tss32.eip, (u64)code_far_jump + 2, "JMP to a TSS: the old task's EIP is behind it");
  check(tss32.ecx == 0xc0c0c0c0 && tss32.ebp == 0xb0b0b0b0 && tss32.cs == CODE32 &&
            tss32.ds == DATA64 && tss32.esp == (u32)STACK_END(outer_stack),
        "JMP to a TSS: the old task's registers are saved");
}

static void check_nesting(void) {
  prepare_b(code_iret); /* IRET; INT3 */
  struct context context = switching(code_far_call, 0, TASK_B);
  run_legacy(&context);
  check_equal(event(&context), DONE, "CALL of a TSS, IRET: back");
  check_equal(context.rip, (u64)code_after_call + 1, "CALL of a TSS, IRET: behind the call");
  check_equal(context.tr, TSS32, "CALL of a TSS, IRET: TR");
  check_equal(context.rflags & RFLAGS_NT, 0, "CALL of a TSS, IRET: NT is clear again");
  check_equal(tss_type(TASK_B), TYPE_TSS, "CALL of a TSS, IRET: the called task is free");
  check_equal(tss_type(TSS32), TYPE_TSS_BUSY, "CALL of a TSS, IRET: the caller is busy");
  check_equal((u16)task_b.link, TSS32, "CALL of a TSS: the link");
  check_equal(task_b.eip, (u64)code_after_iret, "IRET saves the EIP behind it");
  check_equal(task_b.eflags & RFLAGS_NT, 0, "IRET saves EFLAGS with NT clear");
  check_equal(context.rcx, 0xc0c0c0c0, "CALL of a TSS, IRET: the caller's registers");

  prepare_b(code_done);
  context = switching(code_far_call, 0, TASK_B);
  run_legacy(&context);
  check_equal(context.rflags & RFLAGS_NT, RFLAGS_NT, "CALL of a TSS: NT is set in the new task");
  check_equal(tss_type(TSS32), TYPE_TSS_BUSY, "CALL of a TSS: the caller stays busy");

  /* NT with a link to a task that is not busy. */
  prepare_b(code_done);
  tss32.link = TASK_B;
  context = legacy_context(0, code_iret);
  context.rflags |= RFLAGS_NT;
  run_legacy(&context);
  check_equal(event(&context), FAULT(TS, TASK_B), "IRET with NT to a task that is not busy: #TS");
  tss32.link = 0;
  context = legacy_context(0, code_iret);
  context.rflags |= RFLAGS_NT;
  run_legacy(&context);
  check_equal(event(&context), FAULT(TS, 0), "IRET with NT and a null link: #TS(0)");
}

static const struct fault_row {
  const char* name;
  u32 cpl, selector, attributes, limit;
  u64 want;
} fault_rows[] = {
    {"busy", 0, TASK_B, TYPE_TSS_BUSY | PRESENT, 103, FAULT(GP, TASK_B)},
    {"not present", 0, TASK_B, TYPE_TSS, 103, FAULT(NP, TASK_B)},
    {"too small", 0, TASK_B, TYPE_TSS | PRESENT, 102, FAULT(TS, TASK_B)},
    {"as small as allowed", 0, TASK_B, TYPE_TSS | PRESENT, 103, DONE},
    {"DPL 0 at CPL 3", 3, TASK_B | 3, TYPE_TSS | PRESENT, 103, FAULT(GP, TASK_B)},
    {"DPL 0, RPL 3", 0, TASK_B | 3, TYPE_TSS | PRESENT, 103, FAULT(GP, TASK_B)},
    {"DPL 3 at CPL 3", 3, TASK_B | 3, TYPE_TSS | PRESENT | DPL(3), 103, DONE},
    {"by a task gate at CPL 3", 3, GATE_B | 3, TYPE_TSS | PRESENT, 103, DONE},
    {"by a task gate, busy", 0, GATE_B, TYPE_TSS_BUSY | PRESENT, 103, FAULT(GP, TASK_B)},
    {"by a task gate, not present", 0, GATE_B, TYPE_TSS, 103, FAULT(NP, TASK_B)},
};

/* What is wrong in the TSS is found in the new task. */
static const struct state_row {
  const char* name;
  u32 offset, value;
  u64 want;
} state_rows[] = {
    {"CS null", 76, 0, FAULT(TS, 0)},
    {"CS data", 76, DATA64, FAULT(TS, DATA64)},
    {"CS of another RPL", 76, CODE32 | 3, FAULT(TS, CODE32)},
    {"SS null", 80, 0, FAULT(TS, 0)},
    {"SS of another RPL", 80, DATA_OF(3), FAULT(TS, SELECTOR(DATA_OF(3)))},
    {"SS beyond the GDT", 80, BEYOND_GDT, FAULT(TS, BEYOND_GDT)},
    {"DS beyond the GDT", 84, BEYOND_GDT, FAULT(TS, BEYOND_GDT)},
    {"ES a TSS", 72, TSS32, FAULT(TS, TSS32)},
    {"LDT a TSS", 96, TSS32, FAULT(TS, TSS32)},
    {"LDT null", 96, 0, DONE},
};

static void check_faults(void) {
  for (u32 i = 0; i < sizeof fault_rows / sizeof *fault_rows; ++i) {
    const struct fault_row* row = &fault_rows[i];
    prepare_b(code_done);
    set_descriptor(TASK_B, descriptor((u32)(u64)&task_b, row->limit, row->attributes));
    struct context context = switching(code_far_jump, row->cpl, row->selector);
    run_legacy(&context);
    check_equal(event(&context), row->want, "JMP to a TSS: %s", row->name);
    const u32 ran = row->want == DONE;
    check_equal(SELECTOR(context.tr), ran ? TASK_B : TSS32, "JMP to a TSS: %s: TR", row->name);
  }
  const u64 old = legacy_idt[TS];
  legacy_idt[TS] = gate(TYPE_TASK, TASK_C, 0, 0);
  for (u32 i = 0; i < sizeof state_rows / sizeof *state_rows; ++i) {
    const struct state_row* row = &state_rows[i];
    prepare_b(code_done);
    *(u32*)((u8*)&task_b + row->offset) = row->value;
    struct context context = switching(code_far_jump, 0, TASK_B);
    run_legacy(&context);
    if (row->want == DONE) {
      check_equal(context.tr, TASK_B, "the new task's %s", row->name);
      continue;
    }
    check_equal(context.tr, TASK_C, "the new task's %s: #TS", row->name);
    check_equal(FAULT(TS, *(u32*)(STACK_END(stack_c) - 4)), row->want,
                "the new task's %s: error code", row->name);
    check_equal((u16)task_c.link, TASK_B, "the new task's %s: raised in the new task", row->name);
  }
  legacy_idt[TS] = old;
}

static void check_interrupt_by_task(void) {
  const u64 old_int = legacy_idt[VECTOR], old_gp = legacy_idt[GP];
  prepare_b(code_done);
  legacy_idt[VECTOR] = gate(TYPE_TASK | DPL(3), TASK_B, 0, 0);
  struct context context = legacy_context(3, code_int);
  run_legacy(&context);
  check_equal(context.tr, TASK_B, "INT n by a task gate from CPL 3");
  check_equal(context.rflags & RFLAGS_NT, RFLAGS_NT, "INT n by a task gate: nested");
  check_equal((u16)task_b.link, TSS32, "INT n by a task gate: linked");
  check_equal(tss32.eip, (u64)code_after_int, "INT n by a task gate: the old EIP is behind INT");
  check_equal(context.rsp, STACK_END(stack_b), "INT n by a task gate: no error code");
  legacy_idt[VECTOR] = old_int;

  prepare_b(code_done);
  legacy_idt[GP] = gate(TYPE_TASK, TASK_B, 0, 0);
  context = legacy_context(0, code_load_ds);
  context.rax = BEYOND_GDT;
  run_legacy(&context);
  check_equal(context.rsp, STACK_END(stack_b) - 4, "#GP by a task gate pushes the error code");
  check_equal(*(u32*)(STACK_END(stack_b) - 4), BEYOND_GDT, "#GP by a task gate: the error code");
  check_equal(tss32.eip, (u64)code_load_ds, "#GP by a task gate: the old EIP is the instruction");
  legacy_idt[GP] = old_gp;
}

/* A stack that cannot take the handler's frame: #SS in delivering #SS is a double fault, and a task
 * brings its own stack. */
static void check_double_fault(void) {
  const u64 old = legacy_idt[DF];
  prepare_b(code_done);
  legacy_idt[DF] = gate(TYPE_TASK, TASK_B, 0, 0);
  set_descriptor(D, descriptor(0x400000, 15, DATA_RW | DESCRIPTOR_32BIT));
  struct context context = legacy_context(0, code_push);
  context.ss = D;
  context.rsp = 12; /* IRET's three doublewords end there; then ESP = 12 leaves no room */
  run_legacy(&context);
  check_equal(context.tr, TASK_B, "#DF by a task gate: the task runs");
  check_equal(*(u32*)(STACK_END(stack_b) - 4), 0, "#DF by a task gate: error code 0");
  check_equal(tss32.ss, D, "#DF by a task gate: the old SS is saved");
  check_equal((u16)task_b.link, TSS32, "#DF by a task gate: linked");
  legacy_idt[DF] = old;
}

static void check_trap_bit(void) {
  prepare_b(code_done);
  task_b.trap = 1;
  struct context context = switching(code_far_jump, 0, TASK_B);
  run_legacy(&context);
  check_equal(event(&context), DB, "the T bit of a TSS: #DB");
  check_equal(context.rip, (u64)code_done, "the T bit: before the task's first instruction");
  u64 dr6;
  __asm__ volatile("mov %%dr6, %0" : "=r"(dr6));
  check_equal(dr6 >> 15 & 1, 1, "the T bit: DR6.BT");
  __asm__ volatile("mov %0, %%dr6" : : "r"(0xffff0ff0ul));
}

static void check_16_bit_task(void) {
  volatile u8* code = (volatile u8*)0x13000;
  *code = 0xcc;
  for (u32 i = 0; i < 22; ++i) task_16[i] = 0;
  task_16[7] = 0x3000;  /* IP */
  task_16[8] = 3;       /* FLAGS: CF */
  task_16[9] = 0x1234;  /* AX */
  task_16[13] = 0x8000; /* SP */
  set_descriptor(D, descriptor(0x10000, 0xffff, CODE_XR & ~DESCRIPTOR_32BIT));
  set_descriptor(TASK_16, descriptor((u32)(u64)task_16, 43, TYPE_TSS16 | PRESENT));
  set_descriptor(A, descriptor(0x400000, 0xffff, DATA_RW));
  task_16[18] = D; /* CS */
  task_16[19] = A; /* SS */
  struct context context = switching(code_far_jump, 0, TASK_16);
  run_legacy(&context);
  check_equal(event(&context), DONE, "JMP to a 16-bit TSS: the task runs");
  check_equal(context.tr, TASK_16, "JMP to a 16-bit TSS: TR");
  check_equal(context.rax & 0xffff, 0x1234, "JMP to a 16-bit TSS: AX");
  check_equal(context.cs << 16 | context.rip, (u64)D << 16 | 0x3001, "JMP to a 16-bit TSS: CS:IP");
  check_equal(context.rsp & 0xffff, 0x8000, "JMP to a 16-bit TSS: SP");
}

static void check_virtual_8086_task(void) {
  *(volatile u8*)0x13000 = 0xcc;
  prepare_b(0);
  task_b.eip = 0;
  task_b.cs = 0x1300;
  task_b.ss = 0x2000;
  task_b.esp = 0x100;
  task_b.ds = 0x1111;
  task_b.eflags = 2 | RFLAGS_VM | RFLAGS_IOPL(3);
  task_b.esp0 = tss32.esp0;
  task_b.ss0 = tss32.ss0;
  struct context context = switching(code_far_jump, 0, TASK_B);
  run_legacy(&context);
  check_equal(event(&context), DONE, "a TSS with EFLAGS.VM: the 8086 program runs");
  check_equal(context.cs, 0x1300, "a TSS with EFLAGS.VM: CS is a paragraph");
  check_equal(context.ds, 0x1111, "a TSS with EFLAGS.VM: DS is a paragraph");
  check_equal(context.rflags & RFLAGS_VM, RFLAGS_VM, "a TSS with EFLAGS.VM: VM");
}

static void check_ldt(void) {
  static u64 table[2];
  table[1] = descriptor(0x400000, 0x0f, DATA_RW);
  prepare_b(code_load8);
  set_descriptor(TABLE_B, descriptor((u32)(u64)table, 15, TYPE_LDT | PRESENT));
  task_b.ldt = TABLE_B;
  task_b.ds = 8 | 4;
  task_b.ebx = 0x10;
  struct context context = switching(code_far_jump, 0, TASK_B);
  run_legacy(&context);
  check_equal(event(&context), FAULT(GP, 0), "a task's own LDT: its segment's limit holds");
  check_equal(context.ds, 8 | 4, "a task's own LDT: DS");
}

void check_tasks(void) {
  check_jump();
  check_nesting();
  check_faults();
  check_interrupt_by_task();
  check_double_fault();
  check_trap_bit();
  check_16_bit_task();
  check_virtual_8086_task();
  check_ldt();
}
