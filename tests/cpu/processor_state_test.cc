// Instructions that show or keep the processor's own state, which no host can be asked about.
// Expected values: SDM 1 "FXSAVE Area", "XSAVE Area"; SDM 2 under the instructions' names.

#include <catch2/catch.hpp>
#include <random>

#include "tests/cpu/system_bench.h"

using namespace vtsim;
using namespace vtsim::cpu;
using namespace vtsim::cpu::test;

namespace {

constexpr u64 kArea = 0x50000;
constexpr unsigned kMxcsrAt = 24, kXmmAt = 160, kHeaderAt = 512, kYmmAt = 576;

// HLT follows the instruction; true: it was reached.
bool runs(SystemBench& bench, std::vector<u8> code) {
  code.push_back(0xF4);
  bench.put(kCode, code.data(), code.size());
  bench.state().rip = kCode;
  bench.state().activity = Activity::kActive;
  bench.go();
  return bench.state().rip == kCode + code.size();
}
// Instructions that fault end in a handler.
bool raises(SystemBench& bench, const std::vector<u8>& bytes, unsigned vector) {
  return !runs(bench, bytes) && bench.handled() == vector;
}

void scramble(CoreState& s, u64 seed) {
  std::mt19937_64 random(seed);
  for (auto& reg : s.vector.reg)
    for (u8& byte : reg) byte = static_cast<u8>(random());
  for (auto& reg : s.x87.reg)
    for (unsigned n = 0; n < 10; ++n) reg[n] = static_cast<u8>(random());
  s.x87.empty = static_cast<u8>(random());
  s.x87.status = static_cast<u16>(bits(random(), 2, 0) << 11);
  s.x87.control = 0x027F;
  s.vector.mxcsr = 0x1F80 | static_cast<u32>(bits(random(), 5, 0));
}

struct Pair {
  const char* name;
  std::vector<u8> save, restore;
  unsigned vector_bytes;  // of each register
};

void check_round_trip(const Pair& pair) {
  INFO(pair.name);
  SystemBench bench;
  CoreState& s = bench.state();
  s.gpr[kRdi] = kArea;
  s.gpr[kRax] = 7;
  s.gpr[kRdx] = 0;
  scramble(s, 1);
  const CoreState before = s;
  REQUIRE(runs(bench, pair.save));
  CHECK(std::memcmp(bench.ram(kArea + kXmmAt + 16), before.vector.reg[1], 16) == 0);
  CHECK(std::memcmp(bench.ram(kArea + kMxcsrAt), &before.vector.mxcsr, 4) == 0);
  if (pair.vector_bytes == 32) {
    CHECK(bench.read(kArea + kHeaderAt) == 7);  // XSTATE_BV
    CHECK(std::memcmp(bench.ram(kArea + kYmmAt + 16), before.vector.reg[1] + 16, 16) == 0);
  }
  scramble(s, 2);
  s.gpr[kRax] = 7;
  s.gpr[kRdx] = 0;
  REQUIRE(runs(bench, pair.restore));
  for (unsigned n = 0; n < 16; ++n)
    CHECK(std::memcmp(s.vector.reg[n], before.vector.reg[n], pair.vector_bytes) == 0);
  for (unsigned n = 0; n < 8; ++n) CHECK(std::memcmp(s.x87.reg[n], before.x87.reg[n], 10) == 0);
  CHECK(s.vector.mxcsr == before.vector.mxcsr);
  CHECK(s.x87.empty == before.x87.empty);
  CHECK(s.x87.status == before.x87.status);
  s.gpr[kRdi] = kArea + 8;  // misaligned
  CHECK(raises(bench, pair.save, kGp));
}

}  // namespace

