// System instructions: fast calls, IRET, control registers, MSRs, ports, SMM.

#include <catch2/catch.hpp>

#include "model/cpu/exec/control_registers.h"
#include "model/cpu/exec/memory.h"
#include "model/cpu/exec/msr.h"
#include "model/cpu/exec/segmentation.h"
#include "model/cpu/exec/smm.h"
#include "tests/cpu/system_bench.h"

using namespace vtsim;
using namespace vtsim::cpu;
using namespace vtsim::cpu::test;

namespace {

constexpr u64 kIf = Rflags::IF.mask();

MsrAccess access_to(SystemBench& bench, u32 index) {
  return {.core = bench.core(), .index = index, .now = 0, .tsc = 1000, .cycles = 0};
}
bool write(SystemBench& bench, u32 index, u64 value) {
  return write_msr(access_to(bench, index), value);
}
std::optional<u64> read(SystemBench& bench, u32 index) {
  u64 value;
  if (!read_msr(access_to(bench, index), value)) return std::nullopt;
  return value;
}

void push_frame(SystemBench& bench, const Frame& frame) {
  bench.state().gpr[kRsp] = kStackTop - sizeof frame;
  bench.put(kStackTop - sizeof frame, &frame, sizeof frame);
}

}  // namespace

// ---- SYSCALL, SYSRET

TEST_CASE("SYSCALL: RCX, R11, segments from IA32_STAR, flags by IA32_FMASK") {
  SystemBench bench(3);
  CoreState& s = bench.state();
  s.star = u64{0x23} << 48 | u64{kKernelCs} << 32;
  s.lstar = SystemBench::handler(0x80);
  s.fmask = kIf | Rflags::DF.mask();
  write_rflags(s, kIf | Rflags::DF.mask() | Rflags::CF.mask() | 2);
  bench.code({0x0F, 0x05});
  bench.go();
  REQUIRE(bench.handled() == 0x80u);
  CHECK(s.gpr[kRcx] == kCode + 2);
  CHECK(s.gpr[kR11] == (kIf | Rflags::DF.mask() | Rflags::CF.mask() | 2));
  CHECK(read_rflags(s) == (Rflags::CF.mask() | 2));
  CHECK(s.cpl == 0);
  CHECK(s.seg[kCs].selector == kKernelCs);
  CHECK(s.seg[kSs].selector == kKernelCs + 8);
  CHECK(s.gpr[kRsp] == kStackTop);
}

TEST_CASE("SYSRET: to 64-bit and to compatibility code") {
  SystemBench bench;
  CoreState& s = bench.state();
  s.star = u64{0x23} << 48;
  s.gpr[kRcx] = kCode + 0x100;
  s.gpr[kR11] = kIf | Rflags::RF.mask() | Rflags::VM.mask();
  SECTION("64-bit") {
    bench.code({0x48, 0x0F, 0x07});
    bench.run(1);
    CHECK(s.seg[kCs].selector == 0x33);
    CHECK(s.mode64());
  }
  SECTION("32-bit") {
    s.gpr[kRcx] |= u64{1} << 40;
    bench.code({0x0F, 0x07});
    bench.run(1);
    CHECK(s.seg[kCs].selector == 0x23);
    CHECK_FALSE(s.mode64());
  }
  CHECK(s.rip == kCode + 0x100);
  CHECK(s.seg[kSs].selector == 0x2B);
  CHECK(s.cpl == 3);
  CHECK(read_rflags(s) == (kIf | 2));
}

TEST_CASE("SYSRET to a non-canonical address raises #GP at CPL 0") {
  SystemBench bench;
  bench.state().gpr[kRcx] = u64{1} << 47;
  bench.code({0x48, 0x0F, 0x07});
  bench.go();
  REQUIRE(bench.handled() == kGp);
  CHECK((bench.pushed(2) & 3) == 0);
  CHECK(bench.pushed(1) == kCode);
}

TEST_CASE("SYSCALL needs IA32_EFER.SCE") {
  SystemBench bench(3);
  bench.state().efer.set(Efer::SCE, 0);
  bench.code({0x0F, 0x05});
  bench.go();
  CHECK(bench.handled() == kUd);
}

