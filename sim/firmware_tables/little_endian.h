#pragma once
// Little-endian numbers of 0 to 8 bytes in memory.

#include <span>

#include "model/base/bits.h"

namespace vtsim::firmware_tables {

constexpr u64 load_little_endian(std::span<const u8> bytes) {
  u64 value = 0;
  for (unsigned i = 0; i < bytes.size(); ++i) value = Field{8 * i + 7, 8 * i}.put(value, bytes[i]);
  return value;
}

constexpr void store_little_endian(std::span<u8> bytes, u64 value) {
  for (unsigned i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<u8>(Field{8 * i + 7, 8 * i}.get(value));
  }
}

}  // namespace vtsim::firmware_tables
