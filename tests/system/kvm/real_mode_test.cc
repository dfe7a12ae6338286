// Real-address mode against the host's KVM: every integer instruction of the table with 16- and
// 32-bit operands and addresses, segment overrides, limits at FFFFH, wrapping stacks, interrupts.

#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <random>

#include "model/cpu/exec/isa.h"
#include "model/cpu/exec/table.h"
#include "tests/system/kvm/comparison.h"

using namespace vtsim;
using namespace vtsim::cpu;
using namespace vtsim::cpu::test;

namespace {

constexpr u64 kHandlersAt = 0x400, kCodeSegment = 0x1F00, kCodeAt = kCodeSegment * 16,
              kDataEnd = 0x18000, kWritable = 0x30000;

// What KVM or the bare machine has no common state for, or what depends on time or the model.
bool is_left_out(const Decoded& in) {
  switch (in.ins.meta.category) {
    case ZYDIS_CATEGORY_IO:
    case ZYDIS_CATEGORY_IOSTRINGOP:
    case ZYDIS_CATEGORY_RDRAND:
    case ZYDIS_CATEGORY_RDSEED:
    case ZYDIS_CATEGORY_VTX:
      return true;
    default:
      break;
  }
  switch (in.mnemonic()) {
    case ZYDIS_MNEMONIC_HLT: case ZYDIS_MNEMONIC_CPUID: case ZYDIS_MNEMONIC_RDTSC:
    case ZYDIS_MNEMONIC_RDTSCP: case ZYDIS_MNEMONIC_RDPMC: case ZYDIS_MNEMONIC_RDMSR:
    case ZYDIS_MNEMONIC_WRMSR: case ZYDIS_MNEMONIC_MONITOR: case ZYDIS_MNEMONIC_MWAIT:
    case ZYDIS_MNEMONIC_RSM: case ZYDIS_MNEMONIC_GETSEC: case ZYDIS_MNEMONIC_LMSW:
    case ZYDIS_MNEMONIC_XGETBV: case ZYDIS_MNEMONIC_XSETBV: case ZYDIS_MNEMONIC_INVPCID:
      return true;
    default:
      break;
  }
  for (unsigned n = 0; n < in.visible(); ++n) {
    if (!in.is_register(n)) continue;
    const ZydisRegisterClass kind = ZydisRegisterGetClass(in.operand[n].reg.value);
    if (kind == ZYDIS_REGCLASS_CONTROL || kind == ZYDIS_REGCLASS_DEBUG) return true;
  }
  return false;
}

// Where KVM's emulator parts from the manual: with an operand-size prefix it pushes 32-bit items for
// INT (SDM 2A "INT n", REAL-ADDRESS-MODE), and for ENTER goes by the stack's size (SDM 2A "ENTER").
bool is_known_deviation(const Decoded& in) {
  if (!in.has(ZYDIS_ATTRIB_HAS_OPERANDSIZE)) return false;
  return in.mnemonic() == ZYDIS_MNEMONIC_INT ||
         in.mnemonic() == ZYDIS_MNEMONIC_INT3 || in.mnemonic() == ZYDIS_MNEMONIC_INTO ||
         in.mnemonic() == ZYDIS_MNEMONIC_ENTER;
}

u64 undefined_flags(const Decoded& in) {
  const u64 always = in.ins.cpu_flags != nullptr ? in.ins.cpu_flags->undefined : 0;
  switch (in.mnemonic()) {
    // KVM's emulator sets them by AX (SDM 2A "AAD", "AAM": by AL).
    case ZYDIS_MNEMONIC_AAD:
    case ZYDIS_MNEMONIC_AAM:
      return always | Rflags::SF.mask() | Rflags::ZF.mask() | Rflags::PF.mask();
    // Undefined for counts greater than the operand's size.
    case ZYDIS_MNEMONIC_SHLD:
    case ZYDIS_MNEMONIC_SHRD:
      return in.operand_bits() == 16 ? Rflags::kArithmetic : always;
    default:
      return always;
  }
}

class RealMode {
 public:
  RealMode(Comparison& comparison, u64 seed) : comparison_(comparison), random_(seed) {}

  // Up to `count` instances of an opcode with a ModRM reg field.
  void opcode(int map, u8 opcode, u8 reg, unsigned count) {
    for (unsigned n = 0; n < count; ++n) {
      std::vector<u8> bytes;
      for (const u8 prefix : {u8{0x66}, u8{0x67}})
        if (one_in(3)) bytes.push_back(prefix);
      constexpr u8 kOverrides[] = {0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65};
      if (one_in(4)) bytes.push_back(kOverrides[random_() % 6]);
      if (one_in(6)) bytes.push_back(one_in(2) ? 0xF3 : 0xF2);
      if (map >= 0) bytes.push_back(0x0F);
      if (map > 0x0F) bytes.push_back(static_cast<u8>(map));
      bytes.push_back(opcode);
      const u8 modrm = static_cast<u8>((random_() & 0xC7) | reg << 3);
      bytes.push_back(modrm);
      for (unsigned k = 0; k < 8; ++k) bytes.push_back(static_cast<u8>(one_in(2) ? random_() : 0));
      instruction(std::move(bytes));
    }
  }
  unsigned wrong() const { return wrong_; }

 private:
  bool one_in(u64 n) { return random_() % n == 0; }

