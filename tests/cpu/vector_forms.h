#pragma once
// Every encoding of every vector instruction that the table has, found by decoding all opcodes.

#include <map>
#include <string>
#include <vector>

#include "model/cpu/decode.h"
#include "model/cpu/exec/isa.h"
#include "model/cpu/exec/table.h"

namespace vtsim::cpu::test {

struct VectorForm {
  std::vector<u8> bytes;
  Mnemonic mnemonic;
  std::string name;  // with operand classes and sizes
  ZydisISASet isa;
  bool memory = false;
  bool variant = false;  // the same with other registers came before
  unsigned memory_bytes = 0;
  int immediate_at = -1;  // offset of an immediate byte that may be varied
};

// Results that processors may choose: vector_approximation_test.cc.
inline bool is_approximation(Mnemonic m) {
  switch (m) {
    case ZYDIS_MNEMONIC_RCPPS:
    case ZYDIS_MNEMONIC_RCPSS:
    case ZYDIS_MNEMONIC_RSQRTPS:
    case ZYDIS_MNEMONIC_RSQRTSS:
    case ZYDIS_MNEMONIC_VRCPPS:
    case ZYDIS_MNEMONIC_VRCPSS:
    case ZYDIS_MNEMONIC_VRSQRTPS:
    case ZYDIS_MNEMONIC_VRSQRTSS:
      return true;
    default:
      return false;
  }
}

class VectorForms {
 public:
  VectorForms() {
    for (bool high : {false, true})
      for (bool memory : {false, true})
        for (unsigned opcode = 0; opcode < 256; ++opcode) {
          legacy(static_cast<u8>(opcode), memory, high);
          vex(static_cast<u8>(opcode), memory, high);
        }
  }
  const std::vector<VectorForm>& all() const { return forms_; }

 private:
  // Operands: reg 1 (or 9), rm 2 (or 10) or [rdi], vvvv 3 (or 11), is4 4; vector index 5.
  void tail(std::vector<u8> head, u8 opcode, bool memory) {
    head.push_back(opcode);
    add(head);  // without operands
    head.pop_back();
    for (u8 reg : {u8{1}, u8{0}, u8{2}, u8{3}, u8{4}, u8{5}, u8{6}, u8{7}}) {
      std::vector<u8> bytes = head;
      bytes.push_back(opcode);
      bytes.push_back(static_cast<u8>(reg << 3 | (memory ? 7 : 0xC2)));
      add(bytes);
      if (memory) {  // VSIB: [rdi + xmm5 * 4]
        bytes.back() = static_cast<u8>(reg << 3 | 4);
        bytes.push_back(0xAF);
        add(bytes);
      }
    }
  }
  void legacy(u8 opcode, bool memory, bool high) {
    for (int prefix : {-1, 0x66, 0xF3, 0xF2})
      for (bool wide : {false, true})
        for (int map : {-1, 0x38, 0x3A}) {
          std::vector<u8> head;
          if (prefix >= 0) head.push_back(static_cast<u8>(prefix));
          const u8 rex = static_cast<u8>(0x40 | (wide ? 8 : 0) | (high ? memory ? 4 : 5 : 0));
          if (rex != 0x40) head.push_back(rex);
          head.push_back(0x0F);
          if (map >= 0) head.push_back(static_cast<u8>(map));
          tail(head, opcode, memory);
        }
  }
  void vex(u8 opcode, bool memory, bool high) {
    for (unsigned map : {1u, 2u, 3u})
      for (unsigned pp = 0; pp < 4; ++pp)
        for (unsigned l : {0u, 1u})
          for (unsigned w : {0u, 1u})
            for (bool vvvv : {true, false}) {
              // inverted R, X, B; vvvv names register 3 or 11, or none
              const u8 first = static_cast<u8>((high ? memory ? 0x60 : 0x40 : 0xE0) | map);
              const unsigned named = !vvvv ? 15 : high ? 15 - 11 : 15 - 3;
              tail({0xC4, first, static_cast<u8>(w << 7 | named << 3 | l << 2 | pp)}, opcode,
                   memory);
            }
  }

  void add(std::vector<u8> bytes) {
    const std::size_t without_immediate = bytes.size();
    bytes.push_back(0x40);  // also is4: register 4
    Decoded in;
    if (decoder_.decode(bytes, CodeSize::k64, 0, in) != DecodeStatus::kOk) return;
    if (in.length() != bytes.size() && in.length() != without_immediate) return;
    const InstructionRow* const row = find_row(in.mnemonic());
    if (row == nullptr || row->timing != Timing::kSimd || required_feature(in).unknown_extension)
      return;
    bytes.resize(in.length());
    VectorForm form{.bytes = bytes,
                    .mnemonic = in.mnemonic(),
                    .name = ZydisMnemonicGetString(in.mnemonic()),
                    .isa = in.ins.meta.isa_set};
    std::string key = form.name + (bytes.size() && (bytes[0] == 0xC4) ? "/vex" : "/legacy") +
                      std::to_string(in.ins.avx.vector_length) + "/" +
                      std::to_string(in.ins.raw.rex.W | in.ins.raw.vex.W);
    for (unsigned n = 0; n < in.ins.operand_count; ++n) {
      const ZydisDecodedOperand& operand = in.operand[n];
      if (n < in.visible()) form.name += n == 0 ? " " : ", ";
      if (operand.type == ZYDIS_OPERAND_TYPE_REGISTER) {
        const std::string kind = register_kind(in, n);
        form.variant |= kind.find_first_of("+=") != std::string::npos;
        key += "," + kind;
        if (n < in.visible()) form.name += ZydisRegisterGetString(operand.reg.value);
      } else if (operand.type == ZYDIS_OPERAND_TYPE_MEMORY) {
        key += ",m" + std::to_string(operand.size);
        form.memory = true;
        form.memory_bytes = operand.size / 8u;
        if (n < in.visible()) form.name += "m" + std::to_string(operand.size);
      } else if (operand.type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
        key += ",imm";
        form.immediate_at = static_cast<int>(in.length()) - 1;
        if (n < in.visible()) form.name += "imm";
      }
    }
    if (!seen_.emplace(key, true).second) return;
    forms_.push_back(std::move(form));
  }

  // Class, whether it needs an extension bit, and the first operand that is the same register.
  static std::string register_kind(const Decoded& in, unsigned n) {
    const ZydisRegister reg = in.operand[n].reg.value;
    unsigned same = n;
    for (unsigned k = n; k-- > 0;)
      if (in.is_register(k) && in.operand[k].reg.value == reg) same = k;
    return std::to_string(ZydisRegisterGetClass(reg)) + (ZydisRegisterGetId(reg) >= 8 ? "+" : "") +
           (same != n ? "=" + std::to_string(same) : "");
  }

  Decoder decoder_{DecoderOptions{}};
  std::map<std::string, bool> seen_;
  std::vector<VectorForm> forms_;
};

}  // namespace vtsim::cpu::test
