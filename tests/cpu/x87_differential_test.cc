// The exact x87 instructions against the host's processor: every opcode, on values at the edges of
// the formats, in every rounding and precision mode, with exceptions masked and unmasked.

#include <catch2/catch.hpp>

#include "tests/cpu/x87_comparison.h"
#include "tests/cpu/x87_forms.h"

using namespace vtsim;
using namespace vtsim::cpu;
using test::is_exact_x87;
using test::x87_instruction;
using test::X87Comparison;
using test::X87Generator;

namespace {

void compare_opcode(X87Comparison& comparison, u8 first, u8 modrm, unsigned cases) {
  if (!x87_instruction(first, modrm) || !is_exact_x87(first, modrm)) return;
  comparison.assemble({first, modrm});
  X87Generator generator(first * 256u + modrm);
  unsigned failures = 0;
  for (unsigned n = 0; n < cases; ++n) {
    const std::string difference = comparison.differs(generator.next());
    if (difference.empty()) continue;
    if (failures++ < 3) FAIL_CHECK(difference);
  }
  CHECK(failures == 0);
}

}  // namespace

TEST_CASE("x87: exact instructions on registers give what the host's processor gives") {
  X87Comparison comparison;
  for (unsigned first = 0xD8; first <= 0xDF; ++first)
    for (unsigned modrm = 0xC0; modrm <= 0xFF; ++modrm)
      compare_opcode(comparison, static_cast<u8>(first), static_cast<u8>(modrm), 2000);
}

TEST_CASE("x87: exact instructions on memory give what the host's processor gives") {
  X87Comparison comparison;
  constexpr u8 kRdx = 2;
  for (unsigned first = 0xD8; first <= 0xDF; ++first)
    for (unsigned reg = 0; reg < 8; ++reg)
      compare_opcode(comparison, static_cast<u8>(first), static_cast<u8>(reg << 3 | kRdx), 10000);
}
