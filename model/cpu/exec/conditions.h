#pragma once
// Tests of a condition for Jcc, SETcc and CMOVcc, as types: `Test::holds(lazy)`.
// SDM 1 appendix "EFLAGS Condition Codes".

#include "model/cpu/exec/choose.h"

namespace vtsim::cpu {

// Whether the condition looks at CF and ZF only: then comparisons of any width are alike, as lazy
// operands are zero-extended.
constexpr bool is_unsigned(Condition cc) { return cc >= Condition::kB && cc <= Condition::kNbe; }

// Whatever was recorded last.
template <Condition cc>
struct AnyFlags {
  static bool holds(const LazyFlags& lazy) {
    const auto kind = static_cast<FlagKind>(lazy.kind >> 2);
    if (is_unsigned(cc) && kind == FlagKind::kSub)
      return condition_from<cc, FlagKind::kSub, u64>(lazy.a, lazy.b);
    if (is_unsigned(cc) && kind == FlagKind::kLogic)
      return condition_from<cc, FlagKind::kLogic, u64>(lazy.a, 0);
    if (kind == FlagKind::kExplicit) return condition_holds(cc, lazy.a);
    return condition_holds(cc, lazy);
  }
};

// The block knows what set the flags.
template <Condition cc, FlagKind kind, class T>
struct KnownFlags {
  static bool holds(const LazyFlags& lazy) { return condition_from<cc, kind, T>(lazy.a, lazy.b); }
};

// The low four opcode bits of Jcc, SETcc and CMOVcc.
inline Condition condition_of(const Decoded& in) {
  return static_cast<Condition>(bits(in.ins.opcode, 3, 0));
}

template <class Choose>
Handler by_condition(Condition cc, Choose choose) {
  switch (cc) {
    case Condition::kO: return choose(Constant<Condition::kO>{});
    case Condition::kNo: return choose(Constant<Condition::kNo>{});
    case Condition::kB: return choose(Constant<Condition::kB>{});
    case Condition::kNb: return choose(Constant<Condition::kNb>{});
    case Condition::kZ: return choose(Constant<Condition::kZ>{});
    case Condition::kNz: return choose(Constant<Condition::kNz>{});
    case Condition::kBe: return choose(Constant<Condition::kBe>{});
    case Condition::kNbe: return choose(Constant<Condition::kNbe>{});
    case Condition::kS: return choose(Constant<Condition::kS>{});
    case Condition::kNs: return choose(Constant<Condition::kNs>{});
    case Condition::kP: return choose(Constant<Condition::kP>{});
    case Condition::kNp: return choose(Constant<Condition::kNp>{});
    case Condition::kL: return choose(Constant<Condition::kL>{});
    case Condition::kNl: return choose(Constant<Condition::kNl>{});
    case Condition::kLe: return choose(Constant<Condition::kLe>{});
    default: return choose(Constant<Condition::kNle>{});
  }
}

// `choose(Test{})` with the best test that the block's knowledge allows.
template <class Choose>
Handler by_test(const Binding& binding, Choose choose) {
  return by_condition(condition_of(binding.in), [&](auto cc) -> Handler {
    const bool sub = binding.flags_known && binding.flags_kind == FlagKind::kSub;
    const bool logic = binding.flags_known && binding.flags_kind == FlagKind::kLogic;
    if ((!sub && !logic) || binding.flags_size_log2 == 1) return choose(AnyFlags<cc()>{});
    return by_width(binding.flags_size_log2, [&](auto t) -> Handler {
      using T = decltype(t);
      return sub ? choose(KnownFlags<cc(), FlagKind::kSub, T>{})
                 : choose(KnownFlags<cc(), FlagKind::kLogic, T>{});
    });
  });
}

template <class Choose>
Handler by_any_test(const Binding& binding, Choose choose) {
  return by_condition(condition_of(binding.in),
                      [&](auto cc) -> Handler { return choose(AnyFlags<cc()>{}); });
}

}  // namespace vtsim::cpu
