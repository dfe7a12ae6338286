/* The parts of the demo, each in the file of its name. */
#ifndef PARTS_H
#define PARTS_H

#include "machine.h"

/* console.c: COM1. format() knows %s, %u and %x (64-bit both). */
void console_init(void);
void print(const char* format, ...);

/* check.c: every result is checked; the first that fails ends the demo. */
void check(int holds, const char* what);
u64 checks_passed(void);

/* acpi.c: what the tables tell. */
struct machine_info {
  u32 apic_ids[16];
  u32 cores;
  u32 io_apic;      /* address */
  u32 timer_gsi;    /* I/O APIC input of ISA interrupt 0 */
  u16 pm1a_control; /* port */
  u16 sleep_type_s5;
};
void read_acpi(u64 rsdp, struct machine_info* info);
void power_off(const struct machine_info* info);

/* interrupts.c: what vectors.S pushes. */
struct frame {
  u64 rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15;
  u64 vector, error_code;
  u64 rip, cs, rflags, rsp, ss;
};
void interrupts_init(void);
void load_idt(void);
/* How often a vector was taken, on all cores together. */
u64 taken(u32 vector);

/* paging.c: memory that comes into being when it is touched. */
void paging_init(u64 first_free_page, u64 end);
int handle_page_fault(u64 address, u64 error_code);
#define LAZY_BASE 0x8000000000ul /* a PML4 entry of its own */
#define LAZY_BYTES (16ul << 20)
u64 pages_mapped(void);

/* apic.c */
void local_apic_init(void);
void end_of_interrupt(void);
void io_apic_route(u32 io_apic, u32 input, u32 vector);
void start_pit(u32 hz);
void stop_pit(void);
void start_apic_timer(u32 count);
void send_init(u32 apic_id);
void send_startup(u32 apic_id, u32 page);
void send_ipi(u32 apic_id, u32 vector);

#endif
