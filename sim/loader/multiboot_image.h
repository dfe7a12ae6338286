#pragma once
// What the two multiboot specifications share: an image that is placed either by its ELF headers or
// by four addresses of its own header.

#include <optional>

#include "sim/loader/elf.h"
#include "sim/loader/protocols.h"

namespace vtsim::loader {

// The address fields (multiboot 1) or address tag (multiboot 2).
struct LoadAddresses {
  u64 header_offset = 0;  // of the multiboot header in the file
  u64 header = 0;         // the address that its first byte gets
  u64 load = 0;
  u64 load_end = 0;  // 0: to the end of the file
  u64 bss_end = 0;   // 0: none
};

// Claims, writes and clears; returns the range that came from the file.
struct PlacedRange {
  Hpa base;
  u64 bytes = 0;
};
PlacedRange place_by_addresses(const ImageReader& file, const LoadAddresses& addresses,
                               Placement& placement);

// The entry point of an image placed by addresses; ImageError(field) when it is outside.
Hpa entry_within(const ImageReader& file, const PlacedRange& range, u64 entry, const char* field);

// Places an ELF image and returns its entry point.
Hpa place_multiboot_elf(const ImageReader& file, std::optional<u64> entry_override,
                        Placement& placement);

// The offset of the header whose first dword is `magic` and whose first `dwords` dwords sum to 0,
// on an `alignment` boundary in the first `search` bytes.
struct HeaderSearch {
  u32 magic;
  unsigned dwords;
  u64 alignment;
  u64 search;
};
std::optional<u64> find_header(const ImageReader& file, const HeaderSearch& search);

// RAM below 640 KiB and from 1 MiB up to the first hole, in KiB.
struct BasicMemory {
  u32 lower_kib = 0;
  u32 upper_kib = 0;
};
BasicMemory basic_memory(const firmware_tables::MemoryLayout& layout);

inline constexpr const char* kLoaderName = "vtsim";

}  // namespace vtsim::loader
