#pragma once
// Where RAM lies and what of it the guest may use: the map that firmware hands to a kernel as E820,
// multiboot memory map or PVH memmap. One description for all of them, for the ACPI tables and for
// the loaders.

#include <vector>

#include "model/base/types.h"

namespace vtsim::firmware_tables {

// ACPI "System Address Map Interfaces > Address Range Types".
enum class RangeType : u32 { kUsable = 1, kReserved = 2, kAcpiTables = 3, kAcpiNvs = 4 };

struct MemoryRange {
  Hpa base;
  u64 bytes = 0;
  RangeType type = RangeType::kReserved;

  constexpr Hpa end() const { return base + bytes; }
  constexpr bool contains(Hpa from, u64 size) const {
    return from >= base && size <= bytes && from - base <= bytes - size;
  }
  constexpr bool operator==(const MemoryRange&) const = default;
};

// The fixed addresses of the Q35/ICH9 map that more than one table names.
inline constexpr Hpa kEbda{0x9fc00};
inline constexpr Hpa kVideoArea{0xa0000};
inline constexpr Hpa kRsdpArea{0xe0000};    // scanned by "legacy" OSes: ACPI "Finding the RSDP"
inline constexpr Hpa kSmbiosArea{0xf0000};  // scanned on 16-byte boundaries up to 1 MiB
inline constexpr Hpa kOneMiB{0x100000};
inline constexpr u64 kLowRamLimit = 0x8000'0000;  // more RAM than this continues at 4 GiB
inline constexpr Hpa kEcam{0xb000'0000};
inline constexpr u64 kEcamBytes = 0x1000'0000;
inline constexpr Hpa kIoApic{0xfec0'0000};
inline constexpr Hpa kHpet{0xfed0'0000};
inline constexpr Hpa kRcba{0xfed1'c000};
inline constexpr u64 kRcbaBytes = 0x4000;
inline constexpr Hpa kLocalApic{0xfee0'0000};
inline constexpr Hpa kVmxTssArea{0xfeff'c000};  // KVM's TSS and identity map live here on Intel
inline constexpr u64 kVmxTssBytes = 0x4000;
inline constexpr Hpa kFlash{0xffc0'0000};
inline constexpr u64 kFlashBytes = 0x40'0000;
inline constexpr Hpa kFourGiB{0x1'0000'0000};

inline constexpr u64 kMinRam = u64{4} << 20;
inline constexpr u64 kAcpiAreaBytes = 0x2'0000;  // at the top of low RAM, FACS first

struct MemoryLayout {
  u64 low_ram_bytes = 0;            // from 0, the holes below 1 MiB included
  u64 high_ram_bytes = 0;           // from 4 GiB
  Hpa acpi_area;                    // kAcpiAreaBytes: one page of NVS, the rest ACPI tables
  std::vector<MemoryRange> ranges;  // sorted, disjoint; what no range covers is not RAM

  u64 ram_bytes() const { return low_ram_bytes + high_ram_bytes; }
  // The usable range that holds all of [from, from + size), or nullptr.
  const MemoryRange* usable_range(Hpa from, u64 size) const;
};

// The map of a Q35 machine with `ram_bytes` of RAM: a multiple of 4 KiB, at least kMinRam.
MemoryLayout q35_memory_layout(u64 ram_bytes);

}  // namespace vtsim::firmware_tables
