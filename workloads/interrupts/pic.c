/* The two 8259s, by polling and by ExtINT. Lines that can be raised at will: 0 by the 8254 in mode
 * 0, 4 by COM1's transmitter, 8 by the RTC. Intel 8259A data sheet. */
#include "chapters.h"

enum { COM1 = 0x3f8, IER = COM1 + 1, MCR = COM1 + 4, TRANSMITTER_EMPTY = 2, OUT2 = 8 };
enum { AUTO_EOI = 2, MODE_8086 = 1 };
enum {
  EOI = 0x20,
  EOI_SPECIFIC = 0x60,
  ROTATE_ON_EOI = 0xa0,
  SET_PRIORITY = 0xc0, /* the lowest */
  READ_IRR = 0x0a,
  READ_ISR = 0x0b,
  POLL = 0x0c,
  SPECIAL_MASK = 0x68,
  NO_SPECIAL_MASK = 0x48,
};
enum { ELCR_1 = 0x4d0 };

void pic_init(u8 icw4) {
  out8(PIC_1, 0x11);
  out8(PIC_1 + 1, PIC_1_VECTORS);
  out8(PIC_1 + 1, 1 << 2);
  out8(PIC_1 + 1, icw4);
  out8(PIC_2, 0x11);
  out8(PIC_2 + 1, PIC_2_VECTORS);
  out8(PIC_2 + 1, 2);
  out8(PIC_2 + 1, icw4);
}

static u8 command(u16 pic, u8 value) {
  out8(pic, value);
  return in8(pic);
}
static u8 irr(u16 pic) { return command(pic, READ_IRR); }
static u8 isr(u16 pic) { return command(pic, READ_ISR); }
static u8 poll(u16 pic) { return command(pic, POLL); }

static void lower_0(void) { out8(0x43, 0x30); } /* mode 0: OUT is low until the count is over */
static void raise_0(void) {
  lower_0();
  out8(0x40, 1);
  out8(0x40, 0);
  delay_us(20);
}
static void lower_4(void) { out8(IER, 0); }
static void raise_4(void) {
  out8(IER, 0);
  out8(MCR, OUT2);
  while (!(in8(COM1 + 5) & 0x20)) pause();
  out8(IER, TRANSMITTER_EMPTY);
}
static void lower_8(void) {
  write_cmos(0x0b, 0x02);
  read_cmos(0x0c);
}
static void raise_8(void) {
  write_cmos(0x0a, 0x26);
  write_cmos(0x0b, 0x42); /* periodic, 1024 Hz */
  for (u32 i = 0; i < 200 && !(irr(PIC_2) & 1); ++i) delay_us(50);
}

/* Fresh 8259s with no line up; what an edge left behind is gone. */
static void begin(u8 icw4, u8 mask) {
  lower_0();
  lower_4();
  lower_8();
  pic_init(icw4);
  out8(PIC_1 + 1, mask);
  out8(PIC_2 + 1, 0);
}

/* Checks come after each sequence: printing raises and lowers line 4. */
static void check_priorities(void) {
  u8 r[10];
  begin(MODE_8086, 0);
  raise_4();
  r[0] = irr(PIC_1);
  raise_0();
  r[1] = irr(PIC_1);
  r[2] = poll(PIC_1);
  r[3] = isr(PIC_1);
  r[4] = poll(PIC_1);
  out8(PIC_1, EOI);
  r[5] = poll(PIC_1);
  r[6] = isr(PIC_1);
  raise_0();
  r[7] = poll(PIC_1);
  r[8] = isr(PIC_1);
  out8(PIC_1, EOI);
  r[9] = isr(PIC_1);
  out8(PIC_1, EOI);
  const u8 at_end = isr(PIC_1);
  lower_4();
  check_equal(r[0], 0x10, "8259: line 4 shows in IRR");
  check_equal(r[1], 0x11, "8259: and line 0");
  check_equal(r[2], 0x80, "8259: polling acknowledges line 0 first");
  check_equal(r[3], 0x01, "8259: it is in service");
  check_equal(r[4] & 0x80, 0, "8259: line 4 waits for it");
  check_equal(r[5], 0x84, "8259: after EOI comes line 4");
  check_equal(r[6], 0x10, "8259: which is in service");
  check_equal(r[7], 0x80, "8259: line 0 nests in line 4");
  check_equal(r[8], 0x11, "8259: both are in service");
  check_equal(r[9], 0x10, "8259: EOI ends the higher one");
  check_equal(at_end, 0, "8259: then the other");
}

static void check_rotation(void) {
  u8 r[6];
  begin(MODE_8086, 0);
  raise_0();
  poll(PIC_1);
  out8(PIC_1, ROTATE_ON_EOI);
  raise_0();
  raise_4();
  r[0] = poll(PIC_1);
  out8(PIC_1, EOI_SPECIFIC | 4);
  r[1] = poll(PIC_1);
  out8(PIC_1, EOI_SPECIFIC | 0);
  out8(PIC_1, SET_PRIORITY | 7);
  raise_0();
  raise_4();
  r[2] = poll(PIC_1);
  out8(PIC_1, EOI);
  r[3] = poll(PIC_1);
  out8(PIC_1, EOI);
  out8(PIC_1, SET_PRIORITY | 3);
  raise_0();
  raise_4();
  r[4] = poll(PIC_1);
  out8(PIC_1, EOI);
  r[5] = poll(PIC_1);
  out8(PIC_1, EOI);
  lower_4();
  check(r[0] == 0x84 && r[1] == 0x80, "8259: rotation on EOI makes line 0 the lowest");
  check(r[2] == 0x80 && r[3] == 0x84, "8259: set priority, 7 the lowest: the usual order");
  check(r[4] == 0x84 && r[5] == 0x80, "8259: set priority, 3 the lowest: 4 is the highest");
}

