/* Virtual-8086 mode: CPL 3, and IOPL decides over the interrupt flag. SDM 3B "8086 Emulation". */
#include "privilege.h"

static const struct row {
  const char* name;
  const u8* code;
  u32 iopl_0, iopl_3;
} rows[] = {
    {"NOP", code_nothing, DONE, DONE},
    {"CLI", code_cli, GP, DONE},
    {"STI", code_sti, GP, DONE},
    {"PUSHF", code_pushf, GP, DONE},
    {"POPF", code_popf, GP, DONE},
    {"HLT", code_hlt, GP, GP},
    {"CLTS", code_clts, GP, GP},
    {"LGDT", code_lgdt, GP, GP},
    {"LIDT", code_lidt, GP, GP},
    {"LMSW", code_lmsw, GP, GP},
    {"MOV from CR0", code_from_cr0, GP, GP},
    {"MOV to CR0", code_to_cr0, GP, GP},
    {"MOV from CR3", code_from_cr3, GP, GP},
    {"MOV from DR0", code_from_dr0, GP, GP},
    {"MOV to DR7", code_to_dr7, GP, GP},
    {"RDMSR", code_rdmsr, GP, GP},
    {"WRMSR", code_wrmsr, GP, GP},
    {"INVD", code_invd, GP, GP},
    {"WBINVD", code_wbinvd, GP, GP},
    {"INVLPG", code_invlpg, GP, GP},
    /* Not recognized outside of protected mode proper. */
    {"LLDT", code_lldt, UD, UD},
    {"LTR", code_ltr, UD, UD},
    {"SLDT", code_sldt, UD, UD},
    {"STR", code_str, UD, UD},
    {"LAR", code_lar, UD, UD},
    {"LSL", code_lsl, UD, UD},
    {"VERR", code_verr, UD, UD},
    {"VERW", code_verw, UD, UD},
    {"ARPL", code_arpl, UD, UD},
    {"SGDT", code_sgdt, DONE, DONE},
    {"SIDT", code_sidt, DONE, DONE},
    {"SMSW", code_smsw, DONE, DONE},
    {"RDTSC", code_rdtsc, DONE, DONE},
    {"CPUID", code_cpuid, DONE, DONE},
    {"VMCALL", code_vmcall, UD, UD},
    {"RSM", code_rsm, UD, UD},
};

static void check_umip(void) {
  if (!has_feature(7, ECX, 2)) {
    skip("virtual-8086: UMIP not offered");
    return;
  }
  write_cr4(read_cr4() | CR4_UMIP);
  check_equal(outcome_v86(code_sgdt, 0), GP, "virtual-8086: SGDT, CR4.UMIP = 1");
  check_equal(outcome_v86(code_sidt, 0), GP, "virtual-8086: SIDT, CR4.UMIP = 1");
  check_equal(outcome_v86(code_smsw, 0), GP, "virtual-8086: SMSW, CR4.UMIP = 1");
  check_equal(outcome_v86(code_sldt, 0), UD, "virtual-8086: SLDT, CR4.UMIP = 1, stays #UD");
  write_cr4(read_cr4() & ~(u64)CR4_UMIP);
}

static struct context context_of(const u8* code, u64 flags) {
  for (u32 i = 0; i < 16; ++i) ((volatile u8*)V86_CODE)[i] = code[i];
  struct context context = v86_context(V86_CODE);
  context.rflags |= flags;
  return context;
}

/* CR4.VME: the interrupt flag becomes VIF, and the redirection bitmap of the TSS decides where INT
 * n goes: bit 0 to the real-mode table at 0, bit 1 to the protected-mode handler. */
