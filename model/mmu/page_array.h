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

  // The page of space `id` that holds `address`.
  const Translation* find(u32 id, u64 address) const {
    const u64 wanted = PageKey::make(id, address >> page_shift_);
    const std::size_t base = set_of(wanted);
    for (std::size_t way = base; way < base + kWays; ++way) {
      if (keys_[way] == wanted) return &payload_[way];
    }
    return nullptr;
  }

  // Drops the page if it is there.
  void erase(u32 id, u64 address) {
    const u64 wanted = PageKey::make(id, address >> page_shift_);
    const std::size_t base = set_of(wanted);
    for (std::size_t way = base; way < base + kWays; ++way) {
      if (keys_[way] == wanted) keys_[way] = 0;
    }
  }

  // Needs: the page is not there.
  void insert(u32 id, u64 address, const Translation& translation) {
    const u64 key = PageKey::make(id, address >> page_shift_);
    const std::size_t way = victim(set_of(key));
    keys_[way] = key;
    payload_[way] = translation;
  }

  void clear() {
    keys_.assign(keys_.size(), 0);
    next_.assign(next_.size(), 0);
  }

 private:
  // The first way of the key's set. Multiplicative hashing: pages with equal low bits, and the
  // same page of many spaces, are spread over all sets.
  std::size_t set_of(u64 key) const {
    return ((key * 0x9e3779b97f4a7c15u) >> (64 - set_bits_)) * kWays;
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
  std::vector<u64> keys_;  // 0: empty (id 0 is no space)
  std::vector<Translation> payload_;
  std::vector<u8> next_;  // of each set, the way to go next
};

}  // namespace vtsim::mmu
