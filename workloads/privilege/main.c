/* Every privileged, IOPL-sensitive and control-register-sensitive instruction at every privilege,
 * in 64-bit, compatibility, protected and virtual-8086 mode: whether it runs, and how it faults.
 * Then who may touch which page: SMEP, SMAP, protection keys. */
#include "privilege.h"

const char guest_name[] = "privilege";
u8 operand[4096] __attribute__((aligned(4096)));

int has_feature(u32 leaf, u32 reg, u32 bit) {
  const u32 highest = read_cpuid(leaf & 0x80000000, 0).eax;
  if (leaf > highest) return 0;
  const struct cpuid id = read_cpuid(leaf, 0);
  const u32 registers[] = {id.eax, id.ebx, id.ecx, id.edx};
  return registers[reg] >> bit & 1;
}

static u32 outcome(const struct context* context, u64 start) {
  u32 result = (u32)context->vector | (u32)context->error_code << 8;
  if (context->vector != DONE && context->rip != start) result |= 1u << 31;
  return result;
}

u32 outcome_long(struct context context) {
  const u64 start = context.rip;
  run_long(&context);
  return outcome(&context, start);
}

u32 outcome_legacy(struct context context) {
  const u64 start = context.rip;
  run_legacy(&context);
  return outcome(&context, start);
}

u32 outcome_v86(const u8* code, u64 flags) {
  for (u32 i = 0; i < 16; ++i) ((volatile u8*)V86_CODE)[i] = code[i];
  struct context context = v86_context(V86_CODE);
  const u64 start = context.rip;
  context.rflags |= flags;
  context.rdi = V86_OPERAND - 0x20000; /* [BP+DI] in the stack segment */
  context.rax = 0x10;
  run_legacy(&context);
  return outcome(&context, start);
}

void guest_main(void) {
  contexts_init();
  check_instructions();
  check_control_bits();
  check_iopl();
  check_v86();
  check_page_rights();
}
