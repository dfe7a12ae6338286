/* Instructions that ask for a privilege level, by a table of rules. */
#include "privilege.h"

extern u8 legacy_idt_pointer[], long_idt_pointer[], gdt_pointer[];

/* SDM 2 "Instruction Set Reference", the tables of exceptions of each instruction. */
enum rule {
  EVERYONE,     /* runs at every privilege */
  CPL0,         /* #GP(0) above 0 */
  CPL0_UD,      /* #UD above 0 */
  NOBODY,       /* #UD everywhere: VMX off, not in SMM, no such register */
  CPL0_NOT_RUN, /* as CPL0; not tried at 0, where it would not come back */
  CPL0_UD_NOT_RUN,
};
/* What EAX holds, and what [EBX] is. */
enum input {
  NOTHING,
  OLD_CR0,
  OLD_CR3,
  OLD_CR4,
  OLD_DR7,
  GDT_POINTER,
  IDT_POINTER,
  TSS_SELECTOR,
  DATA_SELECTOR,
  MSR
};
enum modes { LONG = 1, COMPATIBILITY = 2, LEGACY = 4, ALL = 7, NOT_64 = 6 };

static const struct row {
  const char* name;
  const u8* code;
  enum rule rule;
  enum input input;
  u32 modes;
} rows[] = {
    {"CPUID", code_cpuid, EVERYONE, NOTHING, ALL},
    {"HLT", code_hlt, CPL0_NOT_RUN, NOTHING, ALL},
    {"CLTS", code_clts, CPL0, NOTHING, ALL},
    {"LGDT", code_lgdt, CPL0, GDT_POINTER, ALL},
    {"LIDT", code_lidt, CPL0, IDT_POINTER, ALL},
    {"LLDT", code_lldt, CPL0, NOTHING, ALL},
    {"LTR", code_ltr, CPL0, TSS_SELECTOR, ALL},
    {"LMSW", code_lmsw, CPL0, OLD_CR0, ALL},
    {"MOV from CR0", code_from_cr0, CPL0, NOTHING, ALL},
    {"MOV from CR2", code_from_cr2, CPL0, NOTHING, ALL},
    {"MOV from CR3", code_from_cr3, CPL0, NOTHING, ALL},
    {"MOV from CR4", code_from_cr4, CPL0, NOTHING, ALL},
    {"MOV to CR0", code_to_cr0, CPL0, OLD_CR0, ALL},
    {"MOV to CR2", code_to_cr2, CPL0, NOTHING, ALL},
    {"MOV to CR3", code_to_cr3, CPL0, OLD_CR3, ALL},
    {"MOV to CR4", code_to_cr4, CPL0, OLD_CR4, ALL},
    {"MOV from CR8", code_from_cr8, CPL0, NOTHING, LONG},
    {"MOV to CR8", code_to_cr8, CPL0, NOTHING, LONG},
    {"MOV from DR0", code_from_dr0, CPL0, NOTHING, ALL},
    {"MOV to DR0", code_to_dr0, CPL0, NOTHING, ALL},
    {"MOV from DR7", code_from_dr7, CPL0, NOTHING, ALL},
    {"MOV to DR7", code_to_dr7, CPL0, OLD_DR7, ALL},
    {"MOV from CR1", code_from_cr1, NOBODY, NOTHING, ALL},
    {"INVD", code_invd, CPL0_NOT_RUN, NOTHING, ALL},
    {"WBINVD", code_wbinvd, CPL0, NOTHING, ALL},
    {"INVLPG", code_invlpg, CPL0, NOTHING, ALL},
    {"RDMSR", code_rdmsr, CPL0, MSR, ALL},
    {"WRMSR", code_wrmsr, CPL0, MSR, ALL},
    {"SWAPGS", code_swapgs, CPL0, NOTHING, LONG},
    {"SYSEXIT", code_sysexit, CPL0_NOT_RUN, NOTHING, ALL},
    {"RSM", code_rsm, NOBODY, NOTHING, ALL},
    {"VMXOFF", code_vmxoff, NOBODY, NOTHING, ALL},
    {"VMREAD", code_vmread, NOBODY, NOTHING, ALL},
    {"PUSHF", code_pushf, EVERYONE, NOTHING, ALL},
    {"LAR", code_lar, EVERYONE, DATA_SELECTOR, ALL},
    {"LSL", code_lsl, EVERYONE, DATA_SELECTOR, ALL},
    {"VERR", code_verr, EVERYONE, DATA_SELECTOR, ALL},
    {"VERW", code_verw, EVERYONE, DATA_SELECTOR, ALL},
    {"ARPL", code_arpl, EVERYONE, DATA_SELECTOR, NOT_64},
};

