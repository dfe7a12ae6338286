#include "model/device/pci_function.h"

#include <catch2/catch.hpp>
#include <cstring>

using namespace vtsim;
using namespace vtsim::device;

namespace {

constexpr Ps kNow = 77;

struct Bus : PciFabric, MemoryPort {
  std::vector<unsigned> changed;
  std::vector<std::pair<u64, u32>> posted;
  void bar_changed(PciFunction&, unsigned bar) override { changed.push_back(bar); }
  bool read(Hpa, std::span<u8>, Ps) override { return false; }
  bool write(Hpa address, std::span<const u8> data, Ps) override {
    u32 value = 0;
    std::memcpy(&value, data.data(), data.size());
    posted.emplace_back(address.value, value);
    return true;
  }
};

struct Registers : RegisterTarget {
  u64 read(u64, unsigned, Ps) override { return 0; }
  void write(u64, unsigned, u64, Ps) override {}
};

constexpr unsigned kMsi = 0x50, kMsix = 0x70;

struct Device : PciFunction {
  static constexpr ConfigRow kRows[] = {
      {"RW", 0x40, 4, 0x1234'5678, 0x0000'ffff},
      {"W1C", 0x44, 1, 0xff, 0, 0x0f},
  };
  Registers registers;
  Bus bus;

  Device()
      : PciFunction("device", {.vendor = 0x8086,
                               .device = 0xabcd,
                               .revision = 7,
                               .class_code = 0x02'0105,
                               .subsystem_vendor = 0x1af4,
                               .subsystem = 0x1100,
                               .interrupt_pin = 1}) {
    add_rows(kRows);
    add_bar({.index = 0, .kind = BarKind::kMemory32, .bytes = 0x2000, .target = &registers});
    add_bar({.index = 1, .kind = BarKind::kIo, .bytes = 0x40, .target = &registers});
    add_bar({.index = 2, .kind = BarKind::kPrefetchable64, .bytes = u64{1} << 33,
             .target = &registers});
    add_msi(kMsi, 4);
    add_msix(kMsix, {.vectors = 3, .bar = 0, .table_offset = 0x1000, .pba_offset = 0x1800});
    attach(bus, {0, 5, 1});
    connect_dma(bus);
  }
  u32 get(unsigned offset, unsigned size) { return config_read(offset, size, kNow); }
  void set(unsigned offset, unsigned size, u32 value) { config_write(offset, size, value, kNow); }
  void interrupt(bool level) { set_interrupt_level(level, kNow); }
  void message(unsigned vector) { send_message(vector, kNow); }
  u64 table(u32 offset, unsigned size) { return msix_read(offset, size); }
  void set_table(u32 offset, unsigned size, u64 value) { msix_write(offset, size, value, kNow); }
};

}  // namespace

