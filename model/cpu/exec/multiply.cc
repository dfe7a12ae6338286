// MUL, IMUL, DIV, IDIV. SDM 1 "Binary Arithmetic Instructions".

#include "model/cpu/exec/groups.h"
#include "model/cpu/exec/multiply.h"
#include "model/cpu/exec/two_operand.h"

namespace vtsim::cpu {

namespace {

template <class T>
bool read_operand(Core& core, const Op& op, T& out) {
  if (op.mem.present()) return load_operand(core, op, out);
  out = get_gpr<T>(core, op.dst);
  return true;
}

// The pair that widening instructions use: rDX:rAX, or AH:AL for bytes.
template <class T>
constexpr u8 high_half() {
  return sizeof(T) == 1 ? static_cast<u8>(gpr_offset(kRax) + 1) : gpr_offset(kRdx);
}

// ---- MUL and IMUL with one operand

template <bool is_signed, class T>
Outcome multiply_accumulator(Core& core, const Op& op) {
  T b;
  if (!read_operand(core, op, b)) return Outcome::kFault;
  const Product<T> product = multiply<is_signed, T>(get_gpr<T>(core, gpr_offset(kRax)), b);
  set_gpr<T>(core, gpr_offset(kRax), product.low);
  set_gpr<T>(core, high_half<T>(), product.high);
  set_arithmetic_flags(core.state.lazy, multiply_flags(product));
  return Outcome::kNext;
}

template <bool is_signed>
Handler bind_multiply_accumulator(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  return by_width(operand_size_log2(binding), [](auto t) -> Handler {
    return &run<multiply_accumulator<is_signed, decltype(t)>>;
  });
}

// ---- IMUL with two and three operands

template <class T, bool live>
void imul_to(Core& core, const Op& op, T a, T b) {
  if constexpr (live) {
    const Product<T> product = multiply<true, T>(a, b);
    set_gpr<T>(core, op.dst, product.low);
    set_arithmetic_flags(core.state.lazy, multiply_flags(product));
  } else {
    set_gpr<T>(core, op.dst, static_cast<T>(static_cast<u64>(a) * b));
  }
}

template <class T, bool live>
Outcome imul_reg_reg(Core& core, const Op& op) {
  imul_to<T, live>(core, op, get_gpr<T>(core, op.dst), get_gpr<T>(core, op.src));
  return Outcome::kNext;
}
template <class T, bool live>
Outcome imul_reg_imm(Core& core, const Op& op) {
  imul_to<T, live>(core, op, get_gpr<T>(core, op.src), static_cast<T>(op.imm));
  return Outcome::kNext;
}
template <class T, Form form, bool live>
Outcome imul_mem(Core& core, const Op& op) {
  T b;
  if (!load_operand<T, form>(core, op, b)) return Outcome::kFault;
  imul_to<T, live>(core, op, get_gpr<T>(core, op.dst), b);
  return Outcome::kNext;
}
template <class T, Form form, bool live>
Outcome imul_mem_imm(Core& core, const Op& op) {
  T a;
  if (!load_operand<T, form>(core, op, a)) return Outcome::kFault;
  imul_to<T, live>(core, op, a, static_cast<T>(op.imm));
  return Outcome::kNext;
}

Handler bind_imul(const Binding& binding, Op& op) {
  const Decoded& in = binding.in;
  if (in.visible() == 1) return bind_multiply_accumulator<true>(binding, op);
  bind_operands(binding, op);
  return by_wide_width(operand_size_log2(binding), [&](auto t) -> Handler {
    using T = decltype(t);
    return by_bool(binding.flags_live, [&](auto live) -> Handler {
      constexpr bool kLive = live();
      const bool immediate = in.is_immediate(2);
      if (!in.is_memory(1)) return immediate ? &run<imul_reg_imm<T, kLive>> : &run<imul_reg_reg<T, kLive>>;
      return by_form<T>(op, [&](auto form) -> Handler {
        return immediate ? &run<imul_mem_imm<T, form(), kLive>> : &run<imul_mem<T, form(), kLive>>;
      });
    });
  });
}

// ---- DIV, IDIV. SDM-NOTE: the flags are undefined; we keep them.

template <bool is_signed, class T>
Outcome divide_accumulator(Core& core, const Op& op) {
  T divisor;
  if (!read_operand(core, op, divisor)) return Outcome::kFault;
  const T low = get_gpr<T>(core, gpr_offset(kRax));
  const T high = get_gpr<T>(core, high_half<T>());
  Quotient<T> result;
  if (!divide<is_signed, T>(high, low, divisor, result)) return core.raise(kDe);
  set_gpr<T>(core, gpr_offset(kRax), result.quotient);
  set_gpr<T>(core, high_half<T>(), result.remainder);
  return Outcome::kNext;
}

template <bool is_signed>
Handler bind_divide(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  return by_width(operand_size_log2(binding), [](auto t) -> Handler {
    return &run<divide_accumulator<is_signed, decltype(t)>>;
  });
}

constexpr InstructionRow kRows[] = {
    row(ZYDIS_MNEMONIC_MUL, bind_multiply_accumulator<false>, FlagUse::kWritesAll, Timing::kMul),
    row(ZYDIS_MNEMONIC_IMUL, bind_imul, FlagUse::kWritesAll, Timing::kMul),
    row(ZYDIS_MNEMONIC_DIV, bind_divide<false>, FlagUse::kNone, Timing::kDiv),
    row(ZYDIS_MNEMONIC_IDIV, bind_divide<true>, FlagUse::kNone, Timing::kDiv),
};

}  // namespace

Rows multiply_rows() { return kRows; }

}  // namespace vtsim::cpu