static const struct optional_row {
  struct row row;
  u32 leaf, reg, bit;
} optional_rows[] = {
    {{"SYSRET", code_sysret, CPL0_NOT_RUN, NOTHING, LONG}, 0x80000001, EDX, 11},
    {{"MONITOR", code_monitor, CPL0_UD, NOTHING, LONG | LEGACY}, 1, ECX, 3},
    {{"MWAIT", code_mwait, CPL0_UD_NOT_RUN, NOTHING, LONG | LEGACY}, 1, ECX, 3},
    {{"CLAC", code_clac, CPL0_UD, NOTHING, ALL}, 7, EBX, 20},
    {{"STAC", code_stac, CPL0_UD, NOTHING, ALL}, 7, EBX, 20},
    {{"INVPCID", code_invpcid, CPL0, NOTHING, LONG | LEGACY}, 7, EBX, 10},
};

static u32 expected(enum rule rule, u32 cpl) {
  switch (rule) {
    case EVERYONE:
      return DONE;
    case NOBODY:
      return UD;
    case CPL0_UD:
    case CPL0_UD_NOT_RUN:
      return cpl == 0 ? DONE : UD;
    default:
      return cpl == 0 ? DONE : GP;
  }
}

static void give_input(struct context* context, enum input input, u32 mode) {
  const u32 cpl = context->cs & 3;
  u64 memory = (u64)operand;
  context->rax = 0;
  switch (input) {
    case OLD_CR0:
      context->rax = mode == LEGACY ? (u32)read_cr0() & 0x7fffffff : read_cr0();
      break;
    case OLD_CR3:
      context->rax = read_cr3();
      break;
    case OLD_CR4:
      context->rax = read_cr4();
      break;
    case OLD_DR7:
      context->rax = 0x400;
      break;
    case GDT_POINTER:
      memory = (u64)gdt_pointer;
      break;
    case IDT_POINTER:
      memory = (u64)(mode == LEGACY ? legacy_idt_pointer : long_idt_pointer);
      break;
    case TSS_SELECTOR: /* free again, as LTR wants it */
      context->rax = mode == LEGACY ? FREE_SELECTOR : FREE_SELECTOR + 8;
      set_descriptor(FREE_SELECTOR, get_descriptor(TSS32) & ~(2ul << 40));
      set_descriptor(FREE_SELECTOR + 8, get_descriptor(TSS64) & ~(2ul << 40));
      set_descriptor(FREE_SELECTOR + 16, 0);
      break;
    case DATA_SELECTOR:
      context->rax = DATA_OF(cpl);
      break;
    case MSR:
      context->rcx = 0x174; /* IA32_SYSENTER_CS */
      break;
    case NOTHING:
      break;
  }
  if (mode != LEGACY && cpl == 3) memory += USER_BASE;
  context->rbx = memory;
}

static void check_row(const struct row* row, u32 mode, const char* mode_name) {
  u32 got = 0, want = 0;
  for (u32 cpl = 0; cpl < 4; ++cpl) {
    if (cpl == 0 && row->rule >= CPL0_NOT_RUN) continue;
    const u8* code = row->code;
    struct context context = mode == LEGACY
                                 ? legacy_context(cpl, code)
                                 : long_context(mode == LONG ? CODE_64 : CODE_32, cpl, code);
    give_input(&context, row->input, mode);
    const u32 result = mode == LEGACY ? outcome_legacy(context) : outcome_long(context);
    /* An error code or a fault elsewhere shows as FFh. */
    got |= (result > 0xff ? 0xff : result) << 8 * cpl;
    want |= expected(row->rule, cpl) << 8 * cpl;
  }
  static const char* const rule_names[] = {
      "runs at every privilege", "needs CPL 0", "#UD above CPL 0",
      "#UD everywhere",          "needs CPL 0", "#UD above CPL 0"};
  check_equal(got, want, "%s: %s %s", mode_name, row->name, rule_names[row->rule]);
}

static void check_modes(const struct row* row) {
  if (row->modes & LONG) check_row(row, LONG, "64-bit");
  if (row->modes & COMPATIBILITY) check_row(row, COMPATIBILITY, "compatibility");
  if (row->modes & LEGACY) check_row(row, LEGACY, "protected");
}

void check_instructions(void) {
  const u64 efer = read_msr(IA32_EFER);
  write_msr(IA32_EFER, efer | EFER_SCE); /* without it SYSRET is #UD */
  __asm__ volatile("sidt %0" : "=m"(*(u8(*)[10])long_idt_pointer));
  for (u32 i = 0; i < sizeof rows / sizeof *rows; ++i) check_modes(&rows[i]);
  for (u32 i = 0; i < sizeof optional_rows / sizeof *optional_rows; ++i) {
    const struct optional_row* row = &optional_rows[i];
    if (has_feature(row->leaf, row->reg, row->bit)) {
      check_modes(&row->row);
    } else {
      skip("%s: not offered", row->row.name);
    }
  }
  write_msr(IA32_EFER, efer);
}
