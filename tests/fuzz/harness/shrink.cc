#include "tests/fuzz/harness/shrink.h"

#include <algorithm>

namespace vtsim::fuzz {

namespace {

class Shrinker {
 public:
  Shrinker(Bytes tape, unsigned budget, const std::function<bool(const Bytes&)>& still_fails)
      : tape_(std::move(tape)), budget_(budget), still_fails_(still_fails) {}

  Bytes run() {
    bool smaller = true;
    while (smaller && budget_ > 0) {
      smaller = delete_spans();
      smaller |= clear_spans();
      smaller |= lower_bytes();
    }
    return tape_;
  }

 private:
  bool accept(const Bytes& candidate) {
    if (budget_ == 0 || candidate == tape_) return false;
    --budget_;
    if (!still_fails_(candidate)) return false;
    tape_ = candidate;
    return true;
  }

  // Spans of half the tape, a quarter, ... one byte, from the end.
  bool delete_spans() {
    bool any = false;
    for (std::size_t span = tape_.size() / 2; span > 0; span /= 2) {
      for (std::size_t end = tape_.size(); end >= span && end > 0;) {
        Bytes candidate = tape_;
        const auto last = candidate.begin() + static_cast<std::ptrdiff_t>(end);
        candidate.erase(last - static_cast<std::ptrdiff_t>(span), last);
        const bool gone = accept(candidate);
        any |= gone;
        end = std::min(end - span, tape_.size());
      }
    }
    return any;
  }

  bool clear_spans() {
    bool any = false;
    for (std::size_t span = std::max<std::size_t>(tape_.size() / 2, 1); span > 0; span /= 2) {
      for (std::size_t at = 0; at < tape_.size(); at += span) {
        Bytes candidate = tape_;
        for (std::size_t n = at; n < std::min(at + span, candidate.size()); ++n) candidate[n] = 0;
        any |= accept(candidate);
      }
    }
    return any;
  }

  bool lower_bytes() {
    bool any = false;
    for (std::size_t at = 0; at < tape_.size(); ++at) {
      for (const unsigned wanted : {tape_[at] / 2u, tape_[at] - 1u}) {
        if (tape_[at] == 0) break;
        Bytes candidate = tape_;
        candidate[at] = static_cast<u8>(wanted);
        any |= accept(candidate);
      }
    }
    return any;
  }

  Bytes tape_;
  unsigned budget_;
  const std::function<bool(const Bytes&)>& still_fails_;
};

}  // namespace

Bytes shrink(Bytes tape, unsigned budget, const std::function<bool(const Bytes&)>& still_fails) {
  return Shrinker(std::move(tape), budget, still_fails).run();
}

}  // namespace vtsim::fuzz
