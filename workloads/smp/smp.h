/* What the boot core asks of the others, and the chapters. */
#ifndef SMP_H
#define SMP_H

#include "parts.h"

enum { VECTOR_COUNT = 0x40, VECTOR_SHOOTDOWN = 0x41, VECTOR_WAKE = 0x42, VECTOR_LOWEST = 0x43 };

extern u32 cores;

/* All cores run `work(number)`, the boot core as number 0; returns when all have finished. */
typedef void (*work_function)(u32 number);
void run_on_all(work_function work);
/* The others begin, and may never finish. */
void begin_on_others(work_function work);

/* INIT and start-up of the last core, which then takes part again. */
void restart_last_core(void);

/* How often core `number` has taken the vector. */
u32 taken_by(u32 number, u32 vector);
/* Waits until core `number` has taken it `count` times; 0 if that does not happen in time. */
int wait_taken_by(u32 number, u32 vector, u32 count);
u32 apic_id_of(u32 number);

/* Who takes VECTOR_COUNT from begin_count() on, one bit a core. Waits for as many as are expected,
 * and then a little longer for those that are not. */
void begin_count(void);
u32 wait_count(u32 expected);

/* From now on interrupts are ended by the x2APIC's register. */
void use_x2apic(void);

void check_identities(void);
void check_destinations(void);
void check_memory(void);
void check_shootdown(void);
void check_monitor(void);
void check_time(void);
void check_restart(void);
void check_x2apic(void);

#endif
