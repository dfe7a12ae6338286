/* Descriptors, the task-state segments, and contexts to start from. */
#include "contexts.h"

#include "parts.h"

extern u64 gdt[GDT_ENTRIES];
extern struct context* running_context;
extern void leave_run(void) __attribute__((noreturn));

struct tss32 tss32 __attribute__((aligned(128)));
struct tss64 tss64 __attribute__((aligned(128)));
u64 legacy_idt[64];

u64 descriptor(u32 base, u32 limit, u32 attributes) {
  return (u64)(limit & 0xffff) | (u64)(base & 0xffffff) << 16 | (u64)attributes << 40 |
         (u64)(limit >> 16 & 0xf) << 48 | (u64)(base >> 24) << 56;
}

u64 gate(u32 type_and_dpl, u32 selector, u32 offset, u32 parameters) {
  return (u64)(offset & 0xffff) | (u64)selector << 16 | (u64)parameters << 32 |
         (u64)(type_and_dpl | DESCRIPTOR_PRESENT) << 40 | (u64)(offset >> 16) << 48;
}

void set_descriptor(u32 selector, u64 value) { ((volatile u64*)gdt)[selector >> 3] = value; }
u64 get_descriptor(u32 selector) { return ((volatile u64*)gdt)[selector >> 3]; }

void contexts_init(void) {
  const u32 ring3_gate = TYPE_INTERRUPT | DESCRIPTOR_DPL(3);
  for (u32 vector = 0; vector < 64; ++vector) {
    legacy_idt[vector] = gate(ring3_gate, CODE32, (u32)(u64)legacy_vector_entries + 16 * vector, 0);
  }
  tss32 = (struct tss32){.esp0 = (u32)STACK_END(legacy_interrupt_stack),
                         .ss0 = DATA64,
                         .io_map = sizeof tss32}; /* beyond the limit: no port is permitted */
  set_descriptor(TSS32,
                 descriptor((u32)(u64)&tss32, sizeof tss32 - 1, TYPE_TSS | DESCRIPTOR_PRESENT));
  set_descriptor(LEAVING_TSS, get_descriptor(TSS32));
  tss64.rsp[0] = STACK_END(interrupt_stack);
  tss64.io_map = sizeof tss64;
  set_descriptor(TSS64,
                 descriptor((u32)(u64)&tss64, sizeof tss64 - 1, TYPE_TSS | DESCRIPTOR_PRESENT));
  set_descriptor(TSS64 + 8, 0);
  __asm__ volatile("ltr %w0" : : "r"(TSS64));
  idt[VECTOR_DONE].attributes |= DESCRIPTOR_DPL(3) << 8;
}

static u64 reachable(u32 cpl, u64 address) { return cpl == 3 ? address + USER_BASE : address; }

struct context long_context(enum code_size size, u32 cpl, const void* code) {
  return (struct context){.rip = reachable(cpl, (u64)code),
                          .cs = size == CODE_64 ? CODE64_OF(cpl) : CODE32_OF(cpl),
                          .rflags = 2,
                          .rsp = reachable(cpl, STACK_END(outer_stack)),
                          .ss = DATA_OF(cpl),
                          .ds = DATA_OF(cpl),
                          .es = DATA_OF(cpl)};
}

struct context legacy_context(u32 cpl, const void* code) {
  return (struct context){.rip = (u64)code,
                          .cs = CODE32_OF(cpl),
                          .rflags = 2,
                          .rsp = STACK_END(outer_stack),
                          .ss = DATA_OF(cpl),
                          .ds = DATA_OF(cpl),
                          .es = DATA_OF(cpl)};
}

struct context v86_context(u32 code) {
  return (struct context){.rip = code & 0xf,
                          .cs = code >> 4,
                          .rflags = 2 | RFLAGS_VM,
                          .rsp = 0xfffe,
                          .ss = 0x2000,
                          .ds = 0x1000,
                          .es = 0x1000,
                          .fs = 0x1000,
                          .gs = 0x1000};
}

/* From interrupt(): the event belongs to code that run_long() started. */
int end_run(struct frame* frame) {
  struct context* context = running_context;
  if (context == 0 || frame->vector >= 32) return 0;
  u16 ds, es, fs, gs;
  __asm__ volatile("mov %%ds, %0; mov %%es, %1; mov %%fs, %2; mov %%gs, %3"
                   : "=r"(ds), "=r"(es), "=r"(fs), "=r"(gs));
  u64 tr;
  __asm__ volatile("str %0" : "=r"(tr));
  *context = (struct context){.rax = frame->rax,
                              .rbx = frame->rbx,
                              .rcx = frame->rcx,
                              .rdx = frame->rdx,
                              .rsi = frame->rsi,
                              .rdi = frame->rdi,
                              .rbp = frame->rbp,
                              .r8 = frame->r8,
                              .r9 = frame->r9,
                              .r10 = frame->r10,
                              .r11 = frame->r11,
                              .r12 = frame->r12,
                              .r13 = frame->r13,
                              .r14 = frame->r14,
                              .r15 = frame->r15,
                              .rip = frame->rip,
                              .cs = frame->cs,
                              .rflags = frame->rflags,
                              .rsp = frame->rsp,
                              .ss = frame->ss,
                              .ds = ds,
                              .es = es,
                              .fs = fs,
                              .gs = gs,
                              .vector = frame->vector,
                              .error_code = frame->error_code,
                              .tr = tr,
                              .handler_stack = (u64)(frame + 1)};
  leave_run();
}