  void instruction(std::vector<u8> bytes) {
    Decoded in;
    if (decoder_.decode(bytes, CodeSize::k16, 0, in) != DecodeStatus::kOk) return;
    const InstructionRow* const row = find_row(in.mnemonic());
    if (row == nullptr || row->timing == Timing::kSimd || row->timing == Timing::kX87 ||
        row->gate == Gate::kXsave || row->gate == Gate::kFxsave || row->gate == Gate::kMmx ||
        required_feature(in).feature || is_left_out(in) || is_known_deviation(in))
      return;
    bytes.resize(in.length());
    prepare(in, bytes);
    const std::string text = comparison_.differences(case_);
    if (!text.empty() && ++wrong_ < 50) FAIL_CHECK(text);
  }

  u64 value() {
    constexpr u64 kEdges[] = {0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF};
    const u64 low = one_in(2) ? kEdges[random_() % std::size(kEdges)] : random_() & 0xFFFF;
    return one_in(3) ? low | (random_() & 0xFFFF0000) : low;
  }

  void prepare(const Decoded& in, const std::vector<u8>& bytes) {
    case_.name.clear();
    for (const u8 byte : bytes) {
      constexpr char kDigits[] = "0123456789abcdef";
      case_.name += {kDigits[byte >> 4], kDigits[byte & 15], ' '};
    }
    case_.name += ZydisMnemonicGetString(in.ins.mnemonic <= ZYDIS_MNEMONIC_MAX_VALUE
                                             ? in.ins.mnemonic
                                             : ZYDIS_MNEMONIC_INVALID);
    case_.undefined_flags = undefined_flags(in);
    prepare_memory(in, bytes);
    comparison_.machine().core().power_on();
    CoreState& s = case_.state;
    s = comparison_.machine().state();
    for (unsigned n = 0; n < 8; ++n) s.gpr[n] = value();
    // KVM's emulator pushes without a look at limits, and clears the upper half of ESP when it
    // delivers an exception (SDM 2A "INT n", 1 "Stack": SP wraps, #SS beyond the limit).
    s.gpr[kRcx] &= 0x3FF;  // repetitions
    s.gpr[kRsp] = (s.gpr[kRsp] & 0xFFFF) < 8 ? 0 : s.gpr[kRsp] & 0xFFFF;
    for (const SegmentName name : {kEs, kSs, kDs, kFs, kGs}) {
      s.seg[name].selector = static_cast<u16>(random_() & 0x7FF);
      s.seg[name].base = u64{s.seg[name].selector} * 16;
    }
    s.seg[kCs].selector = kCodeSegment;
    s.seg[kCs].base = kCodeAt;
    s.rip = 0x100;
    s.idtr = {0, 0x3FF};
    s.gdtr = {0x600, 0x7F};
    s.cr0 = Reg<Cr0>(0x10);
    constexpr u64 kFlags = Rflags::kArithmetic | Rflags::DF.mask() | Rflags::IF.mask();
    write_rflags(s, random_() & kFlags);
    case_.name += "\nflags " + std::to_string(read_rflags(s));
  }

  // Jumps land on HLT wherever they go; other instructions find random data.
  void prepare_memory(const Decoded& in, const std::vector<u8>& bytes) {
    ram_.assign(kWritable, 0xF4);
    for (unsigned vector = 0; vector < 256; ++vector) {
      const u32 handler = u32{kHandlersAt / 16} << 16 | vector;
      std::memcpy(&ram_[vector * 4], &handler, 4);
    }
    const bool goes_elsewhere = in.ins.meta.branch_type != ZYDIS_BRANCH_TYPE_NONE ||
                                in.ins.meta.category == ZYDIS_CATEGORY_RET ||
                                in.ins.meta.category == ZYDIS_CATEGORY_INTERRUPT;
    if (!goes_elsewhere)
      for (u64 at = 0x600; at < kDataEnd; at += 8) {
        const u64 word = random_();
        std::memcpy(&ram_[at], &word, 8);
      }
    std::copy(bytes.begin(), bytes.end(), &ram_[kCodeAt + 0x100]);
    case_.ram = &ram_;
    case_.db_handler = kHandlersAt + kDb;
  }

  Comparison& comparison_;
  std::mt19937_64 random_;
  Decoder decoder_{DecoderOptions{}};
  ComparisonCase case_;
  std::vector<u8> ram_;
  unsigned wrong_ = 0;
};

u64 environment(const char* name, u64 otherwise) {
  const char* const text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 0) : otherwise;
}

}  // namespace

TEST_CASE("real-address mode agrees with the host's KVM") {
  Comparison comparison;
  if (!comparison.available()) {
    std::printf("skipped: %s\n", comparison.why_not().c_str());
    return;
  }
  const u64 seed = environment("VTSIM_SEED", 1);
  const unsigned count = static_cast<unsigned>(environment("VTSIM_CASES", 4));
  comparison.fill(0xF4);  // beyond what cases write
  RealMode real_mode(comparison, seed);
  for (const int map : {-1, 0x0F, 0x38})
    for (unsigned opcode = 0; opcode < 256; ++opcode)
      for (u8 reg = 0; reg < 8; ++reg)
        real_mode.opcode(map, static_cast<u8>(opcode), reg, count);
  std::printf("seed %llu: %u compared, %u not run by this host's KVM\n",
              static_cast<unsigned long long>(seed), comparison.compared(),
              comparison.not_emulated());
  CHECK(real_mode.wrong() == 0);
  CHECK(comparison.compared() > 0);
}
