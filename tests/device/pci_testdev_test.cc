#include "model/device/pci_testdev.h"

#include <catch2/catch.hpp>

using namespace vtsim;
using namespace vtsim::device;

namespace {
constexpr Ps kNow = 1;
}

TEST_CASE("pci-testdev: 1b36:0005 with a memory BAR 0 and a port BAR 1") {
  PciTestdev d;
  CHECK(d.config_read(0, 4, kNow) == 0x0005'1b36);
  CHECK((d.config_read(0x10, 4, kNow) & 1) == 0);
  CHECK((d.config_read(0x14, 4, kNow) & 1) == 1);
}

TEST_CASE("pci-testdev: a started test tells width, offset and data, and counts its writes") {
  PciTestdev d;
  const unsigned bar = GENERATE(0u, 1u);
  RegisterTarget& registers = *d.bar_target(bar);
  CHECK(registers.read(1, 1, kNow) == 0);  // none started
  for (unsigned test = 0; test < 3; ++test) {
    registers.write(0, 1, test, kNow);
    CHECK(registers.read(0x0c, 4, kNow) == 0);
    const u64 width = registers.read(1, 1, kNow);
    const u64 offset = registers.read(4, 4, kNow);
    const u64 data = registers.read(8, 4, kNow);
    REQUIRE(width == 1);
    CHECK(offset >= 0x10);
    registers.write(offset, 1, data, kNow);
    registers.write(offset, 1, data, kNow);
    CHECK(registers.read(0x0c, 4, kNow) == 2);
  }
  registers.write(0, 1, 3, kNow);
  CHECK(registers.read(1, 1, kNow) == 0);  // no such test: the guest stops here
}

TEST_CASE("pci-testdev: the data-matching test counts matching data only") {
  PciTestdev d;
  RegisterTarget& registers = *d.bar_target(0);
  registers.write(0, 1, 2, kNow);
  const u64 offset = registers.read(4, 4, kNow);
  registers.write(offset, 1, 0xce, kNow);
  CHECK(registers.read(0x0c, 4, kNow) == 0);
  registers.write(offset, 1, 0xfa, kNow);
  CHECK(registers.read(0x0c, 4, kNow) == 1);
}

TEST_CASE("pci-testdev: the name is text that ends before the register to write") {
  PciTestdev d;
  const unsigned bar = GENERATE(0u, 1u);
  RegisterTarget& registers = *d.bar_target(bar);
  for (unsigned test = 0; test < 3; ++test) {
    registers.write(0, 1, test, kNow);
    std::string name;
    for (u64 at = 0x10; registers.read(at, 1, kNow) != 0; ++at) {
      name += static_cast<char>(registers.read(at, 1, kNow));
    }
    CHECK(name.substr(0, 4) == (bar == 0 ? "mmio" : "port"));
    CHECK(0x10 + name.size() < registers.read(4, 4, kNow));
  }
}
