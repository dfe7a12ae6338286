#pragma once
// Integer shorthands and the four kinds of address. An address never appears as a raw integer in
// a signature: a linear address that is passed where a host-physical one belongs does not compile.

#include <compare>
#include <cstddef>
#include <cstdint>

namespace vtsim {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using i8 = std::int8_t;
using i16 = std::int16_t;
using i32 = std::int32_t;
using i64 = std::int64_t;
using u128 = unsigned __int128;
using i128 = __int128;

inline constexpr unsigned kPageShift = 12;
inline constexpr u64 kPageSize = u64{1} << kPageShift;
inline constexpr u64 kPageOffsetMask = kPageSize - 1;

// One address of one address space; `Space` only tells the spaces apart.
template <class Space>
struct Address {
  u64 value = 0;

  constexpr Address() = default;
  constexpr explicit Address(u64 v) : value(v) {}

  constexpr u64 page_number() const { return value >> kPageShift; }
  constexpr Address page() const { return Address(value & ~kPageOffsetMask); }
  constexpr u64 page_offset() const { return value & kPageOffsetMask; }

  constexpr Address operator+(u64 bytes) const { return Address(value + bytes); }
  constexpr Address operator-(u64 bytes) const { return Address(value - bytes); }
  constexpr u64 operator-(Address other) const { return value - other.value; }
  constexpr Address& operator+=(u64 bytes) {
    value += bytes;
    return *this;
  }
  constexpr auto operator<=>(const Address&) const = default;
};

using Lin = Address<struct LinearSpace>;         // after segmentation, before paging
using Gpa = Address<struct GuestPhysicalSpace>;  // after the guest's paging, before EPT
using Hpa = Address<struct HostPhysicalSpace>;   // what the northbridge sees
using Iova = Address<struct IoVirtualSpace>;     // what a device emits, before VT-d

}  // namespace vtsim