// SDM 2B "SYSRET", Operation: IA32_EFER.SCE is looked at before CPL.
TEST_CASE("SYSRET at CPL 3: #UD without IA32_EFER.SCE, #GP(0) with it") {
  SystemBench bench(3);
  const bool enabled = GENERATE(false, true);
  bench.state().efer.set(Efer::SCE, enabled);
  bench.code({0x48, 0x0F, 0x07});
  bench.go();
  CHECK(bench.handled() == (enabled ? kGp : kUd));
}

// ---- IRET in 64-bit mode

TEST_CASE("IRETQ to CPL 3 makes unusable what CPL 3 may not use, and keeps the base of FS") {
  SystemBench bench;
  CoreState& s = bench.state();
  s.seg[kDs].selector = kKernelSs;
  s.seg[kFs].base = 0x1234;
  push_frame(bench, {kCode + 0x100, kUserCs, kIf | 2, 0x1F000, kUserSs});
  bench.code({0x48, 0xCF});
  bench.run(1);
  CHECK(s.rip == kCode + 0x100);
  CHECK(s.cpl == 3);
  CHECK(s.gpr[kRsp] == 0x1F000);
  CHECK_FALSE(s.seg[kDs].usable());
  CHECK(s.seg[kDs].selector == 0);
  CHECK(s.seg[kFs].base == 0x1234);
}

TEST_CASE("IRETQ: what faults") {
  struct Row {
    const char* rule;
    Frame frame;
    u64 rflags;
    u64 error;
  };
  const Row rows[] = {
      {"nested task", {kCode, kKernelCs, 2, kStackTop, kKernelSs}, 2 | Rflags::NT.mask(), 0},
      {"null CS", {kCode, 0, 2, kStackTop, kKernelSs}, 2, 0},
      {"CS beyond the table", {kCode, 0x48, 2, kStackTop, kKernelSs}, 2, 0x48},
      {"CS is data", {kCode, kKernelSs, 2, kStackTop, kKernelSs}, 2, kKernelSs},
      {"null SS at CPL 3", {kCode, kUserCs, 2, kStackTop, 0}, 2, 0},
      {"SS of another level", {kCode, kUserCs, 2, kStackTop, kKernelSs | 3}, 2, kKernelSs},
      {"RIP not canonical", {u64{1} << 50, kUserCs, 2, kStackTop, kUserSs}, 2, 0},
  };
  for (const Row& row : rows) {
    INFO(row.rule);
    SystemBench bench;
    push_frame(bench, row.frame);
    write_rflags(bench.state(), row.rflags);
    bench.code({0x48, 0xCF});
    bench.go();
    REQUIRE(bench.handled() == kGp);
    CHECK(bench.pushed(0) == row.error);
    CHECK(bench.pushed(1) == kCode);
    CHECK(bench.pushed(2) == kKernelCs);
  }
}

TEST_CASE("IRETQ within CPL 0 takes a null SS") {
  SystemBench bench;
  push_frame(bench, {kCode + 0x100, kKernelCs, 2, 0x1F000, 0});
  bench.code({0x48, 0xCF});
  bench.run(1);
  CHECK(bench.state().rip == kCode + 0x100);
  CHECK_FALSE(bench.state().seg[kSs].usable());
}

// ---- segments

TEST_CASE("Limits: expand-up ends at the limit, expand-down begins behind it") {
  SegmentRegister up{.selector = 0, .rights = Reg<SegmentRights>(0x93), .limit = 0xFF, .base = 0};
  CHECK(within_limit(up, 0xF8, 8));
  CHECK_FALSE(within_limit(up, 0xF9, 8));
  SegmentRegister down = up;
  down.rights = Reg<SegmentRights>(0x97);
  CHECK_FALSE(within_limit(down, 0xFF, 1));
  CHECK(within_limit(down, 0x100, 1));
  CHECK(within_limit(down, 0xFFFF, 1));
  CHECK_FALSE(within_limit(down, 0xFFFF, 2));
  down.rights.set(SegmentRights::DB, 1);
  CHECK(within_limit(down, 0xFFFF, 2));
}

