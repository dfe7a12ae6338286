#pragma once
// Writes x86-64 instructions for the host: the few forms that the translator uses.

#include <cstring>
#include <limits>

#include "model/base/bits.h"

namespace vtsim::cpu {

enum class HostRegister : u8 { kAx, kCx, kDx, kBx, kSp, kBp, kSi, kDi, k8, k9, k10, k11 };

// base + disp, or base + index * 2^scale + disp. The base is never RSP, RBP or an alias of theirs.
struct HostMemory {
  HostRegister base;
  i64 disp = 0;
  HostRegister index = HostRegister::kSp;  // none
  u8 scale = 0;
};

constexpr bool fits_i32(u64 value) {
  return static_cast<u64>(static_cast<i64>(static_cast<i32>(value))) == value;
}

// Opcodes: two-byte ones with 0F in front. Those with a byte form have it one below. Of the operations
// that have a register and a memory operand, "To" names those whose register is the destination.
namespace host_opcode {
inline constexpr u32 kLoad = 0x8B, kStore = 0x89, kStoreImm = 0xC7, kLea = 0x8D, kImul = 0x0FAF;
inline constexpr u32 kMovzx8 = 0x0FB6, kMovzx16 = 0x0FB7, kMovsx8 = 0x0FBE, kMovsx16 = 0x0FBF;
inline constexpr u32 kMovsx32 = 0x63, kTest = 0x85, kSubFrom = 0x29, kAddTo = 0x03, kOrTo = 0x0B;
inline constexpr u32 kAndTo = 0x23, kSubtract = 0x2B, kXor = 0x33, kCompare = 0x3B;
inline constexpr u32 kSet = 0x0F90, kCmov = 0x0F40, kJcc = 0x0F80;
inline constexpr u32 kGroup1 = 0x81, kGroup2 = 0xC1, kGroup3 = 0xF7;
// Extensions in the groups.
inline constexpr unsigned kAnd = 4, kRol = 0, kRor = 1, kShl = 4, kShr = 5, kSar = 7, kNot = 2, kNeg = 3,
                          kCmp = 7;
}  // namespace host_opcode

class HostAssembler {
 public:
  explicit HostAssembler(u8* at) : at_(at) {}
  u8* at() const { return at_; }
  void rewind(u8* at) { at_ = at; }

  // `size`: log2 of the operand's bytes. For bytes the opcode's byte form is taken where it has one.
  void reg_mem(unsigned size, u32 opcode, HostRegister reg, HostMemory mem) {
    prefix(size, number(reg), number(mem.base), number(mem.index),
           is_byte(size, opcode) && number(reg) >= 4);
    put_opcode(size, opcode);
    address(number(reg), mem);
  }
  void reg_reg(unsigned size, u32 opcode, HostRegister reg, HostRegister rm) {
    prefix(size, number(reg), number(rm), 0,
           is_byte(size, opcode) && (number(reg) >= 4 || number(rm) >= 4));
    put_opcode(size, opcode);
    byte(0xC0 | (number(reg) & 7) << 3 | (number(rm) & 7));
  }
  // `extension`: the three opcode bits in the place of the register.
  void mem_imm(unsigned size, u32 opcode, unsigned extension, HostMemory mem, u64 imm) {
    reg_mem(size, opcode, static_cast<HostRegister>(extension), mem);
    immediate(size, imm);
  }
  void reg_imm(unsigned size, u32 opcode, unsigned extension, HostRegister rm, u64 imm) {
    reg_reg(size, opcode, static_cast<HostRegister>(extension), rm);
    immediate(size, imm);
  }
  void shift(unsigned size, unsigned extension, HostRegister rm, u8 count) {
    reg_reg(size, host_opcode::kGroup2, static_cast<HostRegister>(extension), rm);
    byte(count);
  }
  void load_constant(HostRegister reg, u64 value) {
    if (value <= std::numeric_limits<u32>::max()) {
      if (number(reg) >= 8) byte(0x41);
      byte(0xB8 | (number(reg) & 7));
      put(static_cast<u32>(value));
    } else if (fits_i32(value)) {
      reg_imm(3, host_opcode::kStoreImm, 0, reg, value);
    } else {
      byte(number(reg) >= 8 ? 0x49 : 0x48);
      byte(0xB8 | (number(reg) & 7));
      put(value);
    }
  }

  // RIP-relative forms.
  void reg_at(u32 opcode, HostRegister reg, const void* target) {  // 64-bit operands
    byte(number(reg) >= 8 ? 0x4C : 0x48);
    put_opcode(3, opcode);
    byte(0x05 | (number(reg) & 7) << 3);
    relative(target);
  }
  void jump_through(const void* pointer) {
    byte(0xFF);
    byte(0x25);
    relative(pointer);
  }
  void jump_to(HostRegister reg) {
    byte(0xFF);
    byte(0xE0 | number(reg));
  }
  void jump_to_memory(HostRegister base) {
    byte(0xFF);
    byte(0x20 | number(base));
  }
  void ret() { byte(0xC3); }

  // Branches to be patched: return the place of their 32-bit displacement.
  u8* jcc(unsigned condition) {
    put_opcode(2, host_opcode::kJcc | condition);
    put(u32{0});
    return at_ - 4;
  }
  void patch(u8* place, const u8* target) {
    const i32 distance = static_cast<i32>(target - (place + 4));
    std::memcpy(place, &distance, sizeof distance);
  }

 private:
  static constexpr unsigned number(HostRegister reg) { return static_cast<unsigned>(reg); }
  static bool is_byte(unsigned size, u32 opcode) { return size == 0 && has_byte_form(opcode); }
  static bool has_byte_form(u32 opcode) { return opcode < 0x100 && opcode != host_opcode::kLea; }

  void byte(u64 value) { *at_++ = static_cast<u8>(value); }
  template <class T>
  void put(T value) {
    std::memcpy(at_, &value, sizeof value);
    at_ += sizeof value;
  }
  void prefix(unsigned size, unsigned reg, unsigned base, unsigned index, bool new_byte_register) {
    if (size == 1) byte(0x66);
    const unsigned rex = (size == 3 ? 8u : 0) | (reg >> 3) << 2 | (index >> 3) << 1 | base >> 3;
    if (rex != 0 || new_byte_register) byte(0x40 | rex);
  }
  void put_opcode(unsigned size, u32 opcode) {
    if (opcode > 0xFF) byte(opcode >> 8);
    byte(size == 0 && has_byte_form(opcode) ? opcode & 0xFE : opcode & 0xFF);
  }
  void address(unsigned reg, HostMemory mem) {
    const bool indexed = mem.index != HostRegister::kSp;
    const bool small = mem.disp >= -128 && mem.disp < 128;
    const unsigned mod = mem.disp == 0 ? 0 : small ? 0x40 : 0x80;
    byte(mod | (reg & 7) << 3 | (indexed ? 4 : number(mem.base) & 7));
    if (indexed) byte(mem.scale << 6 | (number(mem.index) & 7) << 3 | (number(mem.base) & 7));
    if (mod == 0x40) byte(static_cast<u64>(mem.disp));
    if (mod == 0x80) put(static_cast<u32>(mem.disp));
  }
  void immediate(unsigned size, u64 imm) {
    if (size == 0) return byte(imm);
    if (size == 1) return put(static_cast<u16>(imm));
    put(static_cast<u32>(imm));
  }
  void relative(const void* target) {
    put(static_cast<u32>(static_cast<const u8*>(target) - (at_ + 4)));
  }

  u8* at_;
};

}  // namespace vtsim::cpu
