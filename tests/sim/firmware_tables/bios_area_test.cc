#include "sim/firmware_tables/bios_area.h"

#include <catch2/catch.hpp>

#include "sim/firmware_tables/machine_setup.h"
#include "tests/sim/firmware_tables/plain_memory.h"

namespace vtsim::firmware_tables {
namespace {

constexpr u64 kRam = u64{64} << 20;

// The far pointer of an interrupt vector, as a linear address.
u64 vector(const test::PlainMemory& memory, unsigned n) {
  return (memory.number(u64{n} * 4 + 2, 2) << 4) + memory.number(u64{n} * 4, 2);
}

TEST_CASE("BIOS area: the vectors lead to IBM's entry points, and the others to an IRET") {
  constexpr u8 kIret = 0xcf;
  test::PlainMemory memory(kRam);
  place_bios_area(memory);
  CHECK(vector(memory, 0x08) == 0xffea5);
  CHECK(vector(memory, 0x10) == 0xfff53);
  CHECK(vector(memory, 0xff) == 0xfff53);
  CHECK(memory.number(0xfff53, 1) == kIret);
  CHECK(vector(memory, 0x09) != vector(memory, 0x70));
}

TEST_CASE("BIOS area: the data area tells the EBDA and the size of conventional memory") {
  test::PlainMemory memory(kRam);
  place_bios_area(memory);
  CHECK(memory.number(0x40e, 2) == 0x9fc0);
  CHECK(memory.number(0x413, 2) == 639);
}

TEST_CASE("Set-up: the 8259s have a BIOS's vectors, and let only the timer through") {
  std::vector<u64> first, second;
  for (const SetupAccess& access : q35_setup()) {
    if (access.space != SetupAccess::Space::kPort) continue;
    if (access.address == 0x21) first.push_back(access.value);
    if (access.address == 0xa1) second.push_back(access.value);
  }
  CHECK(first == std::vector<u64>{0x08, 0x04, 0x01, 0xfa});
  CHECK(second == std::vector<u64>{0x70, 0x02, 0x01, 0xff});
}

}  // namespace
}  // namespace vtsim::firmware_tables
