/* System-management interrupts from the chipset: a write to the APM port enters SMM, and RSM brings
 * everything back. Where firmware has locked SMM away there is nothing to check. */
#include "parts.h"

const char guest_name[] = "smi";

enum {
  SMBASE = 0x30000, /* after a reset */
  HANDLER = SMBASE + 0x8000,
  COUNTER = SMBASE + 0x9000,
  SMI_EN = 0x2c, /* from PM1a_CNT */
  SMI_STS = 0x30,
  GBL_SMI_EN = 1 << 0,
  APMC_EN = 1 << 5,
  APM_STS = 1 << 5,
  APM_CNT = 0xb2,
  COMMAND = 0x55, /* firmware's own commands are others */
  SMRAMC = 0x9d,
  D_LCK = 1 << 4,
};

static const u8 handler[] = {
    0x2e, 0xfe, 0x06, 0x00, 0x90, /* incb %cs:0x9000 */
    0x66, 0x31, 0xdb,             /* xor %ebx, %ebx */
    0x0f, 0x01, 0xe3,             /* smsw %bx */
    0x2e, 0x89, 0x1e, 0x02, 0x90, /* mov %bx, %cs:0x9002 */
    0x0f, 0xaa,                   /* rsm */
};

static u8 count(void) { return *(volatile u8*)COUNTER; }

static int is_locked(void) {
  out32(0xcf8, 0x80000000 | (SMRAMC & ~3u));
  return in8(0xcfc + (SMRAMC & 3)) & D_LCK;
}

/* RBX as it is after the SMI. */
static u64 command_with_rbx(u64 rbx) {
  __asm__ volatile("outb %1, %2" : "+b"(rbx) : "a"((u8)COMMAND), "Nd"((u16)APM_CNT) : "memory");
  return rbx;
}

void guest_main(void) {
  const u16 enable = machine.pm1a_control + SMI_EN, status = machine.pm1a_control + SMI_STS;
  if (is_locked() || (in32(enable) & GBL_SMI_EN)) {
    skip("firmware owns SMM");
    return;
  }
  for (u32 i = 0; i < sizeof(handler); ++i) ((volatile u8*)HANDLER)[i] = handler[i];
  *(volatile u32*)COUNTER = 0;
  command_with_rbx(0);
  check_equal(count(), 0, "no SMI without GBL_SMI_EN");
  out32(enable, in32(enable) | GBL_SMI_EN | APMC_EN);
  const u64 magic = 0x123456789abcdef0;
  check_equal(command_with_rbx(magic), magic, "RSM restores RBX, all 64 bits");
  check_equal(count(), 1, "a write to the APM port is one SMI");
  check_equal(*(volatile u16*)(COUNTER + 2) & 1, 0, "the handler runs with CR0.PE clear");
  check(in32(status) & APM_STS, "APM_STS is set");
  out32(status, APM_STS);
  check(!(in32(status) & APM_STS), "APM_STS is cleared by a one");
  __asm__ volatile("cli");
  command_with_rbx(0);
  __asm__ volatile("sti");
  check_equal(count(), 2, "RFLAGS.IF does not mask SMIs");
  out32(enable, in32(enable) & ~(u32)GBL_SMI_EN);
  command_with_rbx(0);
  check_equal(count(), 2, "none after GBL_SMI_EN is cleared");
}
