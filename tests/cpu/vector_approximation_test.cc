// RCPPS and RSQRTPS: their own values, the same on every host. SDM 2 "RCPPS", "RSQRTPS": relative
// error at most 1.5 * 2^-12, special cases by table.

#include <catch2/catch.hpp>
#include <cmath>
#include <random>

#include "tests/cpu/bare_machine.h"

using namespace vtsim;
using namespace vtsim::cpu;

namespace {

struct Approximation : test::BareMachine {
  explicit Approximation(u8 opcode) {
    enter_long_mode();
    const u8 code[] = {0x0F, opcode, 0xCA, 0xF4};  // xxxPS xmm1, xmm2; hlt
    put(0x10000, code, sizeof code);
  }
  u32 of(u32 bits) {
    CoreState& s = state();
    for (unsigned n = 0; n < 4; ++n) std::memcpy(s.vector.reg[2] + 4 * n, &bits, 4);
    s.vector.mxcsr = 0;  // nothing is ever raised
    s.rip = 0x10000;
    s.activity = Activity::kActive;
    run(2);
    REQUIRE(s.rip == 0x10004);
    CHECK(s.vector.mxcsr == 0);
    u32 result[4];
    std::memcpy(result, s.vector.reg[1], 16);
    CHECK((result[0] == result[1] && result[1] == result[2] && result[2] == result[3]));
    return result[0];
  }
};

double value(u32 bits) {
  float f;
  std::memcpy(&f, &bits, 4);
  return f;
}

constexpr double kLargestError = 1.5 / 4096;

}  // namespace

TEST_CASE("RCPPS: within 1.5 * 2^-12, and its special cases") {
  Approximation rcp(0x53);
  std::mt19937 random(1);
  for (unsigned n = 0; n < 20000; ++n) {
    const u32 x = static_cast<u32>((random() & 0x807FFFFF) | (1 + random() % 251) << 23);
    INFO(std::hex << x);
    REQUIRE(std::abs(value(rcp.of(x)) * value(x) - 1) <= kLargestError);
  }
  CHECK(rcp.of(0x3F800000) == 0x3F800000);
  CHECK(rcp.of(0x00000000) == 0x7F800000);
  CHECK(rcp.of(0x80000000) == 0xFF800000);
  CHECK(rcp.of(0x00000001) == 0x7F800000);  // denormals are zeros
  CHECK(rcp.of(0x807FFFFF) == 0xFF800000);
  CHECK(rcp.of(0x7F800000) == 0);
  CHECK(rcp.of(0xFF800000) == 0x80000000);
  CHECK(rcp.of(0x7F7FFFFF) == 0);  // tiny results are zeros
  CHECK(rcp.of(0xFF000001) == 0x80000000);
  CHECK(rcp.of(0x7FC00001) == 0x7FC00001);
  CHECK(rcp.of(0xFF800001) == 0xFFC00001);
}

TEST_CASE("RSQRTPS: within 1.5 * 2^-12, and its special cases") {
  Approximation rsqrt(0x52);
  std::mt19937 random(2);
  for (unsigned n = 0; n < 20000; ++n) {
    const u32 x = static_cast<u32>((random() & 0x007FFFFF) | (1 + random() % 254) << 23);
    INFO(std::hex << x);
    REQUIRE(std::abs(value(rsqrt.of(x)) * std::sqrt(value(x)) - 1) <= kLargestError);
  }
  CHECK(rsqrt.of(0x3F800000) == 0x3F800000);
  CHECK(rsqrt.of(0x40800000) == 0x3F000000);  // 4
  CHECK(rsqrt.of(0x00000000) == 0x7F800000);
  CHECK(rsqrt.of(0x80000000) == 0xFF800000);
  CHECK(rsqrt.of(0x007FFFFF) == 0x7F800000);
  CHECK(rsqrt.of(0x80000001) == 0xFF800000);
  CHECK(rsqrt.of(0x7F800000) == 0);
  CHECK(rsqrt.of(0xFF800000) == 0xFFC00000);
  CHECK(rsqrt.of(0xBF800000) == 0xFFC00000);
  CHECK(rsqrt.of(0x7F800001) == 0x7FC00001);
}

TEST_CASE("RCPSS, RSQRTSS and the VEX forms: the packed ones' values in the elements they write") {
  struct Form {
    const char* name;
    std::vector<u8> code;  // destination 1, first source 3 (VEX), source 2
    unsigned computed;     // elements
    u8 upper_from;         // register of the rest of the low half: 1 legacy, 3 VEX scalar
    bool clears_above;     // bits 255:128 where they are not computed
  };
  const Form forms[] = {
      {"RCPSS", {0xF3, 0x0F, 0x53, 0xCA}, 1, 1, false},
      {"RSQRTSS", {0xF3, 0x0F, 0x52, 0xCA}, 1, 1, false},
      {"VRCPSS", {0xC5, 0xE2, 0x53, 0xCA}, 1, 3, true},
      {"VRSQRTSS", {0xC5, 0xE2, 0x52, 0xCA}, 1, 3, true},
      {"VRCPPS xmm", {0xC5, 0xF8, 0x53, 0xCA}, 4, 0, true},
      {"VRSQRTPS xmm", {0xC5, 0xF8, 0x52, 0xCA}, 4, 0, true},
      {"VRCPPS ymm", {0xC5, 0xFC, 0x53, 0xCA}, 8, 0, true},
      {"VRSQRTPS ymm", {0xC5, 0xFC, 0x52, 0xCA}, 8, 0, true},
  };
  for (const Form& form : forms) {
    INFO(form.name);
    Approximation packed(form.code[form.code.size() - 2]);
    test::BareMachine machine;
    machine.enter_long_mode();
    std::vector<u8> code = form.code;
    code.push_back(0xF4);
    machine.put(0x10000, code.data(), code.size());
    u32 reg[4][8];
    for (u32 r = 0; r < 4; ++r)
      for (u32 n = 0; n < 8; ++n) reg[r][n] = 0x40000000 + r * 0x01234567 + n * 0x00345678;
    for (unsigned r = 0; r < 4; ++r)
      std::memcpy(machine.state().vector.reg[r], reg[r], sizeof reg[r]);
    machine.state().rip = 0x10000;
    machine.run(2);
    u32 result[8];
    std::memcpy(result, machine.state().vector.reg[1], sizeof result);
    for (unsigned n = 0; n < 8; ++n) {
      INFO("element " << n);
      const u32 expected = n < form.computed   ? packed.of(reg[2][n])
                           : n < 4             ? reg[form.upper_from][n]
                           : form.clears_above ? 0
                                               : reg[1][n];
      CHECK(result[n] == expected);
    }
  }
}
