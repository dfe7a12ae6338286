#pragma once
// Translations of pages of one size: set-associative, first in first out.

#include <vector>

#include "model/base/bits.h"
#include "model/mmu/translation.h"

namespace vtsim::mmu {

// A page of a space as one number. Bits: 63:45 space id, 44:0 page number (of a 57-bit address in
// 4-KByte pages, so that every page size fits).
struct PageKey {
  static constexpr Field ID{63, 45};
  static constexpr Field PAGE{44, 0};

  static constexpr u64 make(u32 id, u64 page) { return ID.put(PAGE.put(0, page), id); }
};

class PageArray {
 public:
  static constexpr unsigned kWays = 8;

  PageArray(unsigned page_shift, unsigned set_bits)
      : page_shift_(page_shift),
        set_bits_(set_bits),
        keys_((std::size_t{1} << set_bits) * kWays),
        payload_(keys_.size()),
        next_(std::size_t{1} << set_bits) {}

  unsigned page_shift() const { return page_shift_; }
  bool is_empty() const { return !used_; }  // nothing stored since clear(): the quick way past

  // The page of either space that holds `address`. Id 0 finds nothing.
  const Translation* find(u32 first_id, u32 second_id, u64 address) const {
    const u64 page = address >> page_shift_;
    const u64 first = PageKey::make(first_id, page);
    const u64 second = PageKey::make(second_id, page);
    const std::size_t base = set_of(page);
    for (std::size_t way = base; way < base + kWays; ++way) {
      const u64 key = keys_[way];
      if ((key == first && first_id != 0) || (key == second && second_id != 0)) {
        return &payload_[way];
      }
    }
    return nullptr;
  }

  // Drops the page if it is there.
  void erase(u32 id, u64 address) {
    const u64 page = address >> page_shift_;
    const u64 wanted = PageKey::make(id, page);
    const std::size_t base = set_of(page);
    for (std::size_t way = base; way < base + kWays; ++way) {
      if (keys_[way] == wanted) keys_[way] = 0;
    }
  }

  // Needs: the page is not there.
  void insert(u32 id, u64 address, const Translation& translation) {
    const u64 page = address >> page_shift_;
    const std::size_t way = victim(set_of(page));
    keys_[way] = PageKey::make(id, page);
    payload_[way] = translation;
    used_ = true;
  }

  void clear() {
    if (!used_) return;
    keys_.assign(keys_.size(), 0);
    next_.assign(next_.size(), 0);
    used_ = false;
  }

 private:
  // The first way of the page's set; multiplicative hashing spreads equal low bits.
  std::size_t set_of(u64 page) const {
    return ((page * 0x9e3779b97f4a7c15u) >> (64 - set_bits_)) * kWays;
  }

  std::size_t victim(std::size_t base) {
    for (std::size_t way = base; way < base + kWays; ++way) {
      if (keys_[way] == 0) return way;
    }
    u8& next = next_[base / kWays];
    const std::size_t way = base + next;
    next = static_cast<u8>((next + 1) % kWays);
    return way;
  }

  unsigned page_shift_;
  unsigned set_bits_;
  bool used_ = false;
  std::vector<u64> keys_;  // 0: empty (id 0 is no space)
  std::vector<Translation> payload_;
  std::vector<u8> next_;  // of each set, the way to go next
};

}  // namespace vtsim::mmu
