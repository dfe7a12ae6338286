// Frame of the code, and moves. Arithmetic and branches: code_writer_arithmetic.cc, code_writer_flow.cc.

#include "model/cpu/engine/code_writer.h"

#include <algorithm>
#include <cstddef>

#include "model/cpu/core.h"
#include "model/cpu/exec/choose.h"
#include "model/cpu/exec/conditions.h"
#include "model/cpu/exec/exec.h"

namespace vtsim::cpu {

namespace {

using enum HostRegister;
namespace code = host_opcode;

constexpr unsigned kZero = gpr_offset(kZeroRegister);
constexpr unsigned kNotEqual = 5;  // condition code

i64 distance(const void* from, const void* to) {
  return static_cast<const u8*>(to) - static_cast<const u8*>(from);
}

}  // namespace

bool is_general(const Decoded& in, unsigned n) {
  if (!in.is_register(n)) return false;
  const ZydisRegisterClass c = ZydisRegisterGetClass(in.operand[n].reg.value);
  return c >= ZYDIS_REGCLASS_GPR8 && c <= ZYDIS_REGCLASS_GPR64;
}

unsigned size_of(const Decoded& in, unsigned n) {
  const unsigned bits = in.operand[n].size;
  return bits == 8 ? 0 : bits == 16 ? 1 : bits == 32 ? 2 : 3;
}

// ---- frame

CodeWriter::Layout CodeWriter::layout_of(const Core& core) {
  return {.state = distance(&core, &core.state),
          .lazy_a = distance(&core, &core.state.lazy.a),
          .lazy_b = distance(&core, &core.state.lazy.b),
          .lazy_kind = distance(&core, &core.state.lazy.kind),
          .budget = distance(&core, &core.budget),
          .block = distance(&core, &core.block),
          .tlb = distance(&core, &core.tlb),
          .array = {distance(core.tlb, &core.tlb->read), distance(core.tlb, &core.tlb->write)},
          .jumps = distance(core.tlb, &core.tlb->jumps)};
}

CodeWriter::CodeWriter(const Core& core, const Block& block, const Handler* handlers, u8* at)
    : as_(at), layout_(layout_of(core)), core_(core), block_(block), handlers_(handlers) {}

u8* CodeWriter::begin_op(const Op& op, unsigned index) {
  op_ = &op;
  index_ = index;
  return as_.at();
}

void CodeWriter::abandon_op(u8* start) {
  as_.rewind(start);
  while (!exits_.empty() && exits_.back().place >= start) exits_.pop_back();
}

void CodeWriter::enter_handler(const Op& op) {
  as_.reg_at(code::kLea, kSi, &op);
  as_.jump_through(&op.handler);
}

u8* CodeWriter::finish() {
  for (std::size_t n = 0; n < exits_.size(); ++n) {
    Exit& exit = exits_[n];
    const auto same = std::find_if(exits_.begin(), exits_.begin() + static_cast<i64>(n), [&](const Exit& e) {
      return e.to == exit.to && e.which == exit.which;
    });
    exit.target = same->target != nullptr ? same->target : as_.at();
    as_.patch(exit.place, exit.target);
    if (exit.target == as_.at()) write_exit(exit);
  }
  return as_.at();
}

void CodeWriter::write_exit(const Exit& exit) {
  switch (exit.to) {
    case Exit::To::kHandler:
      as_.reg_at(code::kLea, kSi, &block_.ops[exit.which]);
      return as_.jump_through(&handlers_[exit.which]);
    case Exit::To::kFarLink:
      as_.load_constant(kDx, exit.which);
      as_.load_constant(kAx, reinterpret_cast<u64>(&enter_far_link));
      return as_.jump_to(kAx);
    case Exit::To::kEnd:
      return as_.ret();
  }
}

bool CodeWriter::write(const TranslatorStep& step) {
  if (step.in->lock()) return false;
  return write_move(step) || write_arithmetic(step) || write_flow(step);
}

// ---- values

void CodeWriter::load_from(unsigned size, HostRegister to, HostMemory from) {
  constexpr u32 kOpcodes[] = {code::kMovzx8, code::kMovzx16, code::kLoad, code::kLoad};
  as_.reg_mem(size == 3 ? 3 : 2, kOpcodes[size], to, from);
}

void CodeWriter::load(unsigned size, HostRegister to, unsigned offset) {
  if (offset == kZero) return as_.load_constant(to, 0);
  load_from(size, to, gpr(offset));
}

// Of 32 bits: `from` is zero-extended.
void CodeWriter::store(unsigned size, HostRegister from, unsigned offset) {
  as_.reg_mem(size == 2 ? 3 : size, code::kStore, from, gpr(offset));
}

void CodeWriter::store_constant(unsigned size, u64 value, unsigned offset) {
  if (size == 2) value = truncate(value, 2);
  if (size < 2) return as_.mem_imm(size, code::kStoreImm, 0, gpr(offset), value);
  if (fits_i32(value)) return as_.mem_imm(3, code::kStoreImm, 0, gpr(offset), value);
  as_.load_constant(kAx, value);
  store(3, kAx, offset);
}

bool CodeWriter::address() {
  const Form form = form_of(*op_);
  const u64 disp = static_cast<u64>(op_->disp);
  const bool has_base = op_->base != kZero, has_index = op_->index != kZero;
  if (form == Form::kGeneral) return false;
  if (!has_base && !has_index) {
    as_.load_constant(kDx, disp);
  } else if (!fits_i32(disp)) {
    return false;
  } else if (!has_index) {
    load(3, kDx, op_->base);
    if (disp != 0) as_.reg_mem(3, code::kLea, kDx, {kDx, op_->disp});
  } else {
    load(3, kDx, op_->base);
    load(3, kCx, op_->index);
    as_.reg_mem(3, code::kLea, kDx, {kDx, op_->disp, kCx, op_->scale});
  }
  if (form == Form::kSegment) {
    const u64* base = &core_.state.seg[op_->mem.segment()].base;
    as_.reg_mem(3, code::kAddTo, kDx, field(distance(&core_, base)));
  }
  return true;
}

// exec/memory.h load_linear(), store_linear(): HostTlb::index() as the offset of an entry.
HostMemory CodeWriter::probe(Side side, unsigned size) {
  static_assert(sizeof(HostTlbEntry) == 16 && HostTlb::kDataEntries == 1024);
  constexpr unsigned kFold = 10, kShift = 8;
  constexpr u64 kOffsetMask = (HostTlb::kDataEntries - 1) * sizeof(HostTlbEntry);
  static_assert(HostTlb::index(u64{5} << 22 | 3 << 12) == (5 ^ 3));
  as_.reg_reg(2, code::kStore, kDx, kAx);
  as_.shift(2, code::kShr, kAx, kFold);
  as_.reg_reg(2, code::kXor, kAx, kDx);
  as_.shift(2, code::kShr, kAx, kShift);
  as_.reg_imm(2, code::kGroup1, code::kAnd, kAx, kOffsetMask);
  as_.reg_mem(3, code::kAddTo, kAx, field(layout_.tlb));
  as_.reg_mem(3, code::kLea, kCx, {kDx, (i64{1} << size) - 1});
  as_.reg_imm(3, code::kGroup1, code::kAnd, kCx, ~kPageOffsetMask);
  const i64 entry = layout_.array[static_cast<unsigned>(side)];
  as_.reg_mem(3, code::kCompare, kCx, {kAx, entry});
  exits_.push_back({Exit::To::kHandler, index_, as_.jcc(kNotEqual)});
  as_.reg_mem(3, code::kLoad, kAx, {kAx, entry + i64{offsetof(HostTlbEntry, addend)}});
  return {kAx, 0, kDx, 0};
}

// ---- moves

bool CodeWriter::write_move(const TranslatorStep& step) {
  const Decoded& in = *step.in;
  switch (in.mnemonic()) {
    case ZYDIS_MNEMONIC_MOV: return write_mov(in);
    case ZYDIS_MNEMONIC_MOVZX:
      return write_extension(in, size_of(in, 1) == 0 ? code::kMovzx8 : code::kMovzx16, size_of(in, 1));
    case ZYDIS_MNEMONIC_MOVSX:
      return write_extension(in, size_of(in, 1) == 0 ? code::kMovsx8 : code::kMovsx16, size_of(in, 1));
    case ZYDIS_MNEMONIC_MOVSXD: return write_extension(in, code::kMovsx32, size_of(in, 1));
    case ZYDIS_MNEMONIC_LEA: return write_lea(in);
    case ZYDIS_MNEMONIC_PUSH: return write_push(in);
    case ZYDIS_MNEMONIC_POP: return write_pop(in);
    case ZYDIS_MNEMONIC_CDQE:
    case ZYDIS_MNEMONIC_CDQ:
    case ZYDIS_MNEMONIC_CQO: return write_widening(in);
    case ZYDIS_MNEMONIC_NOP: return in.visible() == 0;
    default: break;
  }
  if (in.ins.meta.category == ZYDIS_CATEGORY_CMOV) return write_cmov(step);
  if (in.ins.meta.category == ZYDIS_CATEGORY_SETCC) return write_set(step);
  return false;
}

bool CodeWriter::write_mov(const Decoded& in) {
  const unsigned size = size_of(in);
  const bool from_register = is_general(in, 1), immediate = in.is_immediate(1);
  if (is_general(in, 0)) {
    if (immediate) {
      store_constant(size, op_->imm, op_->dst);
    } else if (from_register) {
      load(size, kAx, op_->src);
      store(size, kAx, op_->dst);
    } else {
      if (!in.is_memory(1) || !address()) return false;
      load_from(size, kCx, probe(Side::kRead, size));
      store(size, kCx, op_->dst);
    }
    return true;
  }
  if (!in.is_memory(0) || (!from_register && !immediate) || !address()) return false;
  const HostMemory to = probe(Side::kWrite, size);
  if (immediate) {
    as_.mem_imm(size, code::kStoreImm, 0, to, op_->imm);
  } else {
    load(size, kCx, op_->src);
    as_.reg_mem(size, code::kStore, kCx, to);
  }
  return true;
}

bool CodeWriter::write_extension(const Decoded& in, u32 opcode, unsigned from) {
  const unsigned size = size_of(in);
  if (size == 1 && opcode == code::kMovsx32) return false;  // a plain move of 16 bits
  const unsigned wide = size == 3 ? 3 : 2;
  if (in.is_memory(1)) {
    if (!address()) return false;
    as_.reg_mem(wide, opcode, kCx, probe(Side::kRead, from));
  } else {
    as_.reg_mem(wide, opcode, kCx, gpr(op_->src));
  }
  store(size, kCx, op_->dst);
  return true;
}

bool CodeWriter::write_lea(const Decoded& in) {
  const unsigned size = size_of(in);
  if (op_->mem.general() || !address()) return false;
  if (size == 2) as_.reg_reg(2, code::kStore, kDx, kDx);
  store(size, kDx, op_->dst);
  return true;
}

bool CodeWriter::write_push(const Decoded& in) {
  if (in.operand_bits() != 64 || (!is_general(in, 0) && !in.is_immediate(0))) return false;
  load(3, kDx, gpr_offset(kRsp));
  as_.reg_mem(3, code::kLea, kDx, {kDx, -8});
  const HostMemory to = probe(Side::kWrite, 3);
  if (in.is_immediate(0)) {
    as_.load_constant(kCx, op_->imm);
  } else {
    load(3, kCx, op_->dst);
  }
  as_.reg_mem(3, code::kStore, kCx, to);
  store(3, kDx, gpr_offset(kRsp));
  return true;
}

bool CodeWriter::write_pop(const Decoded& in) {
  if (in.operand_bits() != 64 || !is_general(in, 0)) return false;
  load(3, kDx, gpr_offset(kRsp));
  load_from(3, kCx, probe(Side::kRead, 3));
  as_.reg_mem(3, code::kLea, kDx, {kDx, 8});
  store(3, kDx, gpr_offset(kRsp));
  store(3, kCx, op_->dst);  // last: POP RSP keeps what it popped
  return true;
}

bool CodeWriter::write_widening(const Decoded& in) {
  if (in.mnemonic() == ZYDIS_MNEMONIC_CDQE) {
    as_.reg_mem(3, code::kMovsx32, kAx, gpr(gpr_offset(kRax)));
    store(3, kAx, gpr_offset(kRax));
    return true;
  }
  const unsigned size = in.mnemonic() == ZYDIS_MNEMONIC_CDQ ? 2 : 3;
  load(size, kAx, gpr_offset(kRax));
  as_.shift(size, code::kSar, kAx, size == 2 ? 31 : 63);
  store(size, kAx, gpr_offset(kRdx));
  return true;
}

// The source is read, and may fault, in any case.
bool CodeWriter::write_cmov(const TranslatorStep& step) {
  const Decoded& in = *step.in;
  const unsigned size = size_of(in);
  if (size < 2) return false;
  if (in.is_memory(1)) {
    if (!address()) return false;
    load_from(size, kCx, probe(Side::kRead, size));
  } else {
    load(size, kCx, op_->src);
  }
  if (!recall_flags(step.known)) return false;
  load(size, kDx, op_->dst);
  as_.reg_reg(size, code::kCmov | static_cast<u32>(condition_of(in)), kDx, kCx);
  store(size, kDx, op_->dst);
  return true;
}

bool CodeWriter::write_set(const TranslatorStep& step) {
  const Decoded& in = *step.in;
  if (in.is_memory(0)) {
    if (!address()) return false;
    as_.reg_mem(3, code::kLea, k9, probe(Side::kWrite, 0));
  }
  if (!recall_flags(step.known)) return false;
  as_.reg_reg(2, code::kSet | static_cast<u32>(condition_of(in)), kAx, kAx);
  if (in.is_memory(0)) {
    as_.reg_mem(0, code::kStore, kAx, {k9});
  } else {
    store(0, kAx, op_->dst);
  }
  return true;
}

}  // namespace vtsim::cpu
