#pragma once
// Which x87 encodings x87_differential_test.cc compares with the host's.

#include <optional>
#include <set>

#include "model/cpu/decode.h"

namespace vtsim::cpu::test {

// What is left to the processor, or changes more than the test looks at.
inline bool is_exact_x87(u8 first, u8 modrm) {
  const u64 reg = bits(modrm, 5, 3);
  const bool memory = modrm < 0xC0;
  if (first == 0xD9) {
    if (memory) return reg != 4 && reg != 6 && reg != 1;  // FLDENV, FNSTENV; /1 is undefined
    static const std::set<u8> kTranscendental = {0xF0, 0xF1, 0xF2, 0xF3, 0xF9, 0xFB, 0xFE, 0xFF};
    return !kTranscendental.contains(modrm);
  }
  if (first == 0xDB && memory) return reg != 4 && reg != 6;
  if (first == 0xDD && memory) return reg != 4 && reg != 5 && reg != 6;
  if (first == 0xDF) {
    if (memory) return reg != 4;  // FBLD of what is not a decimal number
    return modrm != 0xE0;         // FNSTSW AX
  }
  return true;
}

// The instruction of these two bytes, if there is one.
inline std::optional<Mnemonic> x87_instruction(u8 first, u8 modrm) {
  const u8 code[] = {first, modrm, 0, 0, 0, 0, 0, 0};
  Decoded in;
  if (Decoder(DecoderOptions{}).decode(code, CodeSize::k64, 0, in) != DecodeStatus::kOk) return {};
  return in.mnemonic();
}

}  // namespace vtsim::cpu::test
