// Who sets A and D, when, and what happens when another processor changes the entry meanwhile.

#include <catch2/catch.hpp>

#include "model/mmu/walker.h"
#include "tests/mmu/nested_path.h"

namespace vtsim::mmu::test {
namespace {

constexpr Access kRead{AccessKind::kRead, Privilege::kSupervisor, false};
constexpr Access kWrite{AccessKind::kWrite, Privilege::kSupervisor, false};
constexpr u64 kA = 0x20, kD = 0x40, kEptA = 0x100, kEptD = 0x200;

// 4-level paging without EPT, all A and D flags clear.
struct NativePath : NestedPath {
  explicit NativePath(PagingMode mode) : NestedPath(mode) {
    context.ept.enabled = false;
    context.cr3 += 0x20000;
    context.pdptes.fill(0x22001);
    for (unsigned level = top(); level >= 2; --level) {
      set_guest(level, 0x07 | (0x20000 + 0x1000 * (level - 1)));
    }
    set_guest(1, 0x90007);
  }
  u64 entry(unsigned level) const {
    return narrow() ? memory.peek32(guest_entry_hpa(level)) : memory.peek64(guest_entry_hpa(level));
  }
  WalkResult go(Access access) { return walk(context, linear(), access, memory); }
};

TEST_CASE("A and D: a read sets A on every level, a write also D on the leaf, once") {
  for (const PagingMode mode :
       {PagingMode::k32Bit, PagingMode::kPae, PagingMode::k4Level, PagingMode::k5Level}) {
    NativePath path(mode);
    REQUIRE(path.go(kRead));
    CHECK(!path.go(kRead).translation().dirty);
    for (unsigned level = 1; level <= path.top(); ++level) {
      CHECK((path.entry(level) & (kA | kD)) == kA);
    }
    CHECK(path.memory.exchanges == path.top());
    REQUIRE(path.go(kWrite));
    CHECK(path.go(kWrite).translation().dirty);
    CHECK((path.entry(1) & (kA | kD)) == (kA | kD));
    for (unsigned level = 2; level <= path.top(); ++level) CHECK((path.entry(level) & kD) == 0);
    CHECK(path.memory.exchanges == path.top() + 1);  // nothing is written that is already set
  }
}

TEST_CASE("A and D: a denied access sets neither on the leaf, but A above it") {
  NativePath path(PagingMode::k4Level);
  path.set_guest(1, 0x90005);  // read-only
  REQUIRE(!path.go(kWrite));
  CHECK((path.entry(1) & (kA | kD)) == 0);
  CHECK((path.entry(2) & kA) != 0);
}

// Each exchange in turn fails because another processor set the same flags first.
TEST_CASE("A and D: when the entry changed under the walk it starts over") {
  for (const PagingMode mode : {PagingMode::k32Bit, PagingMode::k4Level}) {
    const unsigned levels = NativePath(mode).top();
    for (unsigned victim = 1; victim <= levels; ++victim) {
      NativePath path(mode);
      bool done = false;
      path.memory.before_exchange = [&](u64 address) {
        if (done || address != path.guest_entry_hpa(victim)) return;
        done = true;
        path.set_guest(victim, path.entry(victim) | kA);
      };
      path.memory.logging = true;
      REQUIRE(path.go(kWrite));
      CHECK(done);
      CHECK((path.entry(1) & (kA | kD)) == (kA | kD));
      const std::size_t seen_before_restart = levels - victim + 1;
      CHECK(path.memory.references.size() == levels + seen_before_restart);
    }
  }
}

TEST_CASE("A and D: a walk that starts over uses what it then finds") {
  SECTION("the page was unmapped") {
    NativePath path(PagingMode::k4Level);
    path.memory.before_exchange = [&](u64 address) {
      if (address == path.guest_entry_hpa(1)) path.set_guest(1, 0);
    };
    const WalkResult result = path.go(kWrite);
    REQUIRE(!result);
    CHECK(result.fault().reason == FaultReason::kNotPresent);
    CHECK(path.entry(1) == 0);  // and no flag was set in what replaced it
  }
  SECTION("a table was replaced") {
    NativePath path(PagingMode::k4Level);
    const u64 other = 0x70000;
    path.memory.poke64(other + (path.guest_entry_gpa(1) & 0xfff), 0x95007);
    bool done = false;
    path.memory.before_exchange = [&](u64 address) {
      if (done || address != path.guest_entry_hpa(2)) return;
      done = true;
      path.set_guest(2, other | 7);
    };
    const WalkResult result = path.go(kWrite);
    REQUIRE(result);
    CHECK(result.translation().frame.value == 0x95000);
    CHECK(path.entry(1) == 0x90007);  // the old table was not touched
  }
}

TEST_CASE(
    "EPT A and D: set by every guest-physical access of a walk; the tables count as written") {
  NestedPath path(PagingMode::k4Level);
  path.context.ept.accessed_dirty = true;
  REQUIRE(walk(path.context, path.linear(), kRead, path.memory));
  for (unsigned level = 1; level <= 4; ++level) {
    CHECK((path.memory.peek64(NestedPath::table_ept(level, 0x1000)) & kEptA) != 0);
    CHECK((path.memory.peek64(path.data_ept(level)) & kEptA) != 0);
  }
  for (u64 table = 1; table <= 4; ++table) {
    CHECK((path.memory.peek64(NestedPath::table_ept(1, table << 12)) & kEptD) != 0);
  }
  CHECK((path.memory.peek64(path.data_ept(1)) & kEptD) == 0);
  REQUIRE(walk(path.context, path.linear(), kWrite, path.memory));
  CHECK((path.memory.peek64(path.data_ept(1)) & kEptD) != 0);
}

TEST_CASE("EPT A and D: without EPTP bit 6 no EPT entry is written, and no write waits for D") {
  NestedPath path(PagingMode::k4Level);
  const WalkResult result = walk(path.context, path.linear(), kRead, path.memory);
  REQUIRE(result);
  CHECK(path.memory.exchanges == 0);
  CHECK(result.translation().dirty);  // the guest's own D is set
}

TEST_CASE("nested: a translation is dirty only when both stages are") {
  NestedPath path(PagingMode::k4Level);
  path.context.ept.accessed_dirty = true;
  CHECK(!walk(path.context, path.linear(), kRead, path.memory).translation().dirty);
  CHECK(walk(path.context, path.linear(), kWrite, path.memory).translation().dirty);
  path.set_guest_leaf(0x27);
  CHECK(!walk(path.context, path.linear(), kRead, path.memory).translation().dirty);
}

TEST_CASE("EPT: an entry that changes under the walk restarts the EPT walk") {
  NestedPath path(PagingMode::k4Level);
  path.context.ept.accessed_dirty = true;
  bool done = false;
  path.memory.before_exchange = [&](u64 address) {
    if (done || address != path.data_ept(1)) return;
    done = true;
    path.memory.poke64(address, 0x98000 | kEptOpen | kEptWb);
  };
  const WalkResult result = walk(path.context, path.linear(), kWrite, path.memory);
  REQUIRE(result);
  CHECK(done);
  CHECK(result.translation().frame.value == 0x98000);
}

// SDM 3C "Page-Modification Logging"
TEST_CASE("PML: one entry for each D flag that becomes set, page-aligned, in order") {
  NestedPath path(PagingMode::k4Level);
  path.context.ept.accessed_dirty = path.context.ept.page_modification_logging = true;
  REQUIRE(walk(path.context, path.linear(), kWrite, path.memory));
  CHECK(path.memory.pml == std::vector<u64>{0x4000, 0x3000, 0x2000, 0x1000, path.data.value});
  REQUIRE(walk(path.context, path.linear(), kWrite, path.memory));
  CHECK(path.memory.pml.size() == 5);
}

TEST_CASE("PML: setting A alone is not logged") {
  NestedPath path(PagingMode::k4Level);
  path.context.ept.accessed_dirty = path.context.ept.page_modification_logging = true;
  REQUIRE(walk(path.context, path.linear(), kWrite, path.memory));
  path.memory.pml.clear();
  const u64 leaf = path.data_ept(1);
  path.memory.poke64(leaf, path.memory.peek64(leaf) & ~kEptA);  // D stays
  REQUIRE(walk(path.context, path.linear(), kWrite, path.memory));
  CHECK((path.memory.peek64(leaf) & kEptA) != 0);
  CHECK(path.memory.pml.empty());
}

TEST_CASE("PML: a full log stops the walk before any flag is set") {
  NestedPath path(PagingMode::k4Level);
  path.context.ept.accessed_dirty = path.context.ept.page_modification_logging = true;
  REQUIRE(walk(path.context, path.linear(), kRead, path.memory));
  path.memory.pml_room = 0;
  REQUIRE(walk(path.context, path.linear(), kRead, path.memory));  // nothing to set
  const WalkResult result = walk(path.context, path.linear(), kWrite, path.memory);
  REQUIRE(!result);
  CHECK(result.fault().reason == FaultReason::kPmlFull);
  CHECK(result.fault().stage == Stage::kStage2);
  CHECK(result.fault().gpa == path.data + 0x123);
  CHECK((path.memory.peek64(path.data_ept(1)) & kEptD) == 0);
  CHECK(path.memory.pml.size() == 4);
}

TEST_CASE("a debugger's port changes nothing") {
  struct ReadOnly : FakeMemory {
    bool cas64(Hpa, u64, u64) override { return true; }
  } memory;
  const u64 at = 0x1000 + 8;
  memory.poke64(0x2000, 0x1007);
  memory.poke64(at, 0x90007);
  PagingContext context;
  context.mode = PagingMode::kPae;
  context.pdptes.fill(0x2001);
  const WalkResult result = walk(context, Lin(0x1234), kWrite, memory);
  REQUIRE(result);
  CHECK(result.translation().at(Lin(0x1234)).value == 0x90234);
  CHECK(memory.peek64(at) == 0x90007);
  CHECK(memory.peek64(0x2000) == 0x1007);
}

}  // namespace
}  // namespace vtsim::mmu::test