static void check_virtual_mode_extensions(void) {
  enum { VECTOR = 0x31, HANDLER = 0x14000, STACK_TOP = 0x20000 + 0xfffe };
  const u64 both = RFLAGS_IF | RFLAGS_VIF;
  if (!has_feature(1, EDX, 1)) {
    skip("virtual-8086 mode extensions: not offered");
    return;
  }
  write_cr4(read_cr4() | CR4_VME);
  struct context context = context_of(code_sti, 0);
  run_legacy(&context);
  check_equal(context.rflags & both, RFLAGS_VIF,
              "virtual-8086: STI, CR4.VME = 1, sets VIF, not IF");
  context = context_of(code_cli, both);
  run_legacy(&context);
  check_equal(context.rflags & both, RFLAGS_IF,
              "virtual-8086: CLI, CR4.VME = 1, clears VIF, not IF");
  check_equal(outcome_v86(code_sti, RFLAGS_VIP), GP, "virtual-8086: STI with VIP set faults");
  context = context_of(code_pushf, RFLAGS_VIF);
  run_legacy(&context);
  check_equal(*(volatile u16*)(STACK_TOP - 2) & (RFLAGS_IF | RFLAGS_IOPL(3)),
              RFLAGS_IF | RFLAGS_IOPL(3), "virtual-8086: PUSHF shows VIF as IF, and IOPL 3");

  tss32.io_map = (u16)((u64)tss32.permission - (u64)&tss32);
  for (u32 i = 0; i < 32; ++i) tss32.redirection[i] = 0;
  u16* real_mode_vector = (u16*)(4ul * VECTOR);
  __asm__("" : "+r"(real_mode_vector));
  real_mode_vector[0] = 0;
  real_mode_vector[1] = HANDLER >> 4;
  *(volatile u8*)HANDLER = 0xcc; /* INT3 */
  context = context_of(code_int_n, RFLAGS_VIF | RFLAGS_IF);
  run_legacy(&context);
  check_equal(context.cs << 16 | context.rip, (HANDLER >> 4) << 16 | 1,
              "virtual-8086: INT n, redirection bit 0, goes to the real-mode handler");
  check_equal(context.rflags & both, RFLAGS_IF, "and clears VIF, since IOPL is below 3");
  tss32.redirection[VECTOR / 8] = 1 << VECTOR % 8;
  context = context_of(code_int_n, 0);
  run_legacy(&context);
  check_equal(context.vector | context.error_code << 8, GP,
              "virtual-8086: INT n, redirection bit 1, IOPL 0, faults");
  context = context_of(code_int_n, RFLAGS_IOPL(3));
  run_legacy(&context);
  check_equal(context.vector, VECTOR,
              "virtual-8086: INT n, redirection bit 1, IOPL 3, goes to the protected-mode handler");
  tss32.io_map = sizeof tss32;
  write_cr4(read_cr4() & ~(u64)CR4_VME);
}

static void check_interrupts(void) {
  struct context context = context_of(code_int_n, RFLAGS_IOPL(3));
  run_legacy(&context);
  check_equal(context.vector, 0x31, "virtual-8086: INT n, IOPL 3, reaches the handler at CPL 0");
  check_equal(context.rflags & RFLAGS_VM, RFLAGS_VM, "the pushed EFLAGS show VM");
  check_equal(context.ds, 0x1000, "the pushed DS is the 8086 program's");
  check_equal(outcome_v86(code_int_n, 0), GP, "virtual-8086: INT n, IOPL 0, faults");
  check_equal(outcome_v86(code_iret, 0), GP, "virtual-8086: IRET, IOPL 0, faults");
  context = context_of(code_iret, RFLAGS_IOPL(3));
  volatile u16* stack = (volatile u16*)(0x20000 + 0xfff8);
  *(volatile u8*)0x14000 = 0xcc;
  stack[0] = 0;
  stack[1] = 0x1400;
  stack[2] = 2; /* IOPL 0 asked for */
  context.rsp = 0xfff8;
  run_legacy(&context);
  check_equal(context.cs << 16 | context.rip, 0x14000001, "virtual-8086: IRET, IOPL 3, returns");
  check_equal(context.rflags & RFLAGS_IOPL(3), RFLAGS_IOPL(3), "and leaves IOPL alone");
}

void check_v86(void) {
  for (u32 i = 0; i < sizeof rows / sizeof *rows; ++i) {
    check_equal(outcome_v86(rows[i].code, 0), rows[i].iopl_0, "virtual-8086: %s, IOPL 0",
                rows[i].name);
    check_equal(outcome_v86(rows[i].code, RFLAGS_IOPL(3)), rows[i].iopl_3,
                "virtual-8086: %s, IOPL 3", rows[i].name);
  }
  check_interrupts();
  check_umip();
  check_virtual_mode_extensions();
}
