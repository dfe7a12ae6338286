// SDM 1 "SSE Data Transfer Instructions", "SSE2 128-Bit SIMD Integer Instructions", and their VEX
// forms.

#include "model/cpu/exec/vector_move.h"

#include "model/cpu/exec/groups.h"
#include "model/cpu/exec/masked_access.h"
#include "model/cpu/exec/mmx.h"

namespace vtsim::cpu {

namespace {

// ---- MOVSS, MOVSD: between registers only the low element moves

template <class T, Encoding encoding>
Outcome merge_low(Core& core, const Op& op) {
  Xmm r = read_xmm(core, first_source<encoding>(op));
  r.set<T>(0, read_xmm(core, second_source<encoding>(op)).template get<T>(0));
  write_vector<encoding>(core, op.dst, r);
  return Outcome::kNext;
}

template <class T>
Handler bind_scalar_move(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  return by_scalar_encoding(encoding_of(binding), [&](auto e) -> Handler {
    if (binding.in.is_memory(0)) return choose_store<T>(op);
    if (binding.in.is_memory(1)) return choose_load<T, e()>(op);
    return &run<merge_low<T, e()>>;
  });
}

// ---- MOVLPS, MOVHPS, MOVLPD, MOVHPD; MOVHLPS, MOVLHPS

template <unsigned lane, Encoding encoding>
Outcome load_half(Core& core, const Op& op) {
  u64 value;
  if (!load_operand(core, op, value)) return Outcome::kFault;
  Xmm r = read_xmm(core, first_source<encoding>(op));
  r.set<u64>(lane, value);
  write_vector<encoding>(core, op.dst, r);
  return Outcome::kNext;
}
template <unsigned lane>
Outcome store_half(Core& core, const Op& op) {
  if (!store_operand(core, op, read_xmm(core, op.src).get<u64>(lane))) return Outcome::kFault;
  return Outcome::kNext;
}
template <unsigned lane>
Handler bind_half_move(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  if (binding.in.is_memory(0)) return &run<store_half<lane>>;
  return by_scalar_encoding(encoding_of(binding),
                            [&](auto e) -> Handler { return &run<load_half<lane, e()>>; });
}

Xmm movhlps(const Xmm& a, const Xmm& b) { return lanes(_mm_unpackhi_epi64(host(b), host(a))); }
Xmm movlhps(const Xmm& a, const Xmm& b) { return lanes(_mm_unpacklo_epi64(host(a), host(b))); }

// ---- MOVD, MOVQ

template <class T, Encoding encoding>
Outcome vector_from_gpr(Core& core, const Op& op) {
  Xmm r{};
  r.set<T>(0, get_gpr<T>(core, op.src));
  write_vector<encoding>(core, op.dst, r);
  return Outcome::kNext;
}
template <class T>
Outcome gpr_from_vector(Core& core, const Op& op) {
  set_gpr<T>(core, op.dst, read_xmm(core, op.src).get<T>(0));
  return Outcome::kNext;
}
template <Encoding encoding>
Outcome copy_low_quadword(Core& core, const Op& op) {
  Xmm r{};
  r.set<u64>(0, read_xmm(core, op.src).get<u64>(0));
  write_vector<encoding>(core, op.dst, r);
  return Outcome::kNext;
}

bool is_vector(const Binding& binding, unsigned n) {
  return binding.in.is_register(n) &&
         ZydisRegisterGetClass(binding.in.operand[n].reg.value) == ZYDIS_REGCLASS_XMM;
}

template <class T>
Handler bind_element_move(const Binding& binding, Op& op) {
  if (touches_mmx(binding))
    return sizeof(T) == 4 ? bind_mmx_movd(binding, op) : bind_mmx_movq(binding, op);
  bind_operands(binding, op);
  if (binding.in.is_memory(0)) return choose_store<T>(op);
  return by_scalar_encoding(encoding_of(binding), [&](auto e) -> Handler {
    if (binding.in.is_memory(1)) return choose_load<T, e()>(op);
    if (!is_vector(binding, 0)) return &run<gpr_from_vector<T>>;
    if (!is_vector(binding, 1)) return &run<vector_from_gpr<T, e()>>;
    return &run<copy_low_quadword<e()>>;
  });
}

// ---- MOVDDUP, MOVSLDUP, MOVSHDUP

Xmm movddup(const Xmm& a) { return lanes(_mm_unpacklo_epi64(host(a), host(a))); }
Xmm movsldup(const Xmm& a) { return lanes(_mm_shuffle_epi32(host(a), 0xA0)); }
Xmm movshdup(const Xmm& a) { return lanes(_mm_shuffle_epi32(host(a), 0xF5)); }

// The 128-bit forms read 64 bits, the 256-bit form 256.
Handler bind_movddup(const Binding& binding, Op& op) {
  if (encoding_of(binding) == Encoding::kVex256) return unary<movddup>(binding, op);
  return unary_128<movddup, u64>(binding, op);
}

// ---- MOVMSKPS, MOVMSKPD, PMOVMSKB

template <class T, unsigned size>
Outcome sign_mask(Core& core, const Op& op) {
  const auto a = read_vector<size>(core, op.src);
  u32 mask = 0;
  for (unsigned half = 0; half < size / 16; ++half) {
    Xmm x;
    std::memcpy(x.bytes, a.bytes + 16 * half, 16);
    int bits = 0;
    if constexpr (sizeof(T) == 1) bits = _mm_movemask_epi8(host(x));
    if constexpr (sizeof(T) == 4) bits = _mm_movemask_ps(_mm_castsi128_ps(host(x)));
    if constexpr (sizeof(T) == 8) bits = _mm_movemask_pd(_mm_castsi128_pd(host(x)));
    mask |= static_cast<u32>(bits) << (half * Xmm::kCount<T>);
  }
  set_gpr<u32>(core, op.dst, mask);
  return Outcome::kNext;
}
template <class T>
Handler bind_sign_mask(const Binding& binding, Op& op) {
  if (touches_mmx(binding)) return bind_mmx_pmovmskb(binding, op);
  bind_operands(binding, op);
  return encoding_of(binding) == Encoding::kVex256 ? &run<sign_mask<T, 32>>
                                                   : &run<sign_mask<T, 16>>;
}

// ---- MASKMOVDQU: bytes with a clear mask bit are neither written nor checked.
// SDM-NOTE: with an all-zero mask, whether faults occur is implementation-dependent: they don't.

Outcome maskmovdqu(Core& core, const Op& op) {
  const Xmm data = read_xmm(core, op.dst), mask = read_xmm(core, op.src);
  return store_selected<u8>(core, op, mask, data) ? Outcome::kNext : Outcome::kFault;
}
Handler bind_maskmovdqu(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  bind_implicit_memory(binding, op);
  return &run<maskmovdqu>;
}

constexpr Binder kAligned = bind_whole_move<Alignment::kNatural>;
constexpr Binder kUnaligned = bind_whole_move<Alignment::kAny>;

constexpr InstructionRow kRows[] = {
    sse_row(ZYDIS_MNEMONIC_MOVAPS, kAligned),
    avx_row(ZYDIS_MNEMONIC_VMOVAPS, kAligned),
    sse_row(ZYDIS_MNEMONIC_MOVAPD, kAligned),
    avx_row(ZYDIS_MNEMONIC_VMOVAPD, kAligned),
    sse_row(ZYDIS_MNEMONIC_MOVDQA, kAligned),
    avx_row(ZYDIS_MNEMONIC_VMOVDQA, kAligned),
    sse_row(ZYDIS_MNEMONIC_MOVUPS, kUnaligned),
    avx_row(ZYDIS_MNEMONIC_VMOVUPS, kUnaligned),
    sse_row(ZYDIS_MNEMONIC_MOVUPD, kUnaligned),
    avx_row(ZYDIS_MNEMONIC_VMOVUPD, kUnaligned),
    sse_row(ZYDIS_MNEMONIC_MOVDQU, kUnaligned),
    avx_row(ZYDIS_MNEMONIC_VMOVDQU, kUnaligned),
    sse_row(ZYDIS_MNEMONIC_LDDQU, kUnaligned),
    avx_row(ZYDIS_MNEMONIC_VLDDQU, kUnaligned),
    // Non-temporal hints say nothing to a functional memory; the alignment rule stays.
    sse_row(ZYDIS_MNEMONIC_MOVNTPS, kAligned),
    avx_row(ZYDIS_MNEMONIC_VMOVNTPS, kAligned),
    sse_row(ZYDIS_MNEMONIC_MOVNTPD, kAligned),
    avx_row(ZYDIS_MNEMONIC_VMOVNTPD, kAligned),
    sse_row(ZYDIS_MNEMONIC_MOVNTDQ, kAligned),
    avx_row(ZYDIS_MNEMONIC_VMOVNTDQ, kAligned),
    sse_row(ZYDIS_MNEMONIC_MOVNTDQA, kAligned),
    avx_row(ZYDIS_MNEMONIC_VMOVNTDQA, kAligned),
    sse_row(ZYDIS_MNEMONIC_MOVSS, bind_scalar_move<u32>),
    avx_row(ZYDIS_MNEMONIC_VMOVSS, bind_scalar_move<u32>),
    sse_row(ZYDIS_MNEMONIC_MOVSD, bind_scalar_move<u64>),
    avx_row(ZYDIS_MNEMONIC_VMOVSD, bind_scalar_move<u64>),
    sse_row(ZYDIS_MNEMONIC_MOVLPS, bind_half_move<0>),
    avx_row(ZYDIS_MNEMONIC_VMOVLPS, bind_half_move<0>),
    sse_row(ZYDIS_MNEMONIC_MOVLPD, bind_half_move<0>),
    avx_row(ZYDIS_MNEMONIC_VMOVLPD, bind_half_move<0>),
    sse_row(ZYDIS_MNEMONIC_MOVHPS, bind_half_move<1>),
    avx_row(ZYDIS_MNEMONIC_VMOVHPS, bind_half_move<1>),
    sse_row(ZYDIS_MNEMONIC_MOVHPD, bind_half_move<1>),
    avx_row(ZYDIS_MNEMONIC_VMOVHPD, bind_half_move<1>),
    sse_row(ZYDIS_MNEMONIC_MOVHLPS, binary_128<movhlps>),
    avx_row(ZYDIS_MNEMONIC_VMOVHLPS, binary_128<movhlps>),
    sse_row(ZYDIS_MNEMONIC_MOVLHPS, binary_128<movlhps>),
    avx_row(ZYDIS_MNEMONIC_VMOVLHPS, binary_128<movlhps>),
    mmx_row(ZYDIS_MNEMONIC_MOVD, bind_element_move<u32>),
    avx_row(ZYDIS_MNEMONIC_VMOVD, bind_element_move<u32>),
    mmx_row(ZYDIS_MNEMONIC_MOVQ, bind_element_move<u64>),
    avx_row(ZYDIS_MNEMONIC_VMOVQ, bind_element_move<u64>),
    sse_row(ZYDIS_MNEMONIC_MOVDDUP, bind_movddup),
    avx_row(ZYDIS_MNEMONIC_VMOVDDUP, bind_movddup),
    sse_row(ZYDIS_MNEMONIC_MOVSLDUP, unary<movsldup>),
    avx_row(ZYDIS_MNEMONIC_VMOVSLDUP, unary<movsldup>),
    sse_row(ZYDIS_MNEMONIC_MOVSHDUP, unary<movshdup>),
    avx_row(ZYDIS_MNEMONIC_VMOVSHDUP, unary<movshdup>),
    sse_row(ZYDIS_MNEMONIC_MOVMSKPS, bind_sign_mask<u32>),
    avx_row(ZYDIS_MNEMONIC_VMOVMSKPS, bind_sign_mask<u32>),
    sse_row(ZYDIS_MNEMONIC_MOVMSKPD, bind_sign_mask<u64>),
    avx_row(ZYDIS_MNEMONIC_VMOVMSKPD, bind_sign_mask<u64>),
    mmx_row(ZYDIS_MNEMONIC_PMOVMSKB, bind_sign_mask<u8>),
    avx_row(ZYDIS_MNEMONIC_VPMOVMSKB, bind_sign_mask<u8>),
    sse_row(ZYDIS_MNEMONIC_MASKMOVDQU, bind_maskmovdqu),
    avx_row(ZYDIS_MNEMONIC_VMASKMOVDQU, bind_maskmovdqu),
};

}  // namespace

Rows vector_move_rows() { return kRows; }

}  // namespace vtsim::cpu
