#pragma once
// Builds a little-endian byte image field by field, and patches fields that are known only later.

#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/firmware_tables/little_endian.h"

namespace vtsim::firmware_tables {

class ByteWriter {
 public:
  ByteWriter& byte(u64 value) { return number(value, 1); }
  ByteWriter& word(u64 value) { return number(value, 2); }
  ByteWriter& dword(u64 value) { return number(value, 4); }
  ByteWriter& qword(u64 value) { return number(value, 8); }

  ByteWriter& bytes(std::span<const u8> data) {
    bytes_.insert(bytes_.end(), data.begin(), data.end());
    return *this;
  }
  // Exactly `width` bytes: cut, or filled up with `fill`.
  ByteWriter& text(std::string_view text, std::size_t width, char fill = '\0') {
    for (std::size_t i = 0; i < width; ++i) byte(static_cast<u8>(i < text.size() ? text[i] : fill));
    return *this;
  }
  ByteWriter& c_string(std::string_view text) { return this->text(text, text.size() + 1); }
  ByteWriter& zeros(std::size_t count) {
    bytes_.resize(bytes_.size() + count);
    return *this;
  }
  ByteWriter& align(std::size_t power_of_two) {
    while (bytes_.size() % power_of_two != 0) bytes_.push_back(0);
    return *this;
  }

  void patch(std::size_t offset, u64 value, unsigned size) {
    store_little_endian(std::span(bytes_).subspan(offset, size), value);
  }

  std::size_t size() const { return bytes_.size(); }
  const std::vector<u8>& data() const { return bytes_; }
  std::vector<u8> take() { return std::move(bytes_); }

 private:
  ByteWriter& number(u64 value, unsigned size) {
    bytes_.resize(bytes_.size() + size);
    patch(bytes_.size() - size, value, size);
    return *this;
  }

  std::vector<u8> bytes_;
};

// The byte that makes the sum of all bytes zero when it replaces a zero: the checksum of ACPI,
// SMBIOS and multiboot structures alike.
constexpr u8 checksum_of(std::span<const u8> bytes) {
  unsigned sum = 0;
  for (u8 byte : bytes) sum += byte;
  return static_cast<u8>(0u - sum);
}

}  // namespace vtsim::firmware_tables
