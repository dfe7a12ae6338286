/* Finds cores, I/O APIC, timer input and the way to power off in the ACPI tables. */
#include "parts.h"

struct table {
  char signature[4];
  u32 length;
  u8 revision, checksum;
  char oem[26];
} __attribute__((packed));

struct rsdp {
  char signature[8];
  u8 checksum;
  char oem[6];
  u8 revision;
  u32 rsdt;
  u32 length;
  u64 xsdt;
} __attribute__((packed));

static int is(const void* bytes, const char* text) {
  const char* left = bytes;
  while (*text) {
    if (*left++ != *text++) return 0;
  }
  return 1;
}

static int sums_to_zero(const void* bytes, u32 length) {
  u8 sum = 0;
  for (u32 i = 0; i < length; ++i) sum = (u8)(sum + ((const u8*)bytes)[i]);
  return sum == 0;
}

static u32 read32(const u8* at) {
  return (u32)at[0] | (u32)at[1] << 8 | (u32)at[2] << 16 | (u32)at[3] << 24;
}

/* The XSDT's entries are 8 bytes, the RSDT's (for a revision-0 RSDP) 4. 0 if there is none. */
static const struct table* find_table(const struct rsdp* rsdp, const char* signature) {
  const u32 width = rsdp->revision >= 2 ? 8 : 4;
  const struct table* root = (const struct table*)(width == 8 ? rsdp->xsdt : (u64)rsdp->rsdt);
  require(sums_to_zero(root, root->length), "the root table's checksum");
  const u8* entry = (const u8*)root + sizeof(struct table);
  for (; entry + width <= (const u8*)root + root->length; entry += width) {
    u64 address = read32(entry);
    if (width == 8) address |= (u64)read32(entry + 4) << 32;
    const struct table* table = (const struct table*)address;
    if (is(table, signature)) {
      require(sums_to_zero(table, table->length), "an ACPI table's checksum");
      return table;
    }
  }
  return 0;
}

static void read_madt(const u8* madt, u32 length, struct machine_info* info) {
  enum { CORE = 0, IO_APIC = 1, OVERRIDE = 2, ENTRIES = 44, ENABLED = 1 };
  for (u32 irq = 0; irq < 16; ++irq) info->gsi[irq] = irq;
  for (const u8* entry = madt + ENTRIES; entry < madt + length; entry += entry[1]) {
    if (entry[0] == CORE && (entry[4] & ENABLED) && info->cores < MAX_CORES) {
      info->apic_ids[info->cores++] = entry[3];
    }
    if (entry[0] == IO_APIC) info->io_apic = read32(entry + 4);
    if (entry[0] == OVERRIDE && entry[3] < 16) info->gsi[entry[3]] = read32(entry + 4);
  }
}

/* The first number of the package that _S5_ names: Name op, name, package op, length, count. FFFFh
 * if there is none. */
static u16 find_s5(const struct table* dsdt) {
  const u8* at = (const u8*)dsdt;
  for (u32 i = 0; i + 12 < dsdt->length; ++i) {
    if (is(at + i, "_S5_") && at[i + 4] == 0x12) {
      const u8* value = at + i + 7;
      return *value == 0x0a ? value[1] : *value; /* byte prefix, or Zero or One */
    }
  }
  return 0xffff;
}

void read_acpi(u64 address, struct machine_info* info) {
  enum { FADT_DSDT = 40, FADT_PM1A_CONTROL = 64, FADT_PM_TIMER = 76 };
  enum { HPET_ADDRESS = 44, MCFG_BASE = 44 };
  const struct rsdp* rsdp = (const struct rsdp*)address;
  require(address != 0 && is(rsdp->signature, "RSD PTR "), "the RSDP's signature");
  require(sums_to_zero(rsdp, 20), "the RSDP's checksum");
  const struct table* madt = find_table(rsdp, "APIC");
  require(madt != 0, "a MADT");
  read_madt((const u8*)madt, madt->length, info);
  require(info->cores >= 1 && info->io_apic != 0, "cores and I/O APIC in the MADT");
  const u8* fadt = (const u8*)find_table(rsdp, "FACP");
  require(fadt != 0, "a FADT");
  info->pm1a_control = (u16)read32(fadt + FADT_PM1A_CONTROL);
  info->pm_timer = (u16)read32(fadt + FADT_PM_TIMER);
  info->sleep_type_s5 = find_s5((const struct table*)(u64)read32(fadt + FADT_DSDT));
  const u8* hpet = (const u8*)find_table(rsdp, "HPET");
  if (hpet) info->hpet = read32(hpet + HPET_ADDRESS);
  const u8* mcfg = (const u8*)find_table(rsdp, "MCFG");
  if (mcfg) info->pci_config = read32(mcfg + MCFG_BASE);
}

void power_off(void) {
  enum { SLP_TYP = 10, SLP_EN = 1 << 13 };
  require(machine.sleep_type_s5 != 0xffff, "_S5 in the DSDT");
  out16(machine.pm1a_control, (u16)(machine.sleep_type_s5 << SLP_TYP | SLP_EN));
  for (;;) __asm__ volatile("cli; hlt");
}
