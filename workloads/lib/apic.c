/* Local APIC (by its memory-mapped registers) and I/O APIC. */
#include "parts.h"

u32 apic_read(u32 reg) { return *mmio32(LOCAL_APIC + reg); }
void apic_write(u32 reg, u32 value) { *mmio32(LOCAL_APIC + reg) = value; }

void local_apic_init(void) {
  enum { SOFTWARE_ENABLE = 0x100, DIVIDE_BY_1 = 0xb };
  apic_write(APIC_SVR, SOFTWARE_ENABLE | VECTOR_SPURIOUS);
  apic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_1);
}

u32 own_apic_id(void) { return apic_read(APIC_ID) >> 24; }
void end_of_interrupt(void) { apic_write(APIC_EOI, 0); }

void send_interrupt(u32 destination, u32 command) {
  apic_write(APIC_ICR_HIGH, destination << 24);
  apic_write(APIC_ICR_LOW, command);
  while (apic_read(APIC_ICR_LOW) & ICR_PENDING) pause();
}

void send_ipi(u32 apic_id, u32 vector) { send_interrupt(apic_id, ICR_ASSERT | vector); }

enum { IO_APIC_SELECT = 0x00, IO_APIC_WINDOW = 0x10, IO_APIC_REDIRECTION = 0x10 };

u32 io_apic_read(u32 reg) {
  *mmio32(machine.io_apic + IO_APIC_SELECT) = reg;
  return *mmio32(machine.io_apic + IO_APIC_WINDOW);
}
void io_apic_write(u32 reg, u32 value) {
  *mmio32(machine.io_apic + IO_APIC_SELECT) = reg;
  *mmio32(machine.io_apic + IO_APIC_WINDOW) = value;
}

void io_apic_route(u32 input, u32 low, u32 destination) {
  io_apic_write(IO_APIC_REDIRECTION + 2 * input + 1, destination << 24);
  io_apic_write(IO_APIC_REDIRECTION + 2 * input, low);
}
