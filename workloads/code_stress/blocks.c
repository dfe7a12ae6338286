/* Routines of many blocks, any of which may change between two calls, or by what runs before it. */
#include "stress.h"

enum { BLOCKS = 24, BLOCK_BYTES = 64, PASSES = 400 };

static struct block {
  u32 value;
  u32 form;
  u32 next;
} blocks[BLOCKS];

static u8* place(u32 block) { return (u8*)CODE + 0x100 + block * BLOCK_BYTES; }

/* Some instructions that add `value` to EAX, then a jump to the next block: JMP, a Jcc that is
 * always taken, PUSH and RET, or the last one's RET. */
static void write_block(u32 index) {
  const struct block* block = &blocks[index];
  u8* at = emit_nops(place(index), block->form % 3);
  if (block->form & 8) {
    at = EMIT(emit32(EMIT(at, 0x2d), 0u - block->value), 0x90); /* SUB EAX, -value */
  } else {
    at = emit32(EMIT(at, 0x05), block->value); /* ADD EAX, value */
  }
  if (block->next == BLOCKS) {
    EMIT(at, 0xc3);
    return;
  }
  u8* to = place(block->next);
  switch (block->form >> 4 & 3) {
    case 0:
      at = EMIT(at, 0xe9); /* JMP rel32 */
      emit32(at, (u32)(to - (at + 4)));
      break;
    case 1:
      at = EMIT(at, 0x39, 0xc0, 0x0f, 0x84); /* CMP EAX, EAX; JE rel32 */
      emit32(at, (u32)(to - (at + 4)));
      break;
    case 2:
      at = EMIT(at, 0x48, 0x8d, 0x0d); /* LEA RCX, [RIP + ...]; PUSH RCX; RET */
      at = emit32(at, (u32)(to - (at + 4)));
      EMIT(at, 0x51, 0xc3);
      break;
    default:
      at = EMIT(at, 0x48, 0x8d, 0x0d); /* LEA RCX, [RIP + ...]; JMP RCX */
      at = emit32(at, (u32)(to - (at + 4)));
      EMIT(at, 0xff, 0xe1);
  }
}

static u32 expected(u32 first) {
  u32 sum = 0;
  for (u32 i = first; i != BLOCKS; i = blocks[i].next) sum += blocks[i].value;
  return sum;
}

/* Any order, no cycle: each block's next one has a higher number. */
static void choose(u32 index) {
  blocks[index].value = random_number();
  blocks[index].form = random_number();
  blocks[index].next = index + 1 + random_below(BLOCKS - index);
  write_block(index);
}

static u32 call_from(u32 first) {
  u8* entry = (u8*)CODE;
  u8* at = EMIT(entry, 0x31, 0xc0, 0xe9); /* XOR EAX, EAX; JMP */
  emit32(at, (u32)(place(first) - (at + 4)));
  return call(CODE);
}

static u32 changed_between_calls(void) {
  u32 wrong = 0;
  for (u32 i = 0; i < BLOCKS; ++i) choose(i);
  for (u32 pass = 0; pass < PASSES; ++pass) {
    const u32 changes = random_below(4);
    for (u32 i = 0; i < changes; ++i) choose(random_below(BLOCKS));
    const u32 calls = 1 + random_below(4);
    for (u32 i = 0; i < calls; ++i) {
      const u32 first = random_below(BLOCKS);
      wrong += call_from(first) != expected(first);
    }
  }
  return wrong;
}

/* The routine itself changes the immediate of an ADD some blocks ahead, or behind (for the next
 * call). */
static u32 changed_by_a_block(void) {
  u32 wrong = 0;
  for (u32 i = 0; i < BLOCKS; ++i) {
    blocks[i] = (struct block){random_number(), 0, i + 1};
    write_block(i);
  }
  for (u32 pass = 0; pass < PASSES; ++pass) {
    const u32 writer = random_below(BLOCKS - 1), target = random_below(BLOCKS);
    const u32 value = random_number();
    if (writer == target) continue;
    u8* at = place(writer); /* ADD EAX, value; MOV dword [RIP + ...], value; JMP */
    at = emit32(EMIT(at, 0x05), blocks[writer].value);
    at = EMIT(at, 0xc7, 0x05);
    at = emit32(at, (u32)(place(target) + 1 - (at + 8)));
    at = emit32(at, value);
    at = EMIT(at, 0xe9);
    emit32(at, (u32)(place(writer + 1) - (at + 4)));
    if (target > writer) blocks[target].value = value;
    wrong += call_from(0) != expected(0);
    blocks[target].value = value;
    wrong += call_from(0) != expected(0);
    write_block(writer);
  }
  return wrong;
}

void stress_blocks(void) {
  check_equal(changed_between_calls(), 0, "chained blocks changed between calls, %u passes",
              (u64)PASSES);
  check_equal(changed_by_a_block(), 0, "blocks changed by other blocks, %u passes", (u64)PASSES);
}
