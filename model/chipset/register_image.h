#pragma once
// A block of registers as the bytes that software sees, and rows that say which of their bits a
// write changes. Accesses may cut registers anywhere: only the bytes written count.

#include <array>
#include <cstring>
#include <span>

#include "model/base/bits.h"

namespace vtsim::chipset {

struct RegisterRow {
  u8 offset;
  u8 width;  // in bytes, 1 to 8
  const char* name;
  u64 reset;
  u64 rw;   // bits that a write sets
  u64 w1c;  // bits that writing a one clears
};

// True when the rows ascend without overlap and no bit is both written and cleared.
constexpr bool well_formed(std::span<const RegisterRow> rows) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if ((rows[i].rw & rows[i].w1c) != 0) return false;
    if (((rows[i].reset | rows[i].rw | rows[i].w1c) & ~low_mask(8u * rows[i].width)) != 0) {
      return false;
    }
    if (i != 0 && rows[i].offset < rows[i - 1].offset + rows[i - 1].width) return false;
  }
  return true;
}

template <std::size_t kSize>
struct RegisterImage {
  std::array<u8, kSize> bytes{};

  u64 get(u64 offset, unsigned width) const {
    u64 value = 0;
    std::memcpy(&value, &bytes[offset], width);
    return value;
  }
  void set(u64 offset, unsigned width, u64 value) { std::memcpy(&bytes[offset], &value, width); }

  void reset(std::span<const RegisterRow> rows) {
    bytes = {};
    for (const RegisterRow& row : rows) set(row.offset, row.width, row.reset);
  }

  // Calls on_write(row, written) for each register that the access touches, after its bits have
  // changed; `written` holds the bits of the bytes written, zero elsewhere.
  template <class OnWrite>
  void write(std::span<const RegisterRow> rows, u64 offset, unsigned size, u64 value,
             const OnWrite& on_write) {
    for (const RegisterRow& row : rows) {
      if (offset >= row.offset + u64{row.width} || row.offset >= offset + size) continue;
      u64 mask = 0;
      u64 data = 0;
      for (unsigned i = 0; i < row.width; ++i) {
        const u64 at = row.offset + u64{i};
        if (at < offset || at >= offset + size) continue;
        const auto from = static_cast<unsigned>(8 * (at - offset));
        const Field lane{8 * i + 7, 8 * i};
        mask |= lane.mask();
        data = lane.put(data, bits(value, from + 7, from));
      }
      const u64 old = get(row.offset, row.width);
      const u64 set_bits = (old & ~(mask & row.rw)) | (data & row.rw);
      set(row.offset, row.width, set_bits & ~(data & row.w1c));
      on_write(row, data);
    }
  }
};

}  // namespace vtsim::chipset