TEST_CASE("Loads of segment registers") {
  struct Row {
    const char* rule;
    SegmentName name;
    u16 selector;
    u64 descriptor;
    std::optional<u8> vector;
    u32 error;
  };
  const Row rows[] = {
      {"data", kDs, 0x18, 0x00CF93000000FFFF, {}, 0},
      {"readable code", kDs, 0x18, 0x00CF9B000000FFFF, {}, 0},
      {"execute-only code", kDs, 0x18, 0x00CF99000000FFFF, kGp, 0x18},
      {"RPL above DPL", kDs, 0x1B, 0x00CF93000000FFFF, kGp, 0x18},
      {"conforming code has no level", kDs, 0x1B, 0x00CF9F000000FFFF, {}, 0},
      {"not present", kDs, 0x18, 0x00CF13000000FFFF, kNp, 0x18},
      {"a system segment", kDs, 0x18, 0x00CF82000000FFFF, kGp, 0x18},
      {"beyond the table", kDs, 0x40, 0, kGp, 0x40},
      {"no LDT", kDs, 0x1C, 0, kGp, 0x1C},
      {"null", kDs, 0x3, 0, {}, 0},
      {"stack", kSs, 0x18, 0x00CF93000000FFFF, {}, 0},
      {"stack, read-only", kSs, 0x18, 0x00CF91000000FFFF, kGp, 0x18},
      {"stack, not present", kSs, 0x18, 0x00CF13000000FFFF, kSs_, 0x18},
      {"stack, DPL above CPL", kSs, 0x18, 0x00CFF3000000FFFF, kGp, 0x18},
      {"stack, null at CPL 0 of 64-bit mode", kSs, 0x0, 0, {}, 0},
      {"stack, null with another RPL", kSs, 0x3, 0, kGp, 0},
  };
  for (const Row& row : rows) {
    INFO(row.rule);
    SystemBench bench;
    bench.state().seg[kLdtr] = null_segment(0);
    if (row.descriptor != 0) bench.gdt(0x18, row.descriptor);
    const bool ok = load_segment(bench.core(), row.name, row.selector);
    REQUIRE(ok == !row.vector.has_value());
    if (!ok) {
      CHECK(bench.core().raised.vector == *row.vector);
      CHECK(bench.core().raised.error_code == row.error);
    } else {
      CHECK(bench.state().seg[row.name].selector == row.selector);
      CHECK(bench.state().seg[row.name].usable() == (row.descriptor != 0));
    }
  }
}

TEST_CASE("A load sets the accessed bit in the table") {
  SystemBench bench;
  bench.gdt(0x18, 0x00CF92000000FFFF);
  REQUIRE(load_segment(bench.core(), kDs, 0x18));
  CHECK(bench.read(kGdtBase + 0x18) == 0x00CF93000000FFFF);
}

// ---- control registers

TEST_CASE("MOV to CR0: combinations that raise #GP") {
  SystemBench bench;
  const u64 now = bench.state().cr0.value;
  CHECK_FALSE(write_cr0(bench.core(), now & ~Cr0::PE.mask()));       // PG without PE
  CHECK_FALSE(write_cr0(bench.core(), now | Cr0::NW.mask()));        // NW without CD
  CHECK_FALSE(write_cr0(bench.core(), now & ~Cr0::PG.mask()));       // in 64-bit mode
  CHECK_FALSE(write_cr0(bench.core(), now | u64{1} << 32));
  CHECK(bench.state().cr0.value == now);
  CHECK(write_cr0(bench.core(), now | Cr0::NW.mask() | Cr0::CD.mask()));
}

TEST_CASE("MOV to CR4: reserved bits, and what IA-32e mode holds fast") {
  SystemBench bench;
  const u64 now = bench.state().cr4.value;
  CHECK_FALSE(write_cr4(bench.core(), now & ~Cr4::PAE.mask()));
  CHECK_FALSE(write_cr4(bench.core(), now ^ Cr4::LA57.mask()));
  CHECK_FALSE(write_cr4(bench.core(), now | u64{1} << 15));
  CHECK_FALSE(write_cr4(bench.core(), now | u64{1} << 33));
  bench.state().cr3 |= 1;
  CHECK_FALSE(write_cr4(bench.core(), now | Cr4::PCIDE.mask()));  // CR3[11:0] is not 0
  bench.state().cr3 &= ~u64{1};
  CHECK(write_cr4(bench.core(), now | Cr4::PCIDE.mask()));
}

