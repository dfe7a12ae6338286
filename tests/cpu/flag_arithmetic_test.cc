// Lazy flags against the host processor, for every kind and width.

#include <catch2/catch.hpp>

#include "model/cpu/exec/conditions.h"
#include "model/cpu/exec/two_operand.h"
#include "tests/cpu/host_alu.h"

using namespace vtsim;
using namespace vtsim::cpu;
using namespace vtsim::cpu::test;

namespace {

constexpr u64 kAll = Rflags::kArithmetic;
constexpr u64 kWithoutAf = kAll & ~Rflags::AF.mask();

// Counts disagreements, so that a failure prints one line and not a million.
struct Disagreements {
  u64 count = 0;
  void check(u64 ours, u64 host, u64 mask) { count += ((ours ^ host) & mask) != 0; }
};

}  // namespace

TEMPLATE_TEST_CASE("lazy flags of additions and subtractions are the host's", "", u8, u16, u32,
                   u64) {
  using T = TestType;
  Disagreements bad;
  const auto values = interesting_values<T>(1, 150);
  for (const T a : values) {
    for (const T b : values) {
      bad.check(flags_of<T>(FlagKind::kAdd, a, b), host_add<T>(a, b, false).flags, kAll);
      bad.check(flags_of<T>(FlagKind::kAdc, a, b), host_adc<T>(a, b, true).flags, kAll);
      bad.check(flags_of<T>(FlagKind::kSub, a, b), host_sub<T>(a, b, false).flags, kAll);
      bad.check(flags_of<T>(FlagKind::kSbb, a, b), host_sbb<T>(a, b, true).flags, kAll);
      bad.check(flags_of<T>(FlagKind::kLogic, a & b, 0), host_and<T>(a, b, true).flags,
                kWithoutAf);
    }
  }
  CHECK(bad.count == 0);
}

TEMPLATE_TEST_CASE("lazy flags of INC and DEC are the host's, CF kept", "", u8, u16, u32, u64) {
  using T = TestType;
  Disagreements bad;
  for (const T a : interesting_values<T>(2, 5000)) {
    for (const bool carry : {false, true}) {
      bad.check(flags_of<T>(FlagKind::kInc, static_cast<T>(a + 1), carry),
                host_inc<T>(a, carry).flags, kAll);
      bad.check(flags_of<T>(FlagKind::kDec, static_cast<T>(a - 1), carry),
                host_dec<T>(a, carry).flags, kAll);
    }
  }
  CHECK(bad.count == 0);
}

TEMPLATE_TEST_CASE("lazy flags of shifts are the host's where they are defined", "", u8, u16, u32,
                   u64) {
  using T = TestType;
  constexpr unsigned kBits = sizeof(T) * 8;
  Disagreements bad;
  for (const T a : interesting_values<T>(3, 300)) {
    for (u8 count = 1; count < (kBits == 64 ? 64 : 32); ++count) {
      // OF is defined for counts of 1; CF of SHL and SHR up to the operand's size.
      u64 mask = kWithoutAf;
      if (count != 1) mask &= ~Rflags::OF.mask();
      const u64 logical = count >= kBits ? mask & ~Rflags::CF.mask() : mask;
      bad.check(flags_of<T>(FlagKind::kShl, a, count), host_shl<T>(a, count, false).flags, logical);
      bad.check(flags_of<T>(FlagKind::kShr, a, count), host_shr<T>(a, count, false).flags, logical);
      bad.check(flags_of<T>(FlagKind::kSar, a, count), host_sar<T>(a, count, false).flags, mask);
    }
  }
  CHECK(bad.count == 0);
}

namespace {

template <class T, FlagKind kind, unsigned cc = 0>
void check_conditions(u64 a, u64 b, Disagreements& bad) {
  constexpr auto kCondition = static_cast<Condition>(cc);
  const bool direct = condition_from<kCondition, kind, T>(a, b);
  bad.check(direct, condition_holds(kCondition, flags_of<T>(kind, a, b)), ~u64{0});
  if constexpr (cc < 15) check_conditions<T, kind, cc + 1>(a, b, bad);
}

}  // namespace

TEMPLATE_TEST_CASE("a condition taken straight from operands is that of their flags", "", u8, u16,
                   u32, u64) {
  using T = TestType;
  Disagreements bad;
  const auto values = interesting_values<T>(4, 60);
  for (const T a : values) {
    for (const T b : values) {
      check_conditions<T, FlagKind::kSub>(a, b, bad);
      check_conditions<T, FlagKind::kAdd>(a, b, bad);
      check_conditions<T, FlagKind::kAdc>(a, b, bad);
      check_conditions<T, FlagKind::kLogic>(a, 0, bad);
      check_conditions<T, FlagKind::kInc>(a, b & 1, bad);
      check_conditions<T, FlagKind::kDec>(a, b & 1, bad);
    }
  }
  CHECK(bad.count == 0);
}

TEST_CASE("the register-keeping way to the flags computes the same") {
  std::mt19937_64 random(5);
  u64 different = 0;
  for (unsigned kind = 1; kind <= static_cast<unsigned>(FlagKind::kSar); ++kind) {
    for (unsigned size = 0; size < 4; ++size) {
      for (unsigned n = 0; n < 200; ++n) {
        const LazyFlags lazy{random(), random() % 31 + 1,
                             flag_word(static_cast<FlagKind>(kind), size)};
        different += arithmetic_flags(lazy) != kept_arithmetic_flags(lazy);
      }
    }
  }
  CHECK(different == 0);
}

namespace {

template <unsigned cc = 0>
void check_any_flags(const LazyFlags& lazy, Disagreements& bad) {
  constexpr auto kCondition = static_cast<Condition>(cc);
  bad.check(AnyFlags<kCondition>::holds(lazy),
            condition_holds(kCondition, arithmetic_flags(lazy)), ~u64{0});
  if constexpr (cc < 15) check_any_flags<cc + 1>(lazy, bad);
}

}  // namespace

TEMPLATE_TEST_CASE("the short ways to CF and to conditions agree with the flags", "", u8, u16, u32,
                   u64) {
  using T = TestType;
  Disagreements bad;
  const auto values = interesting_values<T>(6, 40);
  for (unsigned kind = 1; kind <= static_cast<unsigned>(FlagKind::kSar); ++kind) {
    const auto flag_kind = static_cast<FlagKind>(kind);
    for (const T a : values) {
      for (const T b : values) {
        const bool one_bit = flag_kind == FlagKind::kInc || flag_kind == FlagKind::kDec;
        const u64 second = one_bit ? b & 1 : flag_kind >= FlagKind::kShl ? b % 31 + 1 : u64{b};
        const LazyFlags lazy{a, second, flag_word(flag_kind, kSizeLog2<T>)};
        bad.check(carry_in(lazy), arithmetic_flags(lazy) & Rflags::CF.mask(), ~u64{0});
        check_any_flags(lazy, bad);
      }
    }
  }
  CHECK(bad.count == 0);
}
