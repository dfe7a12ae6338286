#include "model/cpu/engine/translator.h"

#include <array>

#include "model/cpu/engine/code_writer.h"

namespace vtsim::cpu {

namespace {

constexpr std::size_t kMostBytesAnOp = 512;

// Where control goes behind an op that has no branch.
bool goes_on(const TranslatorStep& last) {
  if (last.branch != nullptr || last.in == nullptr) return false;
  const InstructionRow* row = find_row(last.in->mnemonic());
  return row != nullptr && row->flow == Flow::kSequential;
}

}  // namespace

void Translator::translate(const Core& core, Block& block, std::span<const TranslatorStep> steps) {
  u8* const room = arena_.code_room((steps.size() + 1) * kMostBytesAnOp, &block);
  if (room == nullptr) return;
  const auto count = static_cast<unsigned>(steps.size());
  auto* const handlers = reinterpret_cast<Handler*>(block.ops + count + 1);
  CodeWriter writer(core, block, handlers, room);
  bool in_code = false;  // what runs before comes here by falling through
  for (unsigned n = 0; n < count; ++n) {
    Op& op = block.ops[n];
    handlers[n] = op.handler;
    u8* const start = writer.begin_op(op, n);
    if (steps[n].in != nullptr && writer.write(steps[n])) {
      op.handler = reinterpret_cast<Handler>(start);
      in_code = true;
    } else {
      writer.abandon_op(start);
      if (in_code) writer.enter_handler(op);
      in_code = false;
    }
  }
  if (in_code && goes_on(steps.back())) writer.go_to_successor(0);
  arena_.commit_code(writer.finish());
}

}  // namespace vtsim::cpu
