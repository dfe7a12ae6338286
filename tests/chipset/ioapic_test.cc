#include "model/chipset/ioapic.h"

#include <catch2/catch.hpp>
#include <cstring>
#include <vector>

using namespace vtsim;
using namespace vtsim::chipset;

namespace {

constexpr Ps kNow = 9;

struct Interconnect : MemoryPort {
  std::vector<InterruptMessage> messages;
  std::vector<std::pair<u64, u32>> writes;
  bool read(Hpa, std::span<u8>, Ps) override { return false; }
  bool write(Hpa address, std::span<const u8> data, Ps) override {
    u32 value = 0;
    std::memcpy(&value, data.data(), data.size());
    writes.emplace_back(address.value, value);
    messages.push_back(message_from_msi(address, value));
    return true;
  }
};

struct Fixture {
  Interconnect interconnect;
  IoApic apic{interconnect, 4};

  u32 get(u8 index) {
    apic.write(0x00, 4, index, kNow);
    return static_cast<u32>(apic.read(0x10, 4, kNow));
  }
  void set(u8 index, u32 value) {
    apic.write(0x00, 4, index, kNow);
    apic.write(0x10, 4, value, kNow);
  }
  void entry(unsigned input, u64 value) {
    set(static_cast<u8>(0x11 + 2 * input), static_cast<u32>(value >> 32));
    set(static_cast<u8>(0x10 + 2 * input), static_cast<u32>(value));
  }
  bool remote_irr(unsigned input) { return get(static_cast<u8>(0x10 + 2 * input)) & 0x4000; }
  std::size_t sent() const { return interconnect.messages.size(); }
};

constexpr u64 kMasked = 0x1'0000, kLevel = 0x8000, kActiveLow = 0x2000, kLogical = 0x800;

}  // namespace

