/* Code and pages: instructions across a page's end, a page at two linear addresses, a linear
 * address of changing pages. */
#include "stress.h"

static u8* across(u32 bytes_before) { return (u8*)CODE_NEXT - bytes_before; }

/* MOV EAX, imm32 across the end, changed in either page by the same linear address. */
static u32 straddling_instruction(void) {
  u32 wrong = 0;
  for (u32 i = 0; i < ROUNDS; ++i) {
    const u32 before = 1 + random_below(CONSTANT_BYTES - 1);
    u32 value = random_number();
    u8* code = across(before);
    emit_constant(code, value);
    wrong += call((u64)code) != value;
    const u32 byte = random_below(4);
    value ^= 0xffu << 8 * byte;
    ((volatile u8*)code)[IMMEDIATE + byte] ^= 0xff;
    wrong += call((u64)code) != value;
  }
  return wrong;
}

/* A store in the first page to the instruction that follows in the second. */
static u32 store_into_next_page(void) {
  u32 wrong = 0;
  for (u32 i = 0; i < ROUNDS; ++i) {
    const u32 value = random_number();
    const u32 before = 10 + random_below(CONSTANT_BYTES);
    u8* code = across(before);
    u8* constant = code + 10;
    emit_constant(constant, ~value);
    u8* at =
        EMIT(code, 0xc7, 0x05); /* MOV dword [RIP + 1], value: the immediate behind its opcode */
    at = emit32(at, IMMEDIATE);
    emit32(at, value);
    wrong += call((u64)code) != value;
  }
  return wrong;
}

/* Written at one linear address, run at another. */
static u32 second_address(void) {
  u32 wrong = 0;
  map_page(ALIAS, (u64)frames[0], WRITABLE_CODE | PAGE_NO_EXECUTE);
  for (u32 i = 0; i < ROUNDS; ++i) {
    const u32 value = random_number(), offset = random_below(PAGE_BYTES - CONSTANT_BYTES);
    u8* through = random_below(2) ? (u8*)ALIAS : frames[0]; /* which is a third one */
    emit_constant(through + offset, value);
    serialize();
    wrong += call(CODE + offset) != value;
  }
  return wrong;
}

/* Each frame's routine at the same offset tells which frame it is. */
static void number_frames(u32 offset) {
  for (u32 i = 2; i < 6; ++i) emit_constant(frames[i] + offset, 0x1000 * i + offset);
}

static void flush_by_cr3(void) { write_cr3(read_cr3()); }

static u32 changing_page(void) {
  u32 wrong = 0;
  for (u32 i = 0; i < ROUNDS; ++i) {
    const u32 offset = random_below(PAGE_BYTES - CONSTANT_BYTES);
    if (i % 8 == 0) number_frames(offset);
    for (u32 frame = 2; frame < 6; ++frame) {
      emit_constant(frames[frame] + offset, 0x1000 * frame + offset);
    }
    const u32 frame = 2 + random_below(4);
    if (random_below(2)) {
      map_page(CODE, (u64)frames[frame], PAGE_PRESENT);
    } else {
      *(volatile u64*)page_entry(CODE) = (u64)frames[frame] | PAGE_PRESENT;
      flush_by_cr3();
    }
    wrong += call(CODE + offset) != 0x1000 * frame + offset;
  }
  map_page(CODE, (u64)frames[0], WRITABLE_CODE);
  return wrong;
}

/* An instruction whose second half lies in a page that changes: the immediate's rest differs. */
static u32 changing_second_page(void) {
  u32 wrong = 0;
  for (u32 i = 0; i < ROUNDS; ++i) {
    const u32 before = 2 + random_below(3); /* opcode and 1 to 3 bytes of the immediate */
    const u32 value = random_number();
    u8* code = across(before);
    for (u32 frame = 2; frame < 6; ++frame) {
      map_page(CODE_NEXT, (u64)frames[frame], WRITABLE_CODE);
      emit_constant(code, (value & 0xffffff) | frame << 24);
      wrong += call((u64)code) != ((value & 0xffffff) | frame << 24);
    }
    const u32 frame = 2 + random_below(4);
    map_page(CODE_NEXT, (u64)frames[frame], WRITABLE_CODE);
    wrong += call((u64)code) != ((value & 0xffffff) | frame << 24);
  }
  map_page(CODE_NEXT, (u64)frames[1], WRITABLE_CODE);
  return wrong;
}

/* The second page is absent: the fault comes with the instruction that needs it, not before. */
static u32 wanted;
static void map_wanted(struct frame* frame) {
  (void)frame;
  if (read_cr2() != CODE_NEXT) require(0, "a fault at the second page only");
  map_page(CODE_NEXT, (u64)frames[1], WRITABLE_CODE);
  ++wanted;
}

static u32 absent_second_page(void) {
  u32 wrong = 0;
  set_handler(VECTOR_PAGE_FAULT, map_wanted);
  for (u32 i = 0; i < ROUNDS; ++i) {
    const u32 before = 1 + random_below(CONSTANT_BYTES + 2);
    u8* code = across(before);
    const u32 value = random_number();
    emit_constant(code, value);
    map_page(CODE_NEXT, 0, 0);
    wanted = 0;
    wrong += call((u64)code) != value;
    wrong += wanted != (before < CONSTANT_BYTES);
    map_page(CODE_NEXT, (u64)frames[1], WRITABLE_CODE);
  }
  set_handler(VECTOR_PAGE_FAULT, 0);
  return wrong;
}

/* Rights that change: execute-disable set and cleared. */
static void allow_execution(struct frame* frame) {
  (void)frame;
  map_page(CODE, (u64)frames[0], WRITABLE_CODE);
  ++wanted;
}

static u32 execute_disable(void) {
  u32 wrong = 0;
  set_handler(VECTOR_PAGE_FAULT, allow_execution);
  for (u32 i = 0; i < ROUNDS; ++i) {
    const u32 value = random_number(), offset = random_below(256);
    map_page(CODE, (u64)frames[0], WRITABLE_CODE | PAGE_NO_EXECUTE);
    emit_constant((u8*)CODE + offset, value);
    wanted = 0;
    wrong += call(CODE + offset) != value || wanted != 1;
    wrong += call(CODE + offset) != value || wanted != 1;
  }
  set_handler(VECTOR_PAGE_FAULT, 0);
  return wrong;
}

void stress_pages(void) {
  REPORT(straddling_instruction(), "an instruction across a page's end is changed");
  REPORT(store_into_next_page(), "a store changes the next instruction, in the next page");
  REPORT(second_address(), "code written at another linear address");
  REPORT(changing_page(), "a linear address of changing pages");
  REPORT(changing_second_page(), "an instruction whose second page changes");
  REPORT(absent_second_page(), "an instruction whose second page is absent");
  REPORT(execute_disable(), "a page that may not be executed, then may");
}
