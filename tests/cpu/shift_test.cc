// Rotates and double shifts against the host processor, for all counts.

#include <catch2/catch.hpp>

#include "model/cpu/exec/rotate.h"
#include "tests/cpu/host_alu.h"

using namespace vtsim;
using namespace vtsim::cpu;
using namespace vtsim::cpu::test;

namespace {

constexpr u64 kCarry = Rflags::CF.mask();
constexpr u64 kCarryAndOverflow = kCarry | Rflags::OF.mask();

struct Disagreements {
  u64 values = 0;
  u64 flags = 0;
};

// Rotates change CF and OF only; OF is defined for counts of 1.
template <class Rotate, class T, class Host>
void compare_rotate(Host host, T value, Disagreements& bad) {
  for (unsigned count = 0; count < 256; ++count) {
    for (const bool carry : {false, true}) {
      const unsigned masked = count & kCountMask<T>;
      u64 flags = carry ? kCarry : 0;
      const T ours = Rotate::template apply<T>(value, masked, flags);
      const HostResult<T> expected = host(value, static_cast<u8>(count), carry);
      bad.values += ours != expected.value;
      bad.flags += ((flags ^ expected.flags) & (masked == 1 ? kCarryAndOverflow : kCarry)) != 0;
    }
  }
}

template <class Shift, class T, class Host>
void compare_double_shift(Host host, T value, T source, Disagreements& bad) {
  for (u8 count = 1; count < kBitsOf<T>; ++count) {
    u64 flags = 0;
    const T ours = Shift::template apply<T>(value, source, count, flags);
    const HostResult<T> expected = host(value, source, count);
    bad.values += ours != expected.value;
    u64 mask = Rflags::kArithmetic & ~Rflags::AF.mask();
    if (count != 1) mask &= ~Rflags::OF.mask();
    bad.flags += ((flags ^ expected.flags) & mask) != 0;
  }
}

}  // namespace

TEMPLATE_TEST_CASE("rotates are the host's, for all counts", "", u8, u16, u32, u64) {
  using T = TestType;
  Disagreements bad;
  for (const T value : interesting_values<T>(11, 40)) {
    compare_rotate<Rol>(host_rol<T>, value, bad);
    compare_rotate<Ror>(host_ror<T>, value, bad);
    compare_rotate<Rcl>(host_rcl<T>, value, bad);
    compare_rotate<Rcr>(host_rcr<T>, value, bad);
  }
  CHECK(bad.values == 0);
  CHECK(bad.flags == 0);
}

TEMPLATE_TEST_CASE("SHLD and SHRD are the host's, for all defined counts", "", u16, u32, u64) {
  using T = TestType;
  Disagreements bad;
  const auto values = interesting_values<T>(12, 20);
  for (const T value : values) {
    for (const T source : values) {
      compare_double_shift<Shld>(host_shld<T>, value, source, bad);
      compare_double_shift<Shrd>(host_shrd<T>, value, source, bad);
    }
  }
  CHECK(bad.values == 0);
  CHECK(bad.flags == 0);
}

TEST_CASE("a rotate by a multiple of the width but not by zero sets CF") {
  u64 flags = 0;
  CHECK(Rol::apply<u8>(0x81, 8, flags) == 0x81);
  CHECK((flags & kCarry) != 0);
  flags = 0;
  CHECK(Ror::apply<u16>(0x8000, 16, flags) == 0x8000);
  CHECK((flags & kCarry) != 0);
}

TEST_CASE("a count of zero keeps every flag") {
  u64 flags = Rflags::kArithmetic;
  Rol::apply<u32>(0, 0, flags);
  Rcr::apply<u32>(0, 0, flags);
  Shld::apply<u32>(0, 0, 0, flags);
  CHECK(flags == Rflags::kArithmetic);
}
