/* A range of linear addresses whose pages are mapped, 4 KiB each, by the page-fault handler. */
#include "parts.h"

extern u64 pml4[512];

enum { PRESENT = 1, WRITABLE = 2, FAULT_PRESENT = 1, FAULT_WRITE = 2, TABLE_LEVELS = 4 };
#define FRAME_MASK 0x000ffffffffff000ul

static u64 next_frame, frames_end, mapped;

void paging_init(u64 first_free_page, u64 end) {
  next_frame = first_free_page;
  frames_end = end;
}

u64 pages_mapped(void) { return mapped; }

static u64 take_frame(void) {
  if (next_frame + 4096 > frames_end) check(0, "a free page frame");
  u64* frame = (u64*)next_frame;
  next_frame += 4096;
  for (int i = 0; i < 512; ++i) frame[i] = 0;
  return (u64)frame;
}

int handle_page_fault(u64 address, u64 error_code) {
  if (address < LAZY_BASE || address >= LAZY_BASE + LAZY_BYTES) return 0;
  if (error_code & FAULT_PRESENT) return 0;
  u64* table = pml4;
  for (int level = TABLE_LEVELS; level > 1; --level) {
    u64* entry = &table[(address >> (12 + 9 * (level - 1))) & 511];
    if (!(*entry & PRESENT)) *entry = take_frame() | PRESENT | WRITABLE;
    table = (u64*)(*entry & FRAME_MASK);
  }
  table[(address >> 12) & 511] = take_frame() | PRESENT | WRITABLE;
  ++mapped;
  return 1;
}
