#include "model/chipset/pci_setup.h"

#include <catch2/catch.hpp>

#include "model/device/pci_testdev.h"

using namespace vtsim;
using namespace vtsim::chipset;
using device::BarKind;

namespace {

struct Registers : RegisterTarget {
  u64 read(u64, unsigned, Ps) override { return 0; }
  void write(u64, unsigned, u64, Ps) override {}
} registers;

struct Function : device::PciFunction {
  Function(u8 pin, std::vector<std::pair<BarKind, u64>> bars)
      : PciFunction("f" + std::to_string(pin),
                    {.vendor = 1, .device = 2, .class_code = 0, .interrupt_pin = pin}) {
    unsigned index = 0;
    for (const auto& [kind, bytes] : bars) {
      add_bar({.index = index, .kind = kind, .bytes = bytes, .target = &registers});
      index += kind == BarKind::kMemory64 || kind == BarKind::kPrefetchable64 ? 2 : 1;
    }
  }
};

struct Fixture {
  AddressMap memory, ports;
  PciBus bus{memory, ports, 0};
  bool assign(const PciWindows& windows = {}) {
    return assign_pci_resources(
        bus, windows, [](const device::PciFunction& f) { return static_cast<u8>(8 + f.interrupt_pin()); }, 0);
  }
};

constexpr u64 kMiB = u64{1} << 20;

}  // namespace

TEST_CASE("PCI setup: BARs are aligned, disjoint, inside their window, and decoded") {
  Fixture f;
  Function a(0, {{BarKind::kMemory32, 0x1000}, {BarKind::kIo, 0x20}, {BarKind::kMemory64, 4 * kMiB}});
  Function b(2, {{BarKind::kIo, 0x100}, {BarKind::kPrefetchable64, 0x4000}, {BarKind::kMemory32, 16}});
  f.bus.add(a, {0, 2, 0});
  f.bus.add(b, {0, 3, 0});
  REQUIRE(f.assign());
  std::vector<device::BarWindow> windows;
  f.bus.for_each([&](device::PciFunction& function) {
    for (unsigned bar = 0; bar < 6; ++bar) {
      if (function.bar_target(bar)) {
        REQUIRE(function.bar_window(bar));
        windows.push_back(*function.bar_window(bar));
      }
    }
  });
  CHECK(windows.size() == 6);
  for (std::size_t i = 0; i < windows.size(); ++i) {
    const auto& w = windows[i];
    CHECK(w.base % w.bytes == 0);
    CHECK(w.base >= (w.is_io ? 0xc000 : 0xc000'0000));
    CHECK(w.base + w.bytes - 1 <= (w.is_io ? 0xffff : 0xfebf'ffff));
    for (std::size_t j = 0; j < i; ++j) {
      const auto& v = windows[j];
      const bool overlap =
          v.is_io == w.is_io && v.base < w.base + w.bytes && w.base < v.base + v.bytes;
      CHECK_FALSE(overlap);
    }
  }
  CHECK(b.config_read(0x3c, 1, 0) == 10);
  CHECK(a.config_read(0x3c, 1, 0) == 0);
}

TEST_CASE("PCI setup: a large 64-bit BAR goes above 4 GiB; a 32-bit one without room stays off") {
  Fixture f;
  Function large(0, {{BarKind::kPrefetchable64, 4096 * kMiB}});
  Function small(0, {{BarKind::kMemory32, 0x1000}});
  f.bus.add(large, {0, 2, 0});
  f.bus.add(small, {0, 3, 0});
  CHECK_FALSE(f.assign());
  CHECK_FALSE(large.bar_window(0));
  REQUIRE(small.bar_window(0));
  REQUIRE(f.assign({.first_high_memory = 0x1'8000'0000, .last_high_memory = 0x4'ffff'ffff}));
  CHECK(large.bar_window(0)->base == 0x2'0000'0000);
  CHECK_FALSE(f.assign({.last_memory = 0xc000'0fff - 1}));
  CHECK_FALSE(small.bar_window(0));
}

TEST_CASE("PCI setup: pci-testdev gets the BARs that test suites look for") {
  Fixture f;
  device::PciTestdev testdev;
  f.bus.add(testdev, {0, 4, 0});
  REQUIRE(f.assign());
  const auto window = testdev.bar_window(1);
  REQUIRE(window);
  CHECK(f.ports.find(window->base, View::kNormal).target == testdev.bar_target(1));
  CHECK(f.memory.find(testdev.bar_window(0)->base, View::kNormal).target == testdev.bar_target(0));
}
