// Arithmetic and logic, with the lazy record of flags where somebody may look at it.

#include "model/cpu/core.h"
#include "model/cpu/engine/code_writer.h"
#include "model/cpu/exec/conditions.h"
#include "model/cpu/exec/exec.h"

namespace vtsim::cpu {

namespace {

using enum HostRegister;
namespace code = host_opcode;

// How an operation of two operands is written, and what it leaves in the lazy record.
struct Operation {
  ZydisMnemonic mnemonic;
  u32 opcode;
  FlagKind kind;
  bool stores;
};
constexpr Operation kOperations[] = {
    {ZYDIS_MNEMONIC_ADD, code::kAddTo, FlagKind::kAdd, true},
    {ZYDIS_MNEMONIC_SUB, code::kSubtract, FlagKind::kSub, true},
    {ZYDIS_MNEMONIC_CMP, code::kCompare, FlagKind::kSub, false},
    {ZYDIS_MNEMONIC_AND, code::kAndTo, FlagKind::kLogic, true},
    {ZYDIS_MNEMONIC_TEST, code::kAndTo, FlagKind::kLogic, false},
    {ZYDIS_MNEMONIC_OR, code::kOrTo, FlagKind::kLogic, true},
    {ZYDIS_MNEMONIC_XOR, code::kXor, FlagKind::kLogic, true},
};

const Operation* operation_of(const Decoded& in) {
  for (const Operation& operation : kOperations)
    if (operation.mnemonic == in.mnemonic()) return &operation;
  return nullptr;
}

}  // namespace

bool CodeWriter::write_arithmetic(const TranslatorStep& step) {
  switch (step.in->mnemonic()) {
    case ZYDIS_MNEMONIC_INC:
    case ZYDIS_MNEMONIC_DEC: return write_increment(step);
    case ZYDIS_MNEMONIC_NOT:
    case ZYDIS_MNEMONIC_NEG: return write_complement(step);
    case ZYDIS_MNEMONIC_SHL:
    case ZYDIS_MNEMONIC_SHR:
    case ZYDIS_MNEMONIC_SAR: return write_shift(step);
    case ZYDIS_MNEMONIC_ROL:
    case ZYDIS_MNEMONIC_ROR: return write_rotate(step);
    case ZYDIS_MNEMONIC_IMUL: return write_multiply(step);
    default: return operation_of(*step.in) != nullptr && write_two_operand(step);
  }
}

void CodeWriter::record_kind(FlagKind kind, unsigned size) {
  as_.mem_imm(2, code::kStoreImm, 0, field(layout_.lazy_kind), flag_word(kind, size));
}

bool CodeWriter::write_two_operand(const TranslatorStep& step) {
  const bool stores = operation_of(*step.in)->stores;
  const bool written =
      step.in->is_memory(0) ? write_on_memory(step, stores) : write_on_register(step, stores);
  if (written && step.branch != nullptr) branch(static_cast<unsigned>(condition_of(*step.branch)));
  return written;
}

// RAX and RCX hold the operands, zero-extended. The result goes to RAX, and the host's flags are the
// guest's.
void CodeWriter::operate(const TranslatorStep& step, unsigned size) {
  const Operation& operation = *operation_of(*step.in);
  const bool live = step.flags_live || !operation.stores || step.branch != nullptr;
  const bool logic = operation.kind == FlagKind::kLogic;
  if (live && !logic) {
    as_.reg_mem(3, code::kStore, kAx, field(layout_.lazy_a));
    as_.reg_mem(3, code::kStore, kCx, field(layout_.lazy_b));
  }
  as_.reg_reg(size, operation.opcode, kAx, kCx);
  if (live && logic) as_.reg_mem(3, code::kStore, kAx, field(layout_.lazy_a));
  if (live) record_kind(operation.kind, size);
}

// The second operand, a register or an immediate, into RCX.
bool CodeWriter::load_source(const Decoded& in, unsigned size) {
  if (in.is_immediate(1)) {
    as_.load_constant(kCx, truncate(op_->imm, size));
  } else if (is_general(in, 1)) {
    load(size, kCx, op_->src);
  } else {
    return false;
  }
  return true;
}

bool CodeWriter::write_on_memory(const TranslatorStep& step, bool stores) {
  const unsigned size = size_of(*step.in);
  if (!address()) return false;
  HostMemory at = probe(stores ? Side::kWrite : Side::kRead, size);
  if (stores) {
    as_.reg_mem(3, code::kLea, k9, at);
    at = {k9};
  }
  load_from(size, kAx, at);
  if (!load_source(*step.in, size)) return false;
  operate(step, size);
  if (!stores) return true;
  as_.reg_mem(size, code::kStore, kAx, at);
  return true;
}

bool CodeWriter::write_on_register(const TranslatorStep& step, bool stores) {
  const Decoded& in = *step.in;
  const unsigned size = size_of(in);
  if (!is_general(in, 0)) return false;
  if (in.is_memory(1)) {
    if (!address()) return false;
    load_from(size, kCx, probe(Side::kRead, size));
  } else if (!load_source(in, size)) {
    return false;
  }
  load(size, kAx, op_->dst);
  operate(step, size);
  if (stores) store(size, kAx, op_->dst);
  return true;
}

// INC and DEC keep CF, which the lazy record may hold in any form: only where it is known, or nobody
// looks.
bool CodeWriter::write_increment(const TranslatorStep& step) {
  const Decoded& in = *step.in;
  const unsigned size = size_of(in);
  const u64 by = in.mnemonic() == ZYDIS_MNEMONIC_INC ? 1 : ~u64{0};
  const bool live = step.flags_live || step.branch != nullptr;
  HostMemory at = gpr(op_->dst);
  if (in.is_memory(0)) {
    if (!address()) return false;
    as_.reg_mem(3, code::kLea, k9, probe(Side::kWrite, size));
    at = {k9};
  }
  if (live) {
    if (!recall_flags(step.known)) return false;
    constexpr unsigned kCarry = 2;
    as_.reg_reg(2, code::kSet | kCarry, kAx, kAx);
    as_.reg_reg(2, code::kMovzx8, kCx, kAx);
    as_.reg_mem(3, code::kStore, kCx, field(layout_.lazy_b));
  }
  load_from(size, kAx, at);
  as_.reg_imm(size, code::kGroup1, 0, kAx, by);
  if (live) as_.reg_mem(3, code::kStore, kAx, field(layout_.lazy_a));
  if (live) record_kind(by == 1 ? FlagKind::kInc : FlagKind::kDec, size);
  as_.reg_mem(size == 2 && !in.is_memory(0) ? 3 : size, code::kStore, kAx, at);
  if (step.branch != nullptr) branch(static_cast<unsigned>(condition_of(*step.branch)));
  return true;
}

bool CodeWriter::write_complement(const TranslatorStep& step) {
  const Decoded& in = *step.in;
  const unsigned size = size_of(in);
  if (size < 2 || !is_general(in, 0)) return false;
  const bool negates = in.mnemonic() == ZYDIS_MNEMONIC_NEG;
  load(size, kAx, op_->dst);
  if (negates && step.flags_live) {  // 0 - operand
    as_.mem_imm(3, code::kStoreImm, 0, field(layout_.lazy_a), 0);
    as_.reg_mem(3, code::kStore, kAx, field(layout_.lazy_b));
    record_kind(FlagKind::kSub, size);
  }
  as_.reg_reg(size, code::kGroup3, static_cast<HostRegister>(negates ? code::kNeg : code::kNot), kAx);
  store(size, kAx, op_->dst);
  return true;
}

bool CodeWriter::write_shift(const TranslatorStep& step) {
  const Decoded& in = *step.in;
  const unsigned size = size_of(in);
  if (size < 2 || !is_general(in, 0) || !in.is_immediate(1) || op_->imm == 0) return false;
  const ZydisMnemonic mnemonic = in.mnemonic();
  const bool left = mnemonic == ZYDIS_MNEMONIC_SHL, logical = mnemonic == ZYDIS_MNEMONIC_SHR;
  load(size, kAx, op_->dst);
  if (step.flags_live) {
    as_.reg_mem(3, code::kStore, kAx, field(layout_.lazy_a));
    as_.mem_imm(3, code::kStoreImm, 0, field(layout_.lazy_b), op_->imm);
    record_kind(left ? FlagKind::kShl : logical ? FlagKind::kShr : FlagKind::kSar, size);
  }
  as_.shift(size, left ? code::kShl : logical ? code::kShr : code::kSar, kAx,
            static_cast<u8>(op_->imm));
  store(size, kAx, op_->dst);
  return true;
}

bool CodeWriter::write_rotate(const TranslatorStep& step) {
  const Decoded& in = *step.in;
  const unsigned size = size_of(in);
  if (size < 2 || step.flags_live || !is_general(in, 0) || !in.is_immediate(1)) return false;
  load(size, kAx, op_->dst);
  as_.shift(size, in.mnemonic() == ZYDIS_MNEMONIC_ROL ? code::kRol : code::kRor, kAx,
            static_cast<u8>(op_->imm));
  store(size, kAx, op_->dst);
  return true;
}

// The forms of two and three operands.
bool CodeWriter::write_multiply(const TranslatorStep& step) {
  const Decoded& in = *step.in;
  const unsigned size = size_of(in);
  if (in.visible() < 2 || size < 2 || step.flags_live || !is_general(in, 0)) return false;
  if (in.is_memory(1)) {
    if (!address()) return false;
    load_from(size, kCx, probe(Side::kRead, size));
  } else {
    load(size, kCx, op_->src);
  }
  if (in.is_immediate(2)) {
    as_.load_constant(kAx, truncate(op_->imm, size));
  } else {
    load(size, kAx, op_->dst);
  }
  as_.reg_reg(size, code::kImul, kAx, kCx);
  store(size, kAx, op_->dst);
  return true;
}

}  // namespace vtsim::cpu
