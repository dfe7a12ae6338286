/* Shared by assembly and C. */
#ifndef LAYOUT_H
#define LAYOUT_H

#define CODE32 0x08
#define CODE64 0x10
#define DATA64 0x18

#define TRAMPOLINE 0x8000 /* page 8: the start-up IPI's vector */

#define VECTOR_PAGE_FAULT 14
#define VECTOR_PIT 0x20
#define VECTOR_APIC_TIMER 0x21
#define VECTOR_IPI 0x22
#define VECTOR_SPURIOUS 0xff

#endif
