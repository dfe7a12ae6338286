// Each invalidation, over an enumeration of all that can be stored: what must go, what must stay.
// SDM 3A "Operations that Invalidate TLBs and Paging-Structure Caches", SDM 3C "Operations that
// Invalidate Cached Mappings".

#include "model/mmu/translation_store.h"

#include <catch2/catch.hpp>
#include <functional>
#include <random>

namespace vtsim::mmu::test {
namespace {

constexpr u64 kEptA = 0x1'2340'0000, kEptB = 0x1'2340'1000;

struct Item {
  Tag tag;
  u64 address;
  u8 shift;
  bool global;
  bool guest_physical;
  u64 frame;

  bool holds(u64 linear) const { return linear >> shift == address >> shift; }
  bool combined() const { return tag.eptrta != kNoEpt; }
};

constexpr u64 kSmall = 0x7f12'3456'7000, kOther = 0x7f12'3456'8000, kLarge = 0xffff'8880'0020'0000,
              kFour = 0x0040'0000, kHuge = 0xffff'c000'4000'0000,
              kGlobalSmall = 0xffff'ffff'8100'0000, kGlobalLarge = 0xffff'ffff'8160'0000;

// Every VPID, PCID and EPTRTA, every page size, global and not, and guest-physical mappings.
std::vector<Item> universe() {
  std::vector<Item> items;
  u64 frame = 1;
  const auto add = [&](Tag tag, u64 address, u8 shift, bool global) {
    items.push_back({tag, address, shift, global, false, frame++ << 30});
  };
  for (const u64 ept : {kNoEpt, kEptA, kEptB}) {
    for (const u16 vpid : {u16{0}, u16{1}, u16{2}}) {
      for (const u16 pcid : {u16{0}, u16{1}, u16{4095}}) {
        const Tag tag{vpid, pcid, ept};
        add(tag, kSmall, 12, false);
        add(tag, kOther, 12, false);
        add(tag, kLarge, 21, false);
        add(tag, kFour, 22, false);
        add(tag, kHuge, 30, false);
      }
      add({vpid, 1, ept}, kGlobalSmall, 12, true);
      add({vpid, 1, ept}, kGlobalLarge, 21, true);
    }
    if (ept == kNoEpt) continue;
    for (const u64 gpa : {0x5000ull, 0x4000'0000ull}) {
      items.push_back({{0, 0, ept}, gpa, u8(gpa < 0x10000 ? 12 : 30), false, true, frame++ << 30});
    }
  }
  return items;
}

Translation translation(const Item& item) {
  Translation t;
  t.frame = Hpa(item.frame);
  t.page_shift = item.shift;
  t.global = item.global;
  return t;
}

struct Recorder : InvalidationListener {
  void on_invalidation(const Invalidation& what) override { seen.push_back(what); }
  std::vector<Invalidation> seen;
};

class Fixture {
 public:
  Fixture() {
    for (const Item& item : items) {
      if (item.guest_physical) {
        store.insert_guest_physical(item.tag.eptrta, Gpa(item.address), translation(item));
      } else {
        store.insert(item.tag, Lin(item.address), translation(item));
      }
    }
  }

  // Is the item found, with its own frame, from everywhere inside its page and (when global) from
  // every PCID?
  bool present(const Item& item) {
    const u64 last = item.address + (1ull << item.shift) - 1;
    for (const u64 address : {item.address, last}) {
      const Translation* found = nullptr;
      if (item.guest_physical) {
        found = store.lookup_guest_physical(item.tag.eptrta, Gpa(address));
      } else {
        Tag tag = item.tag;
        if (item.global) tag.pcid = 4095;
        found = store.lookup(tag, Lin(address));
      }
      if (!found) return false;
      REQUIRE(found->frame.value == item.frame);
      REQUIRE(found->page_shift == item.shift);
    }
    return true;
  }

  using Predicate = std::function<bool(const Item&)>;

  void expect_gone(const Predicate& must_go) {
    unsigned gone = 0;
    for (const Item& item : items) {
      CAPTURE(item.tag.vpid, item.tag.pcid, item.tag.eptrta, item.address, item.global,
              item.guest_physical);
      REQUIRE(present(item) == !must_go(item));
      gone += must_go(item);
      // The listener was told at least as much.
      if (must_go(item) && !item.guest_physical) REQUIRE(told(item));
    }
    REQUIRE(gone > 0);
    REQUIRE(gone < items.size());
  }

  bool told(const Item& item) const {
    for (const Invalidation& what : recorder.seen) {
      if (!what.concerns(item.tag)) continue;
      if (item.global && what.spares_global) continue;
      if (what.extent == Invalidation::Extent::kSpace || item.holds(what.linear.value)) return true;
    }
    return false;
  }

  std::vector<Item> items = universe();
  Recorder recorder;
  TranslationStore store{&recorder};
};

constexpr Tag kCurrent{1, 1, kEptA};

TEST_CASE_METHOD(Fixture, "store: what was stored is found, under its own tag only") {
  for (const Item& item : items) CHECK(present(item));
  CHECK(store.lookup({1, 7, kEptA}, Lin(kSmall)) == nullptr);
  CHECK(store.lookup({3, 1, kEptA}, Lin(kGlobalSmall)) == nullptr);
  CHECK(store.lookup(kCurrent, Lin(kSmall - 1)) == nullptr);
  CHECK(store.lookup(kCurrent, Lin(0x5000)) == nullptr);  // a guest-physical mapping is none
  CHECK(store.lookup_guest_physical(kEptA, Gpa(kSmall)) == nullptr);
}

TEST_CASE_METHOD(Fixture, "INVLPG: the page, of any size, in the current PCID, and global pages") {
  const u64 linear = GENERATE(kSmall + 5, kLarge + 0x12345, kFour + 0x212345, kHuge + 0x2345'6789,
                              kGlobalSmall, kGlobalLarge + 0x1f'ffff);
  store.invlpg(kCurrent, Lin(linear));
  expect_gone([&](const Item& i) {  // all EPTRTAs, linear mappings too; the current VPID only
    return !i.guest_physical && i.tag.vpid == 1 && i.holds(linear) && (i.global || i.tag.pcid == 1);
  });
}

TEST_CASE_METHOD(Fixture, "a page fault drops what INVLPG would") {
  store.on_page_fault(kCurrent, Lin(kLarge));
  expect_gone([&](const Item& i) {
    return !i.guest_physical && i.tag.vpid == 1 && i.holds(kLarge) && i.tag.pcid == 1;
  });
}

TEST_CASE_METHOD(Fixture, "INVPCID type 0: the page of one PCID, not global") {
  store.invpcid_address(kCurrent, 4095, Lin(kOther));
  store.invpcid_address(kCurrent, 4095, Lin(kGlobalSmall));
  expect_gone([](const Item& i) {
    return !i.guest_physical && i.tag.vpid == 1 && i.tag.pcid == 4095 && i.address == kOther;
  });
}

TEST_CASE_METHOD(Fixture, "INVPCID type 1, and MOV to CR3: one PCID, not global") {
  SECTION("INVPCID") { store.invpcid_single(kCurrent, 0); }
  SECTION("MOV to CR3") { store.mov_cr3(kCurrent, 0); }
  expect_gone([](const Item& i) {
    return !i.guest_physical && !i.global && i.tag.vpid == 1 && i.tag.pcid == 0;
  });
}

TEST_CASE_METHOD(Fixture, "INVPCID type 2, and MOV to CR4 that changes PGE: all of the VPID") {
  SECTION("INVPCID") { store.invpcid_all(kCurrent); }
  SECTION("MOV to CR4") { store.flush_all_pcids(kCurrent); }
  expect_gone([](const Item& i) { return !i.guest_physical && i.tag.vpid == 1; });
}

TEST_CASE_METHOD(Fixture, "INVPCID type 3: all of the VPID but global pages") {
  store.invpcid_all_but_global(kCurrent);
  expect_gone([](const Item& i) { return !i.guest_physical && !i.global && i.tag.vpid == 1; });
}

TEST_CASE_METHOD(Fixture, "MOV to CR4 that sets SMEP: the current PCID, with global pages") {
  store.flush_current_pcid(kCurrent);
  expect_gone([](const Item& i) {
    return !i.guest_physical && i.tag.vpid == 1 && (i.global || i.tag.pcid == 1);
  });
}

TEST_CASE_METHOD(Fixture, "INVVPID type 0: the page of the VPID, every PCID, global or not") {
  const u64 linear = GENERATE(kSmall, kLarge, kGlobalSmall, kGlobalLarge);
  store.invvpid_address(2, Lin(linear));
  expect_gone(
      [&](const Item& i) { return !i.guest_physical && i.tag.vpid == 2 && i.holds(linear); });
}

TEST_CASE_METHOD(Fixture, "INVVPID type 1: all of the VPID") {
  store.invvpid_single(2);
  expect_gone([](const Item& i) { return !i.guest_physical && i.tag.vpid == 2; });
}

TEST_CASE_METHOD(Fixture, "INVVPID type 2: every VPID but 0") {
  store.invvpid_all();
  expect_gone([](const Item& i) { return !i.guest_physical && i.tag.vpid != 0; });
}

TEST_CASE_METHOD(Fixture, "INVVPID type 3: the VPID but its global pages") {
  store.invvpid_single_but_global(2);
  expect_gone([](const Item& i) { return !i.guest_physical && !i.global && i.tag.vpid == 2; });
}

TEST_CASE_METHOD(Fixture, "INVEPT type 1: guest-physical and combined mappings of the EPTRTA") {
  store.invept_single(kEptA);
  expect_gone([](const Item& i) { return i.tag.eptrta == kEptA; });
}

TEST_CASE_METHOD(Fixture, "INVEPT type 2: all guest-physical and combined mappings") {
  store.invept_all();
  expect_gone([](const Item& i) { return i.combined(); });
}

TEST_CASE_METHOD(Fixture, "VM transitions without VPID: linear and combined mappings of VPID 0") {
  store.on_vm_transition_without_vpid();
  expect_gone([](const Item& i) { return !i.guest_physical && i.tag.vpid == 0; });
}

TEST_CASE_METHOD(Fixture, "an EPT violation drops the guest-physical mapping, of its EPTRTA") {
  store.on_ept_violation(kCurrent, Gpa(0x4123'4567), std::nullopt);
  expect_gone([](const Item& i) {
    return i.guest_physical && i.tag.eptrta == kEptA && i.holds(0x4123'4567);
  });
}

TEST_CASE_METHOD(Fixture, "an EPT violation on a final page also drops the combined mapping") {
  store.on_ept_violation(kCurrent, Gpa(0x5008), Lin(kSmall + 8));
  expect_gone([](const Item& i) {
    if (i.guest_physical) return i.tag.eptrta == kEptA && i.holds(0x5008);
    return i.tag == kCurrent && i.holds(kSmall);
  });
}

TEST_CASE_METHOD(Fixture, "reset: everything goes") {
  store.reset();
  for (const Item& item : items) {
    CHECK(!present(item));
    if (!item.guest_physical) CHECK(told(item));
  }
}

TEST_CASE("store: a new translation replaces the old one of the page, whatever the sizes") {
  TranslationStore store;
  const Tag tag;
  Translation t;
  t.page_shift = 12;
  t.frame = Hpa(0x1000);
  store.insert(tag, Lin(0x20'0000), t);
  t.page_shift = 21;
  t.frame = Hpa(0x4000'0000);
  store.insert(tag, Lin(0x20'0000), t);
  CHECK(store.lookup(tag, Lin(0x20'0000))->page_shift == 21);
  t.page_shift = 12;
  t.frame = Hpa(0x2000);
  t.global = true;
  store.insert(tag, Lin(0x20'0000), t);
  CHECK(store.lookup(tag, Lin(0x20'0000))->frame.value == 0x2000);
  CHECK(store.lookup(tag, Lin(0x20'1000)) == nullptr);  // the large page is gone as a whole
}

TEST_CASE("store: a page that was global and is so no more leaves nothing behind") {
  TranslationStore store;
  const Tag tag{0, 1, kNoEpt};
  Translation t;
  t.global = true;
  store.insert(tag, Lin(0x1000), t);
  t.global = false;
  store.insert(tag, Lin(0x1000), t);
  store.mov_cr3(tag, 1);
  CHECK(store.lookup(tag, Lin(0x1000)) == nullptr);
}

TEST_CASE("store: it holds at least 4096 consecutive pages of 4 KiB and 512 of 2 MiB") {
  TranslationStore store;
  for (u64 page = 0; page < 4096; ++page) {
    Translation t;
    t.frame = Hpa(page << 12);
    store.insert({}, Lin(page << 12), t);
  }
  for (u64 page = 0; page < 512; ++page) {
    Translation t;
    t.page_shift = 21;
    t.frame = Hpa(page << 21);
    store.insert({}, Lin((1ull << 40) + (page << 21)), t);
  }
  for (u64 page = 0; page < 4096; ++page) {
    REQUIRE(store.lookup({}, Lin(page << 12)));
    REQUIRE(store.lookup({}, Lin(page << 12))->frame.value == page << 12);
  }
  for (u64 page = 0; page < 512; ++page) {
    REQUIRE(store.lookup({}, Lin((1ull << 40) + (page << 21))));
  }
}

// Random work on two stores: the same calls, the same answers, evictions included; and an answer
// is always the last translation inserted for that page and tag since it was dropped.
TEST_CASE("store: replacement is deterministic, and never gives a wrong translation") {
  constexpr u64 kSeed = 7;
  INFO("seed " << kSeed);
  std::mt19937_64 random(kSeed);
  TranslationStore a, b;
  constexpr unsigned kPages = 1 << 15, kTags = 4;
  std::vector<u64> newest(kPages * kTags);
  u64 hits = 0, misses = 0;
  for (u64 step = 1; step < 400'000; ++step) {
    const u64 r = random();
    const u64 page = r % kPages;
    const u16 pcid = r >> 20 & 3;
    const Tag tag{0, pcid, kNoEpt};
    if (r >> 24 & 1) {
      Translation t;
      t.frame = Hpa(step << 12);
      a.insert(tag, Lin(page << 12), t);
      b.insert(tag, Lin(page << 12), t);
      newest[pcid * kPages + page] = step << 12;
    } else if ((r >> 25) % 5000 == 0) {
      a.mov_cr3(tag, pcid);
      b.mov_cr3(tag, pcid);
      std::fill_n(newest.begin() + pcid * kPages, kPages, 0);
    } else if ((r >> 25) % 50 == 0) {
      a.invlpg(tag, Lin(page << 12));
      b.invlpg(tag, Lin(page << 12));
      newest[pcid * kPages + page] = 0;
    } else {
      const Translation* x = a.lookup(tag, Lin(page << 12));
      const Translation* y = b.lookup(tag, Lin(page << 12));
      REQUIRE((x == nullptr) == (y == nullptr));
      if (x) {
        REQUIRE(*x == *y);
        REQUIRE(x->frame.value == newest[pcid * kPages + page]);
      }
      ++(x ? hits : misses);
    }
  }
  CHECK(hits > 1000);
  CHECK(misses > 1000);
}

TEST_CASE("store: more flushes than there are space numbers, and more spaces than the table has") {
  TranslationStore store;
  Translation t;
  t.page_shift = 21;
  for (u16 pcid = 0; pcid < 3; ++pcid) {
    store.insert({0, pcid, kNoEpt}, Lin(0x20'0000), t);
    store.mov_cr3({}, pcid);
  }
  t.page_shift = 12;
  for (u64 round = 0; round < 1'200'000; ++round) {
    t.frame = Hpa(round << 12);
    const Tag tag{0, static_cast<u16>(round % 3), kNoEpt};
    store.insert(tag, Lin(0x1000), t);
    REQUIRE(store.lookup(tag, Lin(0x1000))->frame == t.frame);
    // About when numbers begin anew: what was stored under the first ones must not come back.
    if (round > 524'200 && round < 524'400) {
      Translation large = t;
      large.page_shift = 21;
      store.insert(tag, Lin(0x4000'0000), large);
      REQUIRE(store.lookup(tag, Lin(0x20'0000)) == nullptr);
    }
    store.mov_cr3(tag, tag.pcid);
    REQUIRE(store.lookup(tag, Lin(0x1000)) == nullptr);
  }
  // A space that takes a forgotten one's place has none of its pages.
  for (u16 pcid = 0; pcid < 1000; ++pcid) {
    store.insert({7, pcid, kNoEpt}, Lin(0x100'0000u + pcid * kPageSize), t);
    for (u16 other = 0; other < pcid; other = static_cast<u16>(other + 1)) {
      REQUIRE(!store.lookup({7, pcid, kNoEpt}, Lin(0x100'0000u + other * kPageSize)));
    }
  }
  for (u64 round = 0; round < 10'000; ++round) {
    t.frame = Hpa(round << 12);
    const Tag tag{static_cast<u16>(round * 7 % 1000), static_cast<u16>(round * 13 % 900), kNoEpt};
    store.insert(tag, Lin(0x1000), t);
    REQUIRE(store.lookup(tag, Lin(0x1000))->frame == t.frame);
  }
  for (u16 vpid = 0; vpid < 1000; ++vpid) {
    store.invvpid_single(vpid);
    for (u16 pcid = 0; pcid < 900; pcid = static_cast<u16>(pcid + 45)) {
      REQUIRE(store.lookup({vpid, pcid, kNoEpt}, Lin(0x1000)) == nullptr);
    }
  }
}

}  // namespace
}  // namespace vtsim::mmu::test
