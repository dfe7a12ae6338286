#include "parts.h"

extern const u8 vector_entries[]; /* 16 bytes each */
struct gate64 idt[256];
static u64 counts[256];
static interrupt_handler handlers[256];

/* contexts.c; a guest that runs no contexts is linked without. */
int end_run(struct frame* frame) __attribute__((weak));

u64 taken(u32 vector) { return __atomic_load_n(&counts[vector], __ATOMIC_SEQ_CST); }
void set_handler(u32 vector, interrupt_handler handler) { handlers[vector] = handler; }

void load_idt(void) {
  const struct {
    u16 limit;
    u64 base;
  } __attribute__((packed)) pointer = {sizeof idt - 1, (u64)idt};
  __asm__ volatile("lidt %0" : : "m"(pointer));
}

void interrupts_init(void) {
  enum { INTERRUPT_GATE = 0x8e00 }; /* present, DPL 0 */
  for (u32 vector = 0; vector < 256; ++vector) {
    const u64 entry = (u64)vector_entries + 16 * vector;
    idt[vector] = (struct gate64){(u16)entry,         CODE64, INTERRUPT_GATE, (u16)(entry >> 16),
                                  (u32)(entry >> 32), 0};
  }
  load_idt();
  out8(0x21, 0xff); /* both 8259s masked: the I/O APIC delivers */
  out8(0xa1, 0xff);
}

void interrupt(struct frame* frame) {
  __atomic_add_fetch(&counts[frame->vector], 1, __ATOMIC_SEQ_CST);
  if (end_run && end_run(frame)) return;
  if (handlers[frame->vector]) {
    handlers[frame->vector](frame);
    return;
  }
  if (frame->vector >= 0x20) {
    if (frame->vector != VECTOR_SPURIOUS) end_of_interrupt();
    return;
  }
  print("exception %u, error code %x, at %x, CR2 %x\n", frame->vector, frame->error_code,
        frame->rip, read_cr2());
  require(0, "no unexpected exception");
}
