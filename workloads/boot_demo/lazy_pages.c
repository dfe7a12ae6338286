/* A range of linear addresses whose pages are mapped, 4 KiB each, by the page-fault handler. */
#include "lazy_pages.h"

#include "parts.h"

extern u64 pml4[512];

enum { FAULT_PRESENT = 1, TABLE_LEVELS = 4 };
#define FRAME_MASK 0x000ffffffffff000ul

static u64 next_frame, frames_end, mapped;

u64 pages_mapped(void) { return mapped; }

static u64 take_frame(void) {
  if (next_frame + 4096 > frames_end) require(0, "a free page frame");
  u64* frame = (u64*)next_frame;
  next_frame += 4096;
  for (int i = 0; i < 512; ++i) frame[i] = 0;
  return (u64)frame;
}

static void map_on_touch(struct frame* frame) {
  const u64 address = read_cr2();
  if (address < LAZY_BASE || address >= LAZY_BASE + LAZY_BYTES) {
    require(0, "no page fault outside of the lazy range");
  }
  if (frame->error_code & FAULT_PRESENT) require(0, "no page fault of a page that is mapped");
  u64* table = pml4;
  for (int level = TABLE_LEVELS; level > 1; --level) {
    u64* entry = &table[(address >> (12 + 9 * (level - 1))) & 511];
    if (!(*entry & PAGE_PRESENT)) *entry = take_frame() | PAGE_PRESENT | PAGE_WRITABLE;
    table = (u64*)(*entry & FRAME_MASK);
  }
  table[(address >> 12) & 511] = take_frame() | PAGE_PRESENT | PAGE_WRITABLE;
  ++mapped;
}

void lazy_pages_init(u64 first_free_page, u64 end) {
  next_frame = first_free_page;
  frames_end = end;
  set_handler(VECTOR_PAGE_FAULT, map_on_touch);
}
