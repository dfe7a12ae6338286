// CMPXCHG, CMPXCHG8B, CMPXCHG16B, XADD. SDM 1 "Data Transfer Instructions > Exchange Instructions".
// One core runs at a time: LOCK needs nothing.

#include "model/cpu/exec/groups.h"
#include "model/cpu/exec/two_operand.h"

namespace vtsim::cpu {

namespace {

// ---- CMPXCHG

template <class T>
Outcome cmpxchg_reg(Core& core, const Op& op) {
  const T expected = get_gpr<T>(core, gpr_offset(kRax));
  const T old = get_gpr<T>(core, op.dst);
  if (old == expected) {
    set_gpr<T>(core, op.dst, get_gpr<T>(core, op.src));
  } else {
    set_gpr<T>(core, gpr_offset(kRax), old);
  }
  record_flags(core.state.lazy, FlagKind::kSub, expected, old);
  return Outcome::kNext;
}

// The destination is written in any case: with its old value where the comparison fails.
template <class T, Form form>
Outcome cmpxchg_mem(Core& core, const Op& op) {
  const T expected = get_gpr<T>(core, gpr_offset(kRax));
  const T replacement = get_gpr<T>(core, op.src);
  T old{};
  const bool done = modify_operand<T, form>(core, op, [&](T value) {
    old = value;
    return value == expected ? replacement : value;
  });
  if (!done) return Outcome::kFault;
  if (old != expected) set_gpr<T>(core, gpr_offset(kRax), old);
  record_flags(core.state.lazy, FlagKind::kSub, expected, old);
  return Outcome::kNext;
}

Handler bind_cmpxchg(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  return by_width(operand_size_log2(binding), [&](auto t) -> Handler {
    using T = decltype(t);
    if (!binding.in.is_memory(0)) return &run<cmpxchg_reg<T>>;
    return by_form<T>(op, [](auto form) -> Handler { return &run<cmpxchg_mem<T, form()>>; });
  });
}

// ---- CMPXCHG8B (T = u32) and CMPXCHG16B (T = u64): rDX:rAX against memory, rCX:rBX into it

template <class T>
struct Pair {
  T low;
  T high;
  bool operator==(const Pair&) const = default;
};

template <class T>
Pair<T> register_pair(const Core& core, GprName high, GprName low) {
  return {get_gpr<T>(core, gpr_offset(low)), get_gpr<T>(core, gpr_offset(high))};
}

template <class T>
Outcome cmpxchg_pair(Core& core, const Op& op) {
  u64 lin;
  if (!operand_linear(core, op, sizeof(Pair<T>), Intent::kWrite, lin)) return Outcome::kFault;
  constexpr bool kMustBeAligned = sizeof(T) == 8;
  if (kMustBeAligned && align_down(lin, sizeof(Pair<T>)) != lin) return core.raise(kGp, 0);
  const auto expected = register_pair<T>(core, kRdx, kRax);
  const auto replacement = register_pair<T>(core, kRcx, kRbx);
  Pair<T> old{};
  const bool done = modify_linear<Pair<T>>(core, op, lin, [&](const Pair<T>& value) {
    old = value;
    return value == expected ? replacement : value;
  });
  if (!done) return Outcome::kFault;
  if (old != expected) {
    set_gpr<T>(core, gpr_offset(kRax), old.low);
    set_gpr<T>(core, gpr_offset(kRdx), old.high);
  }
  const Reg<Rflags> flags(arithmetic_flags(core.state.lazy));
  set_arithmetic_flags(core.state.lazy, flags.with(Rflags::ZF, old == expected).value);
  return Outcome::kNext;
}

// ---- XADD

template <class T>
Outcome xadd_reg(Core& core, const Op& op) {
  const T a = get_gpr<T>(core, op.dst);
  const T b = get_gpr<T>(core, op.src);
  set_gpr<T>(core, op.src, a);
  set_gpr<T>(core, op.dst, static_cast<T>(a + b));  // wins where both are one register
  record_flags(core.state.lazy, FlagKind::kAdd, a, b);
  return Outcome::kNext;
}

template <class T, Form form>
Outcome xadd_mem(Core& core, const Op& op) {
  const T b = get_gpr<T>(core, op.src);
  T a{};
  const bool done = modify_operand<T, form>(core, op, [&](T value) {
    a = value;
    return static_cast<T>(value + b);
  });
  if (!done) return Outcome::kFault;
  set_gpr<T>(core, op.src, a);
  record_flags(core.state.lazy, FlagKind::kAdd, a, b);
  return Outcome::kNext;
}

Handler bind_xadd(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  return by_width(operand_size_log2(binding), [&](auto t) -> Handler {
    using T = decltype(t);
    if (!binding.in.is_memory(0)) return &run<xadd_reg<T>>;
    return by_form<T>(op, [](auto form) -> Handler { return &run<xadd_mem<T, form()>>; });
  });
}

constexpr InstructionRow kRows[] = {
    row(ZYDIS_MNEMONIC_CMPXCHG, bind_cmpxchg, FlagUse::kWritesAll),
    row(ZYDIS_MNEMONIC_CMPXCHG8B, plain<cmpxchg_pair<u32>>, FlagUse::kReadsAndWrites),
    row(ZYDIS_MNEMONIC_CMPXCHG16B, plain<cmpxchg_pair<u64>>, FlagUse::kReadsAndWrites),
    row(ZYDIS_MNEMONIC_XADD, bind_xadd, FlagUse::kWritesAll),
};

}  // namespace

Rows exchange_rows() { return kRows; }

}  // namespace vtsim::cpu
