// Every instruction of the table that refers to memory, each of its references failed in turn.

#include <catch2/catch.hpp>
#include <cstdio>
#include <random>

#include "tests/system/fault_check.h"
#include "tests/system/memory_encodings.h"

using namespace vtsim;
using namespace vtsim::cpu;
using namespace vtsim::cpu::test;

namespace {

// Where operands lie: within their pages; across page boundaries. The stack pointer is a little above
// or below a boundary, or so far from it that several pushes or pops come first.
enum class Placement { kInside, kCrossing, kCrossingPop, kManyPushes, kManyPops };

constexpr u64 kOperandPage = 0x1000, kSourcePage = 0x4000, kDestinationPage = 0x1000,
              kStackPage = 0x1000, kFramePage = 0x4000;

class FormCase {
 public:
  FormCase(PagedBench& bench, CodeSize size, unsigned cpl) : size_(size) {
    bench.enter(size, cpl);
    state_ = bench.state();
    bench.copy_memory(ram_);
    std::mt19937_64 random(1);
    for (u64 at = kDataBase; at < kPagedRam; ++at) ram_[at] = static_cast<u8>(random());
    for (auto& reg : state_.vector.reg)
      for (u8& byte : reg) byte = static_cast<u8>(random());
    for (unsigned n = 0; n < 8; ++n) {  // x87: small normal numbers
      const u64 mantissa = random() | u64{1} << 63;
      const u16 exponent = static_cast<u16>(0x3FFF + n);
      std::memcpy(state_.x87.reg[n], &mantissa, 8);
      std::memcpy(state_.x87.reg[n] + 8, &exponent, 2);
    }
    state_.x87.empty = 0x18;
    const u32 indexes[8] = {0, 0, 0x400, 0, 0x20, 0, 0x80, 0};  // of gathers
    std::memcpy(state_.vector.reg[5], indexes, sizeof indexes);
  }

  void make(const MemoryEncoding& form, Placement placement, RunKind run, FaultCase& one) const {
    one.name = form.name;
    one.state = state_;
    one.ram = ram_;
    one.run = run;
    place(one, form, placement);
    place_code(one, form, run);
    one.makes_progress = form.makes_progress;
  }

 private:
  u64 pointer(SegmentName name, u64 offset) const {
    constexpr u64 kBases[4] = {kExtraBase, 0, kStackBase, kDataBase};
    return size_ == CodeSize::k64 ? kBases[name] + offset : offset;
  }

  void place(FaultCase& one, const MemoryEncoding& form, Placement placement) const {
    auto& gpr = one.state.gpr;
    const bool crossing = placement != Placement::kInside;
    const unsigned half = std::max(1u, form.operand_bytes / 2);
    const u64 operand = crossing ? half : 0x100;
    gpr[kRax] = 7;
    gpr[kRcx] = 3;
    gpr[kRdx] = 0;
    gpr[kRbx] = pointer(kDs, kOperandPage - operand);
    gpr[kRsi] = pointer(kDs, kSourcePage - (crossing ? 5 : 0x100));
    gpr[kRdi] = pointer(kEs, kDestinationPage - (crossing ? 3 : 0x100));
    constexpr i64 kStackOffset[] = {-0x100, 1, -1, 10, -10};
    gpr[kRsp] = pointer(kSs, kStackPage + static_cast<u64>(kStackOffset[static_cast<int>(placement)]));
    gpr[kRbp] = pointer(kSs, kFramePage - (crossing ? 1 : 0x100));
    one.operand_lin = kDataBase + kOperandPage - operand;
    one.operand_bytes = form.operand_bytes;
    one.operand_is_written = form.operand_is_written;
    one.operand_is_one_access = form.is_one_access;
    // The operand may be an image of MXCSR or of an XSAVE area.
    const u32 mxcsr = 0x1F80;
    const u64 header[8] = {7};
    u8* const at = &one.ram[one.operand_lin];
    std::memcpy(at, &mxcsr, sizeof mxcsr);
    std::memcpy(at + 24, &mxcsr, sizeof mxcsr);
    std::memcpy(at + 512, header, sizeof header);
  }

  void place_code(FaultCase& one, const MemoryEncoding& form, RunKind run) const {
    const std::size_t length = form.bytes.size();
    one.rip = kPagedCode - length / 2;
    one.length = length;
    one.state.rip = one.rip;
    std::copy(form.bytes.begin(), form.bytes.end(), &one.ram[one.rip]);
    one.ram[one.rip + length] = 0xF4;
    if (run == RunKind::kStepped) return;
    one.ram[--one.state.rip] = 0x90;
    one.ram[--one.state.rip] = 0x90;
  }

  CodeSize size_;
  CoreState state_;
  std::vector<u8> ram_;
};

class FormChecker {
 public:
  FormChecker(CodeSize size, unsigned cpl) : cpl_(cpl), cases_(bench_, size, cpl) {}

  void check(const MemoryEncoding& form) {
    const bool simd = form.is_simd;
    if (simd && cpl_ == 3) return;  // nothing of theirs depends on the privilege
    check(form, Placement::kInside);
    check(form, Placement::kCrossing);
    if (form.operand_bytes != 0) return;
    for (const Placement placement :
         {Placement::kCrossingPop, Placement::kManyPushes, Placement::kManyPops})
      check(form, placement);
  }
  unsigned faults() const { return faults_; }

 private:
  void check(const MemoryEncoding& form, Placement placement) {
    cases_.make(form, placement, RunKind::kStepped, one_);
    add(checker_.check(one_));
    // Blocks are for what goes on to the next instruction.
    bench_.restore(one_.state, one_.ram);
    bench_.run_one(RunKind::kStepped, end_);
    if (end_.event || end_.state.rip != one_.rip + form.bytes.size()) return;
    if (form.is_simd && placement == Placement::kInside) return;
    cases_.make(form, placement, RunKind::kInBlock, one_);
    add(checker_.check(one_));
  }
  void add(const FaultReport& report) {
    faults_ += report.faults;
    if (!report.error.empty()) FAIL_CHECK(report.error);
  }

  PagedBench bench_;
  unsigned cpl_;
  FormCase cases_;
  FaultChecker checker_{bench_};
  FaultCase one_;
  RunEnd end_;
  unsigned faults_ = 0;
};

void check_forms(CodeSize size, unsigned cpl) {
  FormChecker checker(size, cpl);
  const std::vector<MemoryEncoding> forms = memory_encodings(size);
  for (const MemoryEncoding& form : forms) checker.check(form);
  std::printf("%u-bit code, CPL %u: %zu encodings, %u faults\n", 16 << static_cast<int>(size), cpl,
              forms.size(), checker.faults());
  CHECK(checker.faults() > 1000);
}

}  // namespace

TEST_CASE("a fault at any memory reference leaves an instruction restartable: 64-bit code") {
  check_forms(CodeSize::k64, GENERATE(0u, 3u));
}
TEST_CASE("a fault at any memory reference leaves an instruction restartable: 32-bit code") {
  check_forms(CodeSize::k32, GENERATE(0u, 3u));
}
TEST_CASE("a fault at any memory reference leaves an instruction restartable: 16-bit code") {
  check_forms(CodeSize::k16, GENERATE(0u, 3u));
}
