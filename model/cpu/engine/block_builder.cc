#include "model/cpu/engine/block_builder.h"

#include <cstring>

#include "model/cpu/core.h"
#include "model/cpu/engine/gates.h"
#include "model/cpu/exec/fuse.h"
#include "model/cpu/exec/isa.h"
#include "model/cpu/exec/table.h"
#include "model/cpu/exec/vmx.h"

namespace vtsim::cpu {

// One instruction on its way into a block.
struct BlockBuilder::Slot {
  Decoded in;
  const InstructionRow* row = nullptr;
  Handler raising = nullptr;  // instead of the row's handler
  unsigned offset = 0;
  unsigned length = 0;
  bool ends_block = false;
  bool flags_live = true;
};

namespace {

Next fall_through(Core* core, const Op* op) { return go_to_successor<0>(core, op); }

bool is_general_register(const ZydisDecodedOperand& operand) {
  const ZydisRegisterClass c = ZydisRegisterGetClass(operand.reg.value);
  return c >= ZYDIS_REGCLASS_GPR8 && c <= ZYDIS_REGCLASS_GPR64;
}

// An instruction that can raise nothing, whatever the operands' values.
bool cannot_fault(const Decoded& in, const InstructionRow& row) {
  if (row.gate != Gate::kAlways || row.privilege != Privilege::kAny ||
      row.flow != Flow::kSequential || (row.timing != Timing::kSimple && row.timing != Timing::kMul))
    return false;
  for (unsigned n = 0; n < in.ins.operand_count; ++n) {
    if (in.is_memory(n) && in.mnemonic() != ZYDIS_MNEMONIC_LEA && in.mnemonic() != ZYDIS_MNEMONIC_NOP)
      return false;
    if (n < in.visible() && in.is_register(n) && !is_general_register(in.operand[n])) return false;
  }
  return true;
}

// Certainly changes nothing but general registers, RFLAGS, memory and RIP.
bool changes_integers_only(const Decoded& in) {
  switch (in.ins.meta.category) {
    case ZYDIS_CATEGORY_BINARY: case ZYDIS_CATEGORY_LOGICAL: case ZYDIS_CATEGORY_SHIFT:
    case ZYDIS_CATEGORY_ROTATE: case ZYDIS_CATEGORY_DATAXFER: case ZYDIS_CATEGORY_CMOV:
    case ZYDIS_CATEGORY_COND_BR: case ZYDIS_CATEGORY_UNCOND_BR: case ZYDIS_CATEGORY_CALL:
    case ZYDIS_CATEGORY_RET: case ZYDIS_CATEGORY_PUSH: case ZYDIS_CATEGORY_POP:
    case ZYDIS_CATEGORY_MISC: case ZYDIS_CATEGORY_NOP: case ZYDIS_CATEGORY_SETCC:
    case ZYDIS_CATEGORY_STRINGOP: case ZYDIS_CATEGORY_BITBYTE: case ZYDIS_CATEGORY_CONVERT:
      break;
    default:
      return false;
  }
  if (in.ins.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR) return false;
  if (in.ins.meta.category == ZYDIS_CATEGORY_RET && in.mnemonic() != ZYDIS_MNEMONIC_RET) return false;
  for (unsigned n = 0; n < in.ins.operand_count; ++n) {
    const ZydisDecodedOperand& operand = in.operand[n];
    if (operand.type == ZYDIS_OPERAND_TYPE_POINTER) return false;
    if (operand.type != ZYDIS_OPERAND_TYPE_REGISTER || !(operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
      continue;
    const ZydisRegisterClass c = ZydisRegisterGetClass(operand.reg.value);
    if (!is_general_register(operand) && c != ZYDIS_REGCLASS_FLAGS && c != ZYDIS_REGCLASS_IP) return false;
  }
  return true;
}

// What the lazy record holds after an instruction that writes all flags.
FlagKnowledge produced_flags(const Decoded& in) {
  const auto of = [&](FlagKind kind) {
    const unsigned bits = in.operand[0].size;
    return FlagKnowledge{true, kind, bits == 8 ? 0u : bits == 16 ? 1u : bits == 32 ? 2u : 3u};
  };
  switch (in.mnemonic()) {
    case ZYDIS_MNEMONIC_ADD: return of(FlagKind::kAdd);
    case ZYDIS_MNEMONIC_SUB:
    case ZYDIS_MNEMONIC_CMP: return of(FlagKind::kSub);
    case ZYDIS_MNEMONIC_AND:
    case ZYDIS_MNEMONIC_OR:
    case ZYDIS_MNEMONIC_XOR:
    case ZYDIS_MNEMONIC_TEST: return of(FlagKind::kLogic);
    case ZYDIS_MNEMONIC_INC: return of(FlagKind::kInc);
    case ZYDIS_MNEMONIC_DEC: return of(FlagKind::kDec);
    default: return {};
  }
}

}  // namespace

BlockBuilder::BlockBuilder(SharedEnvironment& shared, CoreObserver& observer)
    : shared_(shared),
      observer_(observer),
      slots_(kMaxBlockInstructions + 1),
      translator_(shared.blocks.arena()) {}

BlockBuilder::~BlockBuilder() = default;

// Decodes the instruction at `offset`. False: it goes on on a page that is not at hand.
bool BlockBuilder::decode_one(const BlockCache::Key& key, const CodeBytes& code,
                              const CodeBytes::NextPage* next, unsigned offset, u64 cs_bytes,
                              Slot& slot) {
  u8 joined[ZYDIS_MAX_INSTRUCTION_LENGTH];
  std::span<const u8> bytes(code.first + offset, code.first_size - offset);
  if (next != nullptr && bytes.size() < sizeof joined) {
    std::memcpy(joined, bytes.data(), bytes.size());
    std::memcpy(joined + bytes.size(), next->bytes, sizeof joined - bytes.size());
    bytes = joined;
  }
  const bool limited = cs_bytes - offset < bytes.size();
  if (limited) bytes = bytes.first(cs_bytes - offset);
  const auto size = static_cast<CodeSize>(key.mode[ModeBits::CODE_SIZE]);
  slot.offset = offset;
  slot.row = nullptr;
  slot.raising = nullptr;
  slot.length = 1;
  switch (shared_.decoder.decode(bytes, size, key.rip + offset, slot.in)) {
    case DecodeStatus::kOk:
      slot.length = slot.in.length();
      break;
    case DecodeStatus::kTruncated:
      if (!limited) return false;
      slot.raising = &raise_gp0;  // beyond the segment's limit
      break;
    case DecodeStatus::kTooLong:
      slot.raising = &raise_gp0;
      break;
    case DecodeStatus::kInvalid:
      slot.raising = &raise_ud;
      break;
  }
  return true;
}

// Finds the row, and what the mode already decides.
void BlockBuilder::classify(const Core& core, Mode mode, Slot& slot) {
  slot.ends_block = true;
  if (slot.raising != nullptr) return;
  const IsaRequirement needs = required_feature(slot.in);
  slot.row = find_row(slot.in.mnemonic());
  if (needs.unknown_extension || (needs.feature && !shared_.offered[*needs.feature])) {
    slot.raising = &raise_ud;
  } else if (slot.row == nullptr) {
    observer_.on_unmodelled(core, ZydisMnemonicGetString(slot.in.mnemonic()));
    slot.raising = &raise_ud;
  } else {
    slot.raising = closed_gate(*slot.row, slot.in, mode);
    slot.ends_block = slot.raising != nullptr || slot.row->flow != Flow::kSequential;
  }
}

// Backwards: whoever may fault, and the end of the block, reads the flags.
void BlockBuilder::find_live_flags(unsigned count) {
  bool live = true;
  for (unsigned n = count; n-- > 0;) {
    Slot& slot = slots_[n];
    slot.flags_live = live;
    if (slot.row == nullptr || slot.raising != nullptr) {
      live = true;
      continue;
    }
    if (slot.row->flags == FlagUse::kWritesAll) live = false;
    if (slot.row->flags == FlagUse::kReads || slot.row->flags == FlagUse::kReadsAndWrites ||
        !cannot_fault(slot.in, *slot.row))
      live = true;
  }
}

bool BlockBuilder::can_fuse(unsigned n, unsigned count) const {
  return n + 1 < count && slots_[n].raising == nullptr && slots_[n + 1].raising == nullptr &&
         slots_[n + 1].in.ins.meta.category == ZYDIS_CATEGORY_COND_BR;
}

namespace {

// Which of the instructions that share an exit reason it is, as the exit's information field tells.
u8 intercept_identity(const Decoded& in) {
  switch (in.mnemonic()) {
    case ZYDIS_MNEMONIC_LGDT:
    case ZYDIS_MNEMONIC_LLDT: return 2;
    case ZYDIS_MNEMONIC_LIDT:
    case ZYDIS_MNEMONIC_LTR: return 3;
    case ZYDIS_MNEMONIC_RDRAND:
    case ZYDIS_MNEMONIC_RDSEED: return in.operand_bits() == 16 ? 0 : in.operand_bits() == 32 ? 1 : 2;
    default: return 0;
  }
}

}  // namespace

// An instruction that privilege forbids does not exit.
bool BlockBuilder::needs_intercept_gate(const Slot& slot, Mode mode) {
  return mode[ModeBits::NON_ROOT] && slot.row != nullptr && slot.raising == nullptr &&
         (slot.row->when == When::kBeforePrivilege || slot.row->when == When::kAfterPrivilege);
}

// Binds the handler; false: one that raises.
bool BlockBuilder::bind_one(Slot& slot, Mode mode, const FlagKnowledge& known, Op& op) {
  if (slot.raising != nullptr) {
    op.handler = slot.raising;
    return false;
  }
  const Binding binding{.in = slot.in,
                        .code_size = static_cast<CodeSize>(mode[ModeBits::CODE_SIZE]),
                        .flat = mode[ModeBits::CODE_SIZE] == static_cast<u64>(CodeSize::k64),
                        .protected_mode = mode[ModeBits::PROTECTED],
                        .cpl = static_cast<u8>(mode[ModeBits::CPL]),
                        .flags_live = slot.flags_live,
                        .flags_known = known.known,
                        .flags_kind = known.kind,
                        .flags_size_log2 = known.size_log2};
  op.handler = slot.row->bind(binding, op);
  const bool runs = op.handler != nullptr;
  if (!runs) op.handler = &raise_ud;
  return runs;
}

// Forwards: handlers. Returns the number of ops.
unsigned BlockBuilder::bind(const BlockCache::Key& key, unsigned count, Block* block) {
  FlagKnowledge known;
  unsigned ops = 0;
  steps_.clear();
  const auto size = static_cast<CodeSize>(key.mode[ModeBits::CODE_SIZE]);
  for (unsigned n = 0; n < count; ++n) {
    Slot& slot = slots_[n];
    if (needs_intercept_gate(slot, key.mode)) {
      Op& gate = block->ops[ops++];
      gate = Op{};
      gate.where = static_cast<u16>(n << 10 | slot.offset);
      gate.handler = &intercept_gate;
      gate.imm = intercept_gate_operand(slot.row->intercept, intercept_identity(slot.in));
      steps_.push_back({});
    }
    Op& op = block->ops[ops++];
    op = Op{};
    op.where = static_cast<u16>(n << 10 | slot.offset);
    if (can_fuse(n, count)) {
      const Slot& jump = slots_[n + 1];
      const auto binding = [&](const Slot& s) {
        return Binding{.in = s.in, .code_size = size, .flat = size == CodeSize::k64,
                       .protected_mode = key.mode[ModeBits::PROTECTED],
                       .cpl = static_cast<u8>(key.mode[ModeBits::CPL]), .flags_live = true,
                       .flags_known = false, .flags_kind = {}, .flags_size_log2 = 0};
      };
      if (const Handler fused = fuse_compare_branch(binding(slot), binding(jump), op)) {
        op.handler = fused;
        steps_.push_back({.in = &slot.in, .branch = &jump.in, .flags_live = true, .known = known});
        break;  // the branch was the last one
      }
      op = Op{};
      op.where = static_cast<u16>(n << 10 | slot.offset);
    }
    const bool runs = bind_one(slot, key.mode, known, op);
    steps_.push_back({.in = runs ? &slot.in : nullptr, .branch = nullptr,
                      .flags_live = slot.flags_live, .known = known});
    if (slot.row != nullptr && slot.row->flags == FlagUse::kWritesAll) {
      known = slot.flags_live ? produced_flags(slot.in) : FlagKnowledge{};
    } else if (slot.row != nullptr && slot.row->flags == FlagUse::kReadsAndWrites) {
      known = slot.in.mnemonic() == ZYDIS_MNEMONIC_INC || slot.in.mnemonic() == ZYDIS_MNEMONIC_DEC
                  ? produced_flags(slot.in)
                  : FlagKnowledge{};
    }
  }
  return ops;
}

bool BlockBuilder::may_translate(Mode mode) const {
  return shared_.host_code && mode[ModeBits::CODE_SIZE] == static_cast<u64>(CodeSize::k64) &&
         !mode[ModeBits::ALONE];
}

namespace {

// Block::code_alone().
void keep_code(const CodeBytes& code, const CodeBytes::NextPage* next, unsigned length, Op& closing) {
  u8 bytes[sizeof closing.disp + sizeof closing.imm] = {};
  for (unsigned n = 0; n < length; ++n)
    bytes[n] = n < code.first_size ? code.first[n] : next->bytes[n - code.first_size];
  std::memcpy(&closing.disp, bytes, sizeof closing.disp);
  std::memcpy(&closing.imm, bytes + sizeof closing.disp, sizeof closing.imm);
}

}  // namespace

BlockBuilder::Result BlockBuilder::build(const Core& core, const BlockCache::Key& key,
                                         const CodeBytes& code, const CodeBytes::NextPage* next,
                                         u64 cs_bytes) {
  const unsigned limit = key.mode[ModeBits::ALONE] || next != nullptr ? 1 : kMaxBlockInstructions;
  unsigned count = 0, offset = 0;
  while (count < limit && offset < code.first_size && offset < kMaxBlockBytes - 16) {
    if (count > 0 && cs_bytes <= offset) break;
    Slot& slot = slots_[count];
    if (!decode_one(key, code, next, offset, cs_bytes, slot)) {
      if (count == 0) return {Status::kNeedsNextPage, nullptr};
      break;  // a block of its own
    }
    classify(core, key.mode, slot);
    ++count;
    offset += slot.length;
    if (slot.ends_block) break;
  }
  find_live_flags(count);

  unsigned gates = 0;
  for (unsigned n = 0; n < count; ++n) gates += needs_intercept_gate(slots_[n], key.mode);
  Block* block = shared_.blocks.allocate(count + gates + 1 + Translator::extra_ops(count + gates));
  const unsigned ops = bind(key, count, block);
  Op& closing = block->ops[ops];
  closing = Op{};
  closing.handler = &fall_through;
  closing.where = static_cast<u16>(count << 10 | offset);
  if (key.mode[ModeBits::ALONE]) keep_code(code, next, offset, closing);

  const Slot& last = slots_[count - 1];
  const u64 fall = key.rip + offset;
  const auto size = static_cast<CodeSize>(key.mode[ModeBits::CODE_SIZE]);
  const u64 mask = size == CodeSize::k64 ? ~u64{0} : 0xFFFFFFFF;
  block->link[0] = block->link[1] = nullptr;
  block->successor[0] = fall & mask;
  block->successor[1] = 0;
  if (last.raising == nullptr && last.in.is_immediate(0) && last.in.operand[0].imm.is_relative) {
    const u64 target = fall + last.in.operand[0].imm.value.u;
    block->successor[1] = last.in.operand_bits() == 16 && size != CodeSize::k64 ? target & 0xFFFF
                                                                              : target & mask;
  }
  block->hpa = key.hpa;
  block->lin = key.lin;
  block->rip = key.rip;
  block->mode = key.mode;
  block->instructions = static_cast<u16>(count);
  block->bytes = static_cast<u16>(offset);
  block->integers_only = last.row != nullptr && last.raising == nullptr && changes_integers_only(last.in);
  block->second_page = offset > code.first_size ? next->hpa : ~u64{0};
  block->hash_next = nullptr;
  if (may_translate(key.mode)) translator_.translate(core, *block, steps_);
  return {Status::kBuilt, block};
}

}  // namespace vtsim::cpu
