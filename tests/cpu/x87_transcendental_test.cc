// Transcendental x87 instructions: within a unit in the last place of the host's, and at special
// values, stack faults and exceptions the same.

#include "model/cpu/exec/x87_transcendental.h"

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
constexpr Opcode kOpcodes[] = {{"F2XM1", 0xF0},  {"FYL2X", 0xF1},   {"FPTAN", 0xF2},
                               {"FPATAN", 0xF3}, {"FYL2XP1", 0xF9}, {"FSINCOS", 0xFB},
                               {"FSIN", 0xFE},   {"FCOS", 0xFF}};

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

namespace {

constexpr u16 kNearest = 0x037F, kDown = 0x077F, kUp = 0x0B7F, kUnderflowUnmasked = 0x036F;
constexpr u64 kPiDown = 0xC90FDAA22168C234;  // SDM 1 "Approximation of Pi"

Float80 number(i64 value) { return float80_of(value); }

void check(const X87Result<Float80>& result, const Float80& value, u16 status) {
  CHECK(result.value.sign_exponent == value.sign_exponent);
  CHECK(result.value.significand == value.significand);
  CHECK(result.status == status);
}

}  // namespace

TEST_CASE("x87: transcendental results that are representable are exact") {
  for (const u16 control : {kNearest, kDown, kUp}) {
    check(y_logarithm(control, number(3), number(8)), number(9), 0);
    check(y_logarithm(control, number(-5), Float80{kIntegerBit, 0x3FFF - 10}), number(50), 0);
    check(y_logarithm_plus_one(control, number(7), Float80{kIntegerBit, 0xBFFE}), number(-7), 0);
    check(exponential_less_one(control, number(-1)), Float80{kIntegerBit, 0xBFFE}, 0);
    check(exponential_less_one(control, number(1)), number(1), 0);
    check(cosine(control, zero80(true)), number(1), 0);
    check(sine(control, zero80(true)), zero80(true), 0);
  }
}

TEST_CASE("x87: transcendental results follow the rounding control; C1 tells of rounding up") {
  constexpr u16 kPe = X87Status::kPrecision, kUpwards = kPe | 0x200;
  check(arctangent(kNearest, zero80(false), number(-1)), {kPiDown + 1, 0x4000}, kUpwards);
  check(arctangent(kDown, zero80(false), number(-1)), {kPiDown, 0x4000}, kPe);
  check(arctangent(kUp, zero80(true), number(-1)), {kPiDown, 0xC000}, kPe);
  check(arctangent(kDown, zero80(true), number(-1)), {kPiDown + 1, 0xC000}, kUpwards);
  check(arctangent(kUp, number(1), number(1)), {kPiDown + 1, 0x3FFE}, kUpwards);
  // sin(x) < x by less than any unit in the last place
  check(sine(kNearest, {kIntegerBit, 0x1000}), {kIntegerBit, 0x1000}, kUpwards);
  check(sine(kDown, {kIntegerBit, 0x1000}), {~u64{0}, 0x0FFF}, kPe);
}

TEST_CASE("x87: trigonometric arguments are reduced by a pi of 66 bits") {
  // pi rounded to 64 bits lies 2^-64 above that pi
  const X87Result<Float80> result = sine(kNearest, {kPiDown + 1, 0x4000});
  CHECK(result.value == Float80{kIntegerBit, 0xBFFF - 64});
  CHECK(!out_of_trigonometric_range({~u64{0}, 0x3FFF + 62}));
  CHECK(out_of_trigonometric_range({kIntegerBit, 0x3FFF + 63}));
}

TEST_CASE(
    "x87: a tiny transcendental result is a denormal, or scaled where underflow is unmasked") {
  const Float80 smallest_normal{kIntegerBit, 1};
  const X87Result<Float80> masked = arctangent(kNearest, smallest_normal, number(3));
  CHECK(masked.value.exponent() == 0);
  CHECK(masked.value.significand == 0x2AAAAAAAAAAAAAAB);
  CHECK(masked.status == (X87Status::kUnderflow | X87Status::kPrecision | 0x200));
  const X87Result<Float80> scaled = arctangent(kUnderflowUnmasked, smallest_normal, number(3));
  CHECK(scaled.value == Float80{0xAAAAAAAAAAAAAAAB, 24576 + 1 - 2});
  CHECK((scaled.status & X87Status::kUnderflow) != 0);
}
