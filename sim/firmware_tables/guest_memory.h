#pragma once
// Guest RAM as what is placed before the first instruction sees it: loaders and table builders
// write through this, and every write is checked against what the machine has.

#include <span>

#include "model/base/types.h"

namespace vtsim::firmware_tables {

class GuestMemory {
 public:
  virtual ~GuestMemory() = default;

  // All or nothing: false, and nothing is written, when any byte of the range is not RAM. RAM
  // includes what the E820 map reserves (the BIOS area below 1 MiB, the ACPI areas).
  virtual bool write(Hpa address, std::span<const u8> bytes) = 0;
  // As write; a failed read leaves the buffer alone.
  virtual bool read(Hpa address, std::span<u8> bytes) const = 0;
};

}  // namespace vtsim::firmware_tables
