// SDM 1 "General-Purpose Instructions > Data Transfer Instructions", and LEA.

#include "model/cpu/exec/choose.h"
#include "model/cpu/exec/groups.h"

namespace vtsim::cpu {

namespace {

// ---- MOV

template <class T>
Outcome mov_reg_reg(Core& core, const Op& op) {
  set_gpr<T>(core, op.dst, get_gpr<T>(core, op.src));
  return Outcome::kNext;
}

template <class T>
Outcome mov_reg_imm(Core& core, const Op& op) {
  set_gpr<T>(core, op.dst, static_cast<T>(op.imm));
  return Outcome::kNext;
}

template <class T, Form form>
Outcome mov_reg_mem(Core& core, const Op& op) {
  T value;
  if (!load_operand<T, form>(core, op, value)) return Outcome::kFault;
  set_gpr<T>(core, op.dst, value);
  return Outcome::kNext;
}

template <class T, Form form>
Outcome mov_mem_reg(Core& core, const Op& op) {
  if (!store_operand<T, form>(core, op, get_gpr<T>(core, op.src))) return Outcome::kFault;
  return Outcome::kNext;
}

template <class T, Form form>
Outcome mov_mem_imm(Core& core, const Op& op) {
  if (!store_operand<T, form>(core, op, static_cast<T>(op.imm))) return Outcome::kFault;
  return Outcome::kNext;
}

Handler bind_general_mov(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  const Decoded& in = binding.in;
  return by_width(operand_size_log2(binding), [&](auto t) -> Handler {
    using T = decltype(t);
    if (in.is_memory(0)) {
      return by_form<T>(op, [&](auto form) -> Handler {
        return in.is_immediate(1) ? &run<mov_mem_imm<T, form()>> : &run<mov_mem_reg<T, form()>>;
      });
    }
    if (in.is_memory(1))
      return by_form<T>(op, [](auto form) -> Handler { return &run<mov_reg_mem<T, form()>>; });
    return in.is_immediate(1) ? &run<mov_reg_imm<T>> : &run<mov_reg_reg<T>>;
  });
}

bool has_register_of(const Binding& binding, ZydisRegisterClass wanted) {
  for (unsigned n = 0; n < 2; ++n) {
    if (binding.in.is_register(n) &&
        ZydisRegisterGetClass(binding.in.operand[n].reg.value) == wanted)
      return true;
  }
  return false;
}

Handler bind_mov(const Binding& binding, Op& op) {
  if (has_register_of(binding, ZYDIS_REGCLASS_SEGMENT)) return bind_mov_segment(binding, op);
  if (has_register_of(binding, ZYDIS_REGCLASS_CONTROL) ||
      has_register_of(binding, ZYDIS_REGCLASS_DEBUG))
    return bind_mov_control(binding, op);
  return bind_general_mov(binding, op);
}

// MOVNTI: a store; memory types are the memory system's business.
Handler bind_movnti(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  return operand_size_log2(binding) == 2 ? &run<mov_mem_reg<u32, Form::kGeneral>>
                                         : &run<mov_mem_reg<u64, Form::kGeneral>>;
}

// ---- MOVZX, MOVSX, MOVSXD. Destinations of 64 bits with zero extension are those of 32.

template <class To, class From>
To extended(From value) {
  return static_cast<To>(value);
}

template <class To, class From>
Outcome extend_reg(Core& core, const Op& op) {
  set_gpr<std::make_unsigned_t<To>>(
      core, op.dst, static_cast<std::make_unsigned_t<To>>(extended<To>(get_gpr<From>(core, op.src))));
  return Outcome::kNext;
}

template <class To, class From, Form form>
Outcome extend_mem(Core& core, const Op& op) {
  From value;
  if (!load_operand<From, form>(core, op, value)) return Outcome::kFault;
  set_gpr<std::make_unsigned_t<To>>(core, op.dst,
                                    static_cast<std::make_unsigned_t<To>>(extended<To>(value)));
  return Outcome::kNext;
}

template <class To, class From>
Handler extension(const Binding& binding, const Op& op) {
  if (!binding.in.is_memory(1)) return &run<extend_reg<To, From>>;
  if constexpr (sizeof(To) == 2) {
    return &run<extend_mem<To, From, Form::kGeneral>>;
  } else {
    return by_form<u32>(op,
                        [](auto form) -> Handler { return &run<extend_mem<To, From, form()>>; });
  }
}

Handler bind_movzx(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  const bool from_byte = operand_size_log2(binding, 1) == 0;
  if (operand_size_log2(binding) == 1)
    return from_byte ? extension<u16, u8>(binding, op) : extension<u16, u16>(binding, op);
  return from_byte ? extension<u32, u8>(binding, op) : extension<u32, u16>(binding, op);
}

template <class From>
Handler sign_extension(const Binding& binding, const Op& op) {
  switch (operand_size_log2(binding)) {
    case 1: return extension<i16, From>(binding, op);
    case 2: return extension<i32, From>(binding, op);
    default: return extension<i64, From>(binding, op);
  }
}

Handler bind_movsx(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  return operand_size_log2(binding, 1) == 0 ? sign_extension<i8>(binding, op)
                                            : sign_extension<i16>(binding, op);
}

// Without REX.W the instruction moves 32 (or, with 66h, 16) bits.
Handler bind_movsxd(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  switch (operand_size_log2(binding)) {
    case 1: return extension<u16, u16>(binding, op);
    case 2: return extension<i32, i32>(binding, op);
    default: return extension<i64, i32>(binding, op);
  }
}

// ---- LEA

template <class T, Form form>
Outcome lea(Core& core, const Op& op) {
  u64 address;
  if constexpr (form == Form::kBase || form == Form::kBaseIndex) {
    operand_linear<form>(core, op, 1, Intent::kRead, address);
  } else {
    address = effective_offset(core, op);
  }
  set_gpr<T>(core, op.dst, static_cast<T>(address));
  return Outcome::kNext;
}

Handler bind_lea(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  return by_wide_width(operand_size_log2(binding), [&](auto t) -> Handler {
    return by_form<decltype(t)>(
        op, [](auto form) -> Handler { return &run<lea<decltype(t), form()>>; });
  });
}

// ---- XCHG

template <class T>
Outcome xchg_reg_reg(Core& core, const Op& op) {
  const T a = get_gpr<T>(core, op.dst);
  const T b = get_gpr<T>(core, op.src);
  set_gpr<T>(core, op.dst, b);
  set_gpr<T>(core, op.src, a);
  return Outcome::kNext;
}

template <class T, Form form>
Outcome xchg_mem_reg(Core& core, const Op& op) {
  const T stored = get_gpr<T>(core, op.src);
  T old{};
  const bool done = modify_operand<T, form>(core, op, [&](T value) {
    old = value;
    return stored;
  });
  if (!done) return Outcome::kFault;
  set_gpr<T>(core, op.src, old);
  return Outcome::kNext;
}

Handler bind_xchg(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  if (binding.in.is_memory(1)) op.src = op.dst;  // the same encoding, printed the other way round
  const bool memory = binding.in.is_memory(0) || binding.in.is_memory(1);
  return by_width(operand_size_log2(binding), [&](auto t) -> Handler {
    using T = decltype(t);
    if (!memory) return &run<xchg_reg_reg<T>>;
    return by_form<T>(op, [](auto form) -> Handler { return &run<xchg_mem_reg<T, form()>>; });
  });
}

// ---- BSWAP, MOVBE

template <class T>
T byte_swapped(T value) {
  if constexpr (sizeof(T) == 2) {
    return __builtin_bswap16(value);
  } else if constexpr (sizeof(T) == 4) {
    return __builtin_bswap32(value);
  } else {
    return __builtin_bswap64(value);
  }
}

template <class T>
Outcome bswap(Core& core, const Op& op) {
  set_gpr<T>(core, op.dst, byte_swapped(get_gpr<T>(core, op.dst)));
  return Outcome::kNext;
}

// SDM-NOTE: BSWAP of a 16-bit register is undefined; Intel's processors clear it.
Outcome bswap16(Core& core, const Op& op) {
  set_gpr<u16>(core, op.dst, 0);
  return Outcome::kNext;
}

template <class T>
Outcome movbe_reg_mem(Core& core, const Op& op) {
  T value;
  if (!load_operand(core, op, value)) return Outcome::kFault;
  set_gpr<T>(core, op.dst, byte_swapped(value));
  return Outcome::kNext;
}

template <class T>
Outcome movbe_mem_reg(Core& core, const Op& op) {
  if (!store_operand(core, op, byte_swapped(get_gpr<T>(core, op.src)))) return Outcome::kFault;
  return Outcome::kNext;
}

Handler bind_movbe(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  return by_wide_width(operand_size_log2(binding), [&](auto t) -> Handler {
    using T = decltype(t);
    return binding.in.is_memory(0) ? &run<movbe_mem_reg<T>> : &run<movbe_reg_mem<T>>;
  });
}

// ---- CBW, CWDE, CDQE; CWD, CDQ, CQO

template <class Wide, class Narrow>
Outcome widen_accumulator(Core& core, const Op&) {
  const auto value = static_cast<Wide>(get_gpr<Narrow>(core, gpr_offset(kRax)));
  set_gpr<std::make_unsigned_t<Wide>>(core, gpr_offset(kRax),
                                      static_cast<std::make_unsigned_t<Wide>>(value));
  return Outcome::kNext;
}

template <class T>
Outcome spread_sign_to_rdx(Core& core, const Op&) {
  const bool negative = (get_gpr<T>(core, gpr_offset(kRax)) & kSignBit<T>) != 0;
  set_gpr<T>(core, gpr_offset(kRdx), negative ? static_cast<T>(~T{0}) : T{0});
  return Outcome::kNext;
}

constexpr InstructionRow kRows[] = {
    row(ZYDIS_MNEMONIC_MOV, bind_mov),
    row(ZYDIS_MNEMONIC_MOVNTI, bind_movnti),
    row(ZYDIS_MNEMONIC_MOVZX, bind_movzx),
    row(ZYDIS_MNEMONIC_MOVSX, bind_movsx),
    row(ZYDIS_MNEMONIC_MOVSXD, bind_movsxd),
    row(ZYDIS_MNEMONIC_LEA, bind_lea),
    row(ZYDIS_MNEMONIC_XCHG, bind_xchg),
    row(ZYDIS_MNEMONIC_BSWAP, by_operand_size<bswap16, bswap<u32>, bswap<u64>>),
    row(ZYDIS_MNEMONIC_MOVBE, bind_movbe),
    row(ZYDIS_MNEMONIC_CBW, plain<widen_accumulator<i16, i8>>),
    row(ZYDIS_MNEMONIC_CWDE, plain<widen_accumulator<i32, i16>>),
    row(ZYDIS_MNEMONIC_CDQE, plain<widen_accumulator<i64, i32>>),
    row(ZYDIS_MNEMONIC_CWD, plain<spread_sign_to_rdx<u16>>),
    row(ZYDIS_MNEMONIC_CDQ, plain<spread_sign_to_rdx<u32>>),
    row(ZYDIS_MNEMONIC_CQO, plain<spread_sign_to_rdx<u64>>),
};

}  // namespace

Rows data_transfer_rows() { return kRows; }

}  // namespace vtsim::cpu
