#include "model/cpu/engine/block_cache.h"

#include <algorithm>

#include "model/base/check.h"

namespace vtsim::cpu {

namespace {

constexpr u64 kLineShift = 6;
constexpr u64 kDropped = ~u64{0};
constexpr u64 kNoLinear = u64{1} << 63;  // not canonical: no jump goes there

}  // namespace

BlockCache::BlockCache() : buckets_(kBuckets, nullptr) {}

std::size_t BlockCache::bucket_of(u64 hpa, u64 lin) {
  return ((hpa ^ (lin << 1)) * 0x9E3779B97F4A7C15u >> 48) & (kBuckets - 1);
}

// Bit n: line n of `page` holds a byte of the range.
u64 BlockCache::lines_of(u64 page, u64 hpa, u64 size) {
  const u64 first = std::max(hpa, page);
  const u64 last = std::min(hpa + size - 1, page + kPageOffsetMask);
  const unsigned lo = static_cast<unsigned>((first & kPageOffsetMask) >> kLineShift);
  const unsigned hi = static_cast<unsigned>((last & kPageOffsetMask) >> kLineShift);
  return low_mask(hi - lo + 1) << lo;
}

Block* BlockCache::find(const Key& key) const {
  for (Block* b = buckets_[bucket_of(key.hpa, key.lin)]; b != nullptr; b = b->hash_next)
    if (b->hpa == key.hpa && b->lin == key.lin && b->rip == key.rip && b->mode == key.mode)
      return b;
  return nullptr;
}

Block* BlockCache::allocate(unsigned ops) {
  return reinterpret_cast<Block*>(arena_.allocate(sizeof(Block) + ops * sizeof(Op)));
}

void BlockCache::register_on_page(Block* block, u64 page) {
  const auto [it, is_new] = pages_.try_emplace(page >> kPageShift);
  if (is_new)
    for (CodePageListener* listener : listeners_) listener->on_page_watched(page);
  it->second.lines |= page == (block->hpa & ~kPageOffsetMask)
                          ? lines_of(page, block->hpa, block->bytes)
                          : lines_of(page, page, block->bytes);  // the tail, generously
  it->second.blocks.push_back(block);
}

void BlockCache::insert(Block* block) {
  ++blocks_built_;
  Block*& head = buckets_[bucket_of(block->hpa, block->lin)];
  block->hash_next = head;
  head = block;
  register_on_page(block, block->hpa & ~kPageOffsetMask);
  if (block->second_page != kDropped) register_on_page(block, block->second_page);
}

bool BlockCache::has_code(u64 hpa, unsigned size) const {
  for (u64 page = hpa & ~kPageOffsetMask; page < hpa + size; page += kPageSize) {
    const auto it = pages_.find(page >> kPageShift);
    if (it != pages_.end() && (it->second.lines & lines_of(page, hpa, size))) return true;
  }
  return false;
}

bool BlockCache::covers(const Block& block, u64 hpa, unsigned size) {
  if (block.hpa == kDropped) return false;
  for (u64 page = hpa & ~kPageOffsetMask; page < hpa + size; page += kPageSize) {
    const u64 written = lines_of(page, hpa, size);
    if (page == (block.hpa & ~kPageOffsetMask) &&
        (written & lines_of(page, block.hpa, block.bytes)))
      return true;
    if (page == block.second_page && (written & lines_of(page, page, block.bytes))) return true;
  }
  return false;
}

void BlockCache::unlink(Block* block) {
  Block** at = &buckets_[bucket_of(block->hpa, block->lin)];
  while (*at != block) at = &(*at)->hash_next;
  *at = block->hash_next;
}

void BlockCache::drop(u64 hpa, unsigned size) {
  for (u64 page = hpa & ~kPageOffsetMask; page < hpa + size; page += kPageSize) {
    const auto it = pages_.find(page >> kPageShift);
    if (it == pages_.end()) continue;
    // Links within the page are followed without a check, so the page's blocks go together.
    std::vector<Block*> dropped = std::move(it->second.blocks);
    pages_.erase(it);
    for (Block* block : dropped) {
      if (block->hpa == kDropped) continue;
      unlink(block);
      ++blocks_dropped_;
      const u64 own_page = block->hpa & ~kPageOffsetMask;
      const u64 other = own_page == page ? block->second_page : own_page;
      block->hpa = kDropped;
      block->lin = kNoLinear;
      block->link[0] = block->link[1] = nullptr;
      // a page-crossing block that dies from its second page: its first page's blocks may link to it
      if (other != kDropped && other != page) drop(other, 1);
    }
  }
}

void BlockCache::watch(u64 hpa_page) {
  ++watched_[hpa_page >> kPageShift];
  for (CodePageListener* listener : listeners_) listener->on_page_watched(hpa_page);
}

void BlockCache::unwatch(u64 hpa_page) {
  const auto it = watched_.find(hpa_page >> kPageShift);
  if (it != watched_.end() && --it->second == 0) watched_.erase(it);
}

void BlockCache::clear() {
  std::fill(buckets_.begin(), buckets_.end(), nullptr);
  pages_.clear();
  arena_.clear();
  ++generation_;
}

}  // namespace vtsim::cpu
