#include "model/chipset/address_map.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <numeric>
#include <random>

using namespace vtsim;
using namespace vtsim::chipset;

namespace {

struct Access {
  u64 offset;
  unsigned size;
  u64 value;
  bool operator==(const Access&) const = default;
};

// Registers that answer with what the test says and remember who came.
struct Recorder : RegisterTarget {
  u64 answer = 0;
  std::vector<Access> reads, writes;
  u64 read(u64 offset, unsigned size, Ps) override {
    reads.push_back({offset, size, 0});
    return answer;
  }
  void write(u64 offset, unsigned size, u64 value, Ps) override {
    writes.push_back({offset, size, value});
  }
};

struct Below : BusLink {
  std::vector<u64> addresses;
  bool answers = true;
  bool transport(const BusTransaction& transaction, Ps) override {
    addresses.push_back(transaction.address);
    if (!transaction.is_write()) std::fill(transaction.data.begin(), transaction.data.end(), 0xbb);
    return answers;
  }
};

using Bytes = std::vector<u8>;

bool read(const AddressMap& map, u64 address, Bytes& data, BusLink* below = nullptr,
          const BusInfo& info = {}) {
  return access(map, {.address = address, .data = data, .info = info}, below, 0);
}
bool write(const AddressMap& map, u64 address, Bytes data, BusLink* below = nullptr) {
  return access(map,
                {.command = BusTransaction::Command::kWrite, .address = address, .data = data,
                 .info = {}},
                below, 0);
}

}  // namespace

TEST_CASE("address map: the region of highest priority wins, the later among equals") {
  AddressMap map;
  Recorder a, b, c;
  map.add({.name = "a", .first = 0, .last = 99, .priority = 1, .target = &a});
  map.add({.name = "b", .first = 50, .last = 149, .priority = 2, .target = &b});
  map.add({.name = "c", .first = 140, .last = 199, .priority = 2, .target = &c});
  CHECK(map.find(0, View::kNormal).target == &a);
  CHECK(map.find(49, View::kNormal).target == &a);
  CHECK(map.find(50, View::kNormal).target == &b);
  CHECK(map.find(139, View::kNormal).target == &b);
  CHECK(map.find(140, View::kNormal).target == &c);
  CHECK(map.find(199, View::kNormal).target == &c);
  CHECK(map.find(200, View::kNormal).gap);
}

TEST_CASE("address map: the flat list agrees with a search of all regions, for random regions") {
  const unsigned seed = GENERATE(1u, 2u, 3u, 4u);
  CAPTURE(seed);
  std::mt19937 random(seed);
  std::vector<Recorder> targets(24);
  std::vector<Region> regions;
  AddressMap map;
  for (Recorder& target : targets) {
    const u64 first = random() % 900;
    const SeenBy seen_by = static_cast<SeenBy>(random() % 3);
    regions.push_back({.name = "r", .first = first, .last = first + random() % 100,
                       .priority = static_cast<int>(random() % 4), .seen_by = seen_by,
                       .enabled = random() % 4 != 0, .target = &target});
    map.add(regions.back());
  }
  for (const View view : {View::kNormal, View::kSmm}) {
    for (u64 address = 0; address < 1000; ++address) {
      const Region* expected = nullptr;
      for (const Region& r : regions) {
        const bool hidden = (r.seen_by == SeenBy::kNormalOnly && view == View::kSmm) ||
                            (r.seen_by == SeenBy::kSmmOnly && view == View::kNormal);
        if (!r.enabled || hidden || address < r.first || address > r.last) continue;
        if (!expected || r.priority >= expected->priority) expected = &r;
      }
      const AddressMap::Range& found = map.find(address, view);
      REQUIRE(found.target == (expected ? expected->target : nullptr));
      if (expected) {
        REQUIRE(found.target_offset + address - found.first == address - expected->first);
      }
    }
  }
}

TEST_CASE("address map: a region may end at the last address") {
  AddressMap map;
  Recorder target;
  map.add({.name = "top", .first = ~u64{0} - 15, .last = ~u64{0}, .target = &target});
  CHECK(map.find(~u64{0}, View::kNormal).target == &target);
  CHECK(map.find(~u64{0} - 16, View::kNormal).gap);
}

TEST_CASE("address map: a region that moves leaves nothing behind, and listeners hear of it once") {
  AddressMap map;
  Recorder target;
  const auto id = map.add({.name = "bar", .enabled = false, .target = &target});
  int changes = 0;
  map.on_change([&] { ++changes; });
  map.place(id, 0x1000, 0x100);
  CHECK(changes == 0);  // not enabled: nothing that anyone could see
  map.enable(id);
  map.enable(id);
  CHECK(changes == 1);
  CHECK(map.find(0x1080, View::kNormal).target == &target);
  map.place(id, 0x2000, 0x100);
  CHECK(changes == 2);
  CHECK(map.find(0x1080, View::kNormal).gap);
  CHECK(map.find(0x2080, View::kNormal).target == &target);
  map.disable(id);
  CHECK(map.find(0x2080, View::kNormal).gap);
  CHECK(changes == 3);
}

