#pragma once
// The SMBIOS 2.8 description of the machine (DSP0134): an entry point and a table of structures.

#include <string>
#include <vector>

#include "model/base/types.h"
#include "sim/firmware_tables/guest_memory.h"
#include "sim/firmware_tables/memory_layout.h"

namespace vtsim::firmware_tables {

struct SmbiosConfig {
  std::string processor_name;  // the CPUID brand string
  u32 cpuid_signature = 0;     // CPUID leaf 1: EAX
  u32 cpuid_features = 0;      // and EDX
  u32 mhz = 2000;
  u32 cores = 1;
};

struct SmbiosImage {
  std::vector<u8> entry_point;  // its table address is 0 until link()
  std::vector<u8> structures;

  void link(Hpa structures_address);
};

SmbiosImage build_smbios(const SmbiosConfig& config, const MemoryLayout& layout);

// Writes the entry point at kSmbiosArea and the structures behind it.
void place_smbios(const SmbiosConfig& config, const MemoryLayout& layout, GuestMemory& memory);

}  // namespace vtsim::firmware_tables