TEST_CASE("what the FXSAVE and XSAVE instructions save, the matching ones restore") {
  const Pair pairs[] = {
      Pair{"FXSAVE, FXRSTOR", {0x0F, 0xAE, 0x07}, {0x0F, 0xAE, 0x0F}, 16},
      Pair{"FXSAVE64, FXRSTOR64", {0x48, 0x0F, 0xAE, 0x07}, {0x48, 0x0F, 0xAE, 0x0F}, 16},
      Pair{"XSAVE, XRSTOR", {0x0F, 0xAE, 0x27}, {0x0F, 0xAE, 0x2F}, 32},
      Pair{"XSAVE64, XRSTOR64", {0x48, 0x0F, 0xAE, 0x27}, {0x48, 0x0F, 0xAE, 0x2F}, 32},
      Pair{"XSAVEOPT", {0x0F, 0xAE, 0x37}, {0x0F, 0xAE, 0x2F}, 32},
      Pair{"XSAVEOPT64", {0x48, 0x0F, 0xAE, 0x37}, {0x48, 0x0F, 0xAE, 0x2F}, 32},
      Pair{"XSAVEC", {0x0F, 0xC7, 0x27}, {0x0F, 0xAE, 0x2F}, 32},
      Pair{"XSAVEC64", {0x48, 0x0F, 0xC7, 0x27}, {0x48, 0x0F, 0xAE, 0x2F}, 32},
  };
  for (const Pair& pair : pairs) check_round_trip(pair);
}

