#pragma once
// An ELF executable for i386 or x86-64: what of it a loader needs. System V ABI "Object Files".

#include <optional>
#include <vector>

#include "sim/loader/image_reader.h"
#include "sim/loader/placement.h"

namespace vtsim::loader {

struct ElfSegment {
  u64 offset = 0;
  u64 virtual_address = 0;
  Hpa physical_address;
  u64 file_bytes = 0;
  u64 memory_bytes = 0;
};

struct ElfImage {
  enum class Class : u8 { k32 = 1, k64 = 2 };
  Class elf_class = Class::k32;
  u64 entry = 0;
  std::vector<ElfSegment> segments;  // PT_LOAD, in the file's order
  std::optional<u64> pvh_entry;      // XEN_ELFNOTE_PHYS32_ENTRY
};

bool is_elf(const ImageReader& file);

// Checks the headers and every offset in them; throws ImageError.
ElfImage parse_elf(const ImageReader& file);

// Claims and writes the loadable segments at their physical addresses.
void place_elf(const ImageReader& file, const ElfImage& elf, Placement& placement);

// Where execution begins: `address` itself when it lies in a segment's physical range, or, when it
// is a virtual address of a segment, the physical address there. ImageError(field) if neither.
Hpa physical_entry(const ImageReader& file, const ElfImage& elf, u64 address, const char* field);

}  // namespace vtsim::loader
