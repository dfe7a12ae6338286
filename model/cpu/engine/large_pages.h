#pragma once
// Which large guest pages a HostTlb has entries of. An invalidation of one of them concerns up to 2^18
// entries, one of a small page only one, and page faults invalidate small pages all the time.

#include <array>
#include <vector>

#include "model/base/types.h"

namespace vtsim::cpu {

class LargePages {
 public:
  // `shift`: 21, 22 or 30.
  void note(u64 lin, unsigned shift) {
    if (shift == k1G) return put(key(lin, k1G));
    put(key(lin, k2M));
    if (shift != k2M) put(key(lin ^ (u64{1} << k2M), k2M));  // the other half of 4 MBytes
  }
  // False: no large page that holds `lin` was noted. True: one was, or perhaps another.
  bool may_hold(u64 lin) const {
    return !used_.empty() && (found(key(lin, k2M)) || found(key(lin, k1G)));
  }
  void clear() {
    for (u16 place : used_) keys_[place] = kNone;
    used_.clear();
  }

 private:
  static constexpr unsigned k2M = 21, k1G = 30;
  static constexpr std::size_t kPlaces = 1024;
  static constexpr u64 kNone = 0, kSeveral = 1;  // no keys

  static constexpr u64 key(u64 lin, unsigned shift) {
    return (lin >> shift) << 2 | (shift == k1G ? 3 : 2);
  }
  static constexpr std::size_t place(u64 key) { return (key >> 2 ^ key >> 12) % kPlaces; }

  bool found(u64 key) const { return keys_[place(key)] == key || keys_[place(key)] == kSeveral; }
  void put(u64 key) {
    u64& there = keys_[place(key)];
    if (there == key || there == kSeveral) return;
    if (there == kNone) used_.push_back(static_cast<u16>(place(key)));
    there = there == kNone ? key : kSeveral;
  }

  std::array<u64, kPlaces> keys_{};
  std::vector<u16> used_;  // places that hold something
};

}  // namespace vtsim::cpu
