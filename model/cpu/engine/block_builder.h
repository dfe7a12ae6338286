#pragma once
// Bytes to blocks: decodes straight-line code, decides everything that the mode and the instruction
// table already decide, binds handlers, fuses compares with branches.

#include <vector>

#include "model/cpu/engine/translator.h"
#include "model/cpu/environment.h"
#include "model/cpu/op.h"

namespace vtsim::cpu {

// Code bytes in reach: the page where the block begins and, when an instruction crosses into it, the
// next page.
struct CodeBytes {
  const u8* first = nullptr;    // at the block's first byte
  unsigned first_size = 0;      // bytes left on that page
  // Called once, when the bytes of the first page end within an instruction. Fills the next page's
  // host-physical address and bytes; false: a fault was recorded.
  struct NextPage {
    u64 hpa = ~u64{0};
    const u8* bytes = nullptr;
  };
};

class BlockBuilder {
 public:
  BlockBuilder(SharedEnvironment& shared, CoreObserver& observer);
  ~BlockBuilder();

  enum class Status : u8 {
    kBuilt,
    kNeedsNextPage,  // the first instruction goes on there: call again with `next` filled
  };
  struct Result {
    Status status = Status::kBuilt;
    Block* block = nullptr;
  };

  // `key.mode` with ModeBits::ALONE gives a block of one instruction. The block is not inserted.
  // `cs_bytes`: bytes from key.rip to the end of the code segment (large where unlimited).
  Result build(const Core& core, const BlockCache::Key& key, const CodeBytes& code,
               const CodeBytes::NextPage* next, u64 cs_bytes);

 private:
  struct Slot;
  bool decode_one(const BlockCache::Key& key, const CodeBytes& code, const CodeBytes::NextPage* next,
                  unsigned offset, u64 cs_bytes, Slot& slot);
  void classify(const Core& core, Mode mode, Slot& slot);
  void find_live_flags(unsigned count);
  unsigned bind(const BlockCache::Key& key, unsigned count, Block* block);
  bool bind_one(Slot& slot, Mode mode, const FlagKnowledge& known, Op& op);
  bool may_translate(Mode mode) const;
  bool can_fuse(unsigned n, unsigned count) const;
  static bool needs_intercept_gate(const Slot& slot, Mode mode);

  SharedEnvironment& shared_;
  CoreObserver& observer_;
  std::vector<Slot> slots_;
  std::vector<TranslatorStep> steps_;  // of the ops of the block being built
  Translator translator_;
};

}  // namespace vtsim::cpu
