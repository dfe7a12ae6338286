// The modules together: routing over sockets, local time, events, DMI and snoops. SystemC elaborates
// one design a process, so that all cases share one platform; each puts back what it changes.

#include <catch2/catch.hpp>
#include <cstring>
#include <systemc>
#include <vector>

#include "model/chipset/clock_module.h"
#include "model/chipset/cpu_bus_module.h"
#include "model/chipset/southbridge_module.h"

using namespace vtsim;
using namespace vtsim::chipset;

namespace {

constexpr u64 kMiB = u64{1} << 20;
constexpr Ps kUs = 1'000'000;

struct Sink : InterruptSink {
  std::vector<InterruptMessage> messages;
  std::vector<Ps> times;
  void deliver(const InterruptMessage& message, Ps now) override {
    messages.push_back(message);
    times.push_back(now);
  }
};

struct Listener : BusListener {
  int map_changes = 0;
  std::vector<std::pair<u64, u64>> writes;
  void on_map_change() override { ++map_changes; }
  void on_memory_write(Hpa first, u64 bytes) override { writes.emplace_back(first.value, bytes); }
};

struct Platform {
  EventQueue events;
  Sink sink;
  std::vector<Ps> fired;
  EventQueue::Id probe;
  Listener listeners[2];
  ClockModule clock;
  NorthbridgeModule northbridge;
  SouthbridgeModule southbridge;
  CpuBusModule first;
  CpuBusModule second;
  DmaPortModule device;

  static ChipsetConfig config() { return {.ram_bytes = 3072 * kMiB, .cores = 2}; }

