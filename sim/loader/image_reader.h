#pragma once
// Reads an image file's little-endian fields. Every access is checked and names the field it is
// for, so that a truncated or mutated file ends in an ImageError and never in a stray access.

#include <span>
#include <string>
#include <utility>

#include "sim/firmware_tables/little_endian.h"
#include "sim/loader/image_error.h"

namespace vtsim::loader {

class ImageReader {
 public:
  ImageReader(std::string file, std::span<const u8> bytes)
      : file_(std::move(file)), bytes_(bytes) {}

  const std::string& file() const { return file_; }
  u64 size() const { return bytes_.size(); }
  bool holds(u64 offset, u64 bytes) const { return bytes <= size() && offset <= size() - bytes; }

  // `size` bytes at `offset`, at most 8.
  u64 number(u64 offset, unsigned size, const char* field) const {
    return firmware_tables::load_little_endian(slice(offset, size, field));
  }
  u8 u8_at(u64 offset, const char* field) const {
    return static_cast<u8>(number(offset, 1, field));
  }
  u16 u16_at(u64 offset, const char* field) const {
    return static_cast<u16>(number(offset, 2, field));
  }
  u32 u32_at(u64 offset, const char* field) const {
    return static_cast<u32>(number(offset, 4, field));
  }
  u64 u64_at(u64 offset, const char* field) const { return number(offset, 8, field); }

  std::span<const u8> slice(u64 offset, u64 bytes, const char* field) const {
    if (!holds(offset, bytes)) {
      refuse(field, "the file is truncated: it has " + std::to_string(size()) +
                        " bytes, and this needs " + std::to_string(bytes) + " from offset " +
                        std::to_string(offset));
    }
    return bytes_.subspan(offset, bytes);
  }

  [[noreturn]] void refuse(const char* field, const std::string& what) const {
    throw ImageError(file_, field, what);
  }
  void require(bool holds, const char* field, const char* what) const {
    if (!holds) refuse(field, what);
  }

 private:
  std::string file_;
  std::span<const u8> bytes_;
};

}  // namespace vtsim::loader
