/* Code that is written while it runs, or just before. Every routine that the tests make is of known
 * result. */
#ifndef STRESS_H
#define STRESS_H

#include "parts.h"

enum { ROUNDS = 1500 };

/* Pages of the window. */
enum { CODE = WINDOW, CODE_NEXT = WINDOW + PAGE_BYTES, ALIAS = WINDOW + 0x100000 };
#define WRITABLE_CODE (PAGE_PRESENT | PAGE_WRITABLE)

/* Frames for them. */
extern u8 frames[8][PAGE_BYTES];

/* The same numbers in every run. */
u32 random_number(void);
static inline u32 random_below(u32 limit) { return random_number() % limit; }

/* Writes code at `at` and tells where it ends. */
u8* emit(u8* at, u32 count, const u8* bytes);
u8* emit32(u8* at, u32 value);
#define EMIT(at, ...) emit(at, sizeof((const u8[]){__VA_ARGS__}), (const u8[]){__VA_ARGS__})
/* MOV EAX, value; RET: 6 bytes, the value from byte 1 on. */
u8* emit_constant(u8* at, u32 value);
enum { CONSTANT_BYTES = 6, IMMEDIATE = 1 };
u8* emit_nops(u8* at, u32 count);

static inline u32 call(u64 address) { return ((u32(*)(void))address)(); }
/* SDM 3A "Handling Self- and Cross-Modifying Code": after a write through another linear address,
 * or by another processor. */
static inline void serialize(void) { read_cpuid(0, 0); }

/* One line: how many of the rounds went wrong. */
#define REPORT(wrong, what) check_equal(wrong, 0, "%s, %u rounds", what, (u64)ROUNDS)

void stress_one_block(void);
void stress_blocks(void);
void stress_pages(void);
void stress_writers(void);
void stress_modes(void);
void stress_cores(void);

#endif
