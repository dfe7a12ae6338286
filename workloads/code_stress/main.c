/* Self- and cross-modifying code: what a simulator that keeps decoded code, and a processor that
 * keeps fetched code, must not get wrong. */
#include "contexts.h"
#include "stress.h"

const char guest_name[] = "code_stress";
u8 frames[8][PAGE_BYTES] __attribute__((aligned(4096)));

static u32 seed = 0x2545f491;
u32 random_number(void) {
  seed ^= seed << 13;
  seed ^= seed >> 17;
  seed ^= seed << 5;
  return seed;
}

u8* emit(u8* at, u32 count, const u8* bytes) {
  for (u32 i = 0; i < count; ++i) ((volatile u8*)at)[i] = bytes[i];
  return at + count;
}
u8* emit32(u8* at, u32 value) {
  return EMIT(at, (u8)value, (u8)(value >> 8), (u8)(value >> 16), (u8)(value >> 24));
}
u8* emit_constant(u8* at, u32 value) {
  at = EMIT(at, 0xb8);
  at = emit32(at, value);
  return EMIT(at, 0xc3);
}
u8* emit_nops(u8* at, u32 count) {
  while (count--) at = EMIT(at, 0x90);
  return at;
}

void guest_main(void) {
  for (u32 i = 0; i < 2; ++i) map_page(CODE + i * PAGE_BYTES, (u64)frames[i], WRITABLE_CODE);
  stress_one_block();
  stress_blocks();
  stress_pages();
  contexts_init();
  stress_writers();
  stress_modes();
  stress_cores();
}