TEST_CASE("access: registers are reached in naturally aligned pieces, ascending") {
  AddressMap map;
  Recorder target;
  map.add({.name = "regs", .first = 0x100, .last = 0x1ff, .target = &target, .target_offset = 0x40});
  CHECK(write(map, 0x103, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}));
  const std::vector<Access> expected{{0x43, 1, 0x01}, {0x44, 4, 0x05040302},
                                     {0x48, 8, 0x0d0c0b0a09080706}, {0x50, 1, 0x0e}};
  CHECK(target.writes == expected);
  Bytes data(8);
  target.answer = 0x8877665544332211;
  CHECK(read(map, 0x108, data));
  CHECK(data == Bytes{0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88});
  CHECK(target.reads == std::vector<Access>{{0x48, 8, 0}});
}

TEST_CASE("access: host memory is copied, across region borders too") {
  AddressMap map;
  Bytes low(16), high(16);
  map.add({.name = "low", .first = 0, .last = 15, .read = low.data(), .write = low.data()});
  map.add({.name = "high", .first = 16, .last = 31, .read = high.data(), .write = nullptr});
  Bytes data(8);
  std::iota(data.begin(), data.end(), u8{1});
  CHECK(write(map, 12, data));
  CHECK(low[12] == 1);
  CHECK(low[15] == 4);
  CHECK(high[0] == 0);  // no way to write: swallowed
  high[0] = 0x77;
  CHECK(read(map, 12, data));
  CHECK(data == Bytes{1, 2, 3, 4, 0x77, 0, 0, 0});
}

TEST_CASE("access: what a region forwards reaches the bus below; gaps do not, and read as ones") {
  AddressMap map;
  Below below;
  map.add({.name = "bus", .first = 16, .last = 31, .forwards = true});
  Bytes data(8);
  CHECK_FALSE(read(map, 28, data, &below));
  CHECK(data == Bytes{0xbb, 0xbb, 0xbb, 0xbb, 0xff, 0xff, 0xff, 0xff});
  CHECK(below.addresses == std::vector<u64>{28});
  CHECK(read(map, 16, data, &below));
  below.answers = false;
  CHECK_FALSE(read(map, 16, data, &below));
  CHECK_FALSE(read(map, 16, data, nullptr));
  CHECK(data == Bytes(8, 0xff));
}

TEST_CASE("access: the view follows the transaction's SMM attribute") {
  AddressMap map;
  Bytes smram(16, 0x5a);
  map.add({.name = "smram", .first = 0, .last = 15, .seen_by = SeenBy::kSmmOnly,
           .read = smram.data(), .write = smram.data()});
  Bytes data(1);
  CHECK_FALSE(read(map, 3, data));
  CHECK(data[0] == 0xff);
  CHECK(read(map, 3, data, nullptr, {.in_smm = true}));
  CHECK(data[0] == 0x5a);
}

TEST_CASE("access: a register that changes the map during a transaction does no harm") {
  struct Remapper : RegisterTarget {
    AddressMap* map = nullptr;
    AddressMap::Id id = 0;
    u64 read(u64, unsigned, Ps) override { return 0; }
    void write(u64, unsigned, u64, Ps) override { map->disable(id); }
  } target;
  AddressMap map;
  target.map = &map;
  target.id = map.add({.name = "r", .first = 0, .last = 15, .target = &target});
  CHECK(write(map, 0, Bytes(16)));
  CHECK(map.find(0, View::kNormal).gap);
}

TEST_CASE("host range: it ends where the way of access changes") {
  AddressMap map;
  Bytes ram(0x3000);
  Recorder device;
  map.add({.name = "ram", .first = 0, .last = 0x2fff, .read = ram.data(), .write = ram.data()});
  map.add({.name = "dev", .first = 0x1000, .last = 0x1fff, .priority = 1, .target = &device});
  const HostRange low = map.host_range(0x10, View::kNormal);
  CHECK(low.first == 0);
  CHECK(low.last == 0xfff);
  CHECK(low.read == ram.data());
  CHECK(map.host_range(0x1000, View::kNormal).read == nullptr);
  const HostRange high = map.host_range(0x2fff, View::kNormal);
  CHECK(high.first == 0x2000);
  CHECK(high.write == ram.data() + 0x2000);
}
