#pragma once
// Memory for blocks, and for the host code that the translator writes for them. Both lie in one mapping, so
// that code reaches its ops by 32-bit displacements; apart in it, so that a write to an op never looks
// like self-modifying code to the host.

#include <memory>
#include <vector>

#include "model/base/types.h"

namespace vtsim::cpu {

class BlockArena {
 public:
  BlockArena();
  ~BlockArena();
  BlockArena(const BlockArena&) = delete;
  BlockArena& operator=(const BlockArena&) = delete;

  // `bytes` of uninitialised memory, valid until clear().
  u8* allocate(std::size_t bytes);

  // Where code may be written: `bytes` at least, or nullptr: there is no room, or `near` is not within reach.
  u8* code_room(std::size_t bytes, const void* near) const;
  void commit_code(const u8* end) { code_used_ = static_cast<std::size_t>(end - code_); }

  // To be cleared soon. What is allocated meanwhile lies elsewhere and has no code.
  bool is_full() const { return overflow_bytes_ > 0 || code_used_ + kMargin > code_bytes_; }
  void clear();

 private:
  static constexpr std::size_t kBlockBytes = std::size_t{48} << 20;
  static constexpr std::size_t kCodeBytes = std::size_t{48} << 20;
  static constexpr std::size_t kMargin = std::size_t{1} << 20;
  static constexpr std::size_t kChunkBytes = std::size_t{1} << 20;

  void* mapping_ = nullptr;
  std::size_t mapped_bytes_ = 0;
  u8* blocks_ = nullptr;
  std::size_t block_bytes_ = 0;  // 0: the host gave no memory
  std::size_t blocks_used_ = 0;
  u8* code_ = nullptr;
  std::size_t code_bytes_ = 0;  // 0: the host does not let us execute what we write
  std::size_t code_used_ = 0;
  std::vector<std::unique_ptr<u8[]>> overflow_;
  std::size_t overflow_used_ = kChunkBytes;
  std::size_t overflow_bytes_ = 0;
};

}  // namespace vtsim::cpu
