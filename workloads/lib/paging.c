#include "parts.h"

extern u64 page_directory_window[512];

enum { WINDOW_TABLES = 16 };
static u64 tables[WINDOW_TABLES][512] __attribute__((aligned(4096)));
static u32 tables_used;

u64* page_entry(u64 linear) {
  if (linear < WINDOW || linear >= WINDOW_END) require(0, "a page of the window");
  u64* directory = &page_directory_window[linear >> 21 & 511];
  if (!(*directory & PAGE_PRESENT)) {
    if (tables_used == WINDOW_TABLES) require(0, "a free page table");
    *directory = (u64)tables[tables_used++] | PAGE_PRESENT | PAGE_WRITABLE | PAGE_USER;
  }
  return &((u64*)(*directory & 0xffffffffff000))[linear >> 12 & 511];
}

void map_page(u64 linear, u64 physical, u64 flags) {
  *(volatile u64*)page_entry(linear) = physical | flags;
  invalidate_page(linear);
}
