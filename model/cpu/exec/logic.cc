// AND, OR, XOR, TEST, NOT. SDM 1 "Logical Instructions".

#include "model/cpu/exec/groups.h"
#include "model/cpu/exec/two_operand.h"

namespace vtsim::cpu {

namespace {

struct Logic {
  static constexpr bool kReadsCarry = false, kStores = true;
  template <class T>
  static void record(LazyFlags& lazy, T, T, T result, bool) {
    set_logic_flags(lazy, result);
  }
};

struct And : Logic {
  template <class T>
  static T result(T a, T b, bool) {
    return a & b;
  }
};

struct Or : Logic {
  template <class T>
  static T result(T a, T b, bool) {
    return a | b;
  }
};

struct Xor : Logic {
  template <class T>
  static T result(T a, T b, bool) {
    return a ^ b;
  }
};

struct Test : And {
  static constexpr bool kStores = false;
};

struct Not {
  template <class T>
  static T result(T a) {
    return static_cast<T>(~a);
  }
  template <class T>
  static void record(LazyFlags&, T, T) {}  // NOT sets no flags
};

// XOR r, r: zero, whatever r was.
template <class T, bool live>
Outcome xor_same(Core& core, const Op& op) {
  set_gpr<T>(core, op.dst, 0);
  if constexpr (live) set_logic_flags(core.state.lazy, T{0});
  return Outcome::kNext;
}

Handler bind_xor(const Binding& binding, Op& op) {
  const Decoded& in = binding.in;
  const bool same = in.is_register(0) && in.is_register(1) &&
                    in.operand[0].reg.value == in.operand[1].reg.value;
  if (!same) return bind_two_operand<Xor>(binding, op);
  bind_operands(binding, op);
  return by_width(operand_size_log2(binding), [&](auto t) -> Handler {
    return by_bool(binding.flags_live, [](auto live) -> Handler {
      return &run<xor_same<decltype(t), live()>>;
    });
  });
}

// TEST r, r: a comparison with zero.
template <class T>
Outcome test_same(Core& core, const Op& op) {
  set_logic_flags(core.state.lazy, get_gpr<T>(core, op.dst));
  return Outcome::kNext;
}

Handler bind_test(const Binding& binding, Op& op) {
  const Decoded& in = binding.in;
  const bool same = in.is_register(0) && in.is_register(1) &&
                    in.operand[0].reg.value == in.operand[1].reg.value;
  if (!same) return bind_two_operand<Test>(binding, op);
  bind_operands(binding, op);
  return by_width(operand_size_log2(binding),
                  [](auto t) -> Handler { return &run<test_same<decltype(t)>>; });
}

constexpr InstructionRow kRows[] = {
    row(ZYDIS_MNEMONIC_AND, bind_two_operand<And>, FlagUse::kWritesAll),
    row(ZYDIS_MNEMONIC_OR, bind_two_operand<Or>, FlagUse::kWritesAll),
    row(ZYDIS_MNEMONIC_XOR, bind_xor, FlagUse::kWritesAll),
    row(ZYDIS_MNEMONIC_TEST, bind_test, FlagUse::kWritesAll),
    row(ZYDIS_MNEMONIC_NOT, bind_one_operand<Not>),
};

}  // namespace

Rows logic_rows() { return kRows; }

}  // namespace vtsim::cpu