TEST_CASE("configuration space: the header tells what the function is, and cannot be changed") {
  Device d;
  d.set(0x00, 4, ~0u);
  d.set(0x08, 4, ~0u);
  d.set(0x2c, 4, ~0u);
  d.set(0x3d, 1, 0xff);
  CHECK(d.get(0x00, 4) == 0xabcd'8086);
  CHECK(d.get(0x08, 4) == 0x0201'0507);
  CHECK(d.get(0x2c, 4) == 0x1100'1af4);
  CHECK(d.get(0x3d, 1) == 1);
  d.set(0x3c, 1, 0x0b);
  CHECK(d.get(0x3c, 2) == 0x010b);
}

TEST_CASE("configuration space: a row's bits are writable, write-1-to-clear or read-only") {
  Device d;
  d.set(0x40, 4, 0xaaaa'bbbb);
  CHECK(d.get(0x40, 4) == 0x1234'bbbb);
  d.set(0x41, 1, 0xcc);
  CHECK(d.get(0x40, 4) == 0x1234'ccbb);
  d.set(0x44, 1, 0x33);
  CHECK(d.get(0x44, 1) == 0xfc);
  d.reset(kNow);
  CHECK(d.get(0x40, 4) == 0x1234'5678);
  CHECK(d.get(0x44, 1) == 0xff);
}

TEST_CASE("BAR: all ones written read back as the size and kind") {
  Device d;
  for (unsigned bar = 0; bar < 6; ++bar) d.set(0x10 + 4 * bar, 4, ~0u);
  CHECK(d.get(0x10, 4) == 0xffff'e000);
  CHECK(d.get(0x14, 4) == 0xffff'ffc1);
  CHECK(d.get(0x18, 4) == 0x0000'000c);
  CHECK(d.get(0x1c, 4) == 0xffff'fffe);
  CHECK(d.get(0x20, 4) == 0);  // not implemented
}

TEST_CASE("BAR: it has a window while its space is enabled and its base makes sense") {
  Device d;
  d.set(0x10, 4, 0xfe00'0000);
  d.set(0x14, 4, 0xc000);
  CHECK_FALSE(d.bar_window(0));
  d.set(0x04, 2, 0x0001);
  CHECK_FALSE(d.bar_window(0));
  REQUIRE(d.bar_window(1));
  CHECK(d.bar_window(1)->is_io);
  CHECK(d.bar_window(1)->base == 0xc000);
  d.set(0x04, 2, 0x0003);
  REQUIRE(d.bar_window(0));
  CHECK(d.bar_window(0)->base == 0xfe00'0000);
  CHECK(d.bar_window(0)->bytes == 0x2000);
  CHECK_FALSE(d.bar_window(2));  // never assigned
  d.set(0x1c, 4, 0x40);
  REQUIRE(d.bar_window(2));
  CHECK(d.bar_window(2)->base == 0x40'0000'0000);
  d.set(0x10, 4, ~0u);
  CHECK_FALSE(d.bar_window(0));
  d.set(0x14, 4, 0x1'0000);  // beyond the ports
  CHECK_FALSE(d.bar_window(1));
}

TEST_CASE("BAR: the bus hears of the BARs that a write may have moved") {
  Device d;
  d.set(0x40, 4, 0);
  CHECK(d.bus.changed.empty());
  d.set(0x1c, 4, 1);
  CHECK(d.bus.changed == std::vector<unsigned>{2});
  d.bus.changed.clear();
  d.set(0x04, 2, 3);
  CHECK(d.bus.changed == std::vector<unsigned>{0, 1, 2});
}

TEST_CASE("capabilities: the list leads from the header through all, and ends") {
  Device d;
  CHECK((d.get(0x06, 2) & 0x10) != 0);
  CHECK(d.get(0x34, 1) == kMsi);
  CHECK(d.get(kMsi, 2) == (kMsix << 8 | 0x05));
  CHECK(d.get(kMsix, 2) == 0x0011);
  CHECK(d.get(kMsi + 2, 2) == 0x0184);  // 4 vectors, 64-bit, per-vector masking
  CHECK(d.get(kMsix + 2, 2) == 2);
  CHECK(d.get(kMsix + 4, 4) == 0x1000);
  CHECK(d.get(kMsix + 8, 4) == 0x1800);
}

TEST_CASE("INTx: the wire follows the level, unless the command register disables it") {
  Device d;
  d.interrupt(true);
  CHECK(d.intx().level());
  CHECK((d.get(0x06, 2) & 0x08) != 0);
  d.set(0x04, 2, 0x400);
  CHECK_FALSE(d.intx().level());
  CHECK((d.get(0x06, 2) & 0x08) != 0);  // the status bit does not care
  d.set(0x04, 2, 0);
  CHECK(d.intx().level());
  d.interrupt(false);
  CHECK_FALSE(d.intx().level());
  CHECK((d.get(0x06, 2) & 0x08) == 0);
}

TEST_CASE("MSI: enabled, it takes INTx's place; messages carry the vector in the low data bits") {
  Device d;
  d.set(0x04, 2, 4);
  d.set(kMsi + 4, 4, 0xfee0'1007);
  d.set(kMsi + 8, 4, 0);
  d.set(kMsi + 12, 2, 0x4160);
  d.set(kMsi + 2, 2, 0x0021);  // 4 vectors enabled
  d.interrupt(true);
  CHECK_FALSE(d.intx().level());
  d.message(3);
  CHECK(d.bus.posted ==
        std::vector<std::pair<u64, u32>>{{0xfee0'1004, 0x4160}, {0xfee0'1004, 0x4163}});
  d.set(0x04, 2, 0);  // not a bus master: nothing leaves
  d.message(1);
  CHECK(d.bus.posted.size() == 2);
}

TEST_CASE("MSI: what is sent while masked is pending, and goes out at unmasking") {
  Device d;
  d.set(0x04, 2, 4);
  d.set(kMsi + 4, 4, 0xfee0'0000);
  d.set(kMsi + 12, 2, 0x40);
  d.set(kMsi + 2, 2, 0x0021);
  d.set(kMsi + 16, 4, 0x4);
  d.message(2);
  CHECK(d.bus.posted.empty());
  CHECK(d.get(kMsi + 20, 4) == 0x4);
  d.set(kMsi + 16, 4, 0);
  CHECK(d.bus.posted == std::vector<std::pair<u64, u32>>{{0xfee0'0000, 0x42}});
  CHECK(d.get(kMsi + 20, 4) == 0);
}

TEST_CASE("MSI-X: vectors come up masked; each has its own address and data") {
  Device d;
  d.set(0x04, 2, 4);
  d.set(kMsix + 2, 2, 0x8000);
  CHECK(d.table(0x100c, 4) == 1);
  d.set_table(0x1010, 8, 0xfee0'2000);
  d.set_table(0x1018, 4, 0x51);
  d.message(1);
  CHECK(d.bus.posted.empty());
  CHECK(d.table(0x1800, 8) == 2);
  d.set_table(0x101c, 4, 0);
  CHECK(d.bus.posted == std::vector<std::pair<u64, u32>>{{0xfee0'2000, 0x51}});
  CHECK(d.table(0x1800, 8) == 0);
  d.set(kMsix + 2, 2, 0xc000);  // the function mask holds all back
  d.message(1);
  CHECK(d.bus.posted.size() == 1);
  d.set(kMsix + 2, 2, 0x8000);
  CHECK(d.bus.posted.size() == 2);
  d.set_table(0x1800, 8, ~u64{0});  // pending bits are read-only
  CHECK(d.table(0x1800, 8) == 0);
}

TEST_CASE("restore: registers, BARs, wires and MSI-X are as they were saved") {
  Device saved;
  saved.set(0x10, 4, 0xfe00'0000);
  saved.set(0x04, 2, 6);
  saved.set(0x40, 4, 0x4321);
  saved.interrupt(true);
  saved.set_table(0x1010, 8, 0xfee0'2000);
  Device d;
  d.restore(saved.state(), kNow);
  CHECK(d.get(0x40, 4) == 0x1234'4321);
  REQUIRE(d.bar_window(0));
  CHECK(d.bar_window(0)->base == 0xfe00'0000);
  CHECK(d.bus.changed == std::vector<unsigned>{0, 1, 2});
  CHECK(d.intx().level());
  CHECK(d.table(0x1010, 8) == 0xfee0'2000);
}
