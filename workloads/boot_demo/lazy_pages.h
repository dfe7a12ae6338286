/* A range of linear addresses whose pages are mapped when they are touched, by the page-fault
 * handler. */
#ifndef LAZY_PAGES_H
#define LAZY_PAGES_H

#include "machine.h"

#define LAZY_BASE 0x8000000000ul /* a PML4 entry of its own */
#define LAZY_BYTES (16ul << 20)

/* Frames come from [first_free_page, end). */
void lazy_pages_init(u64 first_free_page, u64 end);
u64 pages_mapped(void);

#endif
