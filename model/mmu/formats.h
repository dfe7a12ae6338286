#pragma once
// The paging structures as data: bits of an entry, and for every mode which linear-address bits
// index which level, where pages may end, and which bits are reserved.

#include <array>

#include "model/base/bits.h"
#include "model/base/types.h"

namespace vtsim::mmu {

// SDM 3A "Paging", the tables "Format of ...". A bit means the same in every mode that has it.
struct Ia32Entry {
  static constexpr Flag P{0};
  static constexpr Flag RW{1};
  static constexpr Flag US{2};
  static constexpr Flag PWT{3};
  static constexpr Flag PCD{4};
  static constexpr Flag A{5};
  static constexpr Flag D{6};
  static constexpr Flag PS{7};
  static constexpr Flag PAT_4K{7};
  static constexpr Flag G{8};
  static constexpr Flag PAT_LARGE{12};
  static constexpr Field PSE36{20, 13};  // 4-MByte pages: bits 39:32 of the address
  static constexpr Field KEY{62, 59};
  static constexpr Flag XD{63};
};

// SDM 3C "EPT Translation Mechanism", the tables "Format of an EPT ...".
struct EptEntry {
  static constexpr Flag R{0};
  static constexpr Flag W{1};
  static constexpr Flag X{2};  // with mode-based execute control: supervisor-mode addresses
  static constexpr Field MEMORY_TYPE{5, 3};
  static constexpr Flag IPAT{6};
  static constexpr Flag PAGE{7};
  static constexpr Flag A{8};
  static constexpr Flag D{9};
  static constexpr Flag XU{10};  // with mode-based execute control: user-mode addresses
  static constexpr Flag SUPPRESS_VE{63};
};

enum class Leaf : u8 {
  kNever,   // references the next level
  kByPs,    // maps a page where bit 7 is set
  kAlways,  // maps a page
};

struct LevelFormat {
  Field index{0, 0};  // of the address being translated
  Leaf leaf = Leaf::kNever;
  u8 page_shift = 0;          // of a page that this level maps
  u64 reserved_as_table = 0;  // besides what depends on MAXPHYADDR, NXE and the like
  u64 reserved_as_leaf = 0;
};

inline constexpr unsigned kMaxLevels = 5;

struct Shape {
  u8 levels = 0;  // the level where a walk begins
  u8 entry_bytes = 8;
  u64 reserved = 0;                                 // at every level
  std::array<LevelFormat, kMaxLevels + 1> level{};  // [level]; [0] is not used

  constexpr Field table_field() const { return entry_bytes == 4 ? Field{31, 12} : Field{51, 12}; }
  constexpr Field frame_field(unsigned at_level) const {
    return {entry_bytes == 4 ? 31u : 51u, level[at_level].page_shift};
  }
  // The entry that serves `input` in the table at `table`.
  constexpr u64 entry_address(u64 table, unsigned at_level, u64 input) const {
    return table + level[at_level].index.get(input) * entry_bytes;
  }
};

namespace detail {
constexpr u64 mask(unsigned hi, unsigned lo) { return Field{hi, lo}.mask(); }
}  // namespace detail

// SDM 3A "32-Bit Paging"
inline constexpr Shape kShape32Bit{
    .levels = 2,
    .entry_bytes = 4,
    .reserved = 0,
    .level = {{{},
               {.index = {21, 12}, .leaf = Leaf::kAlways, .page_shift = 12},
               {.index = {31, 22}, .leaf = Leaf::kByPs, .page_shift = 22}}}};

// SDM 3A "PAE Paging": the third level is four registers.
inline constexpr Shape kShapePae{
    .levels = 2,
    .entry_bytes = 8,
    .reserved = detail::mask(62, 52),
    .level = {{{},
               {.index = {20, 12}, .leaf = Leaf::kAlways, .page_shift = 12},
               {.index = {29, 21},
                .leaf = Leaf::kByPs,
                .page_shift = 21,
                .reserved_as_leaf = detail::mask(20, 13)}}}};
inline constexpr Field kPaePdpteIndex{31, 30};
inline constexpr unsigned kPaePdpteLevel = 3;

// SDM 3A "4-Level Paging and 5-Level Paging"
inline constexpr std::array<LevelFormat, kMaxLevels + 1> kLongModeLevels{
    {{},
     {.index = {20, 12}, .leaf = Leaf::kAlways, .page_shift = 12},
     {.index = {29, 21},
      .leaf = Leaf::kByPs,
      .page_shift = 21,
      .reserved_as_leaf = detail::mask(20, 13)},
     {.index = {38, 30},
      .leaf = Leaf::kByPs,
      .page_shift = 30,
      .reserved_as_leaf = detail::mask(29, 13)},
     {.index = {47, 39}, .reserved_as_table = Ia32Entry::PS.mask()},
     {.index = {56, 48}, .reserved_as_table = Ia32Entry::PS.mask()}}};
inline constexpr Shape kShape4Level{.levels = 4, .level = kLongModeLevels};
inline constexpr Shape kShape5Level{.levels = 5, .level = kLongModeLevels};

// SDM 3C "EPT Translation Mechanism"
inline constexpr std::array<LevelFormat, kMaxLevels + 1> kEptLevels{
    {{},
     {.index = {20, 12}, .leaf = Leaf::kAlways, .page_shift = 12},
     {.index = {29, 21},
      .leaf = Leaf::kByPs,
      .page_shift = 21,
      .reserved_as_table = detail::mask(6, 3),
      .reserved_as_leaf = detail::mask(20, 12)},
     {.index = {38, 30},
      .leaf = Leaf::kByPs,
      .page_shift = 30,
      .reserved_as_table = detail::mask(6, 3),
      .reserved_as_leaf = detail::mask(29, 12)},
     {.index = {47, 39}, .reserved_as_table = detail::mask(7, 3)},
     {.index = {56, 48}, .reserved_as_table = detail::mask(7, 3)}}};
inline constexpr Shape kShapeEpt4{.levels = 4, .level = kEptLevels};
inline constexpr Shape kShapeEpt5{.levels = 5, .level = kEptLevels};

// The address bits of a shape tile: a level's index begins where the page of the level below ends.
constexpr bool is_contiguous(const Shape& shape) {
  for (unsigned level = 2; level <= shape.levels; ++level) {
    if (shape.level[level].index.lo != shape.level[level - 1].index.hi + 1) return false;
  }
  for (unsigned level = 1; level <= shape.levels; ++level) {
    const LevelFormat& format = shape.level[level];
    if (format.leaf != Leaf::kNever && format.page_shift != format.index.lo) return false;
  }
  return shape.level[1].leaf == Leaf::kAlways && shape.level[1].page_shift == kPageShift;
}
static_assert(is_contiguous(kShape32Bit) && is_contiguous(kShapePae));
static_assert(is_contiguous(kShape4Level) && is_contiguous(kShape5Level));
static_assert(is_contiguous(kShapeEpt4) && is_contiguous(kShapeEpt5));

}  // namespace vtsim::mmu
