#pragma once
// What two decoders say about the same bytes in the same words, and where Capstone 4.0.2 is known
// to be wrong, to lack an instruction, or to take another view. Each row must be needed.

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "model/cpu/exec/isa.h"
#include "model/cpu/exec/table.h"

namespace vtsim::cpu::test {

struct DecodedOperand {
  enum Kind { kRegister, kImmediate, kMemory } kind = kRegister;
  std::string reg;  // the register, or the base
  std::string index;
  unsigned scale = 1;
  u64 value = 0;        // immediate or displacement
  std::string segment;  // Capstone: overrides only
};

struct OtherDecoding {
  bool valid = false;
  unsigned length = 0;
  std::string name;
  std::vector<DecodedOperand> operands;
};

struct Encoding {
  const std::vector<u8>& bytes;
  CodeSize size;
  const Decoded* in;  // nullptr: invalid
  const OtherDecoding& other;

  // A REX prefix that others follow counts for nothing.
  bool has_prefix(std::initializer_list<u8> wanted) const {
    constexpr u8 kLegacy[] = {0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x66, 0x67, 0xF0, 0xF2, 0xF3};
    for (u8 byte : bytes) {
      if (std::find(wanted.begin(), wanted.end(), byte) != wanted.end()) return true;
      const bool rex = size == CodeSize::k64 && bits(byte, 7, 4) == 4;
      if (!rex && std::find(std::begin(kLegacy), std::end(kLegacy), byte) == std::end(kLegacy))
        break;
    }
    return false;
  }
  bool has_rex() const {
    return size == CodeSize::k64 && in != nullptr && in->has(ZYDIS_ATTRIB_HAS_REX);
  }
  bool is(std::initializer_list<Mnemonic> mnemonics) const {
    return in != nullptr &&
           std::find(mnemonics.begin(), mnemonics.end(), in->mnemonic()) != mnemonics.end();
  }
};

inline bool is_modelled(const Decoded& in) {
  return find_row(in.mnemonic()) != nullptr && !required_feature(in).unknown_extension;
}
inline std::string name_of(const Decoded& in) {
  return in.mnemonic() == kStringMovsd   ? "movsd"
         : in.mnemonic() == kStringCmpsd ? "cmpsd"
                                         : ZydisMnemonicGetString(in.mnemonic());
}

// Capstone's name of what Zydis calls `name`: conditions, and the manual's other spellings.
inline std::string other_name(const Decoded& in) {
  const std::string name = name_of(in);
  static const std::pair<const char*, const char*> kConditions[] = {
      {"nbe", "a"}, {"nb", "ae"}, {"nle", "g"}, {"nl", "ge"}, {"nz", "ne"}, {"z", "e"}};
  for (const char* stem : {"j", "set", "cmov"})
    for (const auto& [theirs, ours] : kConditions)
      if (name == std::string(stem) + theirs) return std::string(stem) + ours;
  const bool far = in.ins.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR;
  if (far && name == "call") return "lcall";
  if (far && name == "jmp") return "ljmp";
  if (far && name == "ret") return in.operand_bits() == 64 ? "retfq" : "retf";
  static const std::pair<const char*, const char*> kNames[] = {
      {"fwait", "wait"},  {"xlat", "xlatb"},   {"ud1", "ud2b"},     {"popa", "popaw"},
      {"popad", "popal"}, {"pusha", "pushaw"}, {"pushad", "pushal"}};
  for (const auto& [theirs, ours] : kNames)
    if (name == theirs) return ours;
  return name;
}

// ---- operands

inline std::string register_name(ZydisRegister reg) {
  if (reg == ZYDIS_REGISTER_NONE) return {};
  if (reg >= ZYDIS_REGISTER_ST0 && reg <= ZYDIS_REGISTER_ST7)
    return "st(" + std::to_string(reg - ZYDIS_REGISTER_ST0) + ")";
  return ZydisRegisterGetString(reg);
}

// 64-bit code has no other segment overrides.
inline bool is_override(const Decoded& in, const std::string& segment) {
  const bool wide = in.ins.machine_mode == ZYDIS_MACHINE_MODE_LONG_64;
  return !segment.empty() && (!wide || segment == "fs" || segment == "gs");
}

inline bool operand_differs(const Decoded& in, unsigned n, const DecodedOperand& theirs) {
  const ZydisDecodedOperand& ours = in.operand[n];
  switch (ours.type) {
    case ZYDIS_OPERAND_TYPE_REGISTER:
      return theirs.kind != DecodedOperand::kRegister ||
             theirs.reg != register_name(ours.reg.value);
    case ZYDIS_OPERAND_TYPE_IMMEDIATE: {
      const bool relative = ours.imm.is_relative;
      const u64 value = relative ? in.rip + in.length() + ours.imm.value.u : ours.imm.value.u;
      const unsigned ordinal = n > 0 && in.is_immediate(n - 1) ? 1 : 0;  // ENTER has two
      const u64 mask = low_mask(relative ? 16 : in.ins.raw.imm[ordinal].size);
      return theirs.kind != DecodedOperand::kImmediate || ((theirs.value ^ value) & mask) != 0;
    }
    case ZYDIS_OPERAND_TYPE_MEMORY: {
      const auto& mem = ours.mem;
      const u64 disp = mem.disp.has_displacement ? static_cast<u64>(mem.disp.value) : 0;
      const unsigned scale = mem.index == ZYDIS_REGISTER_NONE ? 1u : mem.scale;
      const u64 mask = low_mask(in.ins.address_width);
      return theirs.kind != DecodedOperand::kMemory || theirs.reg != register_name(mem.base) ||
             theirs.index != register_name(mem.index) || theirs.scale != scale ||
             ((theirs.value ^ disp) & mask) != 0 ||
             (mem.type == ZYDIS_MEMOP_TYPE_MEM && is_override(in, theirs.segment) &&
              theirs.segment != register_name(mem.segment));
    }
    default:
      return false;
  }
}

// Operands are compared where both show as many: what is implicit is a matter of taste.
inline bool operands_differ(const Decoded& in, const OtherDecoding& other) {
  if (in.visible() != other.operands.size()) return false;
  for (unsigned n = 0; n < in.visible(); ++n)
    if (operand_differs(in, n, other.operands[n])) return true;
  return false;
}

inline std::string differs(const Decoded* in, const OtherDecoding& other) {
  if ((in != nullptr) != other.valid) return in != nullptr ? "only Zydis" : "only Capstone";
  if (in == nullptr) return {};
  if (in->length() != other.length)
    return "length " + std::to_string(in->length()) + " and " + std::to_string(other.length);
  if (other_name(*in) != other.name) return "name " + name_of(*in) + " and " + other.name;
  return operands_differ(*in, other) ? "operands" : "";
}

inline std::string describe(const Encoding& encoding) {
  std::string text = encoding.size == CodeSize::k64   ? "64 "
                     : encoding.size == CodeSize::k32 ? "32 "
                                                      : "16 ";
  char part[4];
  for (u8 byte : encoding.bytes) {
    std::snprintf(part, sizeof part, "%02x", byte);
    text += part;
  }
  return text + " " + (encoding.in != nullptr ? name_of(*encoding.in) : "-") + " / " +
         encoding.other.name;
}

struct DecoderDifference {
  const char* reason;
  bool (*covers)(const Encoding&);
};
std::span<const DecoderDifference> decoder_differences();

}  // namespace vtsim::cpu::test
