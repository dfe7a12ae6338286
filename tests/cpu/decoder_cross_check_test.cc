// Zydis, behind decode.h, against Capstone, a decoder of other descent: validity, length, mnemonic
// and operands of all opcodes under combinations of prefixes and ModRM bytes, and of random bytes,
// in 16-, 32- and 64-bit code. Where they differ and Capstone is right, decode.cc mends Zydis;
// where Zydis is right (the integer suite asks the host processor), a row of decoder_differences.h
// says so.

#include <capstone/capstone.h>

#include <catch2/catch.hpp>
#include <map>
#include <random>

#include "tests/cpu/differential/decoder_differences.h"

using namespace vtsim;
using namespace vtsim::cpu;
using namespace vtsim::cpu::test;

namespace {

class Capstone {
 public:
  Capstone() {
    constexpr cs_mode kModes[] = {CS_MODE_16, CS_MODE_32, CS_MODE_64};
    for (unsigned n = 0; n < 3; ++n) {
      REQUIRE(cs_open(CS_ARCH_X86, kModes[n], &handle_[n]) == CS_ERR_OK);
      cs_option(handle_[n], CS_OPT_DETAIL, CS_OPT_ON);
    }
    instruction_ = cs_malloc(handle_[0]);
  }
  ~Capstone() {
    cs_free(instruction_, 1);
    for (csh& handle : handle_) cs_close(&handle);
  }
  Capstone(const Capstone&) = delete;
  Capstone& operator=(const Capstone&) = delete;

  OtherDecoding decode(std::span<const u8> bytes, CodeSize size, u64 rip) {
    const csh handle = handle_[static_cast<unsigned>(size)];
    const u8* at = bytes.data();
    std::size_t left = bytes.size();
    u64 address = rip;
    if (!cs_disasm_iter(handle, &at, &left, &address, instruction_)) return {};
    OtherDecoding out{.valid = true, .length = instruction_->size, .name = {}, .operands = {}};
    out.name = cs_insn_name(handle, instruction_->id);
    const cs_x86& x86 = instruction_->detail->x86;
    for (unsigned n = 0; n < x86.op_count; ++n) out.operands.push_back(operand(handle, x86, n));
    return out;
  }

 private:
  static std::string name_of(csh handle, x86_reg reg) {
    return reg == X86_REG_INVALID || reg == X86_REG_EIZ || reg == X86_REG_RIZ
               ? ""
               : cs_reg_name(handle, reg);
  }
  static DecodedOperand operand(csh handle, const cs_x86& x86, unsigned n) {
    const cs_x86_op& from = x86.operands[n];
    DecodedOperand to;
    switch (from.type) {
      case X86_OP_REG:
        to.kind = DecodedOperand::kRegister;
        to.reg = name_of(handle, from.reg);
        break;
      case X86_OP_IMM:
        to.kind = DecodedOperand::kImmediate;
        to.value = static_cast<u64>(from.imm);
        break;
      default:
        to.kind = DecodedOperand::kMemory;
        to.reg = name_of(handle, from.mem.base);
        to.index = name_of(handle, from.mem.index);
        to.scale = to.index.empty() ? 1 : static_cast<unsigned>(from.mem.scale);
        to.value = static_cast<u64>(from.mem.disp);
        to.segment = name_of(handle, from.mem.segment);
        break;
    }
    return to;
  }

  csh handle_[3] = {};
  cs_insn* instruction_ = nullptr;
};

class CrossCheck {
 public:
  void check(std::vector<u8> bytes, CodeSize size) {
    bytes.resize(15, 0);
    constexpr u64 kRip = 0x1000;
    Decoded in;
    const DecodeStatus status = decoder_.decode(bytes, size, kRip, in);
    const bool valid = status == DecodeStatus::kOk;
    if (valid && !is_modelled(in)) return;  // newer than both, or not ours
    const OtherDecoding other = capstone_.decode(bytes, size, kRip);
    ++compared;
    const std::string difference = differs(valid ? &in : nullptr, other);
    if (difference.empty()) return;
    const Encoding encoding{
        .bytes = bytes, .size = size, .in = valid ? &in : nullptr, .other = other};
    for (std::size_t n = 0; n < decoder_differences().size(); ++n)
      if (decoder_differences()[n].covers(encoding)) {
        ++uses[n];
        return;
      }
    ++unexplained;
    constexpr std::size_t kReported = 60;
    std::string key = (valid ? name_of(in) : "-") + "/" + other.name;
    if (seen_[key]++ == 0 && seen_.size() <= kReported)
      report += describe(encoding) + ": " + difference + "\n";
  }

  u64 compared = 0, unexplained = 0;
  std::vector<u64> uses = std::vector<u64>(decoder_differences().size());
  std::string report;

