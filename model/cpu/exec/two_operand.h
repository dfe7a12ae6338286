#pragma once
// The forms that ADD, OR, ADC, SBB, AND, SUB, XOR, CMP and TEST share. An operation is a type:
//   template <class T> static T result(T a, T b, bool carry);
//   template <class T> static void record(LazyFlags&, T a, T b, T result, bool carry);
//   kReadsCarry, kStores (CMP and TEST only set flags)
// `live`: somebody may look at the flags.

#include "model/cpu/exec/choose.h"

namespace vtsim::cpu {

// CF as ADC, SBB, INC and DEC need it. Lazy operands are zero-extended, so that most kinds need not
// ask for the width.
inline bool carry_in(const LazyFlags& lazy) {
  const auto kind = static_cast<FlagKind>(lazy.kind >> 2);
  if (kind == FlagKind::kSub) return lazy.a < lazy.b;
  if (kind == FlagKind::kLogic) return false;
  if (kind == FlagKind::kExplicit) return lazy.a & Rflags::CF.mask();
  if (kind == FlagKind::kInc || kind == FlagKind::kDec) return lazy.b != 0;
  if (kind == FlagKind::kSbb) return lazy.a <= lazy.b;
  const unsigned size_log2 = lazy.kind & 3;
  if (kind == FlagKind::kAdd || kind == FlagKind::kAdc) {
    const bool carry = kind == FlagKind::kAdc;
    const u64 sum = lazy.a + lazy.b + carry;
    if (size_log2 == 3) return carry ? sum <= lazy.a : sum < lazy.a;
    return bit(sum, 8u << size_log2);
  }
  return carry_flag(lazy);
}

template <class T>
inline void record_flags(LazyFlags& lazy, FlagKind kind, T a, T b) {
  lazy.a = a;
  lazy.b = b;
  lazy.kind = flag_word(kind, kSizeLog2<T>);
}

template <class Operation>
inline bool operation_carry(const Core& core) {
  if constexpr (Operation::kReadsCarry) return carry_in(core.state.lazy);
  return false;
}

// register <- register op source
template <class Operation, class T, bool live>
inline void operate_on_register(Core& core, const Op& op, T b) {
  const T a = get_gpr<T>(core, op.dst);
  const bool carry = operation_carry<Operation>(core);
  const T result = Operation::template result<T>(a, b, carry);
  if constexpr (Operation::kStores) set_gpr<T>(core, op.dst, result);
  if constexpr (live) Operation::template record<T>(core.state.lazy, a, b, result, carry);
}

// memory <- memory op source
template <class Operation, class T, Form form, bool live>
inline Outcome operate_on_memory(Core& core, const Op& op, T b) {
  const bool carry = operation_carry<Operation>(core);
  T a{}, result{};
  if constexpr (Operation::kStores) {
    const bool done = modify_operand<T, form>(core, op, [&](T value) {
      a = value;
      result = Operation::template result<T>(value, b, carry);
      return result;
    });
    if (!done) return Outcome::kFault;
  } else {
    if (!load_operand<T, form>(core, op, a)) return Outcome::kFault;
    result = Operation::template result<T>(a, b, carry);
  }
  if constexpr (live) Operation::template record<T>(core.state.lazy, a, b, result, carry);
  return Outcome::kNext;
}

template <class Operation, class T, bool live>
Outcome reg_reg(Core& core, const Op& op) {
  operate_on_register<Operation, T, live>(core, op, get_gpr<T>(core, op.src));
  return Outcome::kNext;
}
template <class Operation, class T, bool live>
Outcome reg_imm(Core& core, const Op& op) {
  operate_on_register<Operation, T, live>(core, op, static_cast<T>(op.imm));
  return Outcome::kNext;
}
template <class Operation, class T, Form form, bool live>
Outcome reg_mem(Core& core, const Op& op) {
  T b;
  if (!load_operand<T, form>(core, op, b)) return Outcome::kFault;
  operate_on_register<Operation, T, live>(core, op, b);
  return Outcome::kNext;
}
template <class Operation, class T, Form form, bool live>
Outcome mem_reg(Core& core, const Op& op) {
  return operate_on_memory<Operation, T, form, live>(core, op, get_gpr<T>(core, op.src));
}
template <class Operation, class T, Form form, bool live>
Outcome mem_imm(Core& core, const Op& op) {
  return operate_on_memory<Operation, T, form, live>(core, op, static_cast<T>(op.imm));
}

template <class Operation>
Handler bind_two_operand(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  const Decoded& in = binding.in;
  // CMP and TEST without anybody to see the flags are too rare for handlers of their own.
  const bool live = binding.flags_live || !Operation::kStores;
  return by_width(operand_size_log2(binding), [&](auto t) -> Handler {
    using T = decltype(t);
    return by_bool(live, [&](auto live_constant) -> Handler {
      constexpr bool kLive = live_constant() || !Operation::kStores;
      if (in.is_memory(0) && in.is_immediate(1)) {
        return by_form<T>(
            op, [](auto form) -> Handler { return &run<mem_imm<Operation, T, form(), kLive>>; });
      }
      if (in.is_memory(0)) {
        return by_form<T>(
            op, [](auto form) -> Handler { return &run<mem_reg<Operation, T, form(), kLive>>; });
      }
      if (in.is_memory(1)) {
        return by_form<T>(
            op, [](auto form) -> Handler { return &run<reg_mem<Operation, T, form(), kLive>>; });
      }
      return in.is_immediate(1) ? &run<reg_imm<Operation, T, kLive>>
                                : &run<reg_reg<Operation, T, kLive>>;
    });
  });
}

// ---- the forms of INC, DEC, NEG and NOT: `Operation` as above, with b = 0

template <class Operation, class T, bool live>
Outcome one_reg(Core& core, const Op& op) {
  const T a = get_gpr<T>(core, op.dst);
  const T result = Operation::template result<T>(a);
  set_gpr<T>(core, op.dst, result);
  if constexpr (live) Operation::template record<T>(core.state.lazy, a, result);
  return Outcome::kNext;
}

template <class Operation, class T, Form form, bool live>
Outcome one_mem(Core& core, const Op& op) {
  T a{}, result{};
  const bool done = modify_operand<T, form>(core, op, [&](T value) {
    a = value;
    result = Operation::template result<T>(value);
    return result;
  });
  if (!done) return Outcome::kFault;
  if constexpr (live) Operation::template record<T>(core.state.lazy, a, result);
  return Outcome::kNext;
}

template <class Operation>
Handler bind_one_operand(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  return by_width(operand_size_log2(binding), [&](auto t) -> Handler {
    using T = decltype(t);
    return by_bool(binding.flags_live, [&](auto live) -> Handler {
      constexpr bool kLive = live();
      if (!binding.in.is_memory(0)) return &run<one_reg<Operation, T, kLive>>;
      return by_form<T>(
          op, [](auto form) -> Handler { return &run<one_mem<Operation, T, form(), kLive>>; });
    });
  });
}

}  // namespace vtsim::cpu
