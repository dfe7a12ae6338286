// The way through store and walker: what is used stale, what is walked again, what a fault drops.

#include "model/mmu/translate.h"

#include <catch2/catch.hpp>

#include "tests/mmu/nested_path.h"

namespace vtsim::mmu::test {
namespace {

constexpr Access kRead{AccessKind::kRead, Privilege::kSupervisor, false};
constexpr Access kWrite{AccessKind::kWrite, Privilege::kSupervisor, false};
constexpr Access kUserRead{AccessKind::kRead, Privilege::kUser, false};

class Machine {
 public:
  explicit Machine(PagingMode mode, bool nested = true) : path(mode) {
    if (!nested) go_native();
    space.context = path.context;
    space.tag = {1, 1, nested ? path.context.ept.root.value : kNoEpt};
    path.memory.logging = true;
  }
  WalkResult go(Access access) {
    path.memory.references.clear();
    return translate(store, path.memory, space, path.linear(), access);
  }
  std::size_t references() const { return path.memory.references.size(); }

  NestedPath path;
  TranslationStore store;
  AddressSpace space;

 private:
  void go_native() {
    path.context.ept.enabled = false;
    path.context.cr3 += 0x20000;
    path.context.pdptes.fill(0x22001);
    for (unsigned level = path.top(); level >= 2; --level) {
      path.set_guest(level, 0x27 | (0x20000 + 0x1000 * (level - 1)));
    }
    path.set_guest(1, 0x90067);
  }
};

TEST_CASE("translate: the second access needs no reference, in every mode") {
  for (const PagingMode mode :
       {PagingMode::k32Bit, PagingMode::kPae, PagingMode::k4Level, PagingMode::k5Level}) {
    for (const bool nested : {false, true}) {
      Machine machine(mode, nested);
      const WalkResult first = machine.go(kRead);
      REQUIRE(first);
      CHECK(machine.references() > 0);
      const WalkResult second = machine.go(kRead);
      REQUIRE(second);
      CHECK(machine.references() == 0);
      CHECK(second.translation() == first.translation());
      CHECK(second.translation().frame.value == 0x90000);
    }
  }
}

TEST_CASE("translate: a stored translation is used until INVLPG, however the entry changes") {
  Machine machine(PagingMode::k4Level, false);
  REQUIRE(machine.go(kRead));
  machine.path.set_guest(1, 0);
  CHECK(machine.go(kWrite));
  machine.store.invlpg(machine.space.tag, machine.path.linear());
  const WalkResult result = machine.go(kRead);
  REQUIRE(!result);
  CHECK(result.fault().reason == FaultReason::kNotPresent);
}

TEST_CASE("translate: a stale combined mapping lives until INVEPT, and so do the tables'") {
  Machine machine(PagingMode::k4Level);
  REQUIRE(machine.go(kRead));
  machine.path.memory.poke64(machine.path.data_ept(1), 0);
  machine.path.memory.poke64(NestedPath::table_ept(1, 0x1000), 0);
  CHECK(machine.go(kRead));
  // INVLPG drops the combined mapping; guest-physical mappings still serve the walk.
  machine.store.invlpg(machine.space.tag, machine.path.linear());
  CHECK(machine.go(kRead));
  CHECK(machine.references() == 4);  // the guest's entries and nothing of EPT
  machine.store.invept_single(machine.space.tag.eptrta);
  const WalkResult result = machine.go(kRead);
  REQUIRE(!result);
  CHECK(result.fault().reason == FaultReason::kEptViolation);
  CHECK(result.fault().is_table_ref);
}

TEST_CASE("translate: a write through a clean translation walks again and sets D") {
  Machine machine(PagingMode::k4Level, false);
  machine.path.set_guest(1, 0x90027);
  REQUIRE(machine.go(kRead));
  REQUIRE(machine.go(kWrite));
  CHECK(machine.references() == 4);
  CHECK(machine.path.memory.peek64(machine.path.guest_entry_hpa(1)) == 0x90067);
  REQUIRE(machine.go(kWrite));
  CHECK(machine.references() == 0);
}

TEST_CASE("translate: the same under EPT with its own D flag") {
  Machine machine(PagingMode::k4Level);
  machine.space.context.ept.accessed_dirty = true;
  REQUIRE(machine.go(kRead));
  CHECK((machine.path.memory.peek64(machine.path.data_ept(1)) & 0x200) == 0);
  REQUIRE(machine.go(kWrite));
  CHECK((machine.path.memory.peek64(machine.path.data_ept(1)) & 0x200) != 0);
  REQUIRE(machine.go(kWrite));
  CHECK(machine.references() == 0);
}

TEST_CASE("translate: rights are checked on every use, with the registers of the moment") {
  Machine machine(PagingMode::k4Level, false);
  REQUIRE(machine.go(kUserRead));
  machine.space.context.smap = true;
  const WalkResult denied = machine.go(kRead);
  REQUIRE(!denied);
  CHECK(denied.fault().reason == FaultReason::kProtection);
  CHECK(machine.go({AccessKind::kRead, Privilege::kSupervisor, true}));
  machine.space.context.smap = false;
  machine.space.context.pke = true;
  machine.space.context.pkru = 2;
  REQUIRE(machine.go(kUserRead));
  machine.space.context.wp = true;
  const WalkResult keyed = machine.go(kWrite);
  REQUIRE(!keyed);
  CHECK(keyed.fault().reason == FaultReason::kPkey);
}

TEST_CASE("translate: a denied access walks again, so an upgrade needs no invalidation") {
  Machine machine(PagingMode::k4Level, false);
  machine.path.set_guest(1, 0x90065);
  REQUIRE(machine.go(kRead));
  machine.path.set_guest(1, 0x90067);
  CHECK(machine.go(kWrite));
}

TEST_CASE("translate: a page fault drops the page, so what it was stale about is seen") {
  Machine machine(PagingMode::k4Level, false);
  machine.path.set_guest(1, 0x90065);
  REQUIRE(machine.go(kRead));
  REQUIRE(!machine.go(kWrite));
  machine.path.set_guest(1, 0x95065);
  const WalkResult result = machine.go(kRead);
  REQUIRE(result);
  CHECK(result.translation().frame.value == 0x95000);
}

TEST_CASE("translate: an EPT violation drops the guest-physical and the combined mapping") {
  Machine machine(PagingMode::k4Level);
  const u64 data = machine.path.data_ept(1);
  machine.path.memory.poke64(data, 0x90000 | kEptWb | 1);
  REQUIRE(machine.go(kRead));
  REQUIRE(!machine.go(kWrite));
  // A read would have been served by either.
  machine.path.memory.poke64(data, 0x95000 | kEptWb | 3);
  const WalkResult result = machine.go(kRead);
  REQUIRE(result);
  CHECK(result.translation().frame.value == 0x95000);
}

TEST_CASE("translate: an EPT violation on a table drops its guest-physical mapping") {
  Machine machine(PagingMode::k4Level);
  const u64 table = NestedPath::table_ept(1, 0x1000);
  machine.path.memory.poke64(table, 0x21000 | kEptWb | 1);
  machine.path.set_guest(1, machine.path.data.value | 0x27);
  REQUIRE(machine.go(kRead));
  const WalkResult denied = machine.go(kWrite);  // D cannot be set
  REQUIRE(!denied);
  CHECK(denied.fault().is_table_ref);
  machine.path.memory.poke64(table, 0x71000 | kEptWb | 3);
  machine.path.memory.poke64(0x71000 + (machine.path.guest_entry_gpa(1) & 0xfff),
                             machine.path.data.value | 0x67);
  machine.store.invlpg(machine.space.tag, machine.path.linear());
  machine.path.set_guest(1, 0);
  CHECK(machine.go(kRead));
}

TEST_CASE("translate: CR0.PG = 0 stores nothing natively, guest-physical mappings under EPT") {
  Machine native(PagingMode::kNone, false);
  const WalkResult identity = native.go(kWrite);
  REQUIRE(identity);
  CHECK(identity.translation().frame.value == native.path.linear().page().value);
  CHECK(native.store.lookup(native.space.tag, native.path.linear()) == nullptr);

  Machine guest(PagingMode::kNone);
  REQUIRE(guest.go(kRead));
  CHECK(guest.references() == 4);
  REQUIRE(guest.go(kWrite));
  CHECK(guest.references() == 0);
  CHECK(guest.store.lookup(guest.space.tag, guest.path.linear()) == nullptr);
  guest.store.invvpid_single(1);  // guest-physical mappings have no VPID
  REQUIRE(guest.go(kRead));
  CHECK(guest.references() == 0);
  guest.store.invept_all();
  REQUIRE(guest.go(kRead));
  CHECK(guest.references() == 4);
}

TEST_CASE("translate: a global page serves every PCID and outlives MOV to CR3") {
  Machine machine(PagingMode::k4Level, false);
  machine.space.context.pge = true;
  machine.path.set_guest(1, 0x90167);
  REQUIRE(machine.go(kRead));
  machine.store.mov_cr3(machine.space.tag, 1);
  machine.space.tag.pcid = 2;
  REQUIRE(machine.go(kRead));
  CHECK(machine.references() == 0);
  machine.store.flush_all_pcids(machine.space.tag);
  REQUIRE(machine.go(kRead));
  CHECK(machine.references() == 4);
}

}  // namespace
}  // namespace vtsim::mmu::test
