#ifndef SEGMENTATION_H
#define SEGMENTATION_H

#define REAL_CODE 0x6000
#define REAL_RESULTS 0x7000
#define REAL_STACK 0x7e00

#ifndef __ASSEMBLER__

#include "contexts.h"
#include "parts.h"

extern const u8 code_done[], code_load8[], code_load32[], code_store8[], code_load32_ss[],
    code_load32_cs[], code_store8_cs[], code_push[], code_load_ds[], code_load_ss[], code_load_fs[],
    code_lldt[], code_ltr[], code_lar[], code_lsl[], code_verr[], code_verw[], code_arpl[],
    code_far_jump[], code_far_call[], code_after_call[], code_far_return[], code_far_return_8[],
    code_int[], code_after_int[], code_int1[], code_after_int1[], code_into[], code_bound[],
    code_ud[], code_iret[], code_after_iret[], code_iretq[], code_far_return_64[],
    code_load_at_rbp[], code_jump_rax[], code_push_64[], code_far_jump_64[],
    code_compatibility_trip[];

/* Selectors of the tests' own. */
enum { A = FREE_SELECTOR, B = A + 8, C = A + 16, D = A + 24, BEYOND_GDT = 8 * GDT_ENTRIES };

enum {
  DB = 1,
  DONE = VECTOR_DONE,
  OF = 4,
  BR = 5,
  UD = 6,
  DF = 8,
  TS = 10,
  NP = 11,
  SS = 12,
  GP = 13
};
/* An event with its error code. */
#define FAULT(vector, error) ((u64)(vector) | (u64)(error) << 8)
#define SELECTOR(selector) ((selector) & ~3u)
#define IDT_ENTRY(vector) ((vector)*8u + 2)
enum { EXTERNAL = 1 };
static inline u64 event(const struct context* context) {
  return FAULT(context->vector, context->error_code);
}

/* Attributes of descriptors. */
enum {
  PRESENT = DESCRIPTOR_PRESENT,
  DATA = DESCRIPTOR_SEGMENT | DESCRIPTOR_PRESENT,
  DATA_RW = DATA | DESCRIPTOR_WRITABLE,
  CODE_X = DATA | DESCRIPTOR_CODE | DESCRIPTOR_32BIT,
  CODE_XR = CODE_X | DESCRIPTOR_READABLE,
  CONFORMING = CODE_XR | DESCRIPTOR_CONFORMING,
};
enum { FLAT_LIMIT = 0xfffff };
/* With base 0 and 4 GiB. */
static inline u64 flat(u32 attributes) {
  return descriptor(0, FLAT_LIMIT, attributes | DESCRIPTOR_4K);
}

/* m16:32, where code_far_jump and code_far_call find it by EBX. */
struct far_pointer {
  u32 offset;
  u16 selector;
} __attribute__((packed));

/* The chapters. */
void check_access(void);
void check_loads(void);
void check_inspection(void);
void check_transfers(void);
void check_call_gates(void);
void check_far_returns(void);
void check_legacy_interrupts(void);
void check_tasks(void);
void check_long_mode(void);
void check_round_trips(void);

#endif
#endif
