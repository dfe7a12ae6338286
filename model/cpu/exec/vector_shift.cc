// Shifts of packed integers. SDM 1 "MMX Shift and Rotate Instructions", "SSE2 128-Bit SIMD Integer
// Instructions", "Intel AVX2 > Vector shifts".

#include "model/cpu/exec/groups.h"
#include "model/cpu/exec/mmx.h"

namespace vtsim::cpu {

namespace {

// By one 64-bit count for all lanes: too large a count gives zeros, or signs.
Xmm psllw(const Xmm& a, const Xmm& n) { return lanes(_mm_sll_epi16(host(a), host(n))); }
Xmm pslld(const Xmm& a, const Xmm& n) { return lanes(_mm_sll_epi32(host(a), host(n))); }
Xmm psllq(const Xmm& a, const Xmm& n) { return lanes(_mm_sll_epi64(host(a), host(n))); }
Xmm psrlw(const Xmm& a, const Xmm& n) { return lanes(_mm_srl_epi16(host(a), host(n))); }
Xmm psrld(const Xmm& a, const Xmm& n) { return lanes(_mm_srl_epi32(host(a), host(n))); }
Xmm psrlq(const Xmm& a, const Xmm& n) { return lanes(_mm_srl_epi64(host(a), host(n))); }
Xmm psraw(const Xmm& a, const Xmm& n) { return lanes(_mm_sra_epi16(host(a), host(n))); }
Xmm psrad(const Xmm& a, const Xmm& n) { return lanes(_mm_sra_epi32(host(a), host(n))); }

// Of the whole register, by bytes.
Xmm pslldq(const Xmm& a, u8 count) { return count < 16 ? lanes(whole(a) << (8 * count)) : Xmm{}; }
Xmm psrldq(const Xmm& a, u8 count) { return count < 16 ? lanes(whole(a) >> (8 * count)) : Xmm{}; }

// ---- forms with an immediate count: VEX writes its first operand from the second

template <auto function>
struct ByImmediate {
  template <unsigned size>
  static bool apply(Core&, const Op& op, const Lanes<size>& a, const Lanes<size>&,
                    Lanes<size>& out) {
    const Xmm count = widened(op.imm);
    if constexpr (size == 16) {
      out = function(a, count);
    } else {
      out = joined(function(low_lanes(a), count), function(high_lanes(a), count));
    }
    return true;
  }
};

// Legacy has one register operand, VEX two.
template <class Operation>
Handler bind_immediate_shift(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  if (encoding_of(binding) == Encoding::kLegacy) op.src = op.dst;
  op.imm &= 0xFF;
  return by_encoding(encoding_of(binding),
                     [](auto e) -> Handler { return &run<unary_reg<Operation, e()>>; });
}

template <auto function>
Handler byte_shift(const Binding& binding, Op& op) {
  return bind_immediate_shift<Pure<function>>(binding, op);
}

// ---- forms with the count in a register or memory. The count is always the low quadword of 128
// bits, also for YMM registers.

template <auto function, Encoding encoding>
Outcome shift_by(Core& core, const Op& op, const Xmm& count) {
  constexpr unsigned kSize = kVectorBytes<encoding>;
  const auto a = read_vector<kSize>(core, first_source<encoding>(op));
  if constexpr (kSize == 16) {
    write_vector<encoding>(core, op.dst, function(a, count));
  } else {
    write_vector<encoding>(core, op.dst,
                           joined(function(low_lanes(a), count), function(high_lanes(a), count)));
  }
  return Outcome::kNext;
}
template <auto function, Encoding encoding>
Outcome shift_reg(Core& core, const Op& op) {
  return shift_by<function, encoding>(core, op, read_xmm(core, second_source<encoding>(op)));
}
template <auto function, Encoding encoding>
Outcome shift_mem(Core& core, const Op& op) {
  Xmm count;
  constexpr Encoding kSource =
      encoding == Encoding::kLegacy ? Encoding::kLegacy : Encoding::kVex128;
  if (!load_source<Whole, kSource>(core, op, count)) return Outcome::kFault;
  return shift_by<function, encoding>(core, op, count);
}

template <auto function>
Outcome mmx_shift_immediate(Core& core, const Op& op) {
  if (!x87_exception_absent(core)) return Outcome::kFault;
  const u64 result =
      function(widened(read_mmx(core, op.dst)), widened(op.imm)).template get<u64>(0);
  enter_mmx(core);
  write_mmx(core, op.dst, result);
  return Outcome::kNext;
}

template <auto function>
Handler shift(const Binding& binding, Op& op) {
  const unsigned last = binding.in.visible() - 1;
  const bool mmx = is_mmx(binding, 0);
  if (!binding.in.is_immediate(last)) {
    if (mmx) return bind_mmx<on_low_half<function>>(binding, op);
    bind_operands(binding, op);
    return by_encoding(encoding_of(binding), [&](auto e) -> Handler {
      return op.mem.present() ? &run<shift_mem<function, e()>> : &run<shift_reg<function, e()>>;
    });
  }
  if (!mmx) return bind_immediate_shift<ByImmediate<function>>(binding, op);
  bind_operands(binding, op);
  op.imm &= 0xFF;
  return &run<mmx_shift_immediate<function>>;
}

// ---- each lane by its own count

template <class T>
Xmm shift_left_each(const Xmm& a, const Xmm& b) {
  return map_lanes<T>(a, b,
                      [](T x, T n) { return n < sizeof(T) * 8 ? static_cast<T>(x << n) : T{0}; });
}
template <class T>
Xmm shift_right_each(const Xmm& a, const Xmm& b) {
  return map_lanes<T>(a, b,
                      [](T x, T n) { return n < sizeof(T) * 8 ? static_cast<T>(x >> n) : T{0}; });
}
Xmm shift_signed_each(const Xmm& a, const Xmm& b) {
  return map_lanes<u32>(a, b,
                        [](u32 x, u32 n) { return static_cast<i32>(x) >> (n < 32 ? n : 31); });
}

constexpr InstructionRow kRows[] = {
    mmx_row(ZYDIS_MNEMONIC_PSLLW, shift<psllw>),
    avx_row(ZYDIS_MNEMONIC_VPSLLW, shift<psllw>),
    mmx_row(ZYDIS_MNEMONIC_PSLLD, shift<pslld>),
    avx_row(ZYDIS_MNEMONIC_VPSLLD, shift<pslld>),
    mmx_row(ZYDIS_MNEMONIC_PSLLQ, shift<psllq>),
    avx_row(ZYDIS_MNEMONIC_VPSLLQ, shift<psllq>),
    mmx_row(ZYDIS_MNEMONIC_PSRLW, shift<psrlw>),
    avx_row(ZYDIS_MNEMONIC_VPSRLW, shift<psrlw>),
    mmx_row(ZYDIS_MNEMONIC_PSRLD, shift<psrld>),
    avx_row(ZYDIS_MNEMONIC_VPSRLD, shift<psrld>),
    mmx_row(ZYDIS_MNEMONIC_PSRLQ, shift<psrlq>),
    avx_row(ZYDIS_MNEMONIC_VPSRLQ, shift<psrlq>),
    mmx_row(ZYDIS_MNEMONIC_PSRAW, shift<psraw>),
    avx_row(ZYDIS_MNEMONIC_VPSRAW, shift<psraw>),
    mmx_row(ZYDIS_MNEMONIC_PSRAD, shift<psrad>),
    avx_row(ZYDIS_MNEMONIC_VPSRAD, shift<psrad>),
    sse_row(ZYDIS_MNEMONIC_PSLLDQ, byte_shift<pslldq>),
    avx_row(ZYDIS_MNEMONIC_VPSLLDQ, byte_shift<pslldq>),
    sse_row(ZYDIS_MNEMONIC_PSRLDQ, byte_shift<psrldq>),
    avx_row(ZYDIS_MNEMONIC_VPSRLDQ, byte_shift<psrldq>),
    avx_row(ZYDIS_MNEMONIC_VPSLLVD, binary<shift_left_each<u32>>),
    avx_row(ZYDIS_MNEMONIC_VPSLLVQ, binary<shift_left_each<u64>>),
    avx_row(ZYDIS_MNEMONIC_VPSRLVD, binary<shift_right_each<u32>>),
    avx_row(ZYDIS_MNEMONIC_VPSRLVQ, binary<shift_right_each<u64>>),
    avx_row(ZYDIS_MNEMONIC_VPSRAVD, binary<shift_signed_each>),
};

}  // namespace

Rows vector_shift_rows() { return kRows; }

}  // namespace vtsim::cpu
