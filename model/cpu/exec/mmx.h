#pragma once
// MMX: 64-bit values in the low parts of the x87 registers.
// SDM 1 "Programming with Intel MMX Technology > Effect of MMX Instructions on the x87 State"; SDM
// 3A "Intel MMX Technology System Programming": every instruction but EMMS marks all registers
// valid and clears TOP; a write sets bits 79:64; a pending x87 exception is raised first.

#include "model/cpu/exec/vector.h"

namespace vtsim::cpu {

inline u64 read_mmx(const Core& core, unsigned n) {
  u64 value;
  std::memcpy(&value, core.state.x87.reg[n], sizeof value);
  return value;
}
inline void write_mmx(Core& core, unsigned n, u64 value) {
  std::memcpy(core.state.x87.reg[n], &value, sizeof value);
  std::memset(core.state.x87.reg[n] + 8, 0xFF, 2);
}

// False: #MF recorded.
inline bool x87_exception_absent(Core& core) {
  constexpr Flag kErrorSummary{7};
  if ((core.state.x87.status & kErrorSummary.mask()) == 0) [[likely]]
    return true;
  core.raise(kMf);
  return false;
}
inline void enter_mmx(Core& core) {
  constexpr Field kTop{13, 11};
  core.state.x87.status = static_cast<u16>(core.state.x87.status & ~kTop.mask());
  core.state.x87.empty = 0;
}

inline bool is_mmx(const Binding& binding, unsigned n) {
  return binding.in.is_register(n) &&
         ZydisRegisterGetClass(binding.in.operand[n].reg.value) == ZYDIS_REGCLASS_MMX;
}
inline bool touches_mmx(const Binding& binding) { return is_mmx(binding, 0) || is_mmx(binding, 1); }

// ---- mm1 = function(mm1, mm2/m64[, imm]); M: what is read from memory

template <auto function>
inline u64 call_mmx(u64 a, u64 b, u8 imm) {
  if constexpr (std::is_invocable_v<decltype(function), u64, u64, u8>) {
    return function(a, b, imm);
  } else {
    return function(a, b);
  }
}

template <auto function>
Outcome mmx_reg(Core& core, const Op& op) {
  if (!x87_exception_absent(core)) return Outcome::kFault;
  const u64 result =
      call_mmx<function>(read_mmx(core, op.dst), read_mmx(core, op.src), static_cast<u8>(op.imm));
  enter_mmx(core);
  write_mmx(core, op.dst, result);
  return Outcome::kNext;
}
template <auto function, class M>
Outcome mmx_mem(Core& core, const Op& op) {
  M value;
  if (!x87_exception_absent(core) || !load_operand(core, op, value)) return Outcome::kFault;
  const u64 result = call_mmx<function>(read_mmx(core, op.dst), value, static_cast<u8>(op.imm));
  enter_mmx(core);
  write_mmx(core, op.dst, result);
  return Outcome::kNext;
}
template <auto function, class M = u64>
Handler bind_mmx(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  return op.mem.present() ? &run<mmx_mem<function, M>> : &run<mmx_reg<function>>;
}

// A mnemonic for both kinds of registers.
template <Binder mmx_binder, Binder vector_binder>
Handler mmx_or(const Binding& binding, Op& op) {
  return touches_mmx(binding) ? mmx_binder(binding, op) : vector_binder(binding, op);
}

// MMX forms of mnemonics whose rows stand elsewhere (mmx_move.cc).
Handler bind_mmx_movd(const Binding& binding, Op& op);
Handler bind_mmx_movq(const Binding& binding, Op& op);
Handler bind_mmx_pmovmskb(const Binding& binding, Op& op);

// ---- 64-bit functions from those on 128 bits

inline Xmm widened(u64 low, u64 high = 0) {
  return lanes(_mm_set_epi64x(static_cast<i64>(high), static_cast<i64>(low)));
}

// Lane by lane, or from low halves: the low half of the result depends on low halves only.
template <auto function>
u64 on_low_half(u64 a, u64 b, u8 imm) {
  return call_on_lanes<function>(widened(a), widened(b), imm).template get<u64>(0);
}
// PACK and horizontal operations: the low half of the result is what the first source gives.
template <auto function>
u64 on_pair(u64 a, u64 b, u8 imm) {
  const Xmm pair = widened(a, b);
  return call_on_lanes<function>(pair, pair, imm).template get<u64>(0);
}

}  // namespace vtsim::cpu
