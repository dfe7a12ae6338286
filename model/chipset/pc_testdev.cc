#include "model/chipset/pc_testdev.h"

#include <cstring>

namespace vtsim::chipset {
namespace {

constexpr u64 kFlushPort = 4;
constexpr u64 kFirstLine = 8;

// The bits of the latch that an access of `size` bytes at `offset` reaches.
Field latch_field(u64 offset, unsigned size) {
  const auto lo = static_cast<unsigned>(8 * offset);
  return {lo + 8 * size - 1, lo};
}

}  // namespace

u64 PcTestdev::read(u64 offset, unsigned size, Ps) {
  if (offset + size > kFlushPort) return low_mask(8 * size);
  return latch_field(offset, size).get(state_.latch);
}

void PcTestdev::write(u64 offset, unsigned size, u64 value, Ps now) {
  if (offset >= kFirstLine) {
    if (size == 1)
      lines_(static_cast<unsigned>(offset - kFirstLine), (value & low_mask(8)) != 0, now);
  } else if (offset + size <= kFlushPort) {
    state_.latch = static_cast<u32>(latch_field(offset, size).put(state_.latch, value));
  }
}

u64 PcTestdev::Memory::read(u64 offset, unsigned size, Ps) {
  u64 value = 0;
  std::memcpy(&value, &bytes_[offset], size);
  return value;
}

void PcTestdev::Memory::write(u64 offset, unsigned size, u64 value, Ps) {
  std::memcpy(&bytes_[offset], &value, size);
}

}  // namespace vtsim::chipset
