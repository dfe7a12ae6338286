#pragma once
// A set of interrupt vectors: IRR, ISR and TMR. SDM 3A "Interrupt Acceptance for Fixed Interrupts".

#include <array>
#include <bit>
#include <optional>

#include "model/base/bits.h"

namespace vtsim::cpu {

class InterruptSet {
 public:
  constexpr void insert(u8 vector) { words_[vector / kWordBits] |= flag(vector).mask(); }
  constexpr void erase(u8 vector) { words_[vector / kWordBits] &= ~flag(vector).mask(); }
  constexpr bool contains(u8 vector) const { return bit(words_[vector / kWordBits], vector % 64); }

  // The highest vector: the one of highest priority.
  constexpr std::optional<u8> highest() const {
    for (unsigned i = kWords; i-- > 0;) {
      if (words_[i] != 0) return static_cast<u8>(i * kWordBits + top_bit(words_[i]));
    }
    return std::nullopt;
  }

  // Register `index` of the eight 32-bit ones: vectors 32 * index and the following.
  constexpr u32 register_value(unsigned index) const {
    const unsigned low = index % 2 * 32;
    return static_cast<u32>(bits(words_[index / 2], low + 31, low));
  }

  constexpr bool operator==(const InterruptSet&) const = default;

 private:
  static constexpr unsigned kWordBits = 64;
  static constexpr unsigned kWords = 4;
  static constexpr Flag flag(u8 vector) { return Flag{vector % kWordBits}; }
  static constexpr unsigned top_bit(u64 word) {
    return kWordBits - 1 - static_cast<unsigned>(std::countl_zero(word));
  }

  std::array<u64, kWords> words_{};
};

}  // namespace vtsim::cpu
