#include "model/chipset/memory.h"

#include <array>
#include <catch2/catch.hpp>
#include <fstream>
#include <string>

#include "model/base/check.h"

using namespace vtsim;
using namespace vtsim::chipset;

namespace {

constexpr u64 kMiB = u64{1} << 20;
constexpr u64 kGiB = u64{1} << 30;

// Resident memory of this process.
u64 resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  u64 size = 0, resident = 0;
  statm >> size >> resident;
  return resident * kPageSize;
}

}  // namespace

TEST_CASE("memory: RAM up to the limit lies below 4 GiB, the rest from 4 GiB on") {
  const PhysicalMemory memory(6 * kGiB);
  CHECK(memory.low_bytes() == 2 * kGiB);
  CHECK(memory.high_bytes() == 4 * kGiB);
  CHECK(memory.host(Hpa(2 * kGiB - 1)) != nullptr);
  CHECK(memory.host(Hpa(2 * kGiB)) == nullptr);
  CHECK(memory.host(Hpa(4 * kGiB - 1)) == nullptr);
  CHECK(memory.host(Hpa(4 * kGiB)) != nullptr);
  CHECK(memory.host(Hpa(8 * kGiB - 1)) != nullptr);
  CHECK(memory.host(Hpa(8 * kGiB)) == nullptr);
  CHECK(memory.host(Hpa(~u64{0})) == nullptr);
}

TEST_CASE("memory: a machine of 1 MiB has no RAM above it") {
  const PhysicalMemory memory(kMiB);
  CHECK(memory.high_bytes() == 0);
  CHECK(memory.host(Hpa(kMiB - 1)) != nullptr);
  CHECK(memory.host(Hpa(kMiB)) == nullptr);
  CHECK(memory.host(kFourGiB) == nullptr);
}

TEST_CASE("memory: 64 GiB are zero and cost no host memory until they are touched") {
  const u64 before = resident_bytes();
  PhysicalMemory memory(64 * kGiB);
  CHECK(resident_bytes() - before < kMiB);
  const Hpa last = kFourGiB + memory.high_bytes() - 1;
  CHECK(*memory.host(last) == 0);
  *memory.host(last) = 0x5a;
  CHECK(resident_bytes() - before < 8 * kMiB);
}

TEST_CASE("memory: a copy that leaves RAM does nothing") {
  PhysicalMemory memory(4 * kMiB);
  const std::array<u8, 4> data{1, 2, 3, 4};
  CHECK_FALSE(memory.write(Hpa(4 * kMiB - 2), data));
  CHECK(*memory.host(Hpa(4 * kMiB - 2)) == 0);
  CHECK(memory.write(Hpa(4 * kMiB - 4), data));
  std::array<u8, 4> back{};
  CHECK(memory.read(Hpa(4 * kMiB - 4), back));
  CHECK(back == data);
  CHECK_FALSE(memory.read(Hpa(~u64{0} - 1), back));
}

TEST_CASE("memory: the host address of RAM is aligned for huge pages") {
  const PhysicalMemory memory(4 * kMiB);
  CHECK(reinterpret_cast<std::uintptr_t>(memory.host(Hpa(0))) % (2 * kMiB) == 0);
}

TEST_CASE("memory: sizes outside 1 MiB to 64 GiB, or of half pages, are refused") {
  CHECK_THROWS_AS(PhysicalMemory(kMiB - kPageSize), SimDefect);
  CHECK_THROWS_AS(PhysicalMemory(64 * kGiB + kPageSize), SimDefect);
  CHECK_THROWS_AS(PhysicalMemory(2 * kMiB + 2048), SimDefect);
}
