#pragma once
// A guest's paging structures behind EPT, one path of each.
//
// Guest-physical 0x1000 * n holds the guest's table of level n; the data page is elsewhere, so that
// it has EPT entries of its own below the root. Host-physical:
//   0x01000 * n          EPT table of level n for the guest's tables
//   0x08000 + 0x1000 * n EPT table of level n (3, 2, 1) for the data page
//   0x20000 + gpa        the guest's tables
//   0x90000              the data page

#include "model/mmu/paging_context.h"
#include "tests/mmu/fake_memory.h"

namespace vtsim::mmu::test {

inline constexpr u64 kEptOpen = 0x407;  // R, W, X, and X for user-mode addresses
inline constexpr u64 kEptWb = 6 << 3;
inline constexpr u64 kEptPage = 0x80;

struct NestedPath {
  // `data` fits the guest's entries: below 4 GiB for 32-bit paging.
  explicit NestedPath(PagingMode mode, unsigned ept_levels = 4, unsigned guest_leaf = 1)
      : leaf_level(guest_leaf) {
    context.mode = mode;
    context.physical_width = 46;
    context.pse = context.pages_1g_supported = context.nxe = context.wp = true;
    context.ept.enabled = true;
    context.ept.levels = static_cast<u8>(ept_levels);
    context.ept.root = Hpa(0x1000 * ept_levels);
    context.cr3 = 0x1000 * top();
    context.pdptes.fill(0x2001);
    build_ept(ept_levels);
    build_guest();
  }

  unsigned top() const {
    switch (context.mode) {
      case PagingMode::kNone:
        return 0;
      case PagingMode::k4Level:
        return 4;
      case PagingMode::k5Level:
        return 5;
      default:
        return 2;
    }
  }
  bool narrow() const { return context.mode == PagingMode::k32Bit; }
  unsigned shift(unsigned level) const { return 12 + (level - 1) * (narrow() ? 10 : 9); }
  unsigned data_shift() const { return leaf_level == 1 || top() == 0 ? 12 : shift(leaf_level); }
  Lin linear() const {
    if (top() == 0) return Lin(data.value + 0x123);
    const u64 wide = 0x0003'0281'8000'0000ull;  // indices 3, 5, 6 at levels 5, 4, 3
    const u64 upper = wide & ((1ull << shift(top() + 1)) - 1);
    const u64 low = data.value & ((1ull << shift(3)) - 1);
    return Lin((narrow() ? 0 : upper) | (narrow() ? data.value & 0x3fffff : low) | 0x123);
  }

  u64 guest_entry_gpa(unsigned level) const {
    const u64 index = (linear().value >> shift(level)) & (narrow() ? 1023 : 511);
    return 0x1000 * level + index * (narrow() ? 4 : 8);
  }
  u64 guest_entry_hpa(unsigned level) const { return 0x20000 + guest_entry_gpa(level); }
  void set_guest(unsigned level, u64 entry) {
    if (narrow()) {
      memory.poke32(guest_entry_hpa(level), static_cast<u32>(entry));
    } else {
      memory.poke64(guest_entry_hpa(level), entry);
    }
  }
  void set_guest_leaf(u64 flags) {
    const u64 frame = data.value & ~((1ull << data_shift()) - 1);
    set_guest(leaf_level, frame | flags | (leaf_level > 1 ? 0x80 : 0));
  }

  static u64 index(u64 gpa, unsigned level) { return (gpa >> (12 + (level - 1) * 9)) & 511; }
  // Host-physical address of the EPT entry of `level` on the way to the data page.
  u64 data_ept(unsigned level) const {
    return (level >= 4 ? 0x1000 * level : 0x8000 + 0x1000 * level) + index(data.value, level) * 8;
  }
  // The same on the way to the guest's tables (all share the upper entries).
  static u64 table_ept(unsigned level, u64 gpa) { return 0x1000 * level + index(gpa, level) * 8; }

  // What the data path's entry of `level` points at, as a table or as a page.
  u64 data_target(unsigned level, bool page) const {
    if (!page) return 0x8000 + 0x1000 * (level - 1);
    return level == 1 ? 0x90000 : level == 2 ? 0x4000'0000 : 0x80'0000'0000;
  }

  PagingContext context;
  FakeMemory memory;
  Gpa data{(1ull << 39) + (1ull << 30) + (1ull << 21) + 0x40000};
  unsigned leaf_level;

 private:
  void build_ept(unsigned levels) {
    if (narrow()) data = Gpa((1ull << 30) + (1ull << 21) + 0x40000);
    for (unsigned level = levels; level >= 2; --level) {
      memory.poke64(table_ept(level, 0), kEptOpen | 0x1000 * (level - 1));
    }
    for (u64 page = 0; page < 8; ++page) {
      memory.poke64(table_ept(1, page << 12), kEptOpen | kEptWb | (0x20000 + (page << 12)));
    }
    if (!narrow()) memory.poke64(data_ept(4), kEptOpen | data_target(4, false));
    // With 32-bit paging the data page shares level 4; its level-3 entry lies in the shared table.
    if (narrow()) memory.poke64(table_ept(3, data.value), kEptOpen | data_target(3, false));
    memory.poke64(data_ept(3), kEptOpen | data_target(3, false));
    memory.poke64(data_ept(2), kEptOpen | data_target(2, false));
    memory.poke64(data_ept(1), kEptOpen | kEptWb | data_target(1, true));
  }
  void build_guest() {
    for (unsigned level = top(); level > leaf_level; --level) {
      set_guest(level, 0x27 | 0x1000 * (level - 1));
    }
    if (top() != 0) set_guest_leaf(0x67);
  }
};

}  // namespace vtsim::mmu::test
