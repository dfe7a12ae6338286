#pragma once
// Blocks of decoded code, keyed by host-physical address, so that they outlive changes of address
// space; and the map of pages that must not be written behind their back.

#include <unordered_map>
#include <vector>

#include "model/cpu/engine/block_arena.h"
#include "model/cpu/op.h"

namespace vtsim::cpu {

// What must happen in every core when a page of code appears: fast writes to it must end.
class CodePageListener {
 public:
  virtual ~CodePageListener() = default;
  virtual void on_page_watched(u64 hpa_page) = 0;
};

class BlockCache {
 public:
  struct Key {
    u64 hpa;
    u64 lin;
    u64 rip;
    Mode mode;
  };

  BlockCache();

  void add_listener(CodePageListener& listener) { listeners_.push_back(&listener); }

  Block* find(const Key& key) const;

  // Room for a block of `ops` ops; valid until the next clear(). Finish with insert().
  Block* allocate(unsigned ops);
  void insert(Block* block);

  // Writes of plain memory that are about to happen. True: the range overlaps bytes of blocks (by
  // cache line), which must be dropped first.
  bool has_code(u64 hpa, unsigned size) const;
  bool page_is_watched(u64 hpa_page) const {
    const u64 number = hpa_page >> kPageShift;
    return pages_.contains(number) || watched_.contains(number);
  }
  // Does `block` hold any byte of the range's lines?
  static bool covers(const Block& block, u64 hpa, unsigned size);

  // Drops the blocks that overlap the range. Dropped blocks stay readable until clear(): they have
  // hpa ~0 and no links.
  void drop(u64 hpa, unsigned size);

  // Pages that MONITOR watches: writes to them take the slow way. Counted.
  void watch(u64 hpa_page);
  void unwatch(u64 hpa_page);

  // True when the arena is large enough to start over; the caller makes sure that no core refers
  // to a block.
  bool is_full() const { return arena_.is_full(); }
  void clear();
  BlockArena& arena() { return arena_; }
  u64 generation() const { return generation_; }  // counts clear()
  u64 blocks_built() const { return blocks_built_; }
  u64 blocks_dropped() const { return blocks_dropped_; }

 private:
  static constexpr std::size_t kBuckets = 1 << 16;

  struct Page {
    u64 lines = 0;  // bit n: line n holds code
    std::vector<Block*> blocks;
  };

  static std::size_t bucket_of(u64 hpa, u64 lin);
  static u64 lines_of(u64 page, u64 hpa, u64 size);
  void register_on_page(Block* block, u64 page);
  void unlink(Block* block);

  std::vector<Block*> buckets_;
  std::unordered_map<u64, Page> pages_;  // by host-physical page number
  std::unordered_map<u64, unsigned> watched_;  // by host-physical page number
  BlockArena arena_;
  std::vector<CodePageListener*> listeners_;
  u64 generation_ = 0;
  u64 blocks_built_ = 0;
  u64 blocks_dropped_ = 0;
};

}  // namespace vtsim::cpu
