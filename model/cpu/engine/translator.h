#pragma once
// Host code for the ops of a block. An op that has some is entered by it, as its handler, and goes on into
// the next op's code without a dispatch; ops that have none keep their handlers, which enter the next
// op's code like any handler. Both can stand in any order in a block, since they agree on where everything
// is: all guest state is in memory between any two ops.
//
// Code does only what can be done at once. Where the host-pointer arrays don't hold a page it has changed
// nothing yet and calls the op's handler, which does the whole op. So faults, devices, code pages,
// breakpoints and budgets exist in the handlers alone.
//
// Registers of the code: RDI core, RAX RCX RDX RSI R8 R9 free. It calls nothing and needs no stack.

#include <span>

#include "model/cpu/engine/block_arena.h"
#include "model/cpu/engine/flag_knowledge.h"
#include "model/cpu/exec/table.h"

namespace vtsim::cpu {

// One op as the builder knows it.
struct TranslatorStep {
  const Decoded* in = nullptr;      // nullptr: an op that raises
  const Decoded* branch = nullptr;  // the conditional branch that is fused with it
  bool flags_live = true;
  FlagKnowledge known;  // the lazy record before it
};

class Translator {
 public:
  explicit Translator(BlockArena& arena) : arena_(arena) {}

  // How many more ops a block must have room for behind `ops` ops and their closing one.
  static unsigned extra_ops(unsigned ops) {
    constexpr unsigned kHandlersAnOp = sizeof(Op) / sizeof(Handler);
    return (ops + kHandlersAnOp - 1) / kHandlersAnOp;
  }

  // Replaces handlers of the block's ops, one for each step, the closing one behind them. The block is
  // complete: 64-bit code that doesn't run alone.
  void translate(const Core& core, Block& block, std::span<const TranslatorStep> steps);

 private:
  BlockArena& arena_;
};

}  // namespace vtsim::cpu
