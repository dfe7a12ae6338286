/* Code run at any privilege and in any mode, until it faults or says that it is done. */
#ifndef CONTEXTS_H
#define CONTEXTS_H

#define CONTEXT_RIP 128
#define CONTEXT_CS 136
#define CONTEXT_RFLAGS 144
#define CONTEXT_RSP 152
#define CONTEXT_SS 160
#define CONTEXT_DS 168
#define CONTEXT_ES 172
#define CONTEXT_FS 176
#define CONTEXT_GS 180
#define CONTEXT_VECTOR 184
#define CONTEXT_ERROR 192
#define CONTEXT_TR 200

#ifndef __ASSEMBLER__

#include "machine.h"

/* In: where to go. Out: the state at the event that ended it, which event, and the task register.
 */
struct context {
  u64 rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15, handler_stack;
  u64 rip, cs, rflags, rsp, ss;
  u32 ds, es, fs, gs;
  u64 vector, error_code, tr;
};

/* Sets up the task registers' segments; once, before the others. */
void contexts_init(void);

/* By IRETQ: 64-bit code, or compatibility mode where CS says so. Ends at any exception, which
 * INT3 is too. Interrupts in between go to their handlers. */
void run_long(struct context* context);

/* Leaves IA-32e mode and paging, goes on by IRETD: protected mode of 16 or 32 bits, or virtual-8086
 * mode. Ends at any exception or any interrupt, and is back in 64-bit mode. */
void run_legacy(struct context* context);

/* A context at `code` with flat segments of privilege `cpl` and a stack of its own. */
enum code_size { CODE_64, CODE_32 };
struct context long_context(enum code_size size, u32 cpl, const void* code);
struct context legacy_context(u32 cpl, const void* code);
/* `code` below 64 KiB. */
struct context v86_context(u32 code);

/* Descriptors. */
enum {
  DESCRIPTOR_ACCESSED = 1,
  DESCRIPTOR_WRITABLE = 2, /* data */
  DESCRIPTOR_READABLE = 2, /* code */
  DESCRIPTOR_EXPAND_DOWN = 4,
  DESCRIPTOR_CONFORMING = 4,
  DESCRIPTOR_CODE = 8,
  DESCRIPTOR_SEGMENT = 0x10,
  DESCRIPTOR_PRESENT = 0x80,
  DESCRIPTOR_LONG = 0x2000,
  DESCRIPTOR_32BIT = 0x4000,
  DESCRIPTOR_4K = 0x8000, /* granularity of the limit */
  TYPE_TSS16 = 1,
  TYPE_LDT = 2,
  TYPE_TSS16_BUSY = 3,
  TYPE_CALL16 = 4,
  TYPE_TASK = 5,
  TYPE_INTERRUPT16 = 6,
  TYPE_TRAP16 = 7,
  TYPE_TSS = 9,
  TYPE_TSS_BUSY = 0xb,
  TYPE_CALL = 0xc,
  TYPE_INTERRUPT = 0xe,
  TYPE_TRAP = 0xf,
};
#define DESCRIPTOR_DPL(dpl) ((dpl) << 5)
/* `limit` is the field: in 4 KiB units with DESCRIPTOR_4K. */
u64 descriptor(u32 base, u32 limit, u32 attributes);
u64 gate(u32 type_and_dpl, u32 selector, u32 offset, u32 parameters);
void set_descriptor(u32 selector, u64 value);
u64 get_descriptor(u32 selector);

/* SDM 3A "Task-State Segment (TSS)". */
struct tss32 {
  u32 link, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags;
  u32 eax, ecx, edx, ebx, esp, ebp, esi, edi;
  u32 es, cs, ss, ds, fs, gs, ldt;
  u16 trap, io_map;
  u8 redirection[32]; /* of virtual-8086 mode's software interrupts */
  u8 permission[2 * 1024 + 1];
} __attribute__((packed));
extern struct tss32 tss32;
/* SDM 3A "Task Management in 64-bit Mode". */
struct tss64 {
  u32 reserved_0;
  u64 rsp[3];
  u64 reserved_1;
  u64 ist[7];
  u64 reserved_2;
  u16 reserved_3, io_map;
  u8 permission[2 * 1024 + 1];
} __attribute__((packed));
extern struct tss64 tss64;

/* The IDT of run_legacy(); contexts_init() fills it with gates that end the run. */
extern u64 legacy_idt[64];
extern const u8 legacy_vector_entries[]; /* 16 bytes each */

/* Stacks of the contexts, and of the handlers of outer code. */
extern u8 outer_stack[4096], interrupt_stack[4096], legacy_interrupt_stack[4096];
#define STACK_END(stack) ((u64)(stack) + sizeof(stack))

#endif
#endif
