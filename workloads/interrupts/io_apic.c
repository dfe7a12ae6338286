/* I/O APIC: registers, edges, masks. Levels: hpet.c. Intel 82093AA data sheet. */
#include "chapters.h"

enum { VECTOR = 0x31, ID = 0, VERSION = 1, TABLE = 0x10 };

static void raise_pit_line(void) { /* mode 0: OUT rises when the count is over */
  out8(0x43, 0x30);
  out8(0x40, 1);
  out8(0x40, 0);
  doze(100);
}

static void check_registers(void) {
  const u32 entries = (io_apic_read(VERSION) >> 16 & 0xff) + 1;
  check(entries >= 24, "I/O APIC: 24 inputs or more");
  const u32 last = TABLE + 2 * (entries - 1);
  io_apic_write(last,
                IO_APIC_MASKED | IO_APIC_LEVEL | IO_APIC_ACTIVE_LOW | IO_APIC_LOGICAL | 0x1a5);
  io_apic_write(last + 1, 0x5a000000);
  check_equal(io_apic_read(last),
              IO_APIC_MASKED | IO_APIC_LEVEL | IO_APIC_ACTIVE_LOW | IO_APIC_LOGICAL | 0x1a5,
              "I/O APIC: the low half of an entry reads back");
  check_equal(io_apic_read(last + 1) >> 24, 0x5a, "I/O APIC: the destination reads back");
  io_apic_write(last, IO_APIC_MASKED | IO_APIC_REMOTE_IRR | ICR_PENDING);
  check_equal(io_apic_read(last), IO_APIC_MASKED,
              "I/O APIC: remote IRR and delivery status are read-only");
}

static void check_edges(void) {
  const u32 input = machine.gsi[0];
  u64 before = taken(VECTOR);
  io_apic_route(input, VECTOR, own_apic_id());
  raise_pit_line();
  wait_taken(VECTOR, before, 1, 100000);
  check_equal(taken(VECTOR) - before, 1, "I/O APIC: an edge is one interrupt");
  take_pending();
  check_equal(taken(VECTOR) - before, 1, "I/O APIC: the line stays high: no other");
  before = taken(VECTOR);
  io_apic_route(input, VECTOR | IO_APIC_MASKED, own_apic_id());
  raise_pit_line();
  take_pending();
  check_equal(taken(VECTOR) - before, 0, "I/O APIC: masked, no interrupt");
  io_apic_route(input, VECTOR, own_apic_id());
  raise_pit_line();
  check(wait_taken(VECTOR, before, 1, 100000), "I/O APIC: unmasked, the next edge is an interrupt");
  io_apic_route(input, VECTOR | IO_APIC_MASKED, 0);
}

static u32 nmis;
static void nmi_handler(struct frame* frame) {
  (void)frame;
  ++nmis;
}

static void check_delivery_modes(void) {
  enum { NMI = 4 << 8, LOWEST_PRIORITY = 1 << 8 };
  const u32 input = machine.gsi[0];
  set_handler(2, nmi_handler);
  io_apic_route(input, NMI, own_apic_id());
  raise_pit_line();
  for (u32 i = 0; i < 100 && nmis == 0; ++i) delay_us(100);
  check_equal(nmis, 1, "I/O APIC: delivery as NMI");
  const u64 before = taken(VECTOR);
  apic_write(APIC_DFR, 0xffffffff);
  apic_write(APIC_LDR, 1u << 24);
  io_apic_route(input, VECTOR | LOWEST_PRIORITY | IO_APIC_LOGICAL, 1);
  raise_pit_line();
  wait_taken(VECTOR, before, 1, 100000);
  check_equal(taken(VECTOR) - before, 1, "I/O APIC: lowest priority, logical destination");
  io_apic_route(input, VECTOR | IO_APIC_LOGICAL, 2);
  raise_pit_line();
  take_pending();
  check_equal(taken(VECTOR) - before, 1, "I/O APIC: a logical destination that is nobody");
  io_apic_route(input, IO_APIC_MASKED, 0);
  set_handler(2, 0);
}

void check_io_apic(void) {
  check_registers();
  check_edges();
  check_delivery_modes();
}