TEST_CASE("A feature that is not offered reserves its bit of CR4") {
  CpuModel model = test_model();
  model.silicon.remove(Feature::kSmap);
  SystemBench bench(0, model);
  CHECK_FALSE(write_cr4(bench.core(), bench.state().cr4.value | Cr4::SMAP.mask()));
}

// ---- MSRs

TEST_CASE("The rows of the MSR table are sorted and disjoint") {
  const auto rows = all_msr_rows();
  REQUIRE(rows.size() > 40);
  for (std::size_t n = 1; n < rows.size(); ++n) {
    INFO(rows[n].name);
    CHECK(rows[n - 1].last < rows[n].first);
    CHECK(rows[n].first <= rows[n].last);
  }
}

TEST_CASE("MSRs that are not modelled are named where the silicon has them") {
  CpuModel model = test_model();
  model.model = 0x55;
  model.silicon.add(Feature::kEpb);
  SystemBench bench(0, model);
  CHECK(unmodelled_msr(bench.core(), 0x1B0) == "IA32_ENERGY_PERF_BIAS");
  CHECK(unmodelled_msr(bench.core(), 0x33).empty());        // Ice Lake's
  CHECK(unmodelled_msr(bench.core(), 0xC0011029).empty());  // AMD's
  model.model = 0x6A;
  model.silicon.remove(Feature::kEpb);
  SystemBench later(0, model);
  CHECK(unmodelled_msr(later.core(), 0x1B0).empty());
  CHECK(unmodelled_msr(later.core(), 0x33) == "MSR_TEST_CTRL");
}

TEST_CASE("MSR_PPERF counts executed instructions, from Skylake on") {
  CpuModel model = test_model();
  model.model = 0x55;
  SystemBench bench(0, model);
  u64 value = 0;
  CHECK(read_msr({.core = bench.core(), .index = 0x64E, .cycles = bench.core().cycle()}, value));
  CHECK(value == 0);
  bench.code({0x90, 0x90, 0x90, 0xF4});
  bench.run(3);
  CHECK(read_msr({.core = bench.core(), .index = 0x64E, .cycles = bench.core().cycle()}, value));
  CHECK(value == 3);
  CHECK_FALSE(write_msr({.core = bench.core(), .index = 0x64E}, 0));
  model.model = 0x3F;
  SystemBench earlier(0, model);
  CHECK_FALSE(read_msr({.core = earlier.core(), .index = 0x64E}, value));
}

TEST_CASE("MSRs: reserved bits and values raise #GP") {
  SystemBench bench;
  CHECK_FALSE(read(bench, 0x12345678).has_value());
  CHECK_FALSE(write(bench, 0x12345678, 0));
  CHECK_FALSE(write(bench, 0xC0000080, u64{1} << 1));             // EFER
  CHECK_FALSE(write(bench, 0xC0000080, 0xD01 & ~u64{0x100}));     // LME while paging is on
  CHECK(write(bench, 0xC0000080, 0xD01));
  CHECK_FALSE(write(bench, 0xC0000100, u64{1} << 60));            // FS base
  CHECK_FALSE(write(bench, 0x277, 0x0007040600070402));           // PAT: type 2
  CHECK(write(bench, 0x277, 0x0007040600070406));
  CHECK_FALSE(write(bench, 0x200, 0x3));                          // MTRR: type 3
  CHECK_FALSE(write(bench, 0x201, u64{1} << 46));                 // beyond MAXPHYADDR
  CHECK(write(bench, 0x201, 0xFFFC0000800));
  CHECK_FALSE(write(bench, 0x2FF, 0x1000));
  CHECK_FALSE(write(bench, 0xFE, 0));                             // read-only
  CHECK_FALSE(read(bench, 0x49).has_value());                     // write-only
  CHECK(write(bench, 0x49, 1));
}

