#include "model/chipset/northbridge.h"

#include <catch2/catch.hpp>
#include <cstring>

#include "model/device/pci_registers.h"

using namespace vtsim;
using namespace vtsim::chipset;

namespace {

constexpr u64 kMiB = u64{1} << 20;
constexpr Ps kNow = 5000;

struct Messages : InterruptSink {
  std::vector<InterruptMessage> delivered;
  void deliver(const InterruptMessage& message, Ps) override { delivered.push_back(message); }
};

struct Southbridge : BusLink {
  std::vector<u64> ports, memory;
  bool transport(const BusTransaction& transaction, Ps) override {
    (transaction.info.space == BusSpace::kPort ? ports : memory).push_back(transaction.address);
    if (!transaction.is_write()) {
      std::memset(transaction.data.data(), 0xff, transaction.data.size());
    }
    return false;
  }
};

struct Machine {
  Messages messages;
  Southbridge southbridge;
  Northbridge bridge;
  bool in_smm = false;

  explicit Machine(u64 ram = 64 * kMiB) : bridge({.ram_bytes = ram}, messages) {
    bridge.connect_below(southbridge);
  }
  BusInfo info(BusSpace space) const { return {.space = space, .in_smm = in_smm}; }
  u64 get(BusSpace space, u64 address, unsigned size) {
    u64 value = 0;
    const std::span<u8> data(reinterpret_cast<u8*>(&value), size);
    bridge.transport({.address = address, .data = data, .info = info(space)}, kNow);
    return value;
  }
  bool put(BusSpace space, u64 address, unsigned size, u64 value) {
    const std::span<u8> data(reinterpret_cast<u8*>(&value), size);
    return bridge.transport({.command = BusTransaction::Command::kWrite, .address = address,
                             .data = data, .info = info(space)},
                            kNow);
  }
  u64 read(u64 address, unsigned size = 1) { return get(BusSpace::kMemory, address, size); }
  bool write(u64 address, u64 value, unsigned size = 1) {
    return put(BusSpace::kMemory, address, size, value);
  }
  // Through CF8/CFC.
  void configure(unsigned reg, unsigned size, u64 value, u16 id = 0) {
    put(BusSpace::kPort, 0xcf8, 4, 0x8000'0000 | u64{id} << 8 | (reg & ~3u));
    put(BusSpace::kPort, 0xcfc + reg % 4, size, value);
  }
  u64 configuration(unsigned reg, unsigned size, u16 id = 0) {
    put(BusSpace::kPort, 0xcf8, 4, 0x8000'0000 | u64{id} << 8 | (reg & ~3u));
    return get(BusSpace::kPort, 0xcfc + reg % 4, size);
  }
};

constexpr unsigned kPciexbar = 0x60, kPam0 = 0x90, kSmram = 0x9d, kEsmramc = 0x9e;

}  // namespace

TEST_CASE("northbridge: the host bridge is 8086:29c0, a host bridge by class, at device 0") {
  Machine m;
  CHECK(m.configuration(0, 4) == 0x29c0'8086);
  CHECK(m.configuration(0x08, 4) >> 16 == 0x0600);
  CHECK(m.configuration(0, 4, 0x0008) == 0xffff'ffff);  // device 1: nobody
}

TEST_CASE("northbridge: CONFIG_ADDRESS takes doublewords only; other accesses pass to the bus") {
  Machine m;
  m.put(BusSpace::kPort, 0xcf8, 4, 0x8000'0000);
  m.put(BusSpace::kPort, 0xcf9, 1, 0x06);
  m.put(BusSpace::kPort, 0xcf8, 2, 0x1234);
  CHECK(m.southbridge.ports == std::vector<u64>{0xcf9, 0xcf8});
  CHECK(m.get(BusSpace::kPort, 0xcf8, 4) == 0x8000'0000);
  CHECK(m.get(BusSpace::kPort, 0xcfe, 2) == 0x29c0);
  m.put(BusSpace::kPort, 0xcf8, 4, 0);  // not enabled
  CHECK(m.get(BusSpace::kPort, 0xcfc, 4) == 0xffff'ffff);
}

TEST_CASE("northbridge: PCIEXBAR places the configuration space in memory, in three sizes") {
  Machine m;
  CHECK(m.read(0xb000'0000, 4) == 0xffff'ffff);
  m.configure(kPciexbar, 4, 0xb000'0001);
  CHECK(m.read(0xb000'0000, 4) == 0x29c0'8086);
  CHECK(m.read(0xb000'0000, 8) == (m.configuration(4, 4) << 32 | 0x29c0'8086));
  CHECK(m.read(0xb000'8000, 4) == 0xffff'ffff);
  m.write(0xb000'0000 + kPam0 + 1, 0x33);  // registers are the same ones
  CHECK(m.configuration(kPam0 + 1, 1) == 0x33);
  CHECK(m.read(0xbff0'0000, 2) == 0xffff);
  CHECK(m.bridge.host_bridge().ecam()->bytes == 256 * kMiB);
  m.configure(kPciexbar, 4, 0xb800'0003);
  CHECK(m.bridge.host_bridge().ecam()->base == 0xb800'0000);
  CHECK(m.bridge.host_bridge().ecam()->bytes == 128 * kMiB);
  CHECK(m.read(0xb800'0000, 4) == 0x29c0'8086);
  CHECK(m.read(0xb000'0000, 4) == 0xffff'ffff);
  m.configure(kPciexbar, 4, 0xbc00'0005);
  CHECK(m.bridge.host_bridge().ecam()->bytes == 64 * kMiB);
  CHECK(m.read(0xbc00'0000, 4) == 0x29c0'8086);
}

TEST_CASE("northbridge: each PAM field turns reads and writes of its segment to DRAM or the bus") {
  const unsigned segment = GENERATE(range(0u, 13u));
  CAPTURE(segment);
  const u64 base = segment == 12 ? 0xf'0000 : 0xc'0000 + segment * 0x4000;
  const u64 last = segment == 12 ? 0xf'ffff : base + 0x3fff;
  const unsigned reg = segment == 12 ? kPam0 : kPam0 + 1 + segment / 2;
  const unsigned shift = segment == 12 || segment % 2 ? 4 : 0;
  Machine m;
  *m.bridge.memory().host(Hpa(base)) = 0x11;
  *m.bridge.memory().host(Hpa(last)) = 0x11;
  // At reset: neither.
  m.write(base, 0x22);
  CHECK(m.read(base) == 0xff);
  CHECK(*m.bridge.memory().host(Hpa(base)) == 0x11);
  // Writes only: what is there shows when reads are on too.
  m.configure(reg, 1, 2u << shift);
  m.write(base, 0x33);
  m.write(last, 0x33);
  CHECK(m.read(base) == 0xff);
  CHECK(*m.bridge.memory().host(Hpa(last)) == 0x33);
  // Reads only: write-protected.
  m.configure(reg, 1, 1u << shift);
  m.write(base, 0x44);
  CHECK(m.read(base) == 0x33);
  CHECK(m.bridge.host_range(Hpa(base), View::kNormal).read != nullptr);
  CHECK(m.bridge.host_range(Hpa(base), View::kNormal).write == nullptr);
  // Both. The neighbours are untouched.
  m.configure(reg, 1, 3u << shift);
  m.write(last, 0x55);
  CHECK(m.read(last) == 0x55);
  CHECK(m.bridge.host_range(Hpa(base), View::kNormal).first == base);
  CHECK(m.bridge.host_range(Hpa(base), View::kNormal).last == last);
}

TEST_CASE("northbridge: the video area is the bus's, whatever RAM lies under it") {
  Machine m;
  m.write(0xa'0000, 1);
  m.read(0xb'ffff);
  CHECK(m.southbridge.memory == std::vector<u64>{0xa'0000, 0xb'ffff});
  CHECK(m.read(0x9'ffff) == 0);
}

TEST_CASE("northbridge: compatible SMRAM is DRAM in SMM when enabled, and for all while open") {
  Machine m;
  m.configure(kSmram, 1, 0x48);  // D_OPEN, G_SMRAME
  CHECK(m.write(0xa'1000, 0x5a));
  CHECK(m.read(0xa'1000) == 0x5a);
  m.configure(kSmram, 1, 0x08);
  CHECK(m.read(0xa'1000) == 0xff);
  m.in_smm = true;
  CHECK(m.read(0xa'1000) == 0x5a);
  m.in_smm = false;
  m.configure(kSmram, 1, 0x00);
  m.in_smm = true;
  CHECK(m.read(0xa'1000) == 0xff);
}

TEST_CASE("northbridge: D_LCK closes SMRAM for good and freezes all but D_CLS") {
  Machine m;
  m.configure(kEsmramc, 1, 0x03);  // 2 MiB of TSEG
  m.configure(kSmram, 1, 0x58);    // D_OPEN, D_LCK, G_SMRAME
  CHECK(m.configuration(kSmram, 1) == 0x1a);
  m.configure(kSmram, 1, 0x60);
  CHECK(m.configuration(kSmram, 1) == 0x3a);  // D_CLS was set, nothing else changed
  m.configure(kEsmramc, 1, 0x80);
  CHECK((m.configuration(kEsmramc, 1) & 0x87) == 0x03);
  m.bridge.reset(kNow);
  CHECK(m.configuration(kSmram, 1) == 0x02);
  m.configure(kSmram, 1, 0x48);
  CHECK(m.configuration(kSmram, 1) == 0x4a);
}

TEST_CASE("northbridge: TSEG at the top of low RAM is seen in SMM only") {
  const unsigned size = GENERATE(0u, 1u, 2u);
  const u64 bytes = std::array{1 * kMiB, 2 * kMiB, 8 * kMiB}[size];
  Machine m;
  const u64 base = 64 * kMiB - bytes;
  m.write(base, 0x5a);
  m.configure(kEsmramc, 1, size << 1 | 1);
  CHECK(m.read(base) == 0x5a);  // without G_SMRAME nothing is protected
  m.configure(kSmram, 1, 0x08);
  CHECK(m.read(base) == 0xff);
  CHECK(m.write(base, 0));
  CHECK(m.read(base - 1) == 0);
  CHECK(m.bridge.host_range(Hpa(base), View::kNormal).read == nullptr);
  CHECK(m.bridge.host_range(Hpa(base), View::kSmm).read != nullptr);
  m.in_smm = true;
  CHECK(m.read(base) == 0x5a);
}

TEST_CASE("northbridge: high SMRAM shows the video area's DRAM at FEDA0000, in SMM") {
  Machine m;
  *m.bridge.memory().host(Hpa(0xa'0123)) = 0x5a;
  m.configure(kEsmramc, 1, 0x80);
  m.configure(kSmram, 1, 0x08);
  m.in_smm = true;
  CHECK(m.read(0xfeda'0123) == 0x5a);
  CHECK(m.read(0xa'0123) == 0xff);
  m.in_smm = false;
  CHECK(m.read(0xfeda'0123) == 0xff);
}

TEST_CASE("northbridge: a doubleword written to FEEx_xxxx is an interrupt message") {
  Machine m;
  CHECK(m.write(0xfee0'3004, 0x4041, 4));
  REQUIRE(m.messages.delivered.size() == 1);
  const InterruptMessage& message = m.messages.delivered[0];
  CHECK(message.destination == 3);
  CHECK(message.destination_mode == DestinationMode::kLogical);
  CHECK(message.vector == 0x41);
  m.write(0xfee0'3004, 0x41, 2);
  CHECK(m.messages.delivered.size() == 1);
  CHECK(m.read(0xfee0'3000, 4) == 0xffff'ffff);
}

TEST_CASE("northbridge: firmware ends at 4 GiB and shows below 1 MiB until PAM selects DRAM") {
  Machine m;
  std::vector<u8> image(256 * 1024);
  image.front() = 0x01;
  image[128 * 1024] = 0x02;
  image.back() = 0x03;
  m.bridge.install_firmware(image);
  CHECK(m.read(0xfffc'0000) == 0x01);
  CHECK(m.read(0xffff'ffff) == 0x03);
  CHECK(m.read(0xe'0000) == 0x02);
  CHECK(m.read(0xf'ffff) == 0x03);
  m.write(0xffff'ffff, 0x99);
  CHECK(m.read(0xffff'ffff) == 0x03);
  m.configure(kPam0, 1, 0x30);
  CHECK(m.read(0xf'ffff) == 0x00);
  CHECK(m.read(0xe'0000) == 0x02);
}

TEST_CASE("northbridge: RAM above 4 GiB answers there; the hole below goes to the bus") {
  Machine m(3072 * kMiB);
  CHECK(m.write(0x1'0000'0000, 0x5a));
  CHECK(m.read(0x1'0000'0000) == 0x5a);
  CHECK(m.read(0x8000'0000) == 0xff);
  CHECK(m.southbridge.memory == std::vector<u64>{0x8000'0000});
  CHECK(m.read(0x1'4000'0000) == 0xff);
  CHECK(m.southbridge.memory.size() == 1);  // beyond RAM no one is asked
}

TEST_CASE("northbridge: writes of memory over the bus are told, others are not") {
  Machine m;
  std::vector<std::pair<u64, u64>> told;
  m.bridge.on_memory_write([&](Hpa first, u64 bytes) { told.emplace_back(first.value, bytes); });
  m.write(0x1000, 1, 4);
  m.read(0x1000, 4);
  m.write(0xfee0'0000, 0x41, 4);
  m.put(BusSpace::kPort, 0x80, 1, 1);
  CHECK(told == std::vector<std::pair<u64, u64>>{{0x1000, 4}});
}

TEST_CASE("northbridge: a BAR answers where software put it while decoding is on") {
  struct Registers : RegisterTarget {
    u64 read(u64 offset, unsigned, Ps) override { return offset; }
    void write(u64, unsigned, u64, Ps) override {}
  } registers;
  struct Function : device::PciFunction {
    explicit Function(RegisterTarget& target)
        : PciFunction("test", {.vendor = 0x1234, .device = 0x5678, .class_code = 0}) {
      add_bar({.index = 0, .kind = device::BarKind::kMemory32, .bytes = 0x1000, .target = &target});
      add_bar({.index = 1, .kind = device::BarKind::kIo, .bytes = 0x20, .target = &target});
      add_bar({.index = 2, .kind = device::BarKind::kMemory64, .bytes = 0x1000, .target = &target});
    }
  } function(registers);
  Machine m;
  m.bridge.pci().add(function, {0, 3, 0});
  int changes = 0;
  m.bridge.on_map_change([&] { ++changes; });
  constexpr u16 kId = 3 << 3;
  m.configure(0x10, 4, 0xc000'0000, kId);
  m.configure(0x14, 4, 0xc041, kId);
  m.configure(0x18, 4, 0x0000'0004, kId);
  m.configure(0x1c, 4, 0x0000'0008, kId);
  CHECK(m.read(0xc000'0010) == 0xff);
  CHECK(changes == 0);
  m.configure(0x04, 2, 0x0003, kId);
  CHECK(changes != 0);
  CHECK(m.read(0xc000'0010) == 0x10);
  CHECK(m.read(0x8'0000'0018) == 0x18);
  CHECK(m.get(BusSpace::kPort, 0xc044, 1) == 0x04);
  CHECK(m.get(BusSpace::kPort, 0xc060, 1) == 0xff);
  m.configure(0x04, 2, 0x0002, kId);
  CHECK(m.get(BusSpace::kPort, 0xc044, 1) == 0xff);
  CHECK(m.read(0xc000'0010) == 0x10);
  m.configure(0x10, 4, 0xffff'ffff, kId);  // being sized
  CHECK(m.configuration(0x10, 4, kId) == 0xffff'f000);
  CHECK(m.read(0xc000'0010) == 0xff);
}

TEST_CASE("northbridge: a restored host bridge shapes the map as the saved one, locks included") {
  Machine saved;
  saved.configure(kPciexbar, 4, 0xb000'0001);
  saved.configure(kPam0, 1, 0x30);
  saved.configure(kSmram, 1, 0x18);  // D_LCK, G_SMRAME
  Machine m;
  device::PciFunction& bridge = *m.bridge.pci().find(HostBridge::kBdf);
  bridge.restore(saved.bridge.host_bridge().state(), kNow);
  CHECK(m.read(0xb000'0000, 4) == 0x29c0'8086);
  CHECK(m.write(0xf'0000, 0x5a));
  CHECK(m.read(0xf'0000) == 0x5a);
  m.configure(kSmram, 1, 0x40);
  CHECK(m.configuration(kSmram, 1) == 0x1a);
  bridge.restore(Machine().bridge.host_bridge().state(), kNow);
  m.configure(kSmram, 1, 0x40);
  CHECK(m.configuration(kSmram, 1) == 0x42);
}
