/* What every guest stands on, each part in the file named. */
#ifndef PARTS_H
#define PARTS_H

#include "layout.h"
#include "machine.h"

/* The guest itself: called on the boot core, in 64-bit mode, after everything below is ready. */
extern const char guest_name[];
void guest_main(void);

/* console.c: COM1. format() knows %s, %u and %x (64-bit both), and %c. */
void console_init(void);
void print(const char* format, ...);
void print_list(const char* format, __builtin_va_list arguments);

/* check.c */
/* One line a check: "ok WHAT" or "FAIL WHAT"; the guest goes on either way. */
int check(int holds, const char* format, ...);
/* Likewise; what came and what should have come follow " -- " on the line of a failure. */
int check_equal(u64 got, u64 want, const char* format, ...);
void skip(const char* format, ...);
/* Silent unless it fails; then the guest ends: nothing after it would make sense. */
void require(int holds, const char* what);
u64 checks_passed(void);
/* Sums up, and ends the run through the debug-exit port: 0 if all checks passed, otherwise 1. */
void finish(void) __attribute__((noreturn));

/* boot.c: what the loader told. */
struct memory_range {
  u64 base, bytes;
};
struct boot_info {
  u64 rsdp;
  u32 ranges;
  struct memory_range usable[32];
};
const struct boot_info* boot_info(void);

/* acpi.c: what the tables tell. */
struct machine_info {
  u32 apic_ids[MAX_CORES];
  u32 cores;
  u32 io_apic;      /* address */
  u32 gsi[16];      /* I/O APIC input of each ISA interrupt */
  u16 pm1a_control; /* port */
  u16 pm_timer;     /* port */
  u16 sleep_type_s5;
  u64 hpet;       /* address, or 0 */
  u64 pci_config; /* bus 0's memory-mapped configuration space, or 0 */
};
void read_acpi(u64 rsdp, struct machine_info* info);
extern struct machine_info machine;
void power_off(void);

/* interrupts.c: what vectors.S pushes. */
struct frame {
  u64 rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15;
  u64 vector, error_code;
  u64 rip, cs, rflags, rsp, ss;
};
typedef void (*interrupt_handler)(struct frame* frame);
void interrupts_init(void);
void load_idt(void);
/* How often a vector was taken, on all cores together. */
u64 taken(u32 vector);
/* Without a handler an interrupt is counted and ended at the local APIC, an exception ends the
 * guest. A handler ends its interrupts itself. */
void set_handler(u32 vector, interrupt_handler handler);
struct gate64 {
  u16 offset_low, selector, attributes, offset_middle;
  u32 offset_high, reserved;
};
extern struct gate64 idt[256];

/* paging.c: 4 KiB pages in the window. */
enum { PAGE_PRESENT = 1, PAGE_WRITABLE = 2, PAGE_USER = 4, PAGE_BYTES = 4096 };
#define PAGE_NO_EXECUTE (1ul << 63)
#define PAGE_KEY(key) ((u64)(key) << 59)
/* Maps `linear`, in the window, and drops its old translation on this core. */
void map_page(u64 linear, u64 physical, u64 flags);
/* The entry that maps `linear`, for changes by hand. */
u64* page_entry(u64 linear);

/* time.c: the ACPI PM timer, which counts at 3.579545 MHz, 24 bits. */
u32 pm_ticks(void);
u32 pm_ticks_since(u32 start);
void delay_us(u32 microseconds);
#define PM_TICKS(microseconds) ((u32)((u64)(microseconds)*3579545 / 1000000))

/* apic.c: local APIC, I/O APIC. */
enum {
  LOCAL_APIC = 0xfee00000,
  APIC_ID = 0x020,
  APIC_VERSION = 0x030,
  APIC_TPR = 0x080,
  APIC_APR = 0x090,
  APIC_PPR = 0x0a0,
  APIC_EOI = 0x0b0,
  APIC_LDR = 0x0d0,
  APIC_DFR = 0x0e0,
  APIC_SVR = 0x0f0,
  APIC_ISR = 0x100,
  APIC_TMR = 0x180,
  APIC_IRR = 0x200,
  APIC_ESR = 0x280,
  APIC_ICR_LOW = 0x300,
  APIC_ICR_HIGH = 0x310,
  APIC_LVT_TIMER = 0x320,
  APIC_LVT_LINT0 = 0x350,
  APIC_LVT_LINT1 = 0x360,
  APIC_LVT_ERROR = 0x370,
  APIC_TIMER_INITIAL = 0x380,
  APIC_TIMER_CURRENT = 0x390,
  APIC_TIMER_DIVIDE = 0x3e0,
};
enum {
  ICR_FIXED = 0 << 8,
  ICR_LOWEST = 1 << 8,
  ICR_NMI = 4 << 8,
  ICR_INIT = 5 << 8,
  ICR_STARTUP = 6 << 8,
  ICR_LOGICAL = 1 << 11,
  ICR_PENDING = 1 << 12,
  ICR_ASSERT = 1 << 14,
  ICR_SELF = 1 << 18,
  ICR_ALL = 2 << 18,
  ICR_OTHERS = 3 << 18,
  LVT_MASKED = 1 << 16,
};
u32 apic_read(u32 reg);
void apic_write(u32 reg, u32 value);
void local_apic_init(void);
u32 own_apic_id(void);
void end_of_interrupt(void);
void send_interrupt(u32 destination, u32 command);
void send_ipi(u32 apic_id, u32 vector);
u32 io_apic_read(u32 reg);
void io_apic_write(u32 reg, u32 value);
enum {
  IO_APIC_MASKED = 1 << 16,
  IO_APIC_LEVEL = 1 << 15,
  IO_APIC_ACTIVE_LOW = 1 << 13,
  IO_APIC_REMOTE_IRR = 1 << 14,
  IO_APIC_LOGICAL = 1 << 11
};
/* `low` is the low half of the redirection entry: vector, delivery mode, flags. */
void io_apic_route(u32 input, u32 low, u32 destination);

/* pit.c: channel 0 of the 8254 as a clock, mode 2. */
enum { PIT_HZ = 1193182 };
void start_pit(u32 hz);
void stop_pit(void);

/* smp.c */
/* Starts every other core; each runs other_core(number), numbers from 1, and then halts. Returns
 * how many cores there are. */
u32 start_other_cores(void (*other_core)(u32 number));
/* To the same start; what runs then is the last `other_core` or what was set since. */
void send_startup(u32 apic_id);
void set_start_function(void (*function)(u32 number));

static inline void wait_until(const u32* flag) {
  while (!__atomic_load_n(flag, __ATOMIC_ACQUIRE)) pause();
}
static inline void raise_flag(u32* flag) { __atomic_store_n(flag, 1, __ATOMIC_RELEASE); }

#endif
