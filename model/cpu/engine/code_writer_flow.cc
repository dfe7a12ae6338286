// Branches, and the ways from block to block (exec/exec.h go_to_successor(), core_code.cc jump()).

#include "model/cpu/core.h"
#include "model/cpu/engine/code_writer.h"
#include "model/cpu/exec/branch_target.h"
#include "model/cpu/exec/conditions.h"

namespace vtsim::cpu {

namespace {

using enum HostRegister;
namespace code = host_opcode;

constexpr unsigned kEqual = 4, kNotEqual = 5, kSign = 8;  // condition codes

i64 distance(const void* from, const void* to) {
  return static_cast<const u8*>(to) - static_cast<const u8*>(from);
}

bool is_jcc(const Decoded& in) {
  const u64 row = bits(in.ins.opcode, 7, 4);
  return in.ins.meta.category == ZYDIS_CATEGORY_COND_BR &&
         ((in.ins.opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && row == 7) ||
          (in.ins.opcode_map == ZYDIS_OPCODE_MAP_0F && row == 8));
}

}  // namespace

// ---- from block to block

// RSI: the block.
void CodeWriter::enter_block() {
  as_.reg_mem(2, code::kMovzx16, kAx, {kSi, distance(&block_, &block_.instructions)});
  as_.reg_mem(3, code::kStore, kSi, field(layout_.block));
  as_.reg_mem(3, code::kSubFrom, kAx, field(layout_.budget));
  exits_.push_back({.to = Exit::To::kEnd, .place = as_.jcc(kSign)});
  as_.reg_imm(3, code::kGroup1, 0, kSi, static_cast<u64>(distance(&block_, block_.ops)));
  as_.jump_to_memory(kSi);
}

void CodeWriter::go_to_successor(unsigned taken) {
  const u64 rip = block_.successor[taken];
  const Exit far{.to = Exit::To::kFarLink, .which = taken};
  if (((rip ^ block_.rip) & ~kPageOffsetMask) != 0) {
    as_.reg_mem(3, code::kLoad, kAx, field(layout_.tlb));
    as_.reg_mem(3, code::kLoad, kSi,
                {kAx, layout_.jumps + i64{HostTlb::jump_index(rip)} * i64{sizeof(Block*)}});
    as_.load_constant(kCx, rip);
    check_jump(far);
  } else {
    as_.reg_at(code::kLoad, kSi, &block_.link[taken]);
    as_.reg_reg(3, code::kTest, kSi, kSi);
    exits_.push_back({.to = far.to, .which = taken, .place = as_.jcc(kEqual)});
  }
  enter_block();
}

// RSI: what the table of jumps has for the address in RCX. In 64-bit code RIP is the linear address.
void CodeWriter::check_jump(Exit missing) {
  const auto unless = [&](unsigned condition) {
    missing.place = as_.jcc(condition);
    exits_.push_back(missing);
  };
  as_.reg_reg(3, code::kTest, kSi, kSi);
  unless(kEqual);
  as_.reg_mem(3, code::kCompare, kCx, {kSi, distance(&block_, &block_.lin)});
  unless(kNotEqual);
  as_.mem_imm(2, code::kGroup1, code::kCmp, {kSi, distance(&block_, &block_.mode)},
              block_.mode.value);
  unless(kNotEqual);
}

// The block at RCX into RSI, or on to the op's handler; clobbers RAX and RDX. HostTlb::jump_index().
void CodeWriter::take_from_jumps() {
  static_assert(HostTlb::kJumpEntries == 16384 && HostTlb::kJumpsOfPage == 256);
  static_assert(HostTlb::jump_index(0x123456) == (((0x123 ^ 0x001) & 0x3F) << 8 | (0x56 ^ 0x34)));
  constexpr unsigned kFold = 8, kPage = 4;
  as_.reg_reg(2, code::kStore, kCx, kAx);
  as_.shift(2, code::kShr, kAx, kFold);
  as_.reg_reg(2, code::kXor, kAx, kCx);
  as_.reg_reg(2, code::kMovzx8, kDx, kAx);
  as_.shift(2, code::kShr, kAx, kPage);
  as_.reg_imm(2, code::kGroup1, code::kAnd, kAx, HostTlb::kJumpEntries - HostTlb::kJumpsOfPage);
  as_.reg_reg(2, code::kOrTo, kAx, kDx);
  as_.reg_mem(3, code::kLoad, kSi, field(layout_.tlb));
  as_.reg_mem(3, code::kLoad, kSi, {kSi, layout_.jumps, kAx, 3});
  check_jump({.to = Exit::To::kHandler, .which = index_});
}

void CodeWriter::branch(unsigned condition) {
  u8* const taken = as_.jcc(condition);
  go_to_successor(0);
  as_.patch(taken, as_.at());
  go_to_successor(1);
}

// ---- instructions

bool CodeWriter::recall_flags(const FlagKnowledge& known) {
  if (!known.known) return false;
  u32 opcode = 0;
  switch (known.kind) {
    case FlagKind::kSub: opcode = code::kCompare; break;
    case FlagKind::kAdd: opcode = code::kAddTo; break;
    case FlagKind::kLogic: break;
    default: return false;
  }
  as_.reg_mem(3, code::kLoad, kAx, field(layout_.lazy_a));
  if (opcode == 0) {
    as_.reg_reg(known.size_log2, code::kTest, kAx, kAx);
  } else {
    as_.reg_mem(known.size_log2, opcode, kAx, field(layout_.lazy_b));
  }
  return true;
}

bool CodeWriter::write_flow(const TranslatorStep& step) {
  const Decoded& in = *step.in;
  switch (in.mnemonic()) {
    case ZYDIS_MNEMONIC_JMP: return write_jump(in);
    case ZYDIS_MNEMONIC_CALL: return write_call(in);
    case ZYDIS_MNEMONIC_RET: return write_return(in);
    default: return is_jcc(in) && write_jcc(step);
  }
}

// A direct branch whose target needs no look when it is taken.
bool CodeWriter::has_plain_target(const Decoded& in) const {
  return in.is_immediate(0) && is_canonical(static_cast<u64>(op_->disp), kLinearWidth4Level);
}

bool CodeWriter::write_jcc(const TranslatorStep& step) {
  if (!has_plain_target(*step.in) || !recall_flags(step.known)) return false;
  branch(static_cast<unsigned>(condition_of(*step.in)));
  return true;
}

// The target of an indirect branch into RCX.
bool CodeWriter::load_target(const Decoded& in) {
  if (in.ins.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR) return false;
  if (is_general(in, 0)) {
    load(3, kCx, op_->dst);
  } else {
    if (!in.is_memory(0) || !address()) return false;
    load_from(3, kCx, probe(Side::kRead, 3));
  }
  return true;
}

bool CodeWriter::write_jump(const Decoded& in) {
  if (in.is_immediate(0)) {
    if (!has_plain_target(in)) return false;
    go_to_successor(1);
    return true;
  }
  if (!load_target(in)) return false;
  take_from_jumps();
  enter_block();
  return true;
}

bool CodeWriter::write_call(const Decoded& in) {
  const bool direct = in.is_immediate(0);
  if (direct ? !has_plain_target(in) : !load_target(in)) return false;
  if (!direct) as_.reg_reg(3, code::kStore, kCx, k10);
  load(3, kDx, gpr_offset(kRsp));
  as_.reg_mem(3, code::kLea, kDx, {kDx, -8});
  as_.reg_mem(3, code::kLea, k9, probe(Side::kWrite, 3));
  as_.reg_reg(3, code::kStore, kDx, k8);
  if (!direct) {
    as_.reg_reg(3, code::kStore, k10, kCx);
    take_from_jumps();
  }
  as_.load_constant(kAx, op_->imm);
  as_.reg_mem(3, code::kStore, kAx, {k9});
  store(3, k8, gpr_offset(kRsp));
  if (direct) {
    go_to_successor(1);
  } else {
    enter_block();
  }
  return true;
}

bool CodeWriter::write_return(const Decoded& in) {
  if (in.ins.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR) return false;
  load(3, kDx, gpr_offset(kRsp));
  load_from(3, kCx, probe(Side::kRead, 3));
  as_.reg_mem(3, code::kLea, k8, {kDx, static_cast<i64>(op_->imm) + 8});
  take_from_jumps();
  store(3, k8, gpr_offset(kRsp));
  enter_block();
  return true;
}

}  // namespace vtsim::cpu
