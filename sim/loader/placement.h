#pragma once
// Where everything of one image goes: each part claims its range of usable RAM before it is
// written, and no two claims may overlap. Ranges that the format fixes are claimed by address; the
// loader's own structures are put where there is room.

#include <string>
#include <vector>

#include "sim/firmware_tables/guest_memory.h"
#include "sim/firmware_tables/memory_layout.h"

namespace vtsim::loader {

class Placement {
 public:
  struct Claim {
    std::string what;
    Hpa base;
    u64 bytes = 0;
  };

  // `file` names the image in errors.
  Placement(std::string file, const firmware_tables::MemoryLayout& layout,
            firmware_tables::GuestMemory& memory)
      : file_(std::move(file)), layout_(layout), memory_(memory) {}

  // Claims a range; ImageError when it is not wholly in one usable range or overlaps a claim. An
  // empty range claims nothing.
  void claim(const std::string& what, Hpa base, u64 bytes);
  // True when claim() would succeed.
  bool is_free(Hpa base, u64 bytes) const;

  // Claims the lowest free place from `from` up, below 4 GiB: every protocol has 32-bit pointers.
  Hpa claim_lowest(const std::string& what, u64 bytes, u64 alignment, Hpa from = kFirstFree);
  // Claims the highest free place that ends at or below `limit`.
  Hpa claim_highest(const std::string& what, u64 bytes, u64 alignment, Hpa limit);

  // Within what has been claimed.
  void write(Hpa base, std::span<const u8> bytes);
  void zero(Hpa base, u64 bytes);

  const std::string& file() const { return file_; }
  const firmware_tables::MemoryLayout& layout() const { return layout_; }
  const firmware_tables::GuestMemory& memory() const { return memory_; }
  const std::vector<Claim>& claims() const { return claims_; }

  // Below it lie the real-mode vectors, the BIOS data area and the traditional boot sector.
  static constexpr Hpa kFirstFree{0x10000};

 private:
  const Claim* overlapping(Hpa base, u64 bytes) const;
  [[noreturn]] void refuse(const std::string& what, const std::string& why) const;

  std::string file_;
  const firmware_tables::MemoryLayout& layout_;
  firmware_tables::GuestMemory& memory_;
  std::vector<Claim> claims_;
};

}  // namespace vtsim::loader
