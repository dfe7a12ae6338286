/* The same bytes at the same address in 64-, 32- and 16-bit code, in turn: what they mean differs.
 */
#include "contexts.h"
#include "stress.h"

enum { SHARED = 0x9000, DATA_AT = 0x9800 };

enum mode { MODE_64, MODE_32, MODE_16, MODES };
static const u32 selectors[MODES] = {CODE64, CODE32, CODE16};

/* 48h is REX.W or DEC; a following ADD has an immediate of 32 or 16 bits; the rest of that is
 * ADD [BX+SI], AL in 16-bit code. */
static const struct sequence {
  u8 bytes[12];
  u32 added[MODES];
} sequences[] = {
    {{0x48, 0x05, 5, 0, 0, 0, 0xcc}, {5, 4, 4}},
    {{0x41, 0x40, 0xcc}, {0, 1, 1}}, /* REX before INT3; INC ECX, INC EAX */
    {{0x66, 0x05, 7, 0, 0x90, 0x90, 0xcc},
     {7, 7, 7}},                              /* 16-bit ADD; in 16-bit code it takes the NOPs */
    {{0x67, 0x8d, 0x40, 3, 0xcc}, {3, 0, 0}}, /* LEA EAX, [EAX + 3]; or [BX + SI + 3] */
    {{0x8d, 0x40, 9, 0xcc}, {9, 9, 0}},
    {{0x83, 0xc0, 0xff, 0xcc}, {~0u, ~0u, ~0u}},
};

static u32 run_in(enum mode mode, u32 eax) {
  struct context context = long_context(CODE_64, 0, (const void*)SHARED);
  context.cs = selectors[mode];
  context.rax = eax;
  context.rbx = DATA_AT;
  run_long(&context);
  if (context.vector != VECTOR_DONE) return ~eax;
  return (u32)context.rax;
}

/* In 16-bit code the upper half stays; what those add modulo 2^16. */
static u32 expected_sum(const struct sequence* sequence, enum mode mode, u32 eax) {
  u32 sum = eax + sequence->added[mode];
  if (sequence == &sequences[3] && mode == MODE_16) return eax + 3; /* LEA AX, [EAX + 3]: below */
  if (sequence == &sequences[3] && mode == MODE_32) return DATA_AT + 3;
  if (sequence == &sequences[4] && mode == MODE_16) return (eax & 0xffff0000) | (DATA_AT + 9);
  if (sequence == &sequences[2] && mode == MODE_16) return eax + 0x90900007;
  if (mode == MODE_16 || sequence == &sequences[2]) sum = (eax & 0xffff0000) | (sum & 0xffff);
  return sum;
}

void stress_modes(void) {
  u32 wrong = 0;
  for (u32 i = 0; i < ROUNDS; ++i) {
    const struct sequence* sequence =
        &sequences[random_below(sizeof sequences / sizeof *sequences)];
    emit((u8*)SHARED, sizeof sequence->bytes, sequence->bytes);
    const u32 runs = 1 + random_below(6);
    for (u32 run = 0; run < runs; ++run) {
      const enum mode mode = (enum mode)random_below(MODES);
      const u32 eax = random_number() & 0xffff7fff; /* no carry out of AX that would matter */
      wrong += run_in(mode, eax) != expected_sum(sequence, mode, eax);
    }
  }
  REPORT(wrong, "the same bytes as 64-, 32- and 16-bit code");
}
