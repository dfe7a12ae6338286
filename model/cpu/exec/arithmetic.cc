// ADD, ADC, SUB, SBB, CMP, INC, DEC, NEG. SDM 1 "Binary Arithmetic Instructions".

#include "model/cpu/exec/groups.h"
#include "model/cpu/exec/two_operand.h"

namespace vtsim::cpu {

namespace {

struct Add {
  static constexpr bool kReadsCarry = false, kStores = true;
  template <class T>
  static T result(T a, T b, bool) {
    return static_cast<T>(a + b);
  }
  template <class T>
  static void record(LazyFlags& lazy, T a, T b, T, bool) {
    record_flags(lazy, FlagKind::kAdd, a, b);
  }
};

struct Adc {
  static constexpr bool kReadsCarry = true, kStores = true;
  template <class T>
  static T result(T a, T b, bool carry) {
    return static_cast<T>(a + b + carry);
  }
  template <class T>
  static void record(LazyFlags& lazy, T a, T b, T, bool carry) {
    record_flags(lazy, carry ? FlagKind::kAdc : FlagKind::kAdd, a, b);
  }
};

struct Sub {
  static constexpr bool kReadsCarry = false, kStores = true;
  template <class T>
  static T result(T a, T b, bool) {
    return static_cast<T>(a - b);
  }
  template <class T>
  static void record(LazyFlags& lazy, T a, T b, T, bool) {
    record_flags(lazy, FlagKind::kSub, a, b);
  }
};

struct Sbb {
  static constexpr bool kReadsCarry = true, kStores = true;
  template <class T>
  static T result(T a, T b, bool carry) {
    return static_cast<T>(a - b - carry);
  }
  template <class T>
  static void record(LazyFlags& lazy, T a, T b, T, bool carry) {
    record_flags(lazy, carry ? FlagKind::kSbb : FlagKind::kSub, a, b);
  }
};

struct Cmp : Sub {
  static constexpr bool kStores = false;
};

struct Inc {
  template <class T>
  static T result(T a) {
    return static_cast<T>(a + 1);
  }
  template <class T>
  static void record(LazyFlags& lazy, T, T result) {
    const bool kept = carry_in(lazy);
    lazy = {result, kept, flag_word(FlagKind::kInc, kSizeLog2<T>)};
  }
};

struct Dec {
  template <class T>
  static T result(T a) {
    return static_cast<T>(a - 1);
  }
  template <class T>
  static void record(LazyFlags& lazy, T, T result) {
    const bool kept = carry_in(lazy);
    lazy = {result, kept, flag_word(FlagKind::kDec, kSizeLog2<T>)};
  }
};

struct Neg {
  template <class T>
  static T result(T a) {
    return static_cast<T>(-a);
  }
  template <class T>
  static void record(LazyFlags& lazy, T a, T) {
    record_flags(lazy, FlagKind::kSub, T{0}, a);
  }
};

bool names_one_register_twice(const Binding& binding) {
  return binding.in.is_register(0) && binding.in.is_register(1) &&
         binding.in.operand[0].reg.value == binding.in.operand[1].reg.value;
}

// SUB r, r: zero, whatever r was.
template <class T>
Outcome sub_same(Core& core, const Op& op) {
  set_gpr<T>(core, op.dst, 0);
  record_flags(core.state.lazy, FlagKind::kSub, T{0}, T{0});
  return Outcome::kNext;
}

Handler bind_sub(const Binding& binding, Op& op) {
  if (!names_one_register_twice(binding)) return bind_two_operand<Sub>(binding, op);
  bind_operands(binding, op);
  return by_width(operand_size_log2(binding),
                  [](auto t) -> Handler { return &run<sub_same<decltype(t)>>; });
}

constexpr InstructionRow kRows[] = {
    row(ZYDIS_MNEMONIC_ADD, bind_two_operand<Add>, FlagUse::kWritesAll),
    row(ZYDIS_MNEMONIC_ADC, bind_two_operand<Adc>, FlagUse::kReadsAndWrites),
    row(ZYDIS_MNEMONIC_SUB, bind_sub, FlagUse::kWritesAll),
    row(ZYDIS_MNEMONIC_SBB, bind_two_operand<Sbb>, FlagUse::kReadsAndWrites),
    row(ZYDIS_MNEMONIC_CMP, bind_two_operand<Cmp>, FlagUse::kWritesAll),
    row(ZYDIS_MNEMONIC_INC, bind_one_operand<Inc>, FlagUse::kReadsAndWrites),
    row(ZYDIS_MNEMONIC_DEC, bind_one_operand<Dec>, FlagUse::kReadsAndWrites),
    row(ZYDIS_MNEMONIC_NEG, bind_one_operand<Neg>, FlagUse::kWritesAll),
};

}  // namespace

Rows arithmetic_rows() { return kRows; }

}  // namespace vtsim::cpu
