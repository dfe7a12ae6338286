#include "sim/loader/multiboot_image.h"

#include <algorithm>

#include "sim/loader/hex.h"

namespace vtsim::loader {

PlacedRange place_by_addresses(const ImageReader& file, const LoadAddresses& addresses,
                               Placement& placement) {
  file.require(addresses.load <= addresses.header, "load_addr", "is above header_addr");
  const u64 before_header = addresses.header - addresses.load;
  file.require(before_header <= addresses.header_offset, "load_addr",
               "begins before the start of the file");
  const u64 offset = addresses.header_offset - before_header;
  u64 file_bytes = file.size() - offset;
  if (addresses.load_end != 0) {
    file.require(addresses.load_end > addresses.load, "load_end_addr", "is not above load_addr");
    file_bytes = addresses.load_end - addresses.load;
  }
  const std::span<const u8> bytes = file.slice(offset, file_bytes, "load_end_addr");
  u64 memory_bytes = file_bytes;
  if (addresses.bss_end != 0) {
    file.require(addresses.bss_end >= addresses.load + file_bytes, "bss_end_addr",
                 "lies within the loaded part");
    memory_bytes = addresses.bss_end - addresses.load;
  }
  const Hpa base(addresses.load);
  placement.claim("image", base, memory_bytes);
  placement.write(base, bytes);
  placement.zero(base + file_bytes, memory_bytes - file_bytes);
  return {base, file_bytes};
}

Hpa entry_within(const ImageReader& file, const PlacedRange& range, u64 entry, const char* field) {
  if (Hpa(entry) < range.base || Hpa(entry) - range.base >= range.bytes) {
    file.refuse(field, "the entry point " + hex(entry) + " lies outside the loaded image");
  }
  return Hpa(entry);
}

Hpa place_multiboot_elf(const ImageReader& file, std::optional<u64> entry_override,
                        Placement& placement) {
  file.require(is_elf(file), "flags",
               "the header gives no load addresses, and the file is no ELF executable");
  const ElfImage elf = parse_elf(file);
  place_elf(file, elf, placement);
  const char* field = entry_override ? "entry_addr" : "e_entry";
  const Hpa entry = physical_entry(file, elf, entry_override.value_or(elf.entry), field);
  file.require(entry < firmware_tables::kFourGiB, field, "is not below 4 GiB");
  return entry;
}

std::optional<u64> find_header(const ImageReader& file, const HeaderSearch& search) {
  const u64 bytes = u64{search.dwords} * 4;
  for (u64 at = 0; at + bytes <= search.search && file.holds(at, bytes); at += search.alignment) {
    if (file.u32_at(at, "magic") != search.magic) continue;
    u32 sum = 0;
    for (u64 i = 0; i < bytes; i += 4) sum += file.u32_at(at + i, "checksum");
    if (sum == 0) return at;
  }
  return {};
}

BasicMemory basic_memory(const firmware_tables::MemoryLayout& layout) {
  BasicMemory memory;
  for (const firmware_tables::MemoryRange& range : layout.ranges) {
    if (range.type != firmware_tables::RangeType::kUsable) continue;
    const auto kib = static_cast<u32>(range.bytes >> 10);
    if (range.base == Hpa(0)) memory.lower_kib = kib;
    if (range.base == firmware_tables::kOneMiB) memory.upper_kib = kib;
  }
  return memory;
}

}  // namespace vtsim::loader
