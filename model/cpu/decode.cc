#include "model/cpu/decode.h"

#include <algorithm>

namespace vtsim::cpu {

Decoder::Decoder(const DecoderOptions& options) {
  // Real mode differs from 16-bit protected mode in nothing that a decoder sees but the validity of
  // some instructions, which the instruction table's gates decide.
  ZydisDecoderInit(&decoder_[0], ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16);
  ZydisDecoderInit(&decoder_[1], ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
  ZydisDecoderInit(&decoder_[2], ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
  for (ZydisDecoder& decoder : decoder_) {
    const auto set = [&](ZydisDecoderMode mode, bool on) {
      ZydisDecoderEnableMode(&decoder, mode, on ? ZYAN_TRUE : ZYAN_FALSE);
    };
    set(ZYDIS_DECODER_MODE_MPX, false);  // bound-register instructions are NOPs where MPX is absent
    set(ZYDIS_DECODER_MODE_CET, false);  // so are the shadow-stack instructions in the NOP space
    set(ZYDIS_DECODER_MODE_LZCNT, options.lzcnt);
    set(ZYDIS_DECODER_MODE_TZCNT, options.tzcnt);
    set(ZYDIS_DECODER_MODE_CLDEMOTE, options.cldemote);
    set(ZYDIS_DECODER_MODE_WBNOINVD, options.wbnoinvd);
  }
}

namespace {

// SDM 2A "Special Cases of REX Encodings": with mod = 00B, base 101B of a SIB byte means no base but
// a 32-bit displacement, whatever REX.B is. Zydis 4.0 takes R13D with 32-bit addresses.
void mend_sib_without_base(Decoded& out) {
  constexpr u8 kNoBase = 5;
  if (!out.has(ZYDIS_ATTRIB_HAS_SIB) || out.ins.raw.modrm.mod != 0 ||
      out.ins.raw.sib.base != kNoBase)
    return;
  for (unsigned n = 0; n < out.ins.operand_count; ++n) {
    ZydisDecodedOperand& operand = out.operand[n];
    if (operand.type != ZYDIS_OPERAND_TYPE_MEMORY ||
        operand.encoding != ZYDIS_OPERAND_ENCODING_MODRM_RM)
      continue;
    operand.mem.base = ZYDIS_REGISTER_NONE;
    operand.mem.disp.has_displacement = ZYAN_TRUE;
    operand.mem.disp.value = out.ins.raw.disp.value;
  }
}

}  // namespace

DecodeStatus Decoder::decode(std::span<const u8> code, CodeSize size, u64 rip, Decoded& out) const {
  const auto bytes = std::min<std::size_t>(code.size(), ZYDIS_MAX_INSTRUCTION_LENGTH);
  const ZyanStatus status = ZydisDecoderDecodeFull(
      &decoder_[static_cast<unsigned>(size)], code.data(), bytes, &out.ins, out.operand);
  out.rip = rip;
  if (ZYAN_SUCCESS(status)) {
    if (out.ins.meta.category == ZYDIS_CATEGORY_STRINGOP) {
      if (out.ins.mnemonic == ZYDIS_MNEMONIC_MOVSD) out.ins.mnemonic = kStringMovsd;
      if (out.ins.mnemonic == ZYDIS_MNEMONIC_CMPSD) out.ins.mnemonic = kStringCmpsd;
    }
    mend_sib_without_base(out);
    return DecodeStatus::kOk;
  }
  if (status == ZYDIS_STATUS_NO_MORE_DATA)
    return bytes < ZYDIS_MAX_INSTRUCTION_LENGTH ? DecodeStatus::kTruncated : DecodeStatus::kTooLong;
  if (status == ZYDIS_STATUS_INSTRUCTION_TOO_LONG) return DecodeStatus::kTooLong;
  return DecodeStatus::kInvalid;
}

}  // namespace vtsim::cpu
