#pragma once
// The ports that a device of the southbridge claims, as rows that the northbridge's decoder reads:
// an access to port `p` of the row reaches the device as read(offset + p - base, ...). So a device
// with several ranges has one register space of its own, numbered without holes.

#include <iterator>

#include "model/base/bits.h"
#include "model/base/device.h"

namespace vtsim::chipset {

struct PortRange {
  u16 base;    // the first port
  u16 length;  // in ports
  u16 offset;  // the device's own number of the first port
  const char* name;

  constexpr u16 last() const { return static_cast<u16>(base + length - 1); }
  constexpr bool overlaps(const PortRange& other) const {
    return base <= other.last() && other.base <= last();
  }
};

// True when no two rows of a table claim a port.
template <class Table>
constexpr bool disjoint(const Table& rows) {
  for (std::size_t i = 0; i < std::size(rows); ++i) {
    for (std::size_t j = i + 1; j < std::size(rows); ++j) {
      if (rows[i].overlaps(rows[j])) return false;
    }
  }
  return true;
}

// A device on the eight-bit bus: the bus splits wider accesses into bytes, the lowest port first.
class ByteTarget : public RegisterTarget {
 public:
  ByteTarget() = default;
  ByteTarget(const ByteTarget&) = delete;  // events and sinks hold its address
  ByteTarget& operator=(const ByteTarget&) = delete;

  u64 read(u64 offset, unsigned size, Ps now) final {
    u64 value = 0;
    for (unsigned i = 0; i < size; ++i) {
      value = byte_lane(i).put(value, read_byte(offset + i, now));
    }
    return value;
  }
  void write(u64 offset, unsigned size, u64 value, Ps now) final {
    for (unsigned i = 0; i < size; ++i) {
      write_byte(offset + i, static_cast<u8>(byte_lane(i).get(value)), now);
    }
  }

 private:
  static constexpr Field byte_lane(unsigned i) { return {8 * i + 7, 8 * i}; }

  virtual u8 read_byte(u64 offset, Ps now) = 0;
  virtual void write_byte(u64 offset, u8 value, Ps now) = 0;
};

}  // namespace vtsim::chipset
