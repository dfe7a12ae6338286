#include "layout.h"
#include "parts.h"

struct gate {
  u16 offset_low, selector, attributes, offset_middle;
  u32 offset_high, reserved;
};

extern const u8 vector_entries[]; /* 16 bytes each */
static struct gate idt[256];
static u64 counts[256];

u64 taken(u32 vector) { return __atomic_load_n(&counts[vector], __ATOMIC_SEQ_CST); }

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
    idt[vector] = (struct gate){(u16)entry,         CODE64, INTERRUPT_GATE, (u16)(entry >> 16),
                                (u32)(entry >> 32), 0};
  }
  load_idt();
  out8(0x21, 0xff); /* both 8259s masked: the I/O APIC delivers */
  out8(0xa1, 0xff);
}

void interrupt(struct frame* frame) {
  __atomic_add_fetch(&counts[frame->vector], 1, __ATOMIC_SEQ_CST);
  if (frame->vector == VECTOR_PAGE_FAULT && handle_page_fault(read_cr2(), frame->error_code))
    return;
  if (frame->vector >= 0x20) {
    if (frame->vector != VECTOR_SPURIOUS) end_of_interrupt();
    return;
  }
  print("exception %u, error code %x, at %x, CR2 %x\n", frame->vector, frame->error_code,
        frame->rip, read_cr2());
  check(0, "no unexpected exception");
}