 private:
  Decoder decoder_{DecoderOptions{}};
  Capstone capstone_;
  std::map<std::string, u64> seen_;
};

void check_all_opcodes(CrossCheck& check, std::mt19937_64& random) {
  const std::vector<std::vector<u8>> prefixes = {
      {},           {0x66}, {0xF2}, {0xF3}, {0x67}, {0x48}, {0x66, 0x48}, {0xF3, 0x48},
      {0xF2, 0x48}, {0xF0}, {0x41}, {0x4F}, {0x64}, {0x2E}, {0x67, 0x4F}};
  const std::vector<std::vector<u8>> escapes = {{}, {0x0F}, {0x0F, 0x38}, {0x0F, 0x3A}};
  constexpr u8 kModrm[] = {0x00, 0x04, 0x05, 0x06, 0x0C, 0x44, 0x85, 0x86, 0x10, 0x18, 0x20,
                           0x28, 0x30, 0x38, 0xC1, 0xCA, 0xD3, 0xDC, 0xE5, 0xEE, 0xF7, 0xF8};
  for (CodeSize size : {CodeSize::k16, CodeSize::k32, CodeSize::k64})
    for (const auto& prefix : prefixes) {
      const bool rex = !prefix.empty() && bits(prefix.back(), 7, 4) == 4;
      if (rex && size != CodeSize::k64) continue;
      for (const auto& escape : escapes)
        for (unsigned opcode = 0; opcode < 256; ++opcode)
          for (u8 modrm : kModrm) {
            std::vector<u8> bytes = prefix;
            bytes.insert(bytes.end(), escape.begin(), escape.end());
            bytes.push_back(static_cast<u8>(opcode));
            bytes.push_back(modrm);
            while (bytes.size() < 15) bytes.push_back(static_cast<u8>(random()));
            check.check(bytes, size);
          }
    }
}

void check_random_bytes(CrossCheck& check, std::mt19937_64& random, u64 count) {
  for (u64 n = 0; n < count; ++n) {
    std::vector<u8> bytes(15);
    for (u8& byte : bytes) byte = static_cast<u8>(random());
    check.check(bytes, static_cast<CodeSize>(random() % 3));
  }
}

}  // namespace

TEST_CASE("Zydis and Capstone decode alike") {
  constexpr u64 kSeed = 20261122;
  std::mt19937_64 random(kSeed);
  CrossCheck check;
  check_all_opcodes(check, random);
  check_random_bytes(check, random, 200'000);
  WARN(check.compared << " encodings, seed " << kSeed);
  if (!check.report.empty()) FAIL_CHECK(check.report);
  CHECK(check.unexplained == 0);
  for (std::size_t n = 0; n < check.uses.size(); ++n) {
    INFO(decoder_differences()[n].reason);
    CHECK(check.uses[n] != 0);
  }
}

TEST_CASE("decode: a SIB byte without base has none whatever REX.B says") {
  // SDM 2A "Special Cases of REX Encodings"; with 32-bit addresses Zydis 4.0 says R13D
  const u8 bytes[] = {0x67, 0x4F, 0xF7, 0x3C, 0x05, 0x6A, 0x00, 0x00, 0xAA};
  Decoded in;
  REQUIRE(Decoder(DecoderOptions{}).decode(bytes, CodeSize::k64, 0, in) == DecodeStatus::kOk);
  CHECK(in.operand[0].mem.base == ZYDIS_REGISTER_NONE);
  CHECK(in.operand[0].mem.index == ZYDIS_REGISTER_R8D);
  CHECK(static_cast<u32>(in.operand[0].mem.disp.value) == 0xAA00006A);
}

TEST_CASE("decode: Intel's rules where processors differ") {
  const auto decode = [](std::initializer_list<u8> bytes, CodeSize size) {
    Decoded in;
    const std::vector<u8> code(bytes);
    const DecodeStatus status = Decoder(DecoderOptions{}).decode(code, size, 0, in);
    return std::pair(status, in);
  };
  // 66 before a near branch is ignored in 64-bit mode: 32-bit displacement
  CHECK(decode({0x66, 0xE8, 0, 0, 0, 0}, CodeSize::k64).second.length() == 6);
  CHECK(decode({0x66, 0x0F, 0x84, 0, 0, 0, 0}, CodeSize::k64).second.length() == 7);
  CHECK(decode({0x66, 0xE8, 0, 0, 0, 0}, CodeSize::k32).second.length() == 4);
  // LOCK: only with a memory destination of the instructions that the manual lists
  CHECK(decode({0xF0, 0x01, 0x00}, CodeSize::k64).first == DecodeStatus::kOk);
  CHECK(decode({0xF0, 0x01, 0xC0}, CodeSize::k64).first == DecodeStatus::kInvalid);
  CHECK(decode({0xF0, 0x03, 0x00}, CodeSize::k64).first == DecodeStatus::kInvalid);
  CHECK(decode({0xF0, 0x90}, CodeSize::k64).first == DecodeStatus::kInvalid);
  // VEX in 16-bit code, and its first byte as LDS
  CHECK(decode({0xC5, 0xF8, 0x57, 0xC0}, CodeSize::k16).second.mnemonic() == ZYDIS_MNEMONIC_VXORPS);
  CHECK(decode({0xC5, 0x07}, CodeSize::k16).second.mnemonic() == ZYDIS_MNEMONIC_LDS);
  // no more than 15 bytes
  CHECK(decode({0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
                0x90},
               CodeSize::k64)
            .first == DecodeStatus::kOk);
  CHECK(decode({0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
                0x66, 0x90},
               CodeSize::k64)
            .first == DecodeStatus::kTooLong);
}