TEST_CASE("I/O APIC: 24 masked entries, version 20h, ID in bits 27:24") {
  Fixture f;
  CHECK(f.get(0) == 0x0400'0000);
  CHECK(f.get(1) == 0x0017'0020);
  for (u8 i = 0; i < 24; ++i) CHECK(f.get(static_cast<u8>(0x10 + 2 * i)) == 0x1'0000);
  f.set(0, 0xffff'ffff);
  CHECK(f.get(0) == 0x0f00'0000);
  CHECK(f.get(2) == 0x0f00'0000);
  f.set(1, 0);
  CHECK(f.get(1) == 0x0017'0020);
}

TEST_CASE("I/O APIC: delivery status and remote IRR are read-only, bits 55:17 below 48 reserved") {
  Fixture f;
  f.entry(5, ~u64{0} & ~kLevel);
  CHECK(f.get(0x10 + 10) == 0x0001'2fff);
  CHECK(f.get(0x11 + 10) == 0xffff'0000);
}

TEST_CASE("I/O APIC: an edge on an unmasked input sends one message") {
  Fixture f;
  f.entry(4, u64{3} << 56 | kLogical | 0x31);
  f.apic.set_input(4, true, kNow);
  f.apic.set_input(4, true, kNow);
  REQUIRE(f.sent() == 1);
  const InterruptMessage& m = f.interconnect.messages[0];
  CHECK(m.destination == 3);
  CHECK(m.destination_mode == DestinationMode::kLogical);
  CHECK(m.vector == 0x31);
  CHECK(m.trigger == TriggerMode::kEdge);
  CHECK_FALSE(f.remote_irr(4));
  f.apic.set_input(4, false, kNow);
  CHECK(f.sent() == 1);
  f.apic.set_input(4, true, kNow);
  CHECK(f.sent() == 2);
}

TEST_CASE("I/O APIC: edges on a masked input are lost") {
  Fixture f;
  f.entry(4, kMasked | 0x31);
  f.apic.set_input(4, true, kNow);
  f.entry(4, 0x31);
  CHECK(f.sent() == 0);
}

TEST_CASE("I/O APIC: each delivery mode is what the message says") {
  const u8 mode = GENERATE(u8{0}, u8{1}, u8{2}, u8{4}, u8{5}, u8{7});
  Fixture f;
  f.entry(3, u64{mode} << 8 | 0x50);
  f.apic.set_input(3, true, kNow);
  REQUIRE(f.sent() == 1);
  CHECK(f.interconnect.messages[0].delivery == static_cast<DeliveryMode>(mode));
}

TEST_CASE("I/O APIC: a level is sent once until its EOI, and again while it stays asserted") {
  Fixture f;
  f.entry(9, kLevel | 0x39);
  f.apic.set_input(9, true, kNow);
  CHECK(f.sent() == 1);
  CHECK(f.interconnect.messages[0].trigger == TriggerMode::kLevel);
  CHECK(f.remote_irr(9));
  f.apic.set_input(9, false, kNow);
  f.apic.set_input(9, true, kNow);
  CHECK(f.sent() == 1);
  f.apic.eoi_broadcast(0x38, kNow);
  CHECK(f.remote_irr(9));
  f.apic.eoi_broadcast(0x39, kNow);
  CHECK(f.sent() == 2);
  f.apic.set_input(9, false, kNow);
  f.apic.write(0x40, 4, 0x39, kNow);  // the EOI register does the same
  CHECK_FALSE(f.remote_irr(9));
  CHECK(f.sent() == 2);
}

TEST_CASE("I/O APIC: a level that is asserted while masked is delivered at unmasking") {
  Fixture f;
  f.entry(9, kLevel | kMasked | 0x39);
  f.apic.set_input(9, true, kNow);
  CHECK(f.sent() == 0);
  f.entry(9, kLevel | 0x39);
  CHECK(f.sent() == 1);
}

TEST_CASE("I/O APIC: masking leaves remote IRR; an EOI then delivers nothing") {
  Fixture f;
  f.entry(9, kLevel | 0x39);
  f.apic.set_input(9, true, kNow);
  f.entry(9, kLevel | kMasked | 0x39);
  CHECK(f.remote_irr(9));
  f.apic.eoi_broadcast(0x39, kNow);
  CHECK_FALSE(f.remote_irr(9));
  CHECK(f.sent() == 1);
}

TEST_CASE("I/O APIC: polarity decides which electrical level asserts an input") {
  Fixture f;
  f.apic.set_input(17, true, kNow);  // idle, of an active-low wire
  f.entry(17, kLevel | kActiveLow | 0x41);
  CHECK(f.sent() == 0);
  f.apic.set_input(17, false, kNow);
  CHECK(f.sent() == 1);
  f.apic.set_input(17, true, kNow);
  f.apic.eoi_broadcast(0x41, kNow);
  CHECK(f.sent() == 1);
}

TEST_CASE("I/O APIC: an entry that becomes edge-triggered forgets the level in service") {
  Fixture f;
  f.entry(9, kLevel | 0x39);
  f.apic.set_input(9, true, kNow);
  f.entry(9, kMasked | 0x39);
  CHECK_FALSE(f.remote_irr(9));
  f.entry(9, kLevel | 0x39);
  CHECK(f.sent() == 2);
}

TEST_CASE("I/O APIC: bits 63:48 and 11 of an entry become address bits 19:4 and 2") {
  Fixture f;
  f.entry(2, u64{0xabcd} << 48 | kLogical | 0x31);
  f.apic.set_input(2, true, kNow);
  REQUIRE(f.sent() == 1);
  CHECK(f.interconnect.writes[0].first == (0xfee0'0000 | 0xabcd << 4 | 1 << 2));
  CHECK(f.interconnect.writes[0].second == 0x4031);
}

TEST_CASE("I/O APIC: the index selects by its byte; what is not there reads as zero") {
  Fixture f;
  f.apic.write(0x00, 1, 0x01, kNow);
  CHECK(f.apic.read(0x00, 4, kNow) == 1);
  CHECK(f.apic.read(0x10, 4, kNow) == 0x0017'0020);
  CHECK(f.get(0x40) == 0);
  CHECK(f.apic.read(0x20, 4, kNow) == 0);
}
