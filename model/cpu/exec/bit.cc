// BT, BTS, BTR, BTC; BSF, BSR, TZCNT, LZCNT, POPCNT. SDM 1 "Bit and Byte Instructions".

#include <bit>

#include "model/cpu/exec/displaced.h"
#include "model/cpu/exec/groups.h"
#include "model/cpu/exec/two_operand.h"

namespace vtsim::cpu {

namespace {

// ---- BT, BTS, BTR, BTC

struct Bt {
  static constexpr bool kStores = false;
  template <class T>
  static T result(T value, T) {
    return value;
  }
};
struct Bts {
  static constexpr bool kStores = true;
  template <class T>
  static T result(T value, T mask) {
    return value | mask;
  }
};
struct Btr {
  static constexpr bool kStores = true;
  template <class T>
  static T result(T value, T mask) {
    return value & static_cast<T>(~mask);
  }
};
struct Btc {
  static constexpr bool kStores = true;
  template <class T>
  static T result(T value, T mask) {
    return value ^ mask;
  }
};

// ZF is kept. SDM-NOTE: so are OF, SF, AF and PF, which are undefined.
void set_carry(Core& core, bool carry) {
  const u64 flags = kept_arithmetic_flags(core.state.lazy);
  set_arithmetic_flags(core.state.lazy, Reg<Rflags>(flags).with(Rflags::CF, carry).value);
}

template <class T>
constexpr T bit_mask(u64 offset) {
  return static_cast<T>(T{1} << (offset % (sizeof(T) * 8)));
}

template <class Operation, class T, bool live>
Outcome bit_reg(Core& core, const Op& op, u64 offset) {
  const T mask = bit_mask<T>(offset);
  const T value = get_gpr<T>(core, op.dst);
  if constexpr (Operation::kStores) set_gpr<T>(core, op.dst, Operation::result(value, mask));
  if constexpr (live) set_carry(core, (value & mask) != 0);
  return Outcome::kNext;
}

template <class Operation, class T, bool live>
Outcome bit_reg_reg(Core& core, const Op& op) {
  return bit_reg<Operation, T, live>(core, op, get_gpr<T>(core, op.src));
}
template <class Operation, class T, bool live>
Outcome bit_reg_imm(Core& core, const Op& op) {
  return bit_reg<Operation, T, live>(core, op, op.imm);
}

template <class Operation, class T>
Outcome bit_at(Core& core, const Op& op, u64 lin, T mask) {
  T value{};
  if constexpr (Operation::kStores) {
    const bool done = modify_linear<T>(core, op, lin, [&](T old) {
      value = old;
      return Operation::result(old, mask);
    });
    if (!done) return Outcome::kFault;
  } else {
    if (!load_linear(core, op, lin, value)) return Outcome::kFault;
  }
  set_carry(core, (value & mask) != 0);
  return Outcome::kNext;
}

template <class Operation>
constexpr Intent kIntent = Operation::kStores ? Intent::kWrite : Intent::kRead;

template <class Operation, class T>
Outcome bit_mem_imm(Core& core, const Op& op) {
  u64 lin;
  if (!operand_linear(core, op, sizeof(T), kIntent<Operation>, lin)) return Outcome::kFault;
  return bit_at<Operation, T>(core, op, lin, bit_mask<T>(op.imm));
}

// A bit offset in a register is signed and reaches any element of the string of bits.
template <class Operation, class T>
Outcome bit_mem_reg(Core& core, const Op& op) {
  const i64 offset = static_cast<std::make_signed_t<T>>(get_gpr<T>(core, op.src));
  constexpr unsigned kLog2Bits = kSizeLog2<T> + 3;
  const u64 displacement = static_cast<u64>((offset >> kLog2Bits) * static_cast<i64>(sizeof(T)));
  u64 lin;
  if (!displaced_linear(core, op, displacement, sizeof(T), kIntent<Operation>, lin))
    return Outcome::kFault;
  return bit_at<Operation, T>(core, op, lin, bit_mask<T>(static_cast<u64>(offset)));
}

template <class Operation>
Handler bind_bit(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  return by_wide_width(operand_size_log2(binding), [&](auto t) -> Handler {
    using T = decltype(t);
    const bool immediate = binding.in.is_immediate(1);
    if (binding.in.is_memory(0))
      return immediate ? &run<bit_mem_imm<Operation, T>> : &run<bit_mem_reg<Operation, T>>;
    return by_bool(binding.flags_live, [&](auto live) -> Handler {
      constexpr bool kLive = live();
      return immediate ? &run<bit_reg_imm<Operation, T, kLive>>
                       : &run<bit_reg_reg<Operation, T, kLive>>;
    });
  });
}

// ---- scans and counts

template <class T>
bool read_source(Core& core, const Op& op, T& out) {
  if (op.mem.present()) return load_operand(core, op, out);
  out = get_gpr<T>(core, op.src);
  return true;
}

// ZF tells whether the source is zero. SDM-NOTE: the other flags are undefined; we derive them from
// the source. A destination for which there is no bit keeps its value, all 64 bits of it.
template <class T>
Outcome bsf(Core& core, const Op& op) {
  T source;
  if (!read_source(core, op, source)) return Outcome::kFault;
  if (source != 0) set_gpr<T>(core, op.dst, static_cast<T>(std::countr_zero(source)));
  set_logic_flags(core.state.lazy, source);
  return Outcome::kNext;
}

template <class T>
Outcome bsr(Core& core, const Op& op) {
  T source;
  if (!read_source(core, op, source)) return Outcome::kFault;
  if (source != 0)
    set_gpr<T>(core, op.dst, static_cast<T>(std::bit_width(source) - 1));
  set_logic_flags(core.state.lazy, source);
  return Outcome::kNext;
}

// CF: the source is zero. ZF: the result is zero. SDM-NOTE: the others are undefined; we clear them.
template <class T>
void set_count_flags(Core& core, T source, T result) {
  set_arithmetic_flags(core.state.lazy, (source == 0 ? Rflags::CF.mask() : 0) |
                                            (result == 0 ? Rflags::ZF.mask() : 0));
}

template <class T>
Outcome tzcnt(Core& core, const Op& op) {
  T source;
  if (!read_source(core, op, source)) return Outcome::kFault;
  const T result = static_cast<T>(std::countr_zero(source));
  set_gpr<T>(core, op.dst, result);
  set_count_flags(core, source, result);
  return Outcome::kNext;
}

template <class T>
Outcome lzcnt(Core& core, const Op& op) {
  T source;
  if (!read_source(core, op, source)) return Outcome::kFault;
  const T result = static_cast<T>(std::countl_zero(source));
  set_gpr<T>(core, op.dst, result);
  set_count_flags(core, source, result);
  return Outcome::kNext;
}

template <class T>
Outcome popcnt(Core& core, const Op& op) {
  T source;
  if (!read_source(core, op, source)) return Outcome::kFault;
  set_gpr<T>(core, op.dst, static_cast<T>(std::popcount(source)));
  set_arithmetic_flags(core.state.lazy, source == 0 ? Rflags::ZF.mask() : 0);
  return Outcome::kNext;
}

constexpr FlagUse kSome = FlagUse::kReadsAndWrites, kAll = FlagUse::kWritesAll;

constexpr InstructionRow kRows[] = {
    row(ZYDIS_MNEMONIC_BT, bind_bit<Bt>, kSome),
    row(ZYDIS_MNEMONIC_BTS, bind_bit<Bts>, kSome),
    row(ZYDIS_MNEMONIC_BTR, bind_bit<Btr>, kSome),
    row(ZYDIS_MNEMONIC_BTC, bind_bit<Btc>, kSome),
    row(ZYDIS_MNEMONIC_BSF, by_operand_size<bsf<u16>, bsf<u32>, bsf<u64>>, kAll),
    row(ZYDIS_MNEMONIC_BSR, by_operand_size<bsr<u16>, bsr<u32>, bsr<u64>>, kAll),
    row(ZYDIS_MNEMONIC_TZCNT, by_operand_size<tzcnt<u16>, tzcnt<u32>, tzcnt<u64>>, kAll),
    row(ZYDIS_MNEMONIC_LZCNT, by_operand_size<lzcnt<u16>, lzcnt<u32>, lzcnt<u64>>, kAll),
    row(ZYDIS_MNEMONIC_POPCNT, by_operand_size<popcnt<u16>, popcnt<u32>, popcnt<u64>>, kAll),
};

}  // namespace

Rows bit_rows() { return kRows; }

}  // namespace vtsim::cpu
