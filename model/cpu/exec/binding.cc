// From Zydis' operands to the fields of an Op.

#include "model/cpu/exec/memory.h"
#include "model/cpu/exec/table.h"

namespace vtsim::cpu {

u8 gpr_operand(ZydisRegister reg) {
  if (reg >= ZYDIS_REGISTER_AH && reg <= ZYDIS_REGISTER_BH)
    return static_cast<u8>((reg - ZYDIS_REGISTER_AH) * 8 + 1);
  // Zydis numbers the byte registers AL CL DL BL, AH..BH, SPL..DIL, R8B...
  if (reg >= ZYDIS_REGISTER_SPL && reg <= ZYDIS_REGISTER_DIL)
    return static_cast<u8>((reg - ZYDIS_REGISTER_SPL + kRsp) * 8);
  if (reg >= ZYDIS_REGISTER_R8B && reg <= ZYDIS_REGISTER_R15B)
    return static_cast<u8>((reg - ZYDIS_REGISTER_R8B + kR8) * 8);
  return static_cast<u8>(ZydisRegisterGetId(reg) * 8);
}

u8 register_number(ZydisRegister reg) {
  return static_cast<u8>(ZydisRegisterGetId(reg));
}

namespace {

bool is_general(ZydisRegister reg) {
  switch (ZydisRegisterGetClass(reg)) {
    case ZYDIS_REGCLASS_GPR8:
    case ZYDIS_REGCLASS_GPR16:
    case ZYDIS_REGCLASS_GPR32:
    case ZYDIS_REGCLASS_GPR64:
      return true;
    default:
      return false;
  }
}

u8 any_register(ZydisRegister reg) {
  return is_general(reg) ? gpr_operand(reg) : register_number(reg);
}

u8 segment_name(ZydisRegister reg) {
  switch (reg) {
    case ZYDIS_REGISTER_ES: return kEs;
    case ZYDIS_REGISTER_CS: return kCs;
    case ZYDIS_REGISTER_SS: return kSs;
    case ZYDIS_REGISTER_FS: return kFs;
    case ZYDIS_REGISTER_GS: return kGs;
    default: return kDs;
  }
}

unsigned log2_of_bits(unsigned bits) { return bits == 16 ? 1 : bits == 32 ? 2 : 3; }

u64 immediate_of(const Decoded& in, const ZydisDecodedOperand& operand) {
  return operand.imm.is_relative ? in.rip + in.length() + operand.imm.value.u : operand.imm.value.u;
}

}  // namespace

void bind_memory(const Binding& binding, unsigned n, Op& op) {
  const Decoded& in = binding.in;
  const ZydisDecodedOperandMem& mem = in.operand[n].mem;
  op.base = op.index = gpr_offset(kZeroRegister);
  op.scale = 0;
  op.disp = mem.disp.has_displacement ? mem.disp.value : 0;
  if (mem.base == ZYDIS_REGISTER_RIP || mem.base == ZYDIS_REGISTER_EIP) {
    op.disp += static_cast<i64>(in.rip + in.length());
  } else if (mem.base != ZYDIS_REGISTER_NONE) {
    op.base = gpr_operand(mem.base);
  }
  if (mem.index != ZYDIS_REGISTER_NONE) {
    op.index = gpr_operand(mem.index);
    op.scale = mem.scale == 8 ? 3 : mem.scale == 4 ? 2 : mem.scale == 2 ? 1 : 0;
  }
  const u8 segment = segment_name(mem.segment);
  const unsigned address_size = log2_of_bits(in.ins.address_width);
  const bool flat = binding.flat && segment != kFs && segment != kGs && address_size == 3;
  op.mem.bits = static_cast<u8>(0x80 | (flat ? 0 : 0x40) | address_size << 4 | segment);
}

void bind_operands(const Binding& binding, Op& op) {
  const Decoded& in = binding.in;
  op.base = op.index = gpr_offset(kZeroRegister);
  op.dst = op.src = gpr_offset(kZeroRegister);
  unsigned sources = 0;  // register operands after the first operand
  bool has_memory = false;
  for (unsigned n = 0; n < in.visible(); ++n) has_memory |= in.is_memory(n);
  for (unsigned n = 0; n < in.visible(); ++n) {
    const ZydisDecodedOperand& operand = in.operand[n];
    switch (operand.type) {
      case ZYDIS_OPERAND_TYPE_REGISTER: {
        const u8 name = any_register(operand.reg.value);
        if (n == 0) {
          op.dst = name;
        } else if (sources++ == 0) {
          op.src = name;
        } else if (sources == 2 && !has_memory) {
          op.index = name;
        } else {
          op.imm = name;
        }
        break;
      }
      case ZYDIS_OPERAND_TYPE_MEMORY:
        bind_memory(binding, n, op);
        break;
      case ZYDIS_OPERAND_TYPE_IMMEDIATE:
        op.imm = immediate_of(in, operand);
        break;
      case ZYDIS_OPERAND_TYPE_POINTER:
        op.imm = operand.ptr.offset | static_cast<u64>(operand.ptr.segment) << 32;
        break;
      default:
        break;
    }
  }
}

}  // namespace vtsim::cpu
