#pragma once
// One x87 instruction, run by the model and by the host's processor on the same state.

#include <algorithm>
#include <cstdio>
#include <initializer_list>
#include <random>
#include <string>
#include <vector>

#include "model/cpu/exec/table.h"
#include "model/cpu/exec/x87_value.h"
#include "tests/cpu/bare_machine.h"
#include "tests/cpu/native_x87.h"

namespace vtsim::cpu::test {

inline constexpr u64 kCode = 0x10000, kOperand = 0x20000;
inline constexpr unsigned kOperandBytes = 16;
inline constexpr u16 kUe = 0x10, kPe = 0x20, kSummary = 0x80, kBusy = 0x8000, kC1 = 0x200,
                     kConditions = 0x4700;

inline constexpr Float80 kValues[] = {
    {0, 0},
    {0, 0x8000},  // zeros
    {kIntegerBit, 0x3FFF},
    {kIntegerBit, 0xBFFF},  // 1, -1
    {0xC000000000000000, 0x3FFF},
    {0xC000000000000000, 0xBFFE},  // 1.5, -0.75
    {kIntegerBit, 0x4000},
    {kIntegerBit, 0x3FFE},  // 2, 0.5
    {0xAAAAAAAAAAAAAAAB, 0x3FFD},
    {0xFFFFFFFFFFFFFFFF, 0x3FFE},  // 1/3, just below 1
    {0x8000000000000001, 0x3FFF},
    {0x8000000000000400, 0x3FFF},  // just above 1; a tie for double
    {0x8000008000000000, 0x3FFF},
    {0x8000008000000001, 0xBFFF},  // a tie for single, and above
    {0xFFFF000000000000, 0x400D},
    {0x8000000000000000, 0xC00E},  // 32767.5, -32768
    {0xFFFFFFFF00000000, 0x401D},
    {0x8000000000000000, 0xC01E},  // 2^31 - 0.5, -2^31
    {0xFFFFFFFFFFFFFFFF, 0x403D},
    {0x8000000000000000, 0xC03E},  // 2^63 - 0.5, -2^63
    {0xDE0B6B3A763FFFFF, 0x403A},
    {0xDE0B6B3A76400000, 0x403A},  // 10^18 - 1, 10^18
    {0x8000000000000001, 0x4040},
    {0x9A3298ABCDEF1234, 0x40A7},  // large
    {0xF123456789ABCDEF, 0x4057},
    {0xC90FDAA22168C235, 0x4000},
    {0xFFFFFFFFFFFFFFFF, 0x43FE},
    {0xFFFFFF8000000000, 0x407E},  // near the largest double, single
    {0xFFFFFFFFFFFFFFFF, 0x7FFE},
    {0xFFFFFFFFFFFFFFFF, 0xFFFE},  // the largest
    {kIntegerBit, 0x0001},
    {kIntegerBit, 0x8001},  // the smallest normal
    {0x8000000000000001, 0x3C01},
    {0x8765432100000001, 0x3BCD},  // smallest doubles
    {0x8000000000000001, 0x3F81},
    {0x8765432100000001, 0x3F6B},  // smallest singles
    {0x7FFFFFFFFFFFFFFF, 0x0000},
    {1, 0x0000},
    {1, 0x8000},  // denormals
    {0x0000000100000000, 0x8000},
    {kIntegerBit, 0},
    {0xC000000000000001, 0x8000},  // pseudo-denormals
    {kIntegerBit, 0x7FFF},
    {kIntegerBit, 0xFFFF},  // infinities
    {0xC000000000000000, 0x7FFF},
    {0xC000000000000000, 0xFFFF},  // QNaNs
    {0xC000000000000123, 0x7FFF},
    {0xFFFFFFFFFFFFFFFF, 0xFFFF},
    {0x8000000000000001, 0x7FFF},
    {0xBFFFFFFFFFFFFFFF, 0xFFFF},  // SNaNs
    {0x4000000000000000, 0x3FFF},
    {0x0000000000000000, 0xC000},  // unnormals
    {0x4000000000000000, 0x7FFF},
    {0, 0xFFFF},  // pseudo-NaN, pseudo-infinity
};

inline u16 full_tags(const X87State& x87) {
  unsigned tags = 0;
  for (unsigned n = 0; n < 8; ++n) {
    const FloatClass c = class_of(Float80::from(x87.reg[n]));
    const unsigned tag = bit(x87.empty, n)          ? 3
                         : c == FloatClass::kNormal ? 0
                         : c == FloatClass::kZero   ? 1
                                                    : 2;
    tags |= tag << (2 * n);
  }
  return static_cast<u16>(tags);
}

struct X87Case {
  X87Image state;
  u8 operand[kOperandBytes] = {};
  u64 rflags = 0x202;
};

class X87Comparison : BareMachine {
 public:
  X87Comparison() { enter_long_mode(); }