TEST_CASE("IA32_TSC_ADJUST follows writes of the counter, and moves it") {
  SystemBench bench;
  CHECK(write(bench, 0x10, 5000));  // the counter shows 1000
  CHECK(read(bench, 0x3B) == 4000u);
  CHECK(write(bench, 0x3B, 0));
  CHECK(bench.state().tsc_offset == 0);
}

TEST_CASE("Machine-check banks end at the count") {
  SystemBench bench;
  const u64 banks = *read(bench, 0x179) & 0xFF;
  CHECK(read(bench, static_cast<u32>(0x400 + 4 * banks - 1)).has_value());
  CHECK_FALSE(read(bench, static_cast<u32>(0x400 + 4 * banks)).has_value());
}

// ---- ports

TEST_CASE("I/O permission bitmap: all ports of the access, and its limit") {
  SystemBench bench(3);
  const u16 map = 0x68;
  bench.put(kTssBase + 102, &map, 2);
  bench.state().seg[kTr].limit = 0x68 + 0x10;
  for (unsigned n = 0; n < 0x10; ++n) bench.put(kTssBase + 0x68 + n, "\0", 1);
  const u8 closed = 0x04;  // port 0x12
  bench.put(kTssBase + 0x68 + 2, &closed, 1);
  const auto reads = [&](u16 port, std::initializer_list<u8> code) {
    SystemBench& b = bench;
    b.state().gpr[kRdx] = port;
    b.state().activity = Activity::kActive;
    b.code(code);
    b.run(1);
    return b.state().rip != SystemBench::handler(kGp);
  };
  CHECK(reads(0x10, {0x66, 0xED}));        // a word: 0x10, 0x11
  CHECK_FALSE(reads(0x11, {0x66, 0xED}));  // 0x11, 0x12
}

TEST_CASE("Above IOPL without a bitmap ports raise #GP(0)") {
  SystemBench bench(3);
  bench.code({0xEC});
  bench.go();
  REQUIRE(bench.handled() == kGp);
  CHECK(bench.pushed(0) == 0);
}

TEST_CASE("REP OUTS writes RCX items and leaves RSI behind them") {
  SystemBench bench;
  CoreState& s = bench.state();
  s.gpr[kRcx] = 3;
  s.gpr[kRsi] = 0x50000;
  s.gpr[kRdx] = 0x80;
  bench.put(0x50000, "\x11\x22\x33", 3);
  bench.code({0xF3, 0x6E, 0xF4});
  bench.go();
  CHECK(s.gpr[kRcx] == 0);
  CHECK(s.gpr[kRsi] == 0x50003);
  CHECK(bench.bus.ports[0x80] == 0x33);
}

// ---- SMM

TEST_CASE("SMM: the state comes back, and SMBASE moves") {
  SystemBench bench;
  CoreState& s = bench.state();
  for (unsigned n = 0; n < 16; ++n) s.gpr[n] = u64{0x1111111111111111} * n;
  write_rflags(s, kIf | Rflags::CF.mask() | 2);
  const CoreState before = s;
  enter_smm(bench.core());
  CHECK(s.in_smm);
  CHECK(s.rip == 0x8000);
  CHECK(s.seg[kCs].base == 0x30000);
  CHECK(s.real_mode());
  CHECK_FALSE(s.long_mode());
  CHECK(bench.read(0x30000 + 0xFF78) == kCode);
  const u32 moved = 0xA0000;
  bench.put(0x30000 + 0xFF00, &moved, 4);
  bench.put(0x38000, "\x0F\xAA", 2);  // RSM
  bench.run(1);
  CHECK_FALSE(s.in_smm);
  CHECK(s.smbase == moved);
  CHECK(s.gpr == before.gpr);
  CHECK(s.rip == before.rip);
  CHECK(read_rflags(s) == read_rflags(before));
  CHECK(s.mode64());
  for (unsigned n = 0; n < kSegmentCount; ++n) {
    CHECK(s.seg[n].selector == before.seg[n].selector);
    CHECK(s.seg[n].rights == before.seg[n].rights);
    CHECK(s.seg[n].base == before.seg[n].base);
  }
}

TEST_CASE("RSM outside SMM raises #UD") {
  SystemBench bench;
  bench.code({0x0F, 0xAA});
  bench.go();
  CHECK(bench.handled() == kUd);
}
