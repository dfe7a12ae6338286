// SDM 1 "Shift and Rotate Instructions".

#include "model/cpu/exec/groups.h"
#include "model/cpu/exec/rotate.h"
#include "model/cpu/exec/two_operand.h"

namespace vtsim::cpu {

namespace {

// ---- where the count comes from

struct ImmediateCount {  // masked by the binder, not zero
  static constexpr bool kMayBeZero = false;
  template <class T>
  static unsigned get(const Core&, const Op& op) {
    return static_cast<unsigned>(op.imm);
  }
};
struct ClCount {
  static constexpr bool kMayBeZero = true;
  template <class T>
  static unsigned get(const Core& core, const Op&) {
    return get_gpr<u8>(core, gpr_offset(kRcx)) & kCountMask<T>;
  }
};
struct NoCount {  // an immediate that is zero when masked: writes the destination, keeps the flags
  static constexpr bool kMayBeZero = true;
  template <class T>
  static unsigned get(const Core&, const Op&) {
    return 0;
  }
};

// ---- SHL, SHR, SAR. Counts reach 31 for operands of 8 and 16 bits, too.

struct Shl {
  static constexpr FlagKind kKind = FlagKind::kShl;
  template <class T>
  static T result(T a, unsigned count) {
    return static_cast<T>(static_cast<u64>(a) << count);
  }
};
struct Shr {
  static constexpr FlagKind kKind = FlagKind::kShr;
  template <class T>
  static T result(T a, unsigned count) {
    return static_cast<T>(static_cast<u64>(a) >> count);
  }
};
struct Sar {
  static constexpr FlagKind kKind = FlagKind::kSar;
  template <class T>
  static T result(T a, unsigned count) {
    return static_cast<T>(static_cast<i64>(static_cast<std::make_signed_t<T>>(a)) >> count);
  }
};

template <class Operation, class T, class Count>
void record_shift(LazyFlags& lazy, T a, unsigned count) {
  if (Count::kMayBeZero && count == 0) return;
  lazy = {a, count, flag_word(Operation::kKind, kSizeLog2<T>)};
}

template <class Operation, class T, class Count, bool live>
Outcome shift_reg(Core& core, const Op& op) {
  const T a = get_gpr<T>(core, op.dst);
  const unsigned count = Count::template get<T>(core, op);
  set_gpr<T>(core, op.dst, Operation::template result<T>(a, count));
  if constexpr (live) record_shift<Operation, T, Count>(core.state.lazy, a, count);
  return Outcome::kNext;
}

template <class Operation, class T, class Count, bool live>
Outcome shift_mem(Core& core, const Op& op) {
  const unsigned count = Count::template get<T>(core, op);
  T a{};
  const bool done = modify_operand<T>(core, op, [&](T value) {
    a = value;
    return Operation::template result<T>(value, count);
  });
  if (!done) return Outcome::kFault;
  if constexpr (live) record_shift<Operation, T, Count>(core.state.lazy, a, count);
  return Outcome::kNext;
}

// `choose(Count{})`; operand `n` is the count. The immediate is masked in the op.
template <class T, class Choose>
Handler by_count(const Binding& binding, unsigned n, Op& op, Choose choose) {
  if (!binding.in.is_immediate(n)) return choose(ClCount{});
  op.imm = binding.in.operand[n].imm.value.u & kCountMask<T>;
  return op.imm == 0 ? choose(NoCount{}) : choose(ImmediateCount{});
}

template <class Operation>
Handler bind_shift(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  return by_width(operand_size_log2(binding), [&](auto t) -> Handler {
    using T = decltype(t);
    return by_count<T>(binding, 1, op, [&](auto count) -> Handler {
      using Count = decltype(count);
      return by_bool(binding.flags_live, [&](auto live) -> Handler {
        constexpr bool kLive = live();
        return binding.in.is_memory(0) ? &run<shift_mem<Operation, T, Count, kLive>>
                                       : &run<shift_reg<Operation, T, Count, kLive>>;
      });
    });
  });
}

// ---- ROL, ROR, RCL, RCR: `Operation` from rotate.h

template <class Operation, class T, class Count>
Outcome rotate_reg(Core& core, const Op& op) {
  const unsigned count = Count::template get<T>(core, op);
  u64 flags = kept_arithmetic_flags(core.state.lazy);
  const T result = Operation::template apply<T>(get_gpr<T>(core, op.dst), count, flags);
  set_gpr<T>(core, op.dst, result);
  set_arithmetic_flags(core.state.lazy, flags);
  return Outcome::kNext;
}

template <class Operation, class T, class Count>
Outcome rotate_mem(Core& core, const Op& op) {
  const unsigned count = Count::template get<T>(core, op);
  const u64 old_flags = kept_arithmetic_flags(core.state.lazy);
  u64 flags = old_flags;
  const bool done = modify_operand<T>(core, op, [&](T value) {
    flags = old_flags;
    return Operation::template apply<T>(value, count, flags);
  });
  if (!done) return Outcome::kFault;
  set_arithmetic_flags(core.state.lazy, flags);
  return Outcome::kNext;
}

// ROL and ROR of a register whose flags nobody looks at: hash functions.
template <class Operation, class T, class Count>
Outcome rotate_reg_only(Core& core, const Op& op) {
  u64 ignored = 0;
  const unsigned count = Count::template get<T>(core, op);
  set_gpr<T>(core, op.dst, Operation::template apply<T>(get_gpr<T>(core, op.dst), count, ignored));
  return Outcome::kNext;
}

template <class Operation>
Handler bind_rotate(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  return by_width(operand_size_log2(binding), [&](auto t) -> Handler {
    using T = decltype(t);
    return by_count<T>(binding, 1, op, [&](auto count) -> Handler {
      using Count = decltype(count);
      if (binding.in.is_memory(0)) return &run<rotate_mem<Operation, T, Count>>;
      if constexpr (!Operation::kReadsCarry) {
        if (!binding.flags_live) return &run<rotate_reg_only<Operation, T, Count>>;
      }
      return &run<rotate_reg<Operation, T, Count>>;
    });
  });
}

// ---- SHLD, SHRD

template <class Operation, class T, class Count>
Outcome double_shift_reg(Core& core, const Op& op) {
  const unsigned count = Count::template get<T>(core, op);
  u64 flags = kept_arithmetic_flags(core.state.lazy);
  const T result = Operation::template apply<T>(get_gpr<T>(core, op.dst),
                                                get_gpr<T>(core, op.src), count, flags);
  set_gpr<T>(core, op.dst, result);
  set_arithmetic_flags(core.state.lazy, flags);
  return Outcome::kNext;
}

template <class Operation, class T, class Count>
Outcome double_shift_mem(Core& core, const Op& op) {
  const unsigned count = Count::template get<T>(core, op);
  const u64 old_flags = kept_arithmetic_flags(core.state.lazy);
  u64 flags = old_flags;
  const T source = get_gpr<T>(core, op.src);
  const bool done = modify_operand<T>(core, op, [&](T value) {
    flags = old_flags;
    return Operation::template apply<T>(value, source, count, flags);
  });
  if (!done) return Outcome::kFault;
  set_arithmetic_flags(core.state.lazy, flags);
  return Outcome::kNext;
}

template <class Operation>
Handler bind_double_shift(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  return by_wide_width(operand_size_log2(binding), [&](auto t) -> Handler {
    using T = decltype(t);
    return by_count<T>(binding, 2, op, [&](auto count) -> Handler {
      using Count = decltype(count);
      return binding.in.is_memory(0) ? &run<double_shift_mem<Operation, T, Count>>
                                     : &run<double_shift_reg<Operation, T, Count>>;
    });
  });
}

constexpr FlagUse kUse = FlagUse::kReadsAndWrites;  // a count of zero keeps the flags

constexpr InstructionRow kRows[] = {
    row(ZYDIS_MNEMONIC_SHL, bind_shift<Shl>, kUse),
    row(ZYDIS_MNEMONIC_SHR, bind_shift<Shr>, kUse),
    row(ZYDIS_MNEMONIC_SAR, bind_shift<Sar>, kUse),
    row(ZYDIS_MNEMONIC_ROL, bind_rotate<Rol>, kUse),
    row(ZYDIS_MNEMONIC_ROR, bind_rotate<Ror>, kUse),
    row(ZYDIS_MNEMONIC_RCL, bind_rotate<Rcl>, kUse),
    row(ZYDIS_MNEMONIC_RCR, bind_rotate<Rcr>, kUse),
    row(ZYDIS_MNEMONIC_SHLD, bind_double_shift<Shld>, kUse),
    row(ZYDIS_MNEMONIC_SHRD, bind_double_shift<Shrd>, kUse),
};

}  // namespace

Rows shift_rows() { return kRows; }

}  // namespace vtsim::cpu