  void assemble(std::vector<u8> instruction) {
    bytes_ = std::move(instruction);
    native_.assemble(bytes_);
    std::vector<u8> code = bytes_;
    code.push_back(0xF4);
    put(kCode, code.data(), code.size());
  }

  // How far results may be from the host's, in units in the last place; above 0, C1 is not
  // compared.
  void allow(u64 ulps) { ulps_ = ulps; }

  // Empty when both agree, else what differs.
  std::string differs(const X87Case& c) {
    X87Case host = c;
    u64 host_flags = c.rflags;
    const X87Image after = native_.run(c.state, host.operand, host_flags);
    run_model(c);
    return difference(c, after, host.operand, host_flags);
  }

 private:
  void run_model(const X87Case& c) {
    X87State& x87 = state().x87;
    x87 = {};
    x87.control = c.state.control;
    x87.status = c.state.status;
    const unsigned top = static_cast<unsigned>(bits(x87.status, 13, 11));
    x87.empty = 0;
    for (unsigned n = 0; n < 8; ++n) {
      if (bits(c.state.tags, 2 * n + 1, 2 * n) == 3) x87.empty |= static_cast<u8>(1u << n);
      std::memcpy(x87.reg[(top + n) & 7], c.state.st[n], 10);
    }
    std::memcpy(ram(kOperand), c.operand, kOperandBytes);
    state().activity = Activity::kActive;
    state().rip = kCode;
    state().gpr[kRdx] = kOperand;
    write_rflags(state(), c.rflags);
    run(1);
  }

  std::string difference(const X87Case& c, const X87Image& host, const u8* operand,
                         u64 host_flags) {
    const X87State& x87 = state().x87;
    std::string text;
    const auto compare = [&text](const char* name, u64 ours, u64 theirs) {
      char line[100];
      std::snprintf(line, sizeof line, " %s %llx host %llx;", name,
                    static_cast<unsigned long long>(ours), static_cast<unsigned long long>(theirs));
      if (ours != theirs) text += line;
    };
    compare("status", x87.status & ~ignored_status(host), host.status & ~ignored_status(host));
    compare("tags", full_tags(x87), host.tags);
    compare("control", x87.control, host.control);
    if (!is_comparison() || !(host.status & kSummary))
      compare("flags", read_rflags(state()) & Rflags::kArithmetic,
              host_flags & Rflags::kArithmetic);
    const unsigned top = static_cast<unsigned>(bits(x87.status, 13, 11));
    for (unsigned n = 0; n < 8; ++n) {
      const Float80 ours = Float80::from(x87.reg[(top + n) & 7]),
                    theirs = Float80::from(host.st[n]);
      if (near(ours, theirs)) continue;
      compare("exponent", ours.sign_exponent, theirs.sign_exponent);
      compare("significand", ours.significand, theirs.significand);
    }
    if (std::memcmp(ram(kOperand), operand, kOperandBytes) != 0) text += " memory";
    if (state().rip != kCode + bytes_.size()) text += " fault";
    return text.empty() ? text : describe(c) + text;
  }

  // SDM-NOTE: comparisons whose unmasked exception keeps them from comparing leave the conditions
  // alone (SDM 2 "FCOM", "FCOMI"); AMD's processors set them to "unordered". FCOMI clears C1 there,
  // AMD's not.
  u16 ignored_status(const X87Image& host) {
    // Exact results of transcendental functions: processors report them as inexact all the same.
    if (ulps_ != 0) return (state().x87.status & kPe) ? kC1 : kC1 | kPe | kUe | kSummary | kBusy;
    if (!is_comparison()) return 0;
    return (host.status & kSummary) ? kConditions : writes_flags() ? kC1 : u16{0};
  }
  bool near(const Float80& a, const Float80& b) const {
    if (ulps_ == 0 || is_nan_or_unsupported(a) || is_nan_or_unsupported(b)) return false;
    if (a.negative() != b.negative()) return false;
    // in steps of the last place, across exponents
    using Wide = unsigned __int128;
    const auto rank = [](const Float80& x) {
      const Wide exponent = std::max(x.exponent(), 1u) - 1u;
      return (exponent << 63) + x.significand;
    };
    const Wide first = rank(a), second = rank(b);
    return (first > second ? first - second : second - first) <= ulps_;
  }
  bool writes_flags() const {
    return bytes_[1] >= 0xE8 && bytes_[1] <= 0xF7 && (bytes_[0] == 0xDB || bytes_[0] == 0xDF);
  }
  bool is_comparison() const {
    const u64 reg = bits(bytes_[1], 5, 3);
    switch (bytes_[0]) {
      case 0xD8:
      case 0xDC:
        return reg == 2 || reg == 3;
      case 0xD9:
        return bytes_[1] == 0xE4;
      case 0xDA:
      case 0xDE:
        return bytes_[1] < 0xC0 ? reg == 2 || reg == 3 : bytes_[1] == 0xE9 || reg == 2 || reg == 3;
      case 0xDD:
        return bytes_[1] >= 0xE0 && reg <= 5;
      default:
        return writes_flags();
    }
  }

