#pragma once
// Guest RAM of a test: one vector from address 0.

#include <algorithm>
#include <string>
#include <vector>

#include "sim/firmware_tables/guest_memory.h"

namespace vtsim::test {

class PlainMemory final : public firmware_tables::GuestMemory {
 public:
  explicit PlainMemory(u64 bytes) : bytes_(bytes) {}

  bool write(Hpa address, std::span<const u8> data) override {
    if (!inside(address, data.size())) return false;
    std::copy(data.begin(), data.end(),
              bytes_.begin() + static_cast<std::ptrdiff_t>(address.value));
    return true;
  }
  bool read(Hpa address, std::span<u8> data) const override {
    if (!inside(address, data.size())) return false;
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(address.value), data.size(),
                data.begin());
    return true;
  }

  // The little-endian number at `address`; `size` 1..8.
  u64 number(u64 address, unsigned size) const {
    u64 value = 0;
    for (unsigned i = size; i-- > 0;) value = (value << 8) | bytes_.at(address + i);
    return value;
  }
  std::span<const u8> view(u64 address, u64 size) const {
    return std::span<const u8>(bytes_).subspan(address, size);
  }
  std::string text(u64 address, u64 size) const {
    const auto bytes = view(address, size);
    return {bytes.begin(), bytes.end()};
  }

 private:
  bool inside(Hpa address, u64 size) const {
    return size <= bytes_.size() && address.value <= bytes_.size() - size;
  }

  std::vector<u8> bytes_;
};

}  // namespace vtsim::test
