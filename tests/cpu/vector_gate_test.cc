// When vector instructions exist, and what they raise otherwise. SDM 2 "Exceptions Type 1" and
// following, SDM 3B "Exception Conditions for Legacy SIMD/MMX Instructions"; SDM 3A "System
// Programming for Instruction Set Extensions".

#include <catch2/catch.hpp>

#include "tests/cpu/bare_machine.h"

using namespace vtsim;
using namespace vtsim::cpu;

namespace {

constexpr int kNone = -1;

struct Gates : test::BareMachine {
  Gates() {
    enter_long_mode();
    const u64 gdt[3] = {0, 0x00AF9B000000FFFF, 0x00CF93000000FFFF};
    put(0x6000, gdt, sizeof gdt);
    for (u64 n = 0; n < 32; ++n) {
      const u64 target = 0x12000 + 16 * n;
      const u64 gate[2] = {(target & 0xFFFF) | 8u << 16 | u64{0x8E00} << 32 | (target >> 16) << 48,
                           0};
      const u8 hlt = 0xF4;
      put(0x5000 + 16 * n, gate, 16);
      put(target, &hlt, 1);
    }
    state().idtr = {0x5000, 0xFFF};
    state().gdtr = {0x6000, 23};
  }
  // The exception that the instruction raises, or kNone.
  int raised(std::vector<u8> code) {
    code.push_back(0xF4);
    put(0x10000, code.data(), code.size());
    core().mode_changed();
    state().rip = 0x10000;
    state().gpr[kRsp] = 0x20000;
    state().activity = Activity::kActive;
    run(3);
    REQUIRE(state().activity == Activity::kHalted);
    return state().rip == 0x10000 + code.size() ? kNone
                                                : static_cast<int>((state().rip - 0x12000) / 16);
  }
};

// Operands: registers 1, 2 (and 3).
const std::vector<u8> kPaddbMmx{0x0F, 0xFC, 0xCA};
const std::vector<u8> kPaddbXmm{0x66, 0x0F, 0xFC, 0xCA};
const std::vector<u8> kVpaddb{0xC5, 0xE1, 0xFC, 0xCA};
const std::vector<u8> kDivps{0x0F, 0x5E, 0xCA};
const std::vector<u8> kEmms{0x0F, 0x77};

}  // namespace

TEST_CASE("CR0.EM: #UD for MMX and SSE, not for AVX; CR0.TS: #NM for all; EM before TS") {
  Gates g;
  CHECK(g.raised(kPaddbMmx) == kNone);
  CHECK(g.raised(kPaddbXmm) == kNone);
  CHECK(g.raised(kVpaddb) == kNone);
  g.state().cr0.set(Cr0::EM, 1);
  CHECK(g.raised(kPaddbMmx) == kUd);
  CHECK(g.raised(kPaddbXmm) == kUd);
  CHECK(g.raised(kVpaddb) == kNone);
  g.state().cr0.set(Cr0::TS, 1);
  CHECK(g.raised(kPaddbMmx) == kUd);
  CHECK(g.raised(kPaddbXmm) == kUd);
  CHECK(g.raised(kVpaddb) == kNm);
  g.state().cr0.set(Cr0::EM, 0);
  CHECK(g.raised(kPaddbMmx) == kNm);
  CHECK(g.raised(kPaddbXmm) == kNm);
}

TEST_CASE("CR4.OSFXSR: #UD for SSE, also where the mnemonic has an MMX form") {
  Gates g;
  g.state().cr4.set(Cr4::OSFXSR, 0);
  CHECK(g.raised(kPaddbXmm) == kUd);
  CHECK(g.raised(kPaddbMmx) == kNone);
  CHECK(g.raised(kEmms) == kNone);
}

TEST_CASE("AVX needs CR4.OSXSAVE and XCR0 with SSE and AVX") {
  Gates g;
  g.state().xcr0 = 3;
  CHECK(g.raised(kVpaddb) == kUd);
  g.state().xcr0 = 7;
  CHECK(g.raised(kVpaddb) == kNone);
  g.state().cr4.set(Cr4::OSXSAVE, 0);
  CHECK(g.raised(kVpaddb) == kUd);
}

TEST_CASE("unmasked floating-point exceptions: #XM, or #UD without CR4.OSXMMEXCPT; flags are set") {
  Gates g;
  for (bool enabled : {true, false}) {
    g.state().cr4.set(Cr4::OSXMMEXCPT, enabled);
    std::memset(g.state().vector.reg, 0, sizeof g.state().vector.reg);
    g.state().vector.mxcsr = 0x1F00;  // invalid operation unmasked
    CHECK(g.raised(kDivps) == (enabled ? kXm : kUd));
    CHECK(g.state().vector.mxcsr == 0x1F01);
  }
}

TEST_CASE("MMX instructions report a pending x87 exception first: #MF") {
  Gates g;
  g.state().x87.status = 0x8081;
  g.state().x87.control = 0x037E;
  CHECK(g.raised(kPaddbMmx) == kMf);
  CHECK(g.raised(kEmms) == kMf);
  CHECK(g.raised(kPaddbXmm) == kNone);
  CHECK(g.state().x87.status == 0x8081);
}

TEST_CASE("a gather with equal registers is #UD") {
  Gates g;
  CHECK(g.raised({0xC4, 0xE2, 0x69, 0x92, 0x0C, 0x0F}) ==
        kUd);  // vgatherdps xmm1, [rdi+xmm1], xmm2
  CHECK(g.raised({0xC4, 0xE2, 0x71, 0x92, 0x0C, 0x17}) ==
        kUd);  // vgatherdps xmm1, [rdi+xmm2], xmm1
  CHECK(g.raised({0xC4, 0xE2, 0x69, 0x92, 0x0C, 0x17}) ==
        kUd);  // vgatherdps xmm1, [rdi+xmm2], xmm2
  CHECK(g.raised({0xC4, 0xE2, 0x61, 0x92, 0x0C, 0x17}) == kNone);
}
