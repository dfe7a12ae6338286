#pragma once
// Every encoding that user mode can meet of instructions other than vector and x87 ones, found by
// decoding all opcodes under all combinations of prefixes; and, beside them, the encodings that do
// not exist.

#include <string>
#include <vector>

#include "model/cpu/decode.h"
#include "model/cpu/exec/table.h"

namespace vtsim::cpu::test {

struct UserForm {
  CodeSize size = CodeSize::k64;
  std::vector<u8> head;  // prefixes, escape bytes and opcode
  int rex_at = -1;       // in `head`: a REX prefix whose R, X and B may vary
  int vex_at = -1;       // in `head`: a three-byte VEX prefix, whose R, X and B may vary
  bool vvvv_varies = false;
  bool has_modrm = false;
  bool memory = false;          // ModRM names memory: any, of a reg field in `modrms`
  std::vector<u8> modrms = {};  // may be any of these
  Mnemonic mnemonic = ZYDIS_MNEMONIC_INVALID;
};

class UserForms {
 public:
  UserForms();
  const std::vector<UserForm>& all() const { return forms_; }
  // Encodings that Zydis refuses: #UD.
  const std::vector<UserForm>& undefined() const { return undefined_; }

 private:
  void legacy(CodeSize size, std::span<const u8> prefixes);
  void vex(CodeSize size);
  void add(const UserForm& opcode);
  // What instruction `opcode` is with this ModRM byte; empty: none of ours.
  struct Meaning {
    Mnemonic mnemonic = ZYDIS_MNEMONIC_INVALID;
    bool ours = false, undefined = false, has_modrm = false;
    std::string operands;
    bool operator==(const Meaning&) const = default;
  };
  static std::vector<u8> modrm_bytes(const UserForm& opcode, bool memory);
  Meaning meaning(const UserForm& opcode, u8 modrm) const;

  Decoder decoder_{DecoderOptions{}};
  std::vector<UserForm> forms_, undefined_;
};

// Whether the vector or the x87 suite has this row.
bool belongs_to_vector_or_x87(const InstructionRow& row);

}  // namespace vtsim::cpu::test
