/* Code that changes what it is about to run itself. Written and run by the same linear address,
 * which processors since the P6 notice at once. */
#include "stress.h"

/* MOV [RIP + distance], imm32: 10 bytes; the distance counts from its end. */
static u8* emit_store32(u8* at, u8* target, u32 value) {
  at = EMIT(at, 0xc7, 0x05);
  const u32 distance = (u32)(target - (at + 8));
  at = emit32(at, distance);
  return emit32(at, value);
}

/* A store, `gap` NOPs, and the instruction whose immediate it writes. */
static u32 later_instruction(u32 gap) {
  u32 wrong = 0;
  for (u32 i = 0; i < ROUNDS; ++i) {
    const u32 value = random_number();
    u8* code = (u8*)CODE + random_below(1024);
    const u32 nops = gap ? random_below(gap) : 0;
    u8* constant = emit_constant(code + 10 + nops, ~value);
    emit_store32(code, constant - CONSTANT_BYTES + IMMEDIATE, value);
    emit_nops(code + 10, nops);
    wrong += call((u64)code) != value;
    wrong += call((u64)code) != value;
  }
  return wrong;
}

/* The store makes INT3 a NOP, or turns INC into DEC: another instruction, not another operand. */
static u32 other_instruction(void) {
  u32 wrong = 0;
  for (u32 i = 0; i < ROUNDS; ++i) {
    /* XOR EAX, EAX; MOV byte [RIP + 0], modrm; FF /r with r: INC (C0h) or DEC (C8h); RET */
    const u32 decrement = random_below(2);
    u8* code = (u8*)CODE + random_below(1024);
    u8* at = EMIT(code, 0x31, 0xc0, 0xc6, 0x05, 1, 0, 0, 0, decrement ? 0xc8 : 0xc0);
    EMIT(at, 0xff, decrement ? 0xc0 : 0xc8, 0xc3);
    wrong += call((u64)code) != (decrement ? ~0u : 1u);
  }
  return wrong;
}

/* A loop that adds 1 to an immediate of its own: the sum of 1..n. */
static u32 loop_with_own_immediate(void) {
  u32 wrong = 0;
  for (u32 i = 0; i < 50; ++i) {
    const u32 rounds = 1 + random_below(60);
    u8* code = (u8*)CODE + random_below(1024);
    u8* at = EMIT(code, 0x31, 0xc0, 0xb9); /* XOR EAX, EAX; MOV ECX, rounds */
    at = emit32(at, rounds);
    u8* loop = at;
    at = EMIT(at, 0x83, 0x05, 1, 0, 0, 0, 1); /* ADD dword [RIP + 1], 1 */
    at = EMIT(at, 0x05, 0, 0, 0, 0);          /* ADD EAX, 0 */
    at = EMIT(at, 0xff, 0xc9, 0x75);          /* DEC ECX; JNZ loop */
    at = EMIT(at, (u8)(loop - (at + 1)));
    EMIT(at, 0xc3);
    wrong += call((u64)code) != rounds * (rounds + 1) / 2;
  }
  return wrong;
}

/* REP STOSW of INC EAX behind itself; then REP MOVSB of a whole routine over the one that follows.
 */
static u32 string_instructions(void) {
  u32 wrong = 0;
  for (u32 i = 0; i < ROUNDS / 10; ++i) {
    const u32 count = 1 + random_below(64);
    u8* code = (u8*)CODE + random_below(1024);
    u8* at = EMIT(code, 0x57, 0x48, 0x8d, 0x3d); /* PUSH RDI; LEA RDI, [RIP + ...] */
    u8* distance = at;
    at = EMIT(emit32(at, 0), 0xb9); /* MOV ECX, count */
    at = EMIT(emit32(at, count), 0xb8);
    at = EMIT(emit32(at, 0xc0ff), 0x66, 0xf3, 0xab, 0x31,
              0xc0); /* MOV EAX, "INC EAX"; REP STOSW; XOR EAX, EAX */
    emit32(distance, (u32)(at - (distance + 4)));
    for (u32 n = 0; n < count; ++n) at = EMIT(at, 0xeb, 0xfe); /* would run for ever */
    EMIT(at, 0x5f, 0xc3);
    wrong += call((u64)code) != count;
  }
  for (u32 i = 0; i < ROUNDS; ++i) {
    static u8 image[CONSTANT_BYTES];
    const u32 value = random_number();
    u8* code = (u8*)CODE + random_below(1024);
    emit_constant(image, value);
    /* The caller's REP MOVSB, in a page of its own. */
    __asm__ volatile("rep movsb" : : "S"(image), "D"(code), "c"(CONSTANT_BYTES) : "memory");
    wrong += call((u64)code) != value;
  }
  return wrong;
}

/* Data in the code's own page, written all the time. */
static u32 data_beside_code(void) {
  u32 wrong = 0;
  volatile u32* data = (volatile u32*)(CODE + 0x800);
  *data = 0;
  for (u32 i = 0; i < ROUNDS; ++i) {
    const u32 value = random_number();
    u8* code = (u8*)CODE + random_below(1024);
    u8* at = EMIT(code, 0xff, 0x05); /* INC dword [RIP + ...] */
    at = emit32(at, (u32)((u64)data - (u64)(at + 4)));
    emit_constant(at, value);
    wrong += call((u64)code) != value || *data != 2 * i + 1;
    wrong += call((u64)code) != value || *data != 2 * i + 2;
  }
  return wrong;
}

void stress_one_block(void) {
  REPORT(later_instruction(0), "the next instruction's immediate is written");
  REPORT(later_instruction(40), "a later instruction's immediate is written");
  REPORT(other_instruction(), "the next instruction becomes another one");
  check_equal(loop_with_own_immediate(), 0, "a loop that changes an immediate of its own");
  REPORT(string_instructions(), "code written by REP STOS and REP MOVS");
  REPORT(data_beside_code(), "code beside data that it writes");
}
