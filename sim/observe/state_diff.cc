#include "sim/observe/state_diff.h"

#include <cstring>
#include <span>
#include <type_traits>

namespace vtsim::observe {
namespace {

using cpu::CoreState;

constexpr std::size_t kGprs = 16;

LogRegister nth(LogRegister first, std::size_t n) {
  return static_cast<LogRegister>(static_cast<std::size_t>(first) + n);
}

// Collects what differs.
class Differ {
 public:
  explicit Differ(std::vector<RegisterChange>& changes) : changes_(changes) {}

  void word(LogRegister reg, u64 before, u64 now) {
    if (before != now) changes_.push_back({reg, 1, {now}});
  }
  void wide(LogRegister reg, const u8* before, const u8* now, std::size_t bytes) {
    if (std::memcmp(before, now, bytes) == 0) return;
    RegisterChange change{reg, static_cast<u8>((bytes + sizeof(u64) - 1) / sizeof(u64)), {}};
    std::memcpy(change.value.data(), now, bytes);
    changes_.push_back(change);
  }

 private:
  std::vector<RegisterChange>& changes_;
};

void diff_segments(const CoreState& a, const CoreState& b, Differ& differ) {
  for (std::size_t i = 0; i < cpu::kSegmentCount; ++i) {
    differ.word(nth(LogRegister::kEs, i), a.seg[i].selector, b.seg[i].selector);
  }
  differ.word(LogRegister::kFsBase, a.seg[cpu::kFs].base, b.seg[cpu::kFs].base);
  differ.word(LogRegister::kGsBase, a.seg[cpu::kGs].base, b.seg[cpu::kGs].base);
  differ.word(LogRegister::kKernelGsBase, a.kernel_gs_base, b.kernel_gs_base);
  differ.word(LogRegister::kGdtrBase, a.gdtr.base, b.gdtr.base);
  differ.word(LogRegister::kIdtrBase, a.idtr.base, b.idtr.base);
}

void diff_system(const CoreState& a, const CoreState& b, Differ& differ) {
  differ.word(LogRegister::kCr0, a.cr0.value, b.cr0.value);
  differ.word(LogRegister::kCr2, a.cr2, b.cr2);
  differ.word(LogRegister::kCr3, a.cr3, b.cr3);
  differ.word(LogRegister::kCr4, a.cr4.value, b.cr4.value);
  differ.word(LogRegister::kEfer, a.efer.value, b.efer.value);
  differ.word(LogRegister::kXcr0, a.xcr0, b.xcr0);
  differ.word(LogRegister::kPkru, a.pkru, b.pkru);
  for (std::size_t i = 0; i < a.dr.size(); ++i) {
    differ.word(nth(LogRegister::kDr0, i), a.dr[i], b.dr[i]);
  }
  differ.word(LogRegister::kDr6, a.dr6, b.dr6);
  differ.word(LogRegister::kDr7, a.dr7, b.dr7);
}

void diff_floating_point(const CoreState& a, const CoreState& b, Differ& differ) {
  constexpr std::size_t kX87Bytes = 10;
  constexpr std::size_t kYmmBytes = 32;
  differ.word(LogRegister::kFcw, a.x87.control, b.x87.control);
  differ.word(LogRegister::kFsw, a.x87.status, b.x87.status);
  differ.word(LogRegister::kFtw, a.x87.empty, b.x87.empty);
  differ.word(LogRegister::kMxcsr, a.vector.mxcsr, b.vector.mxcsr);
  for (std::size_t i = 0; i < std::size(a.x87.reg); ++i) {
    differ.wide(nth(LogRegister::kR0, i), a.x87.reg[i], b.x87.reg[i], kX87Bytes);
  }
  for (std::size_t i = 0; i < std::size(a.vector.reg); ++i) {
    differ.wide(nth(LogRegister::kYmm0, i), a.vector.reg[i], b.vector.reg[i], kYmmBytes);
  }
}

// Everything behind the registers that most instructions change, as bytes.
std::span<const u8> rarely_changed(const CoreState& state) {
  const auto* begin = reinterpret_cast<const u8*>(&state.seg);
  const auto* end = reinterpret_cast<const u8*>(&state + 1);
  return {begin, end};
}

bool rest_is_equal(const CoreState& a, const CoreState& b) {
  const auto bytes = rarely_changed(a);
  return std::memcmp(bytes.data(), rarely_changed(b).data(), bytes.size()) == 0;
}

}  // namespace

void append_changes(const CoreState& before, const CoreState& now,
                    std::vector<RegisterChange>& changes) {
  Differ differ(changes);
  for (std::size_t i = 0; i < kGprs; ++i) {
    differ.word(nth(LogRegister::kRax, i), before.gpr[i], now.gpr[i]);
  }
  differ.word(LogRegister::kRflags, cpu::read_rflags(before), cpu::read_rflags(now));
  if (rest_is_equal(before, now)) return;
  diff_segments(before, now, differ);
  diff_system(before, now, differ);
  diff_floating_point(before, now, differ);
}

void StateTracker::advance_rflags(const CoreState& now, std::vector<RegisterChange>& changes) {
  const cpu::LazyFlags& lazy = last_.lazy;
  if (now.rflags_other == last_.rflags_other && now.lazy.a == lazy.a && now.lazy.b == lazy.b &&
      now.lazy.kind == lazy.kind)
    return;
  const u64 rflags = cpu::read_rflags(now);
  Differ(changes).word(LogRegister::kRflags, rflags_, rflags);
  rflags_ = rflags;
  last_.lazy = now.lazy;
  last_.rflags_other = now.rflags_other;
}

void StateTracker::advance_integers(const CoreState& now, std::vector<RegisterChange>& changes) {
  Differ differ(changes);
  for (std::size_t i = 0; i < kGprs; ++i) {
    differ.word(nth(LogRegister::kRax, i), last_.gpr[i], now.gpr[i]);
  }
  last_.gpr = now.gpr;
  advance_rflags(now, changes);
}

void StateTracker::advance(const CoreState& now, std::vector<RegisterChange>& changes) {
  advance_integers(now, changes);
  if (rest_is_equal(last_, now)) return;
  Differ differ(changes);
  diff_segments(last_, now, differ);
  diff_system(last_, now, differ);
  diff_floating_point(last_, now, differ);
  static_assert(std::is_trivially_copyable_v<CoreState>);
  std::memcpy(&last_, &now, sizeof last_);  // what lies between members too: it is compared
}

}  // namespace vtsim::observe
