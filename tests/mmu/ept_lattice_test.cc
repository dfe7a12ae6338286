// EPT against the oracle, under every guest paging mode: SDM 3C "The Extended Page Table
// Mechanism".

#include "tests/mmu/compare.h"
#include "tests/mmu/nested_path.h"

namespace vtsim::mmu::test {
namespace {

struct Guest {
  PagingMode mode;
  unsigned leaf_level;
  unsigned ept_levels;
};
constexpr std::array<Guest, 8> kGuests{{{PagingMode::k4Level, 1, 4},
                                        {PagingMode::kNone, 1, 4},
                                        {PagingMode::k4Level, 2, 4},
                                        {PagingMode::k4Level, 3, 4},
                                        {PagingMode::k5Level, 1, 5},
                                        {PagingMode::kPae, 1, 5},
                                        {PagingMode::kPae, 2, 4},
                                        {PagingMode::k32Bit, 1, 4}}};

// Each kind of access to a user-mode and to a supervisor-mode address, A and D clear or set.
void for_each_access(NestedPath& path) {
  for (const u64 leaf : {0x67ull, 0x63ull, 0x07ull}) {
    if (path.top() != 0) path.set_guest_leaf(leaf);
    for (const AccessKind kind : {AccessKind::kRead, AccessKind::kWrite, AccessKind::kFetch}) {
      compare(path.memory, path.context, path.linear(), {kind, Privilege::kSupervisor, false});
    }
    if (path.top() == 0) break;
  }
}

void for_each_capability(NestedPath& path) {
  for (unsigned bits = 0; bits < 8; ++bits) {
    path.context.ept.accessed_dirty = bits & 1;
    path.context.ept.mode_based_execute_control = bits & 2;
    path.context.ept.execute_only_supported = bits & 4;
    for_each_access(path);
  }
}

// All of bits 10:0 (rights, memory type, IPAT, bit 7, A, D, user execute) at one EPT entry of the
// data page's path.
void sweep_data_entry(NestedPath& path, unsigned level, unsigned step) {
  const u64 before = path.memory.peek64(path.data_ept(level));
  for (u64 low = 0; low < 2048; low += step) {
    const bool page = level == 1 || (level <= 3 && low & kEptPage);
    path.memory.poke64(path.data_ept(level), low | path.data_target(level, page));
    for_each_capability(path);
  }
  path.memory.poke64(path.data_ept(level), before);
}

TEST_CASE("EPT: every combination of the low bits of each entry that maps the final page") {
  for (const Guest& guest : kGuests) {
    NestedPath path(guest.mode, guest.ept_levels, guest.leaf_level);
    const bool full = &guest == &kGuests[0] || guest.mode == PagingMode::kNone;
    for (unsigned level = 1; level <= 4; ++level) {
      if (level == 4 && path.narrow()) continue;  // shared with the tables: the next test
      sweep_data_entry(path, level, full ? 1 : 7);
    }
  }
}

TEST_CASE("EPT: every combination of the low bits of each entry that maps the guest's tables") {
  for (const Guest& guest : kGuests) {
    NestedPath path(guest.mode, guest.ept_levels, guest.leaf_level);
    if (path.top() == 0) continue;
    for (unsigned level = 1; level <= guest.ept_levels; ++level) {
      const u64 at = NestedPath::table_ept(level, path.guest_entry_gpa(guest.leaf_level));
      const u64 before = path.memory.peek64(at);
      for (u64 low = 0; low < 2048; low += level == 1 && &guest == &kGuests[0] ? 1 : 7) {
        path.memory.poke64(at, (before & ~2047ull) | low);
        for_each_capability(path);
      }
      path.memory.poke64(at, before);
    }
  }
}

TEST_CASE("EPT: each bit of each entry, reserved or not, for widths and page sizes offered") {
  for (const Guest& guest : kGuests) {
    for (unsigned page_level = 1; page_level <= 3; ++page_level) {
      NestedPath path(guest.mode, guest.ept_levels, guest.leaf_level);
      for (unsigned level = page_level; level <= 3; ++level) {
        const bool page = level == page_level;
        const u64 entry = kEptOpen | (page ? kEptWb : 0) | (page && level > 1 ? kEptPage : 0) |
                          path.data_target(level, page);
        for (unsigned flip = 0; flip < 64; ++flip) {
          path.memory.poke64(path.data_ept(level), entry ^ 1ull << flip);
          for (unsigned features = 0; features < 12; ++features) {
            path.context.ept.pages_2m_supported = features & 1;
            path.context.ept.pages_1g_supported = features & 2;
            path.context.ept.physical_width = std::array<u8, 3>{40, 46, 52}[features / 4];
            compare(path.memory, path.context, path.linear(),
                    {AccessKind::kRead, Privilege::kSupervisor, false});
          }
        }
        path.memory.poke64(path.data_ept(level), entry);
      }
    }
  }
}

TEST_CASE("EPT: a guest fault at any level comes after the EPT faults of the levels above") {
  for (const Guest& guest : kGuests) {
    NestedPath path(guest.mode, guest.ept_levels, guest.leaf_level);
    for (unsigned guest_level = guest.leaf_level; guest_level <= path.top(); ++guest_level) {
      const u64 guest_before = path.memory.peek64(path.guest_entry_hpa(guest_level));
      path.set_guest(guest_level, 0);
      for (unsigned table = 1; table <= path.top(); ++table) {
        const u64 at = NestedPath::table_ept(1, table << 12);
        const u64 before = path.memory.peek64(at);
        for (const u64 low : {0ull, 2ull, 7ull | kEptWb}) {
          path.memory.poke64(at, (before & ~2047ull) | low);
          compare(path.memory, path.context, path.linear(), {});
        }
        path.memory.poke64(at, before);
      }
      path.memory.poke64(path.guest_entry_hpa(guest_level), guest_before);
    }
  }
}

TEST_CASE("EPT: a guest-physical address beyond 48 bits is a violation of 4-level EPT") {
  for (const unsigned levels : {4u, 5u}) {
    NestedPath path(PagingMode::k4Level, levels);
    path.context.physical_width = path.context.ept.physical_width = 52;
    path.set_guest(1, 0x67 | 1ull << 50);
    compare(path.memory, path.context, path.linear(), {});
    const WalkResult result = walk(path.context, path.linear(), {}, path.memory);
    REQUIRE(!result);
    CHECK(result.fault().gpa.value == (1ull << 50 | 0x123));
    CHECK(result.fault().level == levels);  // 5-level EPT: its root's entry is not present
    CHECK(ept_violation_qualification(result.fault()) == 0x781);
  }
}

// SDM 3C Table "Exit Qualification for EPT Violations", spelled out.
TEST_CASE("EPT violation: literal exit qualifications") {
  NestedPath path(PagingMode::k4Level);
  path.context.ept.execute_only_supported = true;
  const auto qualification = [&](Access access) {
    const WalkResult result = walk(path.context, path.linear(), access, path.memory);
    return result ? 0 : ept_violation_qualification(result.fault());
  };
  const Access write{AccessKind::kWrite, Privilege::kSupervisor, false};
  const Access fetch{AccessKind::kFetch, Privilege::kSupervisor, false};
  const u64 data = path.data_ept(1);
  const u64 page = 0x90000 | kEptWb;

  path.memory.poke64(data, 0);
  CHECK(qualification({}) == 0x781);  // read; not present: no rights; final page; user, R/W, X
  CHECK(qualification(write) == 0x782);
  CHECK(qualification(fetch) == 0x784);
  path.memory.poke64(data, page | 1);
  CHECK(qualification(write) == 0x78a);
  path.memory.poke64(data, page | 3);
  CHECK(qualification(fetch) == 0x79c);
  path.memory.poke64(data, page | 4);
  CHECK(qualification({}) == 0x7a1);
  path.set_guest_leaf(1ull << 63 | 0x61);  // supervisor, read-only, execute-disable
  CHECK(qualification({}) == 0x9a1);

  // Mode-based execute control: bit 2 for supervisor-mode addresses, bit 10 for user-mode ones.
  path.context.ept.mode_based_execute_control = true;
  path.set_guest_leaf(0x63);
  path.memory.poke64(data, page | 0x401);
  CHECK(qualification(fetch) == 0x5cc);
  path.set_guest_leaf(0x67);
  CHECK(qualification(fetch) == 0);
  path.memory.poke64(data, page | 0x005);
  CHECK(qualification(fetch) == 0x7ac);
  path.context.ept.mode_based_execute_control = false;

  // References to the guest's tables: bit 8 clear; with A and D flags for EPT, writes as well.
  path.memory.poke64(data, page | 7);
  const u64 table = NestedPath::table_ept(1, 0x1000);
  path.memory.poke64(table, 0);
  CHECK(qualification({}) == 0x81);
  path.context.ept.accessed_dirty = true;
  CHECK(qualification({}) == 0x83);
  path.memory.poke64(table, 0x21000 | kEptWb | 1);
  CHECK(qualification({}) == 0x8b);
  // Without them: reads, but to set A or D is a read and a write.
  path.context.ept.accessed_dirty = false;
  CHECK(qualification({}) == 0);
  CHECK(qualification(write) == 0);
  path.set_guest_leaf(0x27);
  CHECK(qualification({}) == 0);
  CHECK(qualification(write) == 0x8b);
  path.set_guest_leaf(0x07);
  CHECK(qualification({}) == 0x8b);
}

TEST_CASE("EPT: a guest-physical access alone has no linear address") {
  NestedPath path(PagingMode::k4Level);
  const WalkResult good =
      walk_ept(path.context.ept, {path.data + 8, AccessKind::kWrite}, path.memory);
  REQUIRE(good);
  CHECK(good.translation().frame.value == 0x90000);
  CHECK(good.translation().guest_frame == path.data);
  CHECK(good.translation().stage2.write);
  path.memory.poke64(path.data_ept(2), 0);
  const WalkResult bad =
      walk_ept(path.context.ept, {path.data + 8, AccessKind::kWrite}, path.memory);
  REQUIRE(!bad);
  CHECK(bad.fault().gpa == path.data + 8);
  CHECK(bad.fault().level == 2);
  CHECK(ept_violation_qualification(bad.fault()) == 2);
}

TEST_CASE("EPT: the final page is the smaller of the two stages' pages") {
  NestedPath path(PagingMode::k4Level, 4, 2);  // the guest maps 2 MiB
  REQUIRE(walk(path.context, path.linear(), {}, path.memory));
  CHECK(walk(path.context, path.linear(), {}, path.memory).translation().page_shift == 12);
  path.memory.poke64(path.data_ept(3), kEptOpen | kEptWb | kEptPage | path.data_target(3, true));
  const WalkResult result = walk(path.context, path.linear(), {}, path.memory);
  REQUIRE(result);
  CHECK(result.translation().page_shift == 21);
  CHECK(result.translation().frame.value == 0x80'0000'0000 + (1ull << 21));
  CHECK(result.translation().guest_frame.value == (path.data.value & ~0x1fffffull));
}

}  // namespace
}  // namespace vtsim::mmu::test
