#pragma once
// The host code of one block, op by op (translator.h).

#include <vector>

#include "model/cpu/engine/host_assembler.h"
#include "model/cpu/engine/translator.h"

namespace vtsim::cpu {

bool is_general(const Decoded& in, unsigned n);             // operand n is a general register
unsigned size_of(const Decoded& in, unsigned n = 0);        // log2 of its bytes

class CodeWriter {
 public:
  // `handlers`: for each op its handler, which its code enters when it can't do the work.
  CodeWriter(const Core& core, const Block& block, const Handler* handlers, u8* at);

  u8* begin_op(const Op& op, unsigned index);
  // Writes the op's code; false: it has none, and what was written must be abandoned.
  bool write(const TranslatorStep& step);
  void abandon_op(u8* start);
  void enter_handler(const Op& op);
  void go_to_successor(unsigned taken);
  u8* finish();  // the end of the code

 private:
  enum class Side : u8 { kRead, kWrite };

  // Jumps to code behind the last op: to an op's handler, for a missing link, at the end of the budget.
  struct Exit {
    enum class To : u8 { kHandler, kFarLink, kEnd } to;
    unsigned which = 0;
    u8* place = nullptr;
    const u8* target = nullptr;
  };

  // Offsets from the core, and from the HostTlb by Side.
  struct Layout {
    i64 state, lazy_a, lazy_b, lazy_kind, budget, block, tlb;
    i64 array[2];
    i64 jumps;
  };
  static Layout layout_of(const Core& core);

  void write_exit(const Exit& exit);
  bool write_flow(const TranslatorStep& step);
  bool write_move(const TranslatorStep& step);
  bool write_arithmetic(const TranslatorStep& step);

  bool write_mov(const Decoded& in);
  bool write_extension(const Decoded& in, u32 opcode, unsigned from);
  bool write_lea(const Decoded& in);
  bool write_push(const Decoded& in);
  bool write_pop(const Decoded& in);
  bool write_widening(const Decoded& in);
  bool write_cmov(const TranslatorStep& step);
  bool write_set(const TranslatorStep& step);

  bool write_two_operand(const TranslatorStep& step);
  bool write_on_memory(const TranslatorStep& step, bool stores);
  bool write_on_register(const TranslatorStep& step, bool stores);
  bool load_source(const Decoded& in, unsigned size);
  void operate(const TranslatorStep& step, unsigned size);
  bool write_increment(const TranslatorStep& step);
  bool write_complement(const TranslatorStep& step);
  bool write_shift(const TranslatorStep& step);
  bool write_rotate(const TranslatorStep& step);
  bool write_multiply(const TranslatorStep& step);

  bool write_jcc(const TranslatorStep& step);
  bool write_jump(const Decoded& in);
  bool write_call(const Decoded& in);
  bool write_return(const Decoded& in);
  bool load_target(const Decoded& in);
  bool has_plain_target(const Decoded& in) const;
  void take_from_jumps();
  void check_jump(Exit missing);
  void enter_block();
  void branch(unsigned condition);
  // Sets the host's flags as the lazy record has them; clobbers RAX only.
  bool recall_flags(const FlagKnowledge& known);

  // Values: registers by their byte offsets in the register file.
  HostMemory field(i64 offset) const { return {HostRegister::kDi, offset}; }
  HostMemory gpr(unsigned offset) const { return field(layout_.state + offset); }
  void load(unsigned size, HostRegister to, unsigned offset);  // zero-extended
  void load_from(unsigned size, HostRegister to, HostMemory from);
  void store(unsigned size, HostRegister from, unsigned offset);
  void store_constant(unsigned size, u64 value, unsigned offset);
  void record_kind(FlagKind kind, unsigned size);
  // The linear address of the memory operand into RDX; false: not one of the forms of 64-bit code.
  bool address();
  // Where the host has RDX's `1 << size` bytes; clobbers RAX and RCX.
  HostMemory probe(Side side, unsigned size);

  HostAssembler as_;
  Layout layout_;
  const Core& core_;
  const Block& block_;
  const Handler* handlers_;
  const Op* op_ = nullptr;
  unsigned index_ = 0;
  std::vector<Exit> exits_;
};

}  // namespace vtsim::cpu
