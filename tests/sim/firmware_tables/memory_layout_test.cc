#include "sim/firmware_tables/memory_layout.h"

#include <catch2/catch.hpp>

#include "model/base/check.h"
#include "sim/firmware_tables/fw_cfg_files.h"
#include "sim/firmware_tables/machine_setup.h"

namespace vtsim::firmware_tables {
namespace {

constexpr u64 kMiB = u64{1} << 20;
constexpr u64 kGiB = u64{1} << 30;

TEST_CASE("Memory layout: ranges are sorted and disjoint at every size") {
  for (u64 bytes : {4 * kMiB, 64 * kMiB, 2 * kGiB - kPageSize, 2 * kGiB, 2 * kGiB + kPageSize,
                    5 * kGiB, 512 * kGiB}) {
    INFO(bytes);
    const MemoryLayout layout = q35_memory_layout(bytes);
    CHECK(layout.ram_bytes() == bytes);
    for (std::size_t i = 1; i < layout.ranges.size(); ++i) {
      CHECK(layout.ranges[i - 1].end() <= layout.ranges[i].base);
      CHECK(layout.ranges[i].bytes > 0);
    }
  }
}

TEST_CASE("Memory layout: more than 2 GiB of RAM continues at 4 GiB") {
  const MemoryLayout layout = q35_memory_layout(3 * kGiB);
  CHECK(layout.low_ram_bytes == 2 * kGiB);
  CHECK(layout.high_ram_bytes == kGiB);
  CHECK(layout.usable_range(kFourGiB, kGiB) != nullptr);
  CHECK(layout.usable_range(kFourGiB, kGiB + 1) == nullptr);
  CHECK(layout.usable_range(Hpa(2 * kGiB), 1) == nullptr);
}

TEST_CASE("Memory layout: what firmware keeps is not usable") {
  const MemoryLayout layout = q35_memory_layout(64 * kMiB);
  CHECK(layout.usable_range(Hpa(0), 0x9fc00) != nullptr);
  CHECK(layout.usable_range(Hpa(0), 0x9fc01) == nullptr);
  CHECK(layout.usable_range(kRsdpArea, 1) == nullptr);
  CHECK(layout.usable_range(layout.acpi_area, 1) == nullptr);
  CHECK(layout.usable_range(layout.acpi_area - 1, 1) != nullptr);
  CHECK(layout.acpi_area + kAcpiAreaBytes == Hpa(64 * kMiB));
  CHECK(layout.usable_range(Hpa(~u64{0}), 2) == nullptr);
}

TEST_CASE("Memory layout: a size that is no machine is a defect of the caller") {
  CHECK_THROWS_AS(q35_memory_layout(kMinRam - kPageSize), SimDefect);
  CHECK_THROWS_AS(q35_memory_layout(kMinRam + 1), SimDefect);
}

TEST_CASE("fw_cfg: etc/e820 lists RAM in 20-byte entries") {
  CHECK(e820_fw_cfg_file(q35_memory_layout(64 * kMiB)).bytes.size() == 20);
  CHECK(e820_fw_cfg_file(q35_memory_layout(3 * kGiB)).bytes.size() == 40);
}

TEST_CASE("Core setup: the variable MTRR covers exactly the hole below 4 GiB") {
  const auto rows = core_setup({.physical_address_bits = 46, .variable_mtrrs = 8});
  const auto value = [&](u32 index) {
    for (const MsrValue& row : rows) {
      if (row.index == index) return row.value;
    }
    return u64{0xbad};
  };
  CHECK(value(0x200) == 0x8000'0000);
  CHECK(value(0x201) == 0x3fff'8000'0800);
  CHECK(value(0x2ff) == 0xc06);
  CHECK(value(0x259) == 0);
  CHECK(value(0x3a) == 0xbad);
}

TEST_CASE("Core setup: VMX is locked on where it exists, MTRRs are left out where they do not") {
  const auto rows = core_setup({.vmx = true});
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].index == 0x3a);
  CHECK(rows[0].value == 5);
}

TEST_CASE("Machine setup: configuration registers are addressed as in the ECAM") {
  bool pmbase = false;
  for (const SetupAccess& access : q35_setup()) {
    pmbase |= access.space == SetupAccess::Space::kPciConfig && access.address == 0xf8040 &&
              access.value == 0x601;
  }
  CHECK(pmbase);
}

}  // namespace
}  // namespace vtsim::firmware_tables
