#pragma once
// Guest RAM of a test: one array from address 0, of which the host gives only the touched pages.

#include <sys/mman.h>

#include <algorithm>
#include <new>
#include <span>
#include <stdexcept>
#include <string>

#include "sim/firmware_tables/guest_memory.h"

namespace vtsim::test {

class PlainMemory final : public firmware_tables::GuestMemory {
 public:
  explicit PlainMemory(u64 bytes)
      : bytes_(static_cast<u8*>(mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)),
               bytes) {
    if (bytes_.data() == MAP_FAILED) throw std::bad_alloc();
  }
  ~PlainMemory() override { munmap(bytes_.data(), bytes_.size()); }
  PlainMemory(const PlainMemory&) = delete;
  PlainMemory& operator=(const PlainMemory&) = delete;

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
    for (unsigned i = size; i-- > 0;) value = (value << 8) | view(address + i, 1)[0];
    return value;
  }
  std::span<const u8> view(u64 address, u64 size) const {
    if (!inside(Hpa(address), size)) throw std::out_of_range("outside the test's memory");
    return bytes_.subspan(address, size);
  }
  std::string text(u64 address, u64 size) const {
    const auto bytes = view(address, size);
    return {bytes.begin(), bytes.end()};
  }

 private:
  bool inside(Hpa address, u64 size) const {
    return size <= bytes_.size() && address.value <= bytes_.size() - size;
  }

  std::span<u8> bytes_;
};

}  // namespace vtsim::test
