#pragma once
// The only door to Zydis. Decoding is minimal: operands are decoded, nothing is formatted.

#include <Zydis/Zydis.h>

#include <span>

#include "model/base/types.h"

namespace vtsim::cpu {

using Mnemonic = ZydisMnemonic;

// Zydis names the string instructions MOVSD and CMPSD like the SSE2 ones; decode() tells them apart.
inline constexpr Mnemonic kStringMovsd = static_cast<Mnemonic>(ZYDIS_MNEMONIC_MAX_VALUE + 1);
inline constexpr Mnemonic kStringCmpsd = static_cast<Mnemonic>(ZYDIS_MNEMONIC_MAX_VALUE + 2);
inline constexpr unsigned kMnemonicCount = ZYDIS_MNEMONIC_MAX_VALUE + 3;

enum class CodeSize : u8 { k16, k32, k64 };

// Which encodings mean something else, or nothing, on processors without a feature.
struct DecoderOptions {
  bool lzcnt = true;  // else F3 0F BD is BSR
  bool tzcnt = true;  // else F3 0F BC is BSF
  bool cldemote = false;
  bool wbnoinvd = false;
};

enum class DecodeStatus : u8 {
  kOk,
  kTruncated,   // more bytes are needed than were given
  kTooLong,     // more than 15 bytes: #GP(0)
  kInvalid,     // #UD
};

struct Decoded {
  ZydisDecodedInstruction ins;
  ZydisDecodedOperand operand[ZYDIS_MAX_OPERAND_COUNT];
  u64 rip = 0;  // of the instruction

  Mnemonic mnemonic() const { return ins.mnemonic; }
  unsigned length() const { return ins.length; }
  unsigned operand_bits() const { return ins.operand_width; }
  unsigned visible() const { return ins.operand_count_visible; }
  bool is_register(unsigned n) const {
    return n < ins.operand_count && operand[n].type == ZYDIS_OPERAND_TYPE_REGISTER;
  }
  bool is_memory(unsigned n) const {
    return n < ins.operand_count && operand[n].type == ZYDIS_OPERAND_TYPE_MEMORY;
  }
  bool is_immediate(unsigned n) const {
    return n < ins.operand_count && operand[n].type == ZYDIS_OPERAND_TYPE_IMMEDIATE;
  }
  bool has(ZydisInstructionAttributes attribute) const { return ins.attributes & attribute; }
  bool lock() const { return has(ZYDIS_ATTRIB_HAS_LOCK); }
  bool rep() const { return has(ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE); }
  bool repne() const { return has(ZYDIS_ATTRIB_HAS_REPNE); }
};

class Decoder {
 public:
  explicit Decoder(const DecoderOptions& options);

  // Decodes one instruction from the bytes at hand (at most 15 are looked at).
  DecodeStatus decode(std::span<const u8> code, CodeSize size, u64 rip, Decoded& out) const;

 private:
  ZydisDecoder decoder_[3];
};

}  // namespace vtsim::cpu
