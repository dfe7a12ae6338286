#include "model/cpu/engine/block_arena.h"

#include <sys/mman.h>

#include "model/base/bits.h"

namespace vtsim::cpu {

namespace {
constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kAlignment = 64;
}  // namespace

BlockArena::BlockArena() {
  mapped_bytes_ = kBlockBytes + kCodeBytes + kHugePage;
  void* const at = mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) return;
  mapping_ = at;
  blocks_ = reinterpret_cast<u8*>(align_up(reinterpret_cast<u64>(at), kHugePage));
  block_bytes_ = kBlockBytes;
  code_ = blocks_ + kBlockBytes;
  madvise(blocks_, kBlockBytes + kCodeBytes, MADV_HUGEPAGE);  // advice
  if (mprotect(code_, kCodeBytes, PROT_READ | PROT_WRITE | PROT_EXEC) == 0) code_bytes_ = kCodeBytes;
}

BlockArena::~BlockArena() {
  if (mapping_ != nullptr) munmap(mapping_, mapped_bytes_);
}

u8* BlockArena::allocate(std::size_t bytes) {
  bytes = align_up(bytes, kAlignment);
  if (blocks_used_ + bytes <= block_bytes_) {
    u8* const at = blocks_ + blocks_used_;
    blocks_used_ += bytes;
    return at;
  }
  overflow_bytes_ += bytes;
  if (overflow_used_ + bytes > kChunkBytes) {
    overflow_.push_back(std::make_unique_for_overwrite<u8[]>(kChunkBytes));
    overflow_used_ = 0;
  }
  u8* const at = overflow_.back().get() + overflow_used_;
  overflow_used_ += bytes;
  return at;
}

u8* BlockArena::code_room(std::size_t bytes, const void* near) const {
  const auto at = static_cast<const u8*>(near);
  const bool in_reach = at >= blocks_ && at < blocks_ + block_bytes_;
  return in_reach && code_used_ + bytes <= code_bytes_ ? code_ + code_used_ : nullptr;
}

void BlockArena::clear() {
  blocks_used_ = code_used_ = overflow_bytes_ = 0;
  overflow_.clear();
  overflow_used_ = kChunkBytes;
}

}  // namespace vtsim::cpu