  std::string describe(const X87Case& c) const {
    char line[200];
    const Float80 a = Float80::from(c.state.st[0]), b = Float80::from(c.state.st[1]);
    u64 low;
    std::memcpy(&low, c.operand, 8);
    std::snprintf(line, sizeof line,
                  "%02x %02x: control %04x status %04x tags %04x st0 %04x:%016llx st1 %04x:%016llx "
                  "m %016llx:",
                  bytes_[0], bytes_[1], c.state.control, c.state.status, c.state.tags,
                  a.sign_exponent, static_cast<unsigned long long>(a.significand), b.sign_exponent,
                  static_cast<unsigned long long>(b.significand),
                  static_cast<unsigned long long>(low));
    return line;
  }

  NativeX87 native_;
  std::vector<u8> bytes_;
  u64 ulps_ = 0;
};

// Tag words as FRSTOR takes them: only "empty" counts.
inline u16 tags_with(unsigned top, std::initializer_list<unsigned> empty_st) {
  unsigned tags = 0;
  for (const unsigned i : empty_st) tags |= 3u << (2 * ((top + i) & 7));
  return static_cast<u16>(tags);
}

class X87Generator {
 public:
  explicit X87Generator(u64 seed) : random_(seed) {}

  u64 below(u64 n) { return random_() % n; }
  Float80 value() {
    const u64 choice = below(10);
    if (choice < 7) return kValues[below(std::size(kValues))];
    Float80 x{random_(), static_cast<u16>(random_())};
    if (choice < 9) {  // near 1, so that operations meet
      x.significand |= kIntegerBit;
      x.sign_exponent = static_cast<u16>((x.sign_exponent & 0x8000) | (0x3FC0 + below(0x80)));
    }
    return x;
  }
  u16 control() {
    static constexpr u16 kMasks[] = {0x3F, 0x3F, 0x3F, 0x3E, 0x3D, 0x3B, 0x37, 0x2F, 0x1F, 0x00};
    constexpr u64 kPrecisions[] = {0, 2, 3};
    return static_cast<u16>(0x40 | kMasks[below(std::size(kMasks))] | kPrecisions[below(3)] << 8 |
                            below(4) << 10);
  }
  void operand(u8* bytes) {
    const Float80 x = value();
    const double as_double = static_cast<double>(static_cast<i64>(random_()));
    static constexpr u64 kPatterns[] = {0x7FF0000000000000,
                                        0xFFF8000000000001,
                                        0x7FF0000000000001,
                                        0x0000000000000001,
                                        0x800FFFFFFFFFFFFF,
                                        0x3FF0000000000000,
                                        0x7F800000FF800000,
                                        0xFFC000017F800001,
                                        0x0000000180000001,
                                        0x3F8000000080000,
                                        0x8000000080008000,
                                        0x7FFFFFFF7FFFFFFF,
                                        0,
                                        0x8000000000000000};
    for (unsigned n = 0; n < kOperandBytes; ++n) bytes[n] = static_cast<u8>(random_());
    switch (below(4)) {
      case 0:
        std::memcpy(bytes, &kPatterns[below(std::size(kPatterns))], 8);
        break;
      case 1:
        std::memcpy(bytes, &as_double, 8);
        break;
      case 2:
        x.to(bytes);
        break;
      default:
        break;
    }
  }
  X87Case next() {
    X87Case c;
    const unsigned top = static_cast<unsigned>(below(8));
    c.state.control = control();
    c.state.status = static_cast<u16>(top << 11 | (random_() & 0x4700));
    switch (below(8)) {
      case 0:
        c.state.tags = tags_with(top, {});
        break;
      case 1:
        c.state.tags = tags_with(top, {0, 7});
        break;
      case 2:
        c.state.tags = tags_with(top, {1, 2, 3, 7});
        break;
      default:
        c.state.tags = tags_with(top, {6, 7});
        break;
    }
    for (auto& st : c.state.st) value().to(st);
    operand(c.operand);
    c.rflags = 0x202 | (random_() & Rflags::kArithmetic);
    return c;
  }

 private:
  std::mt19937_64 random_;
};

}  // namespace vtsim::cpu::test
