/* Selectors, vectors and addresses, shared by assembly and C. */
#ifndef LAYOUT_H
#define LAYOUT_H

/* Code and data segments of each privilege level: base 0, limit 4 GiB. */
#define CODE32_OF(dpl) (0x08 + 0x18 * (dpl) + (dpl))
#define CODE64_OF(dpl) (0x10 + 0x18 * (dpl) + (dpl))
#define DATA_OF(dpl) (0x18 + 0x18 * (dpl) + (dpl))
#define CODE32 0x08
#define CODE64 0x10
#define DATA64 0x18
#define TSS64 0x68 /* 16 bytes */
#define TSS32 0x78
#define CODE16 0x80 /* base 0, limit 64 KiB, as real mode has them */
#define DATA16 0x88
#define FREE_SELECTOR 0x90 /* from here on: the tests' own */
#define GDT_ENTRIES 64
#define LEAVING_TSS (8 * GDT_ENTRIES - 8)

/* Linear addresses, in 2 MiB pages but for the window:
 *   0 .. 1 GiB         the same physical addresses, for the supervisor
 *   1 .. 2 GiB         physical 0 .. 1 GiB again, for the user
 *   2 .. 3 GiB         nothing at first: map_page()
 *   3 .. 4 GiB         the same physical addresses: devices */
#define USER_BASE 0x40000000
#define WINDOW 0x80000000
#define WINDOW_END 0xc0000000

#define TRAMPOLINE 0x8000 /* page 8: the start-up IPI's vector */
#define MAX_CORES 16
#define STACK_BYTES 16384

#define VECTOR_PAGE_FAULT 14
#define VECTOR_PIT 0x20
#define VECTOR_APIC_TIMER 0x21
#define VECTOR_IPI 0x22
#define VECTOR_DONE 3 /* INT3 of code that run_long() or run_legacy() runs: finished */
#define VECTOR_SPURIOUS 0xff

#endif