  Platform()
      : probe(events.add("probe", [this](Ps now) { fired.push_back(now); })),
        clock("clock", events),
        northbridge("northbridge", config(), sink),
        southbridge("southbridge", config(), events, northbridge, {}),
        first("cpu0", 0),
        second("cpu1", 1),
        device("device", 0x0018) {
    southbridge.connect(northbridge);
    first.socket.bind(northbridge.cores);
    second.socket.bind(northbridge.cores);
    device.socket.bind(northbridge.upstream);
    first.listen(listeners[0]);
    second.listen(listeners[1]);
    sc_core::sc_start(sc_core::SC_ZERO_TIME);
  }
  static Ps now() { return sc_core::sc_time_stamp().value(); }
  // All that happens until `time`, and at it: sc_start alone leaves what is due at its end.
  static void run_to(Ps time) {
    sc_core::sc_start(to_sc_time(time - now()));
    sc_core::sc_start(sc_core::SC_ZERO_TIME);
  }
  void configure(unsigned reg, unsigned size, u64 value) {
    first.port_out(0xcf8, 4, 0x8000'0000 | (reg & ~3u), now());
    first.port_out(static_cast<u16>(0xcfc + reg % 4), size, value, now());
  }
};

Platform& platform() {
  static Platform instance;
  return instance;
}

constexpr BusAttributes kData{};

}  // namespace

TEST_CASE("platform: what one core writes over the bus, the other reads, and devices read") {
  Platform& p = platform();
  p.first.write(Hpa(0x1'4000'0000 - 0x4000'0000), 8, 0x1122'3344'5566'7788, kData, p.now());
  CHECK(p.second.read(Hpa(0x1'0000'0004), 4, kData, p.now()) == 0x1122'3344);
  std::array<u8, 2> bytes{};
  CHECK(p.device.read(Hpa(0x1'0000'0006), bytes, p.now()));
  CHECK(bytes == std::array<u8, 2>{0x22, 0x11});
}

TEST_CASE("platform: an address that no one claims reads as ones; a device hears that it failed") {
  Platform& p = platform();
  CHECK(p.first.read(Hpa(0x90'0000'0000), 8, kData, p.now()) == ~u64{0});
  CHECK(p.first.port_in(0x1f0, 2, p.now()) == 0xffff);
  std::array<u8, 4> bytes{};
  CHECK_FALSE(p.device.read(Hpa(0x90'0000'0000), bytes, p.now()));
  CHECK(bytes == std::array<u8, 4>{0xff, 0xff, 0xff, 0xff});
  CHECK_FALSE(p.device.write(Hpa(0x90'0000'0000), bytes, p.now()));
}

TEST_CASE("platform: ports and memory of the southbridge are reached through the northbridge") {
  Platform& p = platform();
  CHECK(p.first.port_in(0x514, 4, p.now()) == 0x554d'4551);
  CHECK(p.first.read(Hpa(0xfed0'0000), 8, kData, p.now()) == 0x0098'9680'8086'a201);
  p.first.port_out(0xcf8, 4, 0x8000'f800, p.now());
  CHECK(p.second.port_in(0xcfc, 4, p.now()) == 0x2918'8086);
}

TEST_CASE("platform: an interrupt acknowledge gives the 8259s' vector") {
  Platform& p = platform();
  const auto out = [&](u16 port, u8 value) { p.first.port_out(port, 1, value, p.now()); };
  out(0x20, 0x11);
  out(0x21, 0x60);
  out(0x21, 0x04);
  out(0x21, 0x01);
  CHECK(p.first.acknowledge_interrupt(p.now()) == 0x67);  // nothing is pending: the spurious one
}

TEST_CASE("platform: the delay is the initiator's local time, and device time follows it") {
  Platform& p = platform();
  const Hpa kHpet{0xfed0'0000};
  p.run_to(p.now() + 3 * kUs);
  const Ps start = p.now();
  p.first.write(kHpet + 0x10, 4, 1, kData, start + 2 * kUs);
  CHECK(p.first.read(kHpet + 0xf0, 8, kData, start + 2 * kUs) == 0);
  CHECK(p.first.read(kHpet + 0xf0, 8, kData, start + 5 * kUs) == 300);
  CHECK(p.now() == start);  // no one waited
  p.first.write(kHpet + 0x10, 4, 0, kData, start + 5 * kUs);
}

TEST_CASE("platform: events fire at their picosecond, also when moved earlier while asleep") {
  Platform& p = platform();
  p.fired.clear();
  const Ps start = p.now();
  p.events.schedule(p.probe, start + 10 * kUs + 7);
  p.run_to(start + 4 * kUs);
  CHECK(p.fired.empty());
  p.events.schedule(p.probe, start + 5 * kUs + 3);
  p.run_to(start + 5 * kUs + 2);
  CHECK(p.fired.empty());
  p.run_to(start + 5 * kUs + 3);
  CHECK(p.fired == std::vector<Ps>{start + 5 * kUs + 3});
  p.run_to(start + 20 * kUs);
  CHECK(p.fired.size() == 1);  // not at the time it was moved from
  p.events.schedule(p.probe, start + 30 * kUs);
  p.events.schedule(p.probe, start + 40 * kUs);
  p.run_to(start + 50 * kUs);
  CHECK(p.fired == std::vector<Ps>{start + 5 * kUs + 3, start + 40 * kUs});
}

TEST_CASE("platform: an event that is due already fires at once, with its own deadline as now") {
  Platform& p = platform();
  p.fired.clear();
  const Ps start = p.now();
  p.events.schedule(p.probe, start - 1);
  p.run_to(start + 1);
  CHECK(p.fired == std::vector<Ps>{start - 1});
}

TEST_CASE("platform: a device's timer interrupts through I/O APIC and northbridge, at its time") {
  Platform& p = platform();
  p.sink.messages.clear();
  p.sink.times.clear();
  const Hpa kIoApic{0xfec0'0000}, kHpet{0xfed0'0000};
  const auto store = [&](Hpa address, u64 value, Ps at) {
    p.first.write(address, 4, value, kData, at);
  };
  const Ps start = p.now();
  store(kIoApic, 0x11 + 2 * 20, start);
  store(kIoApic + 0x10, 0x0100'0000, start);
  store(kIoApic, 0x10 + 2 * 20, start);
  store(kIoApic + 0x10, 0x2055, start);  // active low, edge
  store(kHpet + 0x10, 1, start);
  const u64 counter = p.first.read(kHpet + 0xf0, 8, kData, start);
  store(kHpet + 0x100, 20 << 9 | 4, start + kUs);
  store(kHpet + 0x108, counter + 250, start + kUs);
  p.run_to(start + 10 * kUs);
  REQUIRE(p.sink.messages.size() == 1);
  CHECK(p.sink.messages[0].vector == 0x55);
  CHECK(p.sink.messages[0].destination == 1);
  // The 250th tick after the one that had been reached: within a tick of 2.5 us.
  CHECK(p.sink.times[0] > start + 2 * kUs + 490'000);
  CHECK(p.sink.times[0] <= start + 2 * kUs + 500'000);
  store(kHpet + 0x10, 0, p.now());
}

TEST_CASE("platform: a device's write to FEEx_xxxx is an interrupt") {
  Platform& p = platform();
  p.sink.messages.clear();
  const u32 data = 0x4031;
  std::array<u8, 4> bytes;
  std::memcpy(bytes.data(), &data, 4);
  CHECK(p.device.write(Hpa(0xfee0'2000), bytes, p.now()));
  REQUIRE(p.sink.messages.size() == 1);
  CHECK(p.sink.messages[0].destination == 2);
  CHECK(p.sink.messages[0].vector == 0x31);
}

TEST_CASE("platform: RAM is given out as host pages, registers and holes are not") {
  Platform& p = platform();
  Northbridge& bridge = p.northbridge.bridge();
  for (const u64 page : {u64{0}, u64{0x9'f000}, u64{0x10'0000}, u64{0x7fff'f000},
                         u64{0x1'0000'0000}, u64{0x1'3fff'f000}}) {
    CAPTURE(page);
    const HostPage host = p.first.host_page(Hpa(page), false);
    CHECK(host.read == bridge.memory().host(Hpa(page)));
    CHECK(host.write == host.read);
  }
  for (const u64 page : {u64{0xa'0000}, u64{0x8000'0000}, u64{0xfec0'0000}, u64{0xfee0'0000},
                         u64{0x1'4000'0000}}) {
    CAPTURE(page);
    CHECK(p.first.host_page(Hpa(page), false).read == nullptr);
    CHECK(p.first.host_page(Hpa(page), false).write == nullptr);
  }
}

TEST_CASE("platform: PAM changes host pages, and every core is told before it uses the old ones") {
  Platform& p = platform();
  u8* const dram = p.northbridge.bridge().memory().host(Hpa(0xf'0000));
  CHECK(p.first.host_page(Hpa(0xf'0000), false).read == nullptr);
  const int before[] = {p.listeners[0].map_changes, p.listeners[1].map_changes};
  p.configure(0x90, 1, 0x10);  // read-only DRAM
  CHECK(p.listeners[0].map_changes > before[0]);
  CHECK(p.listeners[1].map_changes > before[1]);
  CHECK(p.second.host_page(Hpa(0xf'0000), false).read == dram);
  CHECK(p.second.host_page(Hpa(0xf'0000), false).write == nullptr);
  p.configure(0x90, 1, 0x20);  // writes only
  CHECK(p.first.host_page(Hpa(0xf'f000), false).read == nullptr);
  CHECK(p.first.host_page(Hpa(0xf'f000), false).write == dram + 0xf000);
  p.configure(0x90, 1, 0x30);
  CHECK(p.first.host_page(Hpa(0xf'f000), false).write == dram + 0xf000);
  const int quiet = p.listeners[0].map_changes;
  p.configure(0x90, 1, 0x30);  // as it is
  CHECK(p.listeners[0].map_changes == quiet);
  p.configure(0x90, 1, 0);
}

TEST_CASE("platform: SMRAM is a host page in system-management mode only") {
  Platform& p = platform();
  p.configure(0x9d, 1, 0x08);
  CHECK(p.first.host_page(Hpa(0xa'0000), false).read == nullptr);
  CHECK(p.first.host_page(Hpa(0xa'0000), true).read ==
        p.northbridge.bridge().memory().host(Hpa(0xa'0000)));
  p.first.write(Hpa(0xa'0000), 4, 0x5a5a'5a5a, {.in_smm = true}, p.now());
  CHECK(p.first.read(Hpa(0xa'0000), 4, {.in_smm = true}, p.now()) == 0x5a5a'5a5a);
  CHECK(p.first.read(Hpa(0xa'0000), 4, kData, p.now()) == 0xffff'ffff);
  p.configure(0x9d, 1, 0x00);
}

TEST_CASE("platform: A20M# clears bit 20 of all a core's addresses, ports excepted") {
  Platform& p = platform();
  p.first.write(Hpa(0x1234), 1, 0x11, kData, p.now());
  p.first.write(Hpa(0x10'1234), 1, 0x22, kData, p.now());
  const int before = p.listeners[0].map_changes;
  p.first.set_a20(false);
  CHECK(p.listeners[0].map_changes == before + 1);
  CHECK(p.first.read(Hpa(0x10'1234), 1, kData, p.now()) == 0x11);
  CHECK(p.first.host_page(Hpa(0x10'1000), false).read == p.first.host_page(Hpa(0x1000), false).read);
  CHECK(p.first.host_page(Hpa(0x30'0000), false).read ==
        p.northbridge.bridge().memory().host(Hpa(0x20'0000)));
  CHECK(p.second.read(Hpa(0x10'1234), 1, kData, p.now()) == 0x22);
  p.first.set_a20(true);
  CHECK(p.first.read(Hpa(0x10'1234), 1, kData, p.now()) == 0x22);
}

TEST_CASE("platform: every core hears of a device's write to memory") {
  Platform& p = platform();
  for (Listener& listener : p.listeners) listener.writes.clear();
  const std::array<u8, 3> bytes{1, 2, 3};
  CHECK(p.device.write(Hpa(0x5000), bytes, p.now()));
  const std::vector<std::pair<u64, u64>> expected{{0x5000, 3}};
  CHECK(p.listeners[0].writes == expected);
  CHECK(p.listeners[1].writes == expected);
}

TEST_CASE("platform: fw_cfg moves files into memory by DMA") {
  Platform& p = platform();
  const u16 key = p.southbridge.bridge().fw_cfg().add_file("opt/test", {0xde, 0xad});
  const std::array<u8, 16> descriptor{0, static_cast<u8>(key), 0, 0x0a, 0, 0, 0, 2,
                                      0, 0, 0, 0, 0, 0, 0x70, 0};
  CHECK(p.device.write(Hpa(0x6000), descriptor, p.now()));
  p.first.port_out(0x518, 4, __builtin_bswap32(0x6000), p.now());
  CHECK(p.first.read(Hpa(0x6000), 4, kData, p.now()) == 0);
  CHECK(p.first.read(Hpa(0x7000), 2, kData, p.now()) == 0xadde);
}

TEST_CASE("platform: accesses that cross a region's border reach both sides") {
  Platform& p = platform();
  p.configure(0x90, 1, 0x30);
  p.first.write(Hpa(0xf'fffe), 4, 0x4433'2211, kData, p.now());
  CHECK(p.first.read(Hpa(0xf'fffe), 2, kData, p.now()) == 0x2211);
  CHECK(p.first.read(Hpa(0x10'0000), 2, kData, p.now()) == 0x4433);
  p.configure(0x90, 1, 0);
}
