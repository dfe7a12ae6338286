#include <catch2/catch.hpp>
#include <numeric>
#include <set>

#include "sim/firmware_tables/smbios.h"
#include "tests/sim/firmware_tables/plain_memory.h"

namespace vtsim::firmware_tables {
namespace {

constexpr u64 kGiB = u64{1} << 30;
constexpr u64 kEntry = 0xf0000;

unsigned sum(std::span<const u8> bytes) {
  return std::accumulate(bytes.begin(), bytes.end(), 0u) & 0xff;
}

struct Structure {
  u8 type;
  std::vector<u8> formatted;  // with its header
  std::vector<std::string> strings;

  u64 number(std::size_t at, unsigned size) const {
    u64 value = 0;
    for (unsigned i = size; i-- > 0;) value = (value << 8) | formatted.at(at + i);
    return value;
  }
  std::string string(std::size_t at) const {
    const u64 index = number(at, 1);
    return index == 0 ? "" : strings.at(index - 1);
  }
};

// DSP0134 "Structure standards", read back.
std::vector<Structure> parse(std::span<const u8> table) {
  std::vector<Structure> out;
  std::size_t at = 0;
  while (at < table.size()) {
    Structure one;
    one.type = table[at];
    const std::size_t length = table[at + 1];
    const auto formatted = table.subspan(at, length);
    one.formatted = {formatted.begin(), formatted.end()};
    at += length;
    std::string current;
    while (true) {
      const u8 c = table[at++];
      if (c != 0) {
        current.push_back(static_cast<char>(c));
        continue;
      }
      if (current.empty()) {
        if (one.strings.empty()) ++at;  // an empty list is two zero bytes
        break;
      }
      one.strings.push_back(current);
      current.clear();
    }
    out.push_back(one);
  }
  return out;
}

struct Placed {
  test::PlainMemory memory{1 << 20};
  std::vector<Structure> structures;

  explicit Placed(u64 ram, SmbiosConfig config = {}) {
    place_smbios(config, q35_memory_layout(ram), memory);
    structures =
        parse(memory.view(memory.number(kEntry + 0x18, 4), memory.number(kEntry + 0x16, 2)));
  }
  const Structure& first(u8 type) const {
    for (const Structure& one : structures) {
      if (one.type == type) return one;
    }
    throw std::out_of_range("no such structure");
  }
};

TEST_CASE("SMBIOS: the entry point has both anchors and both sums are zero") {
  const Placed machine(kGiB);
  CHECK(machine.memory.text(kEntry, 4) == "_SM_");
  CHECK(machine.memory.text(kEntry + 0x10, 5) == "_DMI_");
  CHECK(machine.memory.number(kEntry + 5, 1) == 0x1f);
  CHECK(sum(machine.memory.view(kEntry, 0x1f)) == 0);
  CHECK(sum(machine.memory.view(kEntry + 0x10, 0xf)) == 0);
}

TEST_CASE("SMBIOS: count, largest size and handles agree with the table") {
  const Placed machine(3 * kGiB);
  CHECK(machine.structures.size() == machine.memory.number(kEntry + 0x1c, 2));
  CHECK(machine.structures.back().type == 127);
  std::set<u64> handles;
  for (const Structure& one : machine.structures) handles.insert(one.number(2, 2));
  CHECK(handles.size() == machine.structures.size());
  for (u8 type : std::initializer_list<u8>{0, 1, 2, 3, 4, 16, 17, 19, 32, 127})
    CHECK_NOTHROW(machine.first(type));
}

TEST_CASE("SMBIOS: formatted areas have the lengths that version 2.8 requires") {
  const Placed machine(kGiB);
  struct Row {
    u8 type;
    std::size_t length;
  };
  static constexpr Row kRows[] = {{0, 0x18},  {1, 0x1b},  {2, 0x0f},  {3, 0x16},  {4, 0x2a},
                                  {16, 0x17}, {17, 0x28}, {19, 0x1f}, {32, 0x0b}, {127, 4}};
  for (const Row& row : kRows) {
    INFO(int(row.type));
    CHECK(machine.first(row.type).formatted.size() == row.length);
  }
}

TEST_CASE("SMBIOS: every string reference names a string that exists") {
  const Placed machine(kGiB, {.processor_name = "Some Processor @ 2.40GHz"});
  CHECK(machine.first(0).string(0x04) == "vtsim");
  CHECK(machine.first(0).string(0x08) == "01/01/2025");
  CHECK(machine.first(1).string(0x05) == "Q35 (ICH9)");
  CHECK(machine.first(4).string(0x10) == "Some Processor @ 2.40GHz");
  CHECK(machine.first(17).string(0x10) == "DIMM 0");
}

TEST_CASE("SMBIOS: memory is told in the units of each field") {
  const Placed machine(3 * kGiB);
  CHECK(machine.first(16).number(0x07, 4) == 3 * kGiB / 1024);
  CHECK(machine.first(17).number(0x0c, 2) == 3 * 1024);
  CHECK(machine.first(19).number(0x04, 4) == 0);
  CHECK(machine.first(19).number(0x08, 4) == 2 * kGiB / 1024 - 1);
}

TEST_CASE("SMBIOS: a device of 32 GiB - 1 MiB or more uses the extended size") {
  const Placed machine(64 * kGiB);
  CHECK(machine.first(17).number(0x0c, 2) == 0x7fff);
  CHECK(machine.first(17).number(0x1c, 4) == 64 * 1024);
}

}  // namespace
}  // namespace vtsim::firmware_tables
