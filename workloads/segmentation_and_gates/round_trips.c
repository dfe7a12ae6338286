/* All the modes there are, one after the other, several times over. SDM 3A "Mode Switching". */
#include "segmentation.h"

extern const u8 real_mode_trip[], real_mode_trip_end[];

enum { ROUNDS = 3, ES_BASE = 0x12000 };

static void check_compatibility_trip(void) {
  struct context context = long_context(CODE_64, 0, code_compatibility_trip);
  run_long(&context);
  check_equal(event(&context), DONE, "64-bit, compatibility, 64-bit: arrived");
  check_equal(context.rcx, 0x12345679, "compatibility: byte 41h increments ECX");
  check_equal(context.rdx, 0x123456789abcdef0, "64-bit again: 64-bit operands");
}

static void check_real_mode_trip(u32 round) {
  volatile u16* results = (volatile u16*)REAL_RESULTS;
  for (u32 i = 0; i < 8; ++i) results[i] = 0;
  *(volatile u8*)(ES_BASE + 0x34) = 0;
  struct context context = legacy_context(0, real_mode_trip);
  context.rip = REAL_CODE;
  run_legacy(&context);
  const u64 n = round;
  check_equal(event(&context), DONE, "round %u: long, protected, 16-bit, real, protected, long", n);
  check_equal(results[0] & 1, 0, "round %u: real mode: PE is clear", n);
  check_equal(*(volatile u8*)(ES_BASE + 0x34), 0x5a, "round %u: real mode: ES is a paragraph", n);
  check_equal(results[1], REAL_STACK - 6, "round %u: real mode: INT pushes three words", n);
  check_equal(results[2], 0, "round %u: real mode: the pushed IP is behind INT", n);
  check_equal(results[3] & RFLAGS_IF, 0, "round %u: real mode: the handler begins with IF clear",
              n);
  check_equal(results[4], REAL_STACK, "round %u: real mode: IRET takes them back", n);
  check_equal(results[6], 1, "round %u: real mode: a word across the limit is vector 13", n);
  check_equal(results[5], REAL_STACK - 6, "round %u: real mode: without an error code", n);
}

void check_round_trips(void) {
  volatile u8* to = (volatile u8*)REAL_CODE;
  for (const u8* from = real_mode_trip; from < real_mode_trip_end; ++from) *to++ = *from;
  for (u32 round = 1; round <= ROUNDS; ++round) {
    check_compatibility_trip();
    check_real_mode_trip(round);
  }
}
