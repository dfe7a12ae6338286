/* The chapters of the guest, and what they share. Times are measured by the ACPI PM timer; upper
 * bounds are generous, since peers run in a host's time. */
#ifndef CHAPTERS_H
#define CHAPTERS_H

#include "parts.h"

void check_local_apic(void);
void check_apic_timer(void);
void check_x2apic(void);
void check_pic(void);
void check_pit(void);
void check_rtc(void);
void check_io_apic(void);
void check_hpet(void);

/* Opens the interrupt window for a moment: what is pending and allowed is taken. */
static inline void take_pending(void) { __asm__ volatile("sti; nop; nop; cli" : : : "memory"); }

/* Sleeps until `vector` has been taken `count` times since it was at `before`, or for `limit_us`.
 */
int wait_taken(u32 vector, u64 before, u64 count, u32 limit_us);
/* From now on wait_taken() halts, with the local APIC's timer set to `count` against oversleeping.
 */
void start_waker(u32 count);
/* Waits for so long with interrupts on. */
void doze(u32 microseconds);

/* PM-timer ticks between bounds in microseconds. */
int took(u32 ticks, u32 least_us, u32 most_us);

/* The 8259s, remapped to vectors 40h and 48h, all inputs masked. */
enum { PIC_1 = 0x20, PIC_2 = 0xa0, PIC_1_VECTORS = 0x40, PIC_2_VECTORS = 0x48 };
void pic_init(u8 icw4);

/* RTC registers. */
u8 read_cmos(u8 index);
void write_cmos(u8 index, u8 value);

#endif
