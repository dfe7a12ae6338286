// Transcendental x87 instructions: within a unit in the last place of the host's, and at special values,
// stack faults and exceptions the same.

#include <catch2/catch.hpp>

#include "tests/cpu/x87_comparison.h"

using namespace vtsim;
using namespace vtsim::cpu;
using test::X87Case;
using test::X87Comparison;
using test::X87Generator;

namespace {

struct Opcode {
  const char* name;
  u8 modrm;
};
constexpr Opcode kOpcodes[] = {{"F2XM1", 0xF0},   {"FYL2X", 0xF1}, {"FPTAN", 0xF2}, {"FPATAN", 0xF3},
                               {"FYL2XP1", 0xF9}, {"FSINCOS", 0xFB}, {"FSIN", 0xFE}, {"FCOS", 0xFF}};

}  // namespace

TEST_CASE("x87: transcendental instructions agree with the host's processor") {
  X87Comparison comparison;
  comparison.allow(1);
  for (const Opcode& opcode : kOpcodes) {
    comparison.assemble({0xD9, opcode.modrm});
    X87Generator generator(opcode.modrm);
    unsigned failures = 0;
    for (unsigned n = 0; n < 12000; ++n) {
      const std::string difference = comparison.differs(generator.next());
      if (difference.empty()) continue;
      if (failures++ < 12) FAIL_CHECK(opcode.name << " " << difference);
    }
    CHECK(failures == 0);
  }
}
