#pragma once
// A case as a byte string: generators draw their decisions from it, so that any byte string is a
// case, and shrinking the string shrinks the case. Beyond its end a tape reads as zeros; generators
// let 0 mean the plainest choice.

#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include "model/base/types.h"

namespace vtsim::fuzz {

using Bytes = std::vector<u8>;

class Tape {
 public:
  explicit Tape(std::span<const u8> bytes) : bytes_(bytes) {}

  bool at_end() const { return at_ >= bytes_.size(); }
  u8 byte() { return at_end() ? u8{0} : bytes_[at_++]; }
  // Little-endian; `size` 1 to 8.
  u64 number(unsigned size) {
    u64 value = 0;
    for (unsigned n = 0; n < size; ++n) value |= u64{byte()} << (8 * n);
    return value;
  }
  // 0 ... limit - 1, from as few bytes as that takes; limit > 0.
  u64 below(u64 limit) {
    unsigned size = 1;
    while (size < 8 && limit > u64{1} << (8 * size)) ++size;
    return number(size) % limit;
  }
  // True in about n of 256 cases.
  bool chance(unsigned n) { return byte() >= 256 - n; }
  template <class Range>
  const auto& one_of(const Range& choices) {
    return choices[below(std::size(choices))];
  }
  Bytes rest() {
    Bytes left(bytes_.begin() + static_cast<std::ptrdiff_t>(at_), bytes_.end());
    at_ = bytes_.size();
    return left;
  }

 private:
  std::span<const u8> bytes_;
  std::size_t at_ = 0;
};

// SplitMix64: where the bytes of random tapes come from.
class Random {
 public:
  explicit Random(u64 seed) : state_(seed) {}
  u64 next() {
    u64 z = state_ += 0x9E37'79B9'7F4A'7C15;
    z = (z ^ (z >> 30)) * 0xBF58'476D'1CE4'E5B9;
    z = (z ^ (z >> 27)) * 0x94D0'49BB'1331'11EB;
    return z ^ (z >> 31);
  }
  u64 below(u64 limit) { return next() % limit; }

 private:
  u64 state_;
};

// The hash of what a case computed.
class Digest {
 public:
  void add(u64 word) {
    value_ = (value_ ^ word) * 0x9E37'79B9'7F4A'7C15;
    value_ ^= value_ >> 29;
  }
  void add(std::span<const u8> bytes) {
    for (const u8 byte : bytes) add(byte);
  }
  u64 value() const { return value_; }

 private:
  u64 value_ = 0;
};

}  // namespace vtsim::fuzz
