/* What the loader tells, by PVH (hvm_start_info) or multiboot 2, and the start of the guest. */
#include "parts.h"

enum { USABLE = 1, MULTIBOOT2_MAGIC = 0x36d76289, PVH_MAGIC = 0x336ec578 };

struct start_info { /* hvm_start_info */
  u32 magic, version, flags, module_count;
  u64 modules, command_line, rsdp, memory_map;
  u32 memory_map_entries, reserved;
};
struct map_entry {
  u64 base, bytes;
  u32 type, reserved;
};

static struct boot_info info;
const struct boot_info* boot_info(void) { return &info; }
struct machine_info machine;

static void add_range(const struct map_entry* entry) {
  if (entry->type != USABLE || info.ranges == 32) return;
  info.usable[info.ranges++] = (struct memory_range){entry->base, entry->bytes};
}

static void read_pvh(const struct start_info* start) {
  require(start->magic == PVH_MAGIC, "the magic of hvm_start_info");
  info.rsdp = start->rsdp;
  const struct map_entry* map = (const struct map_entry*)start->memory_map;
  for (u32 i = 0; i < start->memory_map_entries; ++i) add_range(&map[i]);
}

/* Multiboot2 Specification, "Boot information format": tags, 8-byte aligned; type 0 ends them. */
static void read_multiboot2(u64 address) {
  enum { MEMORY_MAP = 6, OLD_RSDP = 14, NEW_RSDP = 15 };
  struct tag {
    u32 type, size;
  };
  const struct tag* tag = (const struct tag*)(address + 8);
  for (; tag->type != 0; tag = (const struct tag*)(((u64)tag + tag->size + 7) & ~7ul)) {
    const u64 contents = (u64)(tag + 1);
    if (tag->type == NEW_RSDP || (tag->type == OLD_RSDP && info.rsdp == 0)) info.rsdp = contents;
    if (tag->type != MEMORY_MAP) continue;
    const u32 entry_bytes = *(const u32*)contents;
    for (u64 at = contents + 8; at < (u64)tag + tag->size; at += entry_bytes) {
      add_range((const struct map_entry*)at);
    }
  }
}

void start_guest(u32 magic, u32 address) {
  console_init();
  interrupts_init();
  if (magic == MULTIBOOT2_MAGIC) {
    read_multiboot2(address);
  } else {
    read_pvh((const struct start_info*)(u64)address);
  }
  require(info.ranges > 0, "usable memory in the memory map");
  read_acpi(info.rsdp, &machine);
  guest_main();
  finish();
}
