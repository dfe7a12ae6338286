#include "model/cpu/exec/fuse.h"

#include "model/cpu/exec/branch_target.h"
#include "model/cpu/exec/fuse_forms.h"

namespace vtsim::cpu {

namespace {

// Jcc rel8 and rel32: not LOOPcc, JrCXZ, XBEGIN.
bool is_jcc(const Decoded& in) {
  const u64 row = bits(in.ins.opcode, 7, 4);
  return (in.ins.opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && row == 7) ||
         (in.ins.opcode_map == ZYDIS_OPCODE_MAP_0F && row == 8);
}

// Only targets that need no check when the branch is taken.
bool has_plain_target(const Binding& branch) {
  const Decoded& in = branch.in;
  return is_canonical(in.rip + in.length() + in.operand[0].imm.value.u, kLinearWidth4Level);
}

}  // namespace

Handler fuse_compare_branch(const Binding& compare, const Binding& branch, Op& op) {
  if (compare.code_size != CodeSize::k64 || !is_jcc(branch.in) || !has_plain_target(branch))
    return nullptr;
  const Condition cc = condition_of(branch.in);
  switch (compare.in.mnemonic()) {
    case ZYDIS_MNEMONIC_CMP:
      bind_operands(compare, op);
      return fuse_cmp(compare, cc, op);
    case ZYDIS_MNEMONIC_TEST:
      bind_operands(compare, op);
      return fuse_test(compare, cc, op);
    case ZYDIS_MNEMONIC_SUB:
    case ZYDIS_MNEMONIC_ADD:
    case ZYDIS_MNEMONIC_AND:
    case ZYDIS_MNEMONIC_OR:
    case ZYDIS_MNEMONIC_INC:
    case ZYDIS_MNEMONIC_DEC:
      if (!compare.in.is_register(0) || compare.in.is_memory(1)) return nullptr;
      bind_operands(compare, op);
      return fuse_arithmetic(compare, cc, op);
    default:
      return nullptr;
  }
}

}  // namespace vtsim::cpu
