#include "sim/loader/placement.h"

#include <algorithm>
#include <array>

#include "model/base/bits.h"
#include "model/base/check.h"
#include "sim/loader/hex.h"
#include "sim/loader/image_error.h"

namespace vtsim::loader {

using firmware_tables::MemoryRange;
using firmware_tables::RangeType;

const Placement::Claim* Placement::overlapping(Hpa base, u64 bytes) const {
  const auto found = std::find_if(claims_.begin(), claims_.end(), [&](const Claim& claim) {
    return base < claim.base + claim.bytes && claim.base < base + bytes;
  });
  return found == claims_.end() ? nullptr : &*found;
}

void Placement::refuse(const std::string& what, const std::string& why) const {
  throw ImageError(file_, what, why);
}

bool Placement::is_free(Hpa base, u64 bytes) const {
  return layout_.usable_range(base, bytes) != nullptr && overlapping(base, bytes) == nullptr;
}

void Placement::claim(const std::string& what, Hpa base, u64 bytes) {
  if (bytes == 0) return;
  if (layout_.usable_range(base, bytes) == nullptr) {
    refuse(what, hex(bytes) + " bytes at " + hex(base.value) + " do not lie in usable RAM (" +
                     std::to_string(layout_.ram_bytes() >> 20) + " MiB)");
  }
  if (const Claim* other = overlapping(base, bytes)) {
    refuse(what, hex(bytes) + " bytes at " + hex(base.value) + " overlap " + other->what + " at " +
                     hex(other->base.value));
  }
  claims_.push_back({what, base, bytes});
}

Hpa Placement::claim_lowest(const std::string& what, u64 bytes, u64 alignment, Hpa from) {
  for (const MemoryRange& range : layout_.ranges) {
    if (range.type != RangeType::kUsable || range.end() <= from) continue;
    Hpa base(align_up(std::max(range.base, from).value, alignment));
    while (range.contains(base, bytes) && base + bytes <= firmware_tables::kFourGiB) {
      const Claim* other = overlapping(base, bytes);
      if (other == nullptr) {
        claim(what, base, bytes);
        return base;
      }
      base = Hpa(align_up((other->base + other->bytes).value, alignment));
    }
  }
  refuse(what, "no room for " + hex(bytes) + " bytes in usable RAM below 4 GiB");
}

Hpa Placement::claim_highest(const std::string& what, u64 bytes, u64 alignment, Hpa limit) {
  for (auto range = layout_.ranges.rbegin(); range != layout_.ranges.rend(); ++range) {
    if (range->type != RangeType::kUsable || range->base >= limit) continue;
    Hpa end = std::min(range->end(), limit);
    while (end - range->base >= bytes && end >= range->base) {
      const Hpa base(align_down((end - bytes).value, alignment));
      if (base < range->base) break;
      const Claim* other = overlapping(base, bytes);
      if (other == nullptr) {
        claim(what, base, bytes);
        return base;
      }
      end = other->base;
      if (end < range->base) break;
    }
  }
  refuse(what, "no room for " + hex(bytes) + " bytes in usable RAM below " + hex(limit.value));
}

void Placement::write(Hpa base, std::span<const u8> bytes) {
  SIM_CHECK(memory_.write(base, bytes));
}

// Leaves alone what is zero already: fresh host memory stays untouched.
void Placement::zero(Hpa base, u64 bytes) {
  static constexpr std::array<u8, 64 * 1024> kZeros{};
  std::vector<u8> chunk(kZeros.size());
  while (bytes != 0) {
    const u64 size = std::min<u64>(bytes, chunk.size());
    const std::span<u8> part(chunk.data(), size);
    SIM_CHECK(memory_.read(base, part));
    if (std::any_of(part.begin(), part.end(), [](u8 byte) { return byte != 0; })) {
      write(base, std::span(kZeros).first(size));
    }
    base += size;
    bytes -= size;
  }
}

}  // namespace vtsim::loader