TEST_CASE("LDMXCSR, VLDMXCSR load MXCSR and refuse reserved bits; VSTMXCSR stores it") {
  SystemBench bench;
  CoreState& s = bench.state();
  s.gpr[kRdi] = kArea;
  bench.write(kArea, 0x7F80);
  REQUIRE(runs(bench, {0x0F, 0xAE, 0x17}));
  CHECK(s.vector.mxcsr == 0x7F80);
  bench.write(kArea, 0x3FBF);
  REQUIRE(runs(bench, {0xC5, 0xF8, 0xAE, 0x17}));
  CHECK(s.vector.mxcsr == 0x3FBF);
  bench.write(kArea, 0);
  REQUIRE(runs(bench, {0xC5, 0xF8, 0xAE, 0x1F}));
  CHECK(bench.read(kArea) == 0x3FBF);
  bench.write(kArea, 0x1'1F80);
  CHECK(raises(bench, {0x0F, 0xAE, 0x17}, kGp));
}

TEST_CASE("SLDT, STR, SGDT, SIDT and SMSW show system registers, not at CPL 3 under CR4.UMIP") {
  SystemBench bench;
  CoreState& s = bench.state();
  s.seg[kLdtr].selector = 0x58;
  s.gpr[kRdi] = kArea;
  REQUIRE(runs(bench, {0x0F, 0x00, 0xC0}));  // SLDT EAX
  CHECK(s.gpr[kRax] == 0x58);
  REQUIRE(runs(bench, {0x0F, 0x00, 0xC8}));  // STR EAX
  CHECK(s.gpr[kRax] == s.seg[kTr].selector);
  REQUIRE(runs(bench, {0x0F, 0x01, 0x07}));  // SGDT [RDI]
  CHECK(bench.read(kArea) == (s.gdtr.limit | s.gdtr.base << 16));
  REQUIRE(runs(bench, {0x0F, 0x01, 0x0F}));  // SIDT [RDI]
  CHECK(bench.read(kArea) == (s.idtr.limit | s.idtr.base << 16));
  REQUIRE(runs(bench, {0x48, 0x0F, 0x01, 0xE0}));  // SMSW RAX
  CHECK(s.gpr[kRax] == s.cr0.value);
  const std::vector<u8> stores[] = {{0x0F, 0x00, 0xC0},
                                    {0x0F, 0x00, 0xC8},
                                    {0x0F, 0x01, 0x07},
                                    {0x0F, 0x01, 0x0F},
                                    {0x0F, 0x01, 0xE0}};
  for (const std::vector<u8>& code : stores) {
    SystemBench user(3);
    user.state().cr4.set(Cr4::UMIP, 1);
    user.state().gpr[kRdi] = kArea;
    CHECK(raises(user, code, kGp));
  }
}

TEST_CASE("RDTSC, RDTSCP and RDPID show the counter and IA32_TSC_AUX; RDPMC needs a counter") {
  SystemBench bench;
  CoreState& s = bench.state();
  s.tsc_aux = 0x1234;
  const auto counter = [&] { return s.gpr[kRdx] << 32 | s.gpr[kRax]; };
  REQUIRE(runs(bench, {0x0F, 0x31}));  // RDTSC
  const u64 first = counter();
  REQUIRE(runs(bench, {0x0F, 0x01, 0xF9}));  // RDTSCP
  CHECK(counter() > first);
  CHECK(s.gpr[kRcx] == 0x1234);
  REQUIRE(runs(bench, {0xF3, 0x0F, 0xC7, 0xF8}));  // RDPID RAX
  CHECK(s.gpr[kRax] == 0x1234);
  s.gpr[kRcx] = 0x1000;
  CHECK(raises(bench, {0x0F, 0x33}, kGp));  // RDPMC
}

TEST_CASE("XGETBV shows XCR0; RDPKRU and WRPKRU move PKRU") {
  SystemBench bench;
  CoreState& s = bench.state();
  s.gpr[kRcx] = 0;
  REQUIRE(runs(bench, {0x0F, 0x01, 0xD0}));  // XGETBV
  CHECK(s.gpr[kRax] == s.xcr0);
  CHECK(s.gpr[kRdx] == 0);
  s.gpr[kRcx] = 2;
  CHECK(raises(bench, {0x0F, 0x01, 0xD0}, kGp));

  SystemBench keys;
  CoreState& k = keys.state();
  CHECK(raises(keys, {0x0F, 0x01, 0xEE}, kUd));  // without CR4.PKE
  k.cr4.set(Cr4::PKE, 1);
  keys.core().mode_changed();
  k.gpr[kRax] = 0x5555'0000;
  k.gpr[kRcx] = k.gpr[kRdx] = 0;
  REQUIRE(runs(keys, {0x0F, 0x01, 0xEF}));  // WRPKRU
  CHECK(k.pkru == 0x5555'0000);
  k.gpr[kRdx] = 7;
  REQUIRE(runs(keys, {0x0F, 0x01, 0xEE}));  // RDPKRU
  CHECK(k.gpr[kRax] == 0x5555'0000);
  CHECK(k.gpr[kRdx] == 0);
  k.gpr[kRcx] = 1;
  CHECK(raises(keys, {0x0F, 0x01, 0xEE}, kGp));
  CHECK(raises(keys, {0x0F, 0x01, 0xEF}, kGp));
}

TEST_CASE("RDRAND and RDSEED set CF, clear the other flags and give other numbers each time") {
  const std::vector<u8> draws[] = {{0x48, 0x0F, 0xC7, 0xF0}, {0x48, 0x0F, 0xC7, 0xF8}};
  for (const std::vector<u8>& code : draws) {
    SystemBench bench;
    write_rflags(bench.state(), Rflags::kArithmetic);
    REQUIRE(runs(bench, code));
    CHECK((read_rflags(bench.state()) & Rflags::kArithmetic) == Rflags::CF.mask());
    const u64 first = bench.state().gpr[kRax];
    REQUIRE(runs(bench, code));
    CHECK(bench.state().gpr[kRax] != first);
  }
}

TEST_CASE("SYSENTER goes to CPL 0 as the SYSENTER MSRs say") {
  SystemBench bench(3);
  CoreState& s = bench.state();
  CHECK(raises(bench, {0x0F, 0x34}, kGp));  // IA32_SYSENTER_CS is 0

  SystemBench entered(3);
  CoreState& e = entered.state();
  e.sysenter_cs = kKernelCs;
  e.sysenter_eip = SystemBench::handler(0x77);
  e.sysenter_esp = kRsp0;
  CHECK_FALSE(runs(entered, {0x0F, 0x34}));
  CHECK(entered.handled() == 0x77);
  CHECK(e.cpl == 0);
  CHECK(e.gpr[kRsp] == kRsp0);
  CHECK(e.seg[kCs].selector == kKernelCs);
  CHECK(e.seg[kSs].selector == kKernelCs + 8);
  CHECK(s.cpl == 0);  // the handler of #GP
}

TEST_CASE("VMCALL outside VMX operation is #UD at any CPL") {
  for (u8 cpl : {u8{0}, u8{3}}) {
    SystemBench bench(cpl);
    CHECK(raises(bench, {0x0F, 0x01, 0xC1}, kUd));
  }
}
