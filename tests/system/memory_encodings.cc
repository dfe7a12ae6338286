#include "tests/system/memory_encodings.h"

#include <set>

#include "model/cpu/exec/isa.h"
#include "model/cpu/exec/table.h"

namespace vtsim::cpu::test {

namespace {

class Finder {
 public:
  explicit Finder(CodeSize size) : size_(size) {
    for (unsigned opcode = 0; opcode < 256; ++opcode) {
      legacy(static_cast<u8>(opcode));
      if (size == CodeSize::k64) vex(static_cast<u8>(opcode));
    }
  }
  std::vector<MemoryEncoding> forms;

 private:
  enum class Tail { kNone, kBase, kVectorIndex };

  void tail(std::vector<u8> head, u8 opcode) {
    head.push_back(opcode);
    add(head, Tail::kNone);
    const u8 rbx = size_ == CodeSize::k16 ? 7 : 3;
    for (u8 reg : {u8{1}, u8{0}, u8{2}, u8{3}, u8{4}, u8{5}, u8{6}, u8{7}}) {
      std::vector<u8> bytes = head;
      bytes.push_back(static_cast<u8>(reg << 3 | rbx));
      add(bytes, Tail::kBase);
      if (size_ != CodeSize::k64) continue;
      bytes.back() = static_cast<u8>(reg << 3 | 4);
      bytes.push_back(0xAB);
      add(bytes, Tail::kVectorIndex);
    }
  }

  void legacy(u8 opcode) {
    for (int prefix : {-1, 0x66, 0xF3, 0xF2, 0xF0})
      for (bool wide : {false, true})
        for (int map : {-1, 0x0F, 0x38, 0x3A}) {
          std::vector<u8> head;
          if (wide && size_ != CodeSize::k64) continue;
          if (prefix >= 0) head.push_back(static_cast<u8>(prefix));
          if (wide) head.push_back(0x48);
          if (map >= 0) head.push_back(0x0F);
          if (map > 0x0F) head.push_back(static_cast<u8>(map));
          tail(head, opcode);
        }
  }
  void vex(u8 opcode) {
    for (unsigned map : {1u, 2u, 3u})
      for (unsigned pp = 0; pp < 4; ++pp)
        for (unsigned l : {0u, 1u})
          for (unsigned w : {0u, 1u})
            for (unsigned vvvv : {12u, 15u})  // register 3, or none
              tail({0xC4, static_cast<u8>(0xE0 | map),
                    static_cast<u8>(w << 7 | vvvv << 3 | l << 2 | pp)},
                   opcode);
  }

  static bool is_prefix(u8 byte) {
    return byte == 0x66 || byte == 0x67 || byte == 0xF0 || byte == 0xF2 || byte == 0xF3;
  }

  void add(std::vector<u8> bytes, Tail tail) {
    const std::size_t head = bytes.size();
    bytes.resize(head + 8, 0);
    bytes[head] = 1;  // immediates and displacements are small
    Decoded in;
    if (decoder_.decode(bytes, size_, 0, in) != DecodeStatus::kOk || in.length() < head) return;
    bytes.resize(in.length());
    // Prefixes and escapes that were tried as opcodes have their ModRM elsewhere, or none.
    const std::size_t modrm = tail == Tail::kBase ? head - 1 : head - 2;
    if (in.has(ZYDIS_ATTRIB_HAS_MODRM) != (tail != Tail::kNone) ||
        (tail != Tail::kNone && in.ins.raw.modrm.offset != modrm))
      return;
    const InstructionRow* const row = find_row(in.mnemonic());
    if (row == nullptr || required_feature(in).unknown_extension) return;
    if (row->timing == Timing::kSimd && size_ != CodeSize::k64) return;
    MemoryEncoding form{.bytes = bytes, .mnemonic = in.mnemonic(), .name = name_of(in)};
    form.is_simd = row->timing == Timing::kSimd;
    bool memory = false;
    for (unsigned n = 0; n < in.ins.operand_count; ++n) {
      if (!in.is_memory(n) || in.operand[n].mem.type == ZYDIS_MEMOP_TYPE_AGEN) continue;
      const bool vector_index = in.operand[n].mem.type == ZYDIS_MEMOP_TYPE_VSIB;
      if (n < in.visible() && vector_index != (tail == Tail::kVectorIndex)) continue;
      memory = true;
      if (tail != Tail::kBase || n >= in.visible()) continue;
      form.operand_bytes = in.operand[n].size / 8u;
      form.operand_is_written = (in.operand[n].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
    }
    // SDM 2C "VGATHERDPS": elements that are gathered before a fault stay, and the mask tells.
    const bool gathers = form.name.find("gather") != std::string::npos;
    form.is_one_access = form.operand_bytes <= 32 && form.name.find("maskmov") == std::string::npos;
    form.makes_progress = in.rep() || in.repne() || gathers;
    if (!memory || !seen_.insert(form.name).second) return;
    forms.push_back(std::move(form));
  }

  static std::string mnemonic_of(const Decoded& in) {
    if (in.mnemonic() == kStringMovsd) return "movsd";
    if (in.mnemonic() == kStringCmpsd) return "cmpsd";
    return ZydisMnemonicGetString(in.mnemonic());
  }

  static std::string name_of(const Decoded& in) {
    std::string name = mnemonic_of(in);
    if (in.lock()) name = "lock " + name;
    if (in.rep()) name = "rep " + name;
    if (in.repne()) name = "repne " + name;
    for (unsigned n = 0; n < in.ins.operand_count; ++n) {
      const ZydisDecodedOperand& operand = in.operand[n];
      if (operand.visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN &&
          operand.type == ZYDIS_OPERAND_TYPE_REGISTER)
        continue;
      name += n == 0 ? " " : ", ";
      if (operand.type == ZYDIS_OPERAND_TYPE_REGISTER) {
        const ZydisRegisterClass kind = ZydisRegisterGetClass(operand.reg.value);
        name += kind == ZYDIS_REGCLASS_SEGMENT ? ZydisRegisterGetString(operand.reg.value)
                                               : "r" + std::to_string(kind) + ".";
      } else {
        name += operand.type == ZYDIS_OPERAND_TYPE_MEMORY    ? "m"
                : operand.type == ZYDIS_OPERAND_TYPE_POINTER ? "p"
                                                             : "i";
      }
      name += std::to_string(operand.size);
    }
    return name;
  }

  CodeSize size_;
  Decoder decoder_{DecoderOptions{}};
  std::set<std::string> seen_;
};

}  // namespace

std::vector<MemoryEncoding> memory_encodings(CodeSize size) { return std::move(Finder(size).forms); }

}  // namespace vtsim::cpu::test
