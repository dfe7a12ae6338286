#pragma once
// CRC-32C as the CRC32 instruction accumulates it: polynomial 11EDC6F41H, bits reflected, no inversion.
// SDM 2 "CRC32".

#include <array>

#include "model/base/bits.h"

namespace vtsim::cpu {

inline constexpr std::array<u32, 256> kCrc32cTable = [] {
  constexpr u32 kReflectedPolynomial = 0x82F63B78;
  std::array<u32, 256> table{};
  for (u32 byte = 0; byte < table.size(); ++byte) {
    u32 rest = byte;
    for (unsigned n = 0; n < 8; ++n) rest = rest & 1 ? rest >> 1 ^ kReflectedPolynomial : rest >> 1;
    table[byte] = rest;
  }
  return table;
}();

template <class T>
constexpr u32 crc32c(u32 crc, T data) {
  u64 rest = data;
  for (unsigned n = 0; n < sizeof(T); ++n, rest >>= 8)
    crc = crc >> 8 ^ kCrc32cTable[static_cast<u8>(crc ^ rest)];
  return crc;
}

}  // namespace vtsim::cpu
