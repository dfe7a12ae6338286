/* SDM 3A "MP Initialization Protocol Algorithm for MP Systems". */
#include "parts.h"

extern const u8 trampoline[], trampoline_end[];
extern u32 cores_started;
static void (*other_core_function)(u32 number);

void send_startup(u32 apic_id) {
  send_interrupt(apic_id, ICR_STARTUP | ICR_ASSERT | TRAMPOLINE >> 12);
}

/* From start.S, each core on a stack of its own. */
void start_other_core(u32 number) {
  load_idt();
  local_apic_init();
  other_core_function(number);
}

void set_start_function(void (*function)(u32 number)) { other_core_function = function; }

u32 start_other_cores(void (*other_core)(u32 number)) {
  for (const u8* byte = trampoline; byte < trampoline_end; ++byte) {
    ((volatile u8*)TRAMPOLINE)[byte - trampoline] = *byte;
  }
  other_core_function = other_core;
  local_apic_init();
  for (u32 i = 0; i < machine.cores; ++i) {
    const u32 id = machine.apic_ids[i];
    if (id == own_apic_id()) continue;
    const u32 started = __atomic_load_n(&cores_started, __ATOMIC_SEQ_CST);
    send_interrupt(id, ICR_INIT | ICR_ASSERT);
    delay_us(200); /* the manual's 10 ms are for processors of the last century */
    send_startup(id);
    while (__atomic_load_n(&cores_started, __ATOMIC_SEQ_CST) == started) pause();
  }
  return machine.cores;
}
