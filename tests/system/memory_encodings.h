#pragma once
// Every encoding of the instruction table that refers to memory, found by decoding all opcodes.

#include <string>
#include <vector>

#include "model/cpu/decode.h"

namespace vtsim::cpu::test {

struct MemoryEncoding {
  std::vector<u8> bytes;
  Mnemonic mnemonic;
  std::string name;  // with operand kinds and sizes
  // Of the operand that ModRM addresses as [rBX]; 0 bytes: there is none.
  unsigned operand_bytes = 0;
  bool operand_is_written = false;
  bool is_one_access = false;  // the operand is not read or written in pieces
  bool makes_progress = false;  // what was done before a fault stays done
  bool is_simd = false;
};

// Explicit memory operands are [rBX] (with a vector index: [rBX + xmm5 * 4]); register operands have
// small numbers. In 16- and 32-bit code without the vector instructions, which are the same there.
std::vector<MemoryEncoding> memory_encodings(CodeSize size);

}  // namespace vtsim::cpu::test
