// Decimal adjustment: what the instructions are for, and the manual's examples.

#include <catch2/catch.hpp>

#include "model/cpu/exec/bcd.h"

using namespace vtsim;
using namespace vtsim::cpu;

namespace {

constexpr u8 packed(unsigned number) { return static_cast<u8>(number / 10 << 4 | number % 10); }
constexpr bool has(u64 flags, Flag flag) { return Reg<Rflags>(flags)[flag]; }

}  // namespace

TEST_CASE("DAA after an addition of packed decimal numbers gives their sum and the carry") {
  u64 bad = 0;
  for (unsigned a = 0; a < 100; ++a) {
    for (unsigned b = 0; b < 100; ++b) {
      const u8 binary = static_cast<u8>(packed(a) + packed(b));
      const Adjusted sum = daa(binary, flags_of<u8>(FlagKind::kAdd, packed(a), packed(b)));
      bad += sum.ax != packed((a + b) % 100) || has(sum.flags, Rflags::CF) != (a + b >= 100);
    }
  }
  CHECK(bad == 0);
}

TEST_CASE("DAS after a subtraction of packed decimal numbers gives their difference") {
  u64 bad = 0;
  for (unsigned a = 0; a < 100; ++a) {
    for (unsigned b = 0; b < 100; ++b) {
      const u8 binary = static_cast<u8>(packed(a) - packed(b));
      const Adjusted rest = das(binary, flags_of<u8>(FlagKind::kSub, packed(a), packed(b)));
      bad += rest.ax != packed((a + 100 - b) % 100) || has(rest.flags, Rflags::CF) != (a < b);
    }
  }
  CHECK(bad == 0);
}

TEST_CASE("DAA and DAS: the examples of SDM 2") {
  // ADD AL, BL with AL = 79H, BL = 35H; DAA: AL = 14H, SZAPC = 00111
  const Adjusted sum = daa(0xAE, flags_of<u8>(FlagKind::kAdd, 0x79, 0x35));
  CHECK(sum.ax == 0x14);
  CHECK((sum.flags & ~Rflags::OF.mask()) ==
        (Rflags::AF.mask() | Rflags::PF.mask() | Rflags::CF.mask()));
  // SUB AL, BL with AL = 35H, BL = 47H; DAS: AL = 88H, SZAPC = 10111
  const Adjusted rest = das(0xEE, flags_of<u8>(FlagKind::kSub, 0x35, 0x47));
  CHECK(rest.ax == 0x88);
  CHECK((rest.flags & ~Rflags::OF.mask()) ==
        (Rflags::SF.mask() | Rflags::AF.mask() | Rflags::PF.mask() | Rflags::CF.mask()));
}

TEST_CASE("AAA and AAS carry into AH") {
  u64 bad = 0;
  for (unsigned a = 0; a < 10; ++a) {
    for (unsigned b = 0; b < 10; ++b) {
      const u8 sum = static_cast<u8>(a + b);
      const Adjusted added = aaa(sum, flags_of<u8>(FlagKind::kAdd, a, b));
      bad += added.ax != ((a + b) / 10 << 8 | (a + b) % 10) ||
             has(added.flags, Rflags::CF) != (a + b >= 10);
      const u8 rest = static_cast<u8>(a - b);
      const Adjusted subtracted =
          aas(static_cast<u16>(0x0500 | rest), flags_of<u8>(FlagKind::kSub, a, b));
      const unsigned borrow = a < b ? 1 : 0;
      bad += subtracted.ax != ((5 - borrow) << 8 | (a + 10 - b) % 10) ||
             has(subtracted.flags, Rflags::CF) != (borrow != 0);
    }
  }
  CHECK(bad == 0);
}

TEST_CASE("AAM splits by its base and AAD joins again") {
  u64 bad = 0;
  for (unsigned base = 1; base < 256; ++base) {
    for (unsigned value = 0; value < 256; ++value) {
      const Adjusted split = aam(static_cast<u16>(0xAB00 | value), static_cast<u8>(base));
      bad += split.ax != (value / base << 8 | value % base);
      const Adjusted joined = aad(split.ax, static_cast<u8>(base));
      bad += joined.ax != value || has(joined.flags, Rflags::ZF) != (value == 0);
    }
  }
  CHECK(bad == 0);
}
