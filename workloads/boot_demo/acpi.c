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

/* The XSDT's entries are 8 bytes, the RSDT's (for a revision-0 RSDP) 4. */
static const struct table* find_table(const struct rsdp* rsdp, const char* signature) {
  const u32 width = rsdp->revision >= 2 ? 8 : 4;
  const struct table* root = (const struct table*)(width == 8 ? rsdp->xsdt : (u64)rsdp->rsdt);
  check(sums_to_zero(root, root->length), "the root table's checksum");
  const u8* entry = (const u8*)root + sizeof(struct table);
  for (; entry + width <= (const u8*)root + root->length; entry += width) {
    u64 address = read32(entry);
    if (width == 8) address |= (u64)read32(entry + 4) << 32;
    const struct table* table = (const struct table*)address;
    if (is(table, signature)) {
      check(sums_to_zero(table, table->length), "an ACPI table's checksum");
      return table;
    }
  }
  check(0, signature);
  return 0;
}

static void read_madt(const u8* madt, u32 length, struct machine_info* info) {
  enum { LOCAL_APIC = 0, IO_APIC = 1, OVERRIDE = 2, ENTRIES = 44, ENABLED = 1 };
  for (const u8* entry = madt + ENTRIES; entry < madt + length; entry += entry[1]) {
    if (entry[0] == LOCAL_APIC && (entry[4] & ENABLED) && info->cores < 16) {
      info->apic_ids[info->cores++] = entry[3];
    }
    if (entry[0] == IO_APIC) info->io_apic = read32(entry + 4);
    if (entry[0] == OVERRIDE && entry[3] == 0) info->timer_gsi = read32(entry + 4);
  }
}

/* The first number of the package that _S5_ names: Name op, name, package op, length, count. */
static u16 find_s5(const struct table* dsdt) {
  const u8* at = (const u8*)dsdt;
  for (u32 i = 0; i + 12 < dsdt->length; ++i) {
    if (is(at + i, "_S5_") && at[i + 4] == 0x12) {
      const u8* value = at + i + 7;
      return *value == 0x0a ? value[1] : *value; /* byte prefix, or Zero or One */
    }
  }
  check(0, "_S5 in the DSDT");
  return 0;
}

void read_acpi(u64 address, struct machine_info* info) {
  enum { FADT_DSDT = 40, FADT_PM1A_CONTROL = 64 };
  const struct rsdp* rsdp = (const struct rsdp*)address;
  check(address != 0 && is(rsdp->signature, "RSD PTR "), "the RSDP's signature");
  check(sums_to_zero(rsdp, 20), "the RSDP's checksum");
  const struct table* madt = find_table(rsdp, "APIC");
  read_madt((const u8*)madt, madt->length, info);
  check(info->cores >= 1 && info->io_apic != 0, "cores and I/O APIC in the MADT");
  const u8* fadt = (const u8*)find_table(rsdp, "FACP");
  info->pm1a_control = (u16)read32(fadt + FADT_PM1A_CONTROL);
  info->sleep_type_s5 = find_s5((const struct table*)(u64)read32(fadt + FADT_DSDT));
}

void power_off(const struct machine_info* info) {
  enum { SLP_TYP = 10, SLP_EN = 1 << 13 };
  out16(info->pm1a_control, (u16)(info->sleep_type_s5 << SLP_TYP | SLP_EN));
  for (;;) __asm__ volatile("cli; hlt");
}