static void check_masks(void) {
  u8 r[8];
  begin(MODE_8086, 0x11);
  raise_4();
  r[0] = irr(PIC_1);
  r[1] = poll(PIC_1);
  r[2] = in8(PIC_1 + 1);
  out8(PIC_1 + 1, 0);
  r[3] = poll(PIC_1);
  out8(PIC_1, EOI);
  lower_4();
  /* Special mask mode: a line in service that is masked holds back nobody. */
  begin(MODE_8086, 0);
  raise_0();
  poll(PIC_1);
  raise_4();
  r[4] = poll(PIC_1);
  out8(PIC_1 + 1, 1);
  out8(PIC_1, SPECIAL_MASK);
  r[5] = poll(PIC_1);
  r[6] = isr(PIC_1);
  out8(PIC_1, NO_SPECIAL_MASK);
  begin(AUTO_EOI | MODE_8086, 0);
  raise_0();
  r[7] = poll(PIC_1);
  const u8 in_service = isr(PIC_1);
  lower_4();
  check_equal(r[0], 0x10, "8259: a masked line shows in IRR");
  check_equal(r[1] & 0x80, 0, "8259: but is not acknowledged");
  check_equal(r[2], 0x11, "8259: the mask reads back");
  check_equal(r[3], 0x84, "8259: unmasked, it is");
  check_equal(r[4] & 0x80, 0, "8259: line 0 in service holds back line 4");
  check_equal(r[5], 0x84, "8259: not in special mask mode when it is masked");
  check_equal(r[6], 0x11, "8259: then both are in service");
  check(r[7] == 0x80 && in_service == 0, "8259: automatic EOI leaves nothing in service");
}

static void check_cascade(void) {
  u8 r[8];
  begin(MODE_8086, 0);
  raise_8();
  r[0] = irr(PIC_2);
  r[1] = irr(PIC_1);
  r[2] = poll(PIC_1);
  r[3] = poll(PIC_2);
  r[4] = isr(PIC_1);
  r[5] = isr(PIC_2);
  raise_4();
  r[6] = poll(PIC_1);
  out8(PIC_2, EOI);
  out8(PIC_1, EOI);
  r[7] = poll(PIC_1);
  out8(PIC_1, EOI);
  lower_4();
  lower_8();
  check(r[0] == 1 && r[1] == 4, "8259: line 8 shows as the slave's 0 and the master's 2");
  check(r[2] == 0x82 && r[3] == 0x80, "8259: polled one after the other");
  check(r[4] == 4 && r[5] == 1, "8259: in service in both");
  check(!(r[6] & 0x80) && r[7] == 0x84, "8259: line 8 comes before line 4");
}

static void check_levels(void) {
  u8 r[4];
  const u8 old = in8(ELCR_1);
  begin(MODE_8086, 0);
  raise_4();
  r[0] = poll(PIC_1);
  out8(PIC_1, EOI);
  r[1] = poll(PIC_1);
  lower_4();
  out8(ELCR_1, 0x10);
  begin(MODE_8086, 0);
  raise_4();
  poll(PIC_1);
  out8(PIC_1, EOI);
  r[2] = poll(PIC_1);
  lower_4();
  out8(PIC_1, EOI);
  r[3] = poll(PIC_1);
  out8(ELCR_1, old);
  check(r[0] == 0x84 && !(r[1] & 0x80), "8259: an edge is acknowledged once");
  check_equal(r[2], 0x84, "8259: a level again and again");
  check_equal(r[3] & 0x80, 0, "8259: until the line falls");
}

static u32 in_service_at_apic, pic_in_service;
static void external_handler(struct frame* frame) {
  (void)frame;
  pic_in_service = isr(PIC_1);
  in_service_at_apic = 0;
  for (u32 i = 0; i < 8; ++i) in_service_at_apic |= apic_read(APIC_ISR + 16 * i);
  out8(PIC_1, EOI);
}

static void check_external_interrupt(void) {
  enum { EXTINT = 7 << 8 };
  set_handler(PIC_1_VECTORS, external_handler);
  begin(MODE_8086, 0xfe);
  apic_write(APIC_LVT_LINT0, LVT_MASKED | EXTINT);
  const u64 before = taken(PIC_1_VECTORS);
  raise_0();
  take_pending();
  check_equal(taken(PIC_1_VECTORS) - before, 0, "ExtINT: LINT0 is masked");
  apic_write(APIC_LVT_LINT0, EXTINT);
  check(wait_taken(PIC_1_VECTORS, before, 1, 10000), "ExtINT: the 8259's vector is taken");
  check_equal(pic_in_service, 1, "ExtINT: in service at the 8259");
  check_equal(in_service_at_apic, 0, "ExtINT: not at the local APIC");
  apic_write(APIC_TPR, 0xf0);
  raise_0();
  check(wait_taken(PIC_1_VECTORS, before, 2, 10000), "ExtINT: TPR does not hold it back");
  apic_write(APIC_TPR, 0);
  apic_write(APIC_LVT_LINT0, LVT_MASKED);
  set_handler(PIC_1_VECTORS, 0);
}

void check_pic(void) {
  check_priorities();
  check_rotation();
  check_masks();
  check_cascade();
  check_levels();
  check_external_interrupt();
  begin(MODE_8086, 0xff);
  out8(PIC_2 + 1, 0xff);
}
