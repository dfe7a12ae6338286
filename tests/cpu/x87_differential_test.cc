// The exact x87 instructions against the host's processor: every opcode, on values at the edges of
// the formats, in every rounding and precision mode, with exceptions masked and unmasked.

#include <catch2/catch.hpp>
#include <set>

#include "tests/cpu/x87_comparison.h"

using namespace vtsim;
using namespace vtsim::cpu;
using test::X87Comparison;
using test::X87Generator;

namespace {

// What is left to the processor, or changes more than the test looks at.
bool is_exact(u8 first, u8 modrm) {
  const u64 reg = bits(modrm, 5, 3);
  const bool memory = modrm < 0xC0;
  if (first == 0xD9) {
    if (memory) return reg != 4 && reg != 6 && reg != 1;  // FLDENV, FNSTENV; /1 is undefined
    static const std::set<u8> kTranscendental = {0xF0, 0xF1, 0xF2, 0xF3, 0xF9, 0xFB, 0xFE, 0xFF};
    return !kTranscendental.contains(modrm);
  }
  if (first == 0xDB && memory) return reg != 4 && reg != 6;
  if (first == 0xDD && memory) return reg != 4 && reg != 5 && reg != 6;
  if (first == 0xDF) {
    if (memory) return reg != 4;  // FBLD of what is not a decimal number
    return modrm != 0xE0;         // FNSTSW AX
  }
  return true;
}

bool decodes(u8 first, u8 modrm) {
  const u8 code[] = {first, modrm, 0, 0, 0, 0, 0, 0};
  Decoded in;
  return Decoder(DecoderOptions{}).decode(code, CodeSize::k64, 0, in) == DecodeStatus::kOk;
}

void compare_opcode(X87Comparison& comparison, u8 first, u8 modrm, unsigned cases) {
  if (!decodes(first, modrm) || !is_exact(first, modrm)) return;
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
