// Shuffles, unpacks, packs, alignment, blends; elements in and out; widening moves.
// SDM 1 "MMX Conversion Instructions", "SSE Shuffle and Unpack Instructions", "SSE2 128-Bit SIMD
// Integer Instructions", "SSSE3 Instructions", "SSE4.1 Instructions".

#include "model/cpu/exec/groups.h"
#include "model/cpu/exec/mmx.h"
#include "model/cpu/exec/soft_vector.h"

namespace vtsim::cpu {

namespace {

// ---- shuffles by an immediate: two bits a lane

inline unsigned selector(u8 imm, unsigned lane) { return imm >> (2 * lane) & 3; }

Xmm pshufd(const Xmm& a, u8 imm) {
  Xmm r;
  for (unsigned n = 0; n < 4; ++n) r.set<u32>(n, a.get<u32>(selector(imm, n)));
  return r;
}
Xmm pshuflw(const Xmm& a, u8 imm) {
  Xmm r = a;
  for (unsigned n = 0; n < 4; ++n) r.set<u16>(n, a.get<u16>(selector(imm, n)));
  return r;
}
Xmm pshufhw(const Xmm& a, u8 imm) {
  Xmm r = a;
  for (unsigned n = 0; n < 4; ++n) r.set<u16>(4 + n, a.get<u16>(4 + selector(imm, n)));
  return r;
}
u64 pshufw(u64, u64 b, u8 imm) { return pshuflw(widened(b), imm).get<u64>(0); }

Xmm shufps(const Xmm& a, const Xmm& b, u8 imm) {
  Xmm r;
  for (unsigned n = 0; n < 4; ++n) r.set<u32>(n, (n < 2 ? a : b).get<u32>(selector(imm, n)));
  return r;
}
// One bit a lane; the upper half of a YMM register takes bits 3:2.
struct Shufpd {
  static Xmm half(const Xmm& a, const Xmm& b, u64 imm) {
    Xmm r;
    r.set<u64>(0, a.get<u64>(imm & 1));
    r.set<u64>(1, b.get<u64>(imm >> 1 & 1));
    return r;
  }
  template <unsigned size>
  static bool apply(Core&, const Op& op, const Lanes<size>& a, const Lanes<size>& b,
                    Lanes<size>& out) {
    if constexpr (size == 16) {
      out = half(a, b, op.imm);
    } else {
      out = joined(half(low_lanes(a), low_lanes(b), op.imm),
                   half(high_lanes(a), high_lanes(b), op.imm >> 2));
    }
    return true;
  }
};

// ---- shuffles by a register

[[gnu::always_inline]] inline Xmm pshufb(const Xmm& a, const Xmm& control) {
  if (!__builtin_cpu_supports("ssse3")) return soft_pshufb(a, control);
  __m128i v = host(a);
  asm("pshufb %1, %0" : "+x"(v) : "x"(host(control)));
  return lanes(v);
}
u64 pshufb_mmx(u64 a, u64 b) {
  return pshufb(widened(a), widened(b & 0x8787878787878787)).get<u64>(0);
}

// ---- unpacks and packs

Xmm punpcklbw(const Xmm& a, const Xmm& b) { return lanes(_mm_unpacklo_epi8(host(a), host(b))); }
Xmm punpcklwd(const Xmm& a, const Xmm& b) { return lanes(_mm_unpacklo_epi16(host(a), host(b))); }
Xmm punpckldq(const Xmm& a, const Xmm& b) { return lanes(_mm_unpacklo_epi32(host(a), host(b))); }
Xmm punpcklqdq(const Xmm& a, const Xmm& b) { return lanes(_mm_unpacklo_epi64(host(a), host(b))); }
Xmm punpckhbw(const Xmm& a, const Xmm& b) { return lanes(_mm_unpackhi_epi8(host(a), host(b))); }
Xmm punpckhwd(const Xmm& a, const Xmm& b) { return lanes(_mm_unpackhi_epi16(host(a), host(b))); }
Xmm punpckhdq(const Xmm& a, const Xmm& b) { return lanes(_mm_unpackhi_epi32(host(a), host(b))); }
Xmm punpckhqdq(const Xmm& a, const Xmm& b) { return lanes(_mm_unpackhi_epi64(host(a), host(b))); }

// The upper halves of 64-bit operands, as the low unpack of what stands there.
template <auto low_unpack>
u64 unpack_high_mmx(u64 a, u64 b) {
  return low_unpack(widened(a >> 32), widened(b >> 32)).template get<u64>(0);
}

Xmm packsswb(const Xmm& a, const Xmm& b) { return lanes(_mm_packs_epi16(host(a), host(b))); }
Xmm packssdw(const Xmm& a, const Xmm& b) { return lanes(_mm_packs_epi32(host(a), host(b))); }
Xmm packuswb(const Xmm& a, const Xmm& b) { return lanes(_mm_packus_epi16(host(a), host(b))); }
Xmm packusdw(const Xmm& a, const Xmm& b) {
  const auto saturated = [](i32 x) {
    return static_cast<u16>(x < 0 ? 0 : x > 0xFFFF ? 0xFFFF : x);
  };
  Xmm r;
  for (unsigned n = 0; n < 4; ++n) {
    r.set<u16>(n, saturated(a.get<i32>(n)));
    r.set<u16>(4 + n, saturated(b.get<i32>(n)));
  }
  return r;
}

// ---- PALIGNR: bytes of the first source above those of the second, shifted right

[[gnu::always_inline]] inline Xmm palignr(const Xmm& a, const Xmm& b, u8 count) {
  // Byte n of the result is byte n + count of both sources; PSHUFB gives zero for what lies
  // outside.
  const __m128i at =
      _mm_add_epi8(_mm_set1_epi8(static_cast<char>(count < 32 ? count : 32)),
                   _mm_set_epi8(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0));
  const __m128i outside = _mm_set1_epi8(0x70);  // from 16 on, the sum has its sign bit set
  const Xmm low = pshufb(b, lanes(_mm_adds_epu8(at, outside)));
  const Xmm high = pshufb(a, lanes(_mm_adds_epu8(_mm_sub_epi8(at, _mm_set1_epi8(16)), outside)));
  return lanes(_mm_or_si128(host(low), host(high)));
}
u64 palignr_mmx(u64 a, u64 b, u8 count) {
  u8 wide[24] = {};
  std::memcpy(wide, &b, 8);
  std::memcpy(wide + 8, &a, 8);
  u64 r;
  std::memcpy(&r, wide + (count < 16 ? count : 16), 8);
  return r;
}

// ---- blends

template <class T>
Xmm blend_by_bits(const Xmm& a, const Xmm& b, u64 bits) {
  Xmm r = a;
  for (unsigned n = 0; n < Xmm::kCount<T>; ++n)
    if (bit(bits, n)) r.set<T>(n, b.get<T>(n));
  return r;
}
// PBLENDW uses the same eight bits for both halves, the others go on counting.
Xmm pblendw(const Xmm& a, const Xmm& b, u8 imm) { return blend_by_bits<u16>(a, b, imm); }
template <class T>
struct BlendImmediate {
  template <unsigned size>
  static bool apply(Core&, const Op& op, const Lanes<size>& a, const Lanes<size>& b,
                    Lanes<size>& out) {
    if constexpr (size == 16) {
      out = blend_by_bits<T>(a, b, op.imm);
    } else {
      out = joined(blend_by_bits<T>(low_lanes(a), low_lanes(b), op.imm),
                   blend_by_bits<T>(high_lanes(a), high_lanes(b), op.imm >> Xmm::kCount<T>));
    }
    return true;
  }
};

// By sign bits of a third register: XMM0 in the legacy forms, VEX.is4 (in op.imm) in the others.
template <class T>
struct BlendVariable {
  template <unsigned size>
  static bool apply(Core& core, const Op& op, const Lanes<size>& a, const Lanes<size>& b,
                    Lanes<size>& out) {
    const auto mask = read_vector<size>(core, op.imm);
    out = a;
    for (unsigned n = 0; n < size / sizeof(T); ++n)
      if (mask.template get<T>(n) & kSignBit<T>) out.template set<T>(n, b.template get<T>(n));
    return true;
  }
};

// ---- INSERTPS, EXTRACTPS, PINSRx, PEXTRx

// A memory operand is always its only element.
template <Encoding encoding>
Outcome insertps_with(Core& core, const Op& op, u32 value) {
  Xmm r = read_xmm(core, first_source<encoding>(op));
  r.set<u32>(static_cast<unsigned>(bits(op.imm, 5, 4)), value);
  for (unsigned n = 0; n < 4; ++n)
    if (bit(op.imm, n)) r.set<u32>(n, 0);
  write_vector<encoding>(core, op.dst, r);
  return Outcome::kNext;
}
template <Encoding encoding>
Outcome insertps_reg(Core& core, const Op& op) {
  const Xmm b = read_xmm(core, second_source<encoding>(op));
  return insertps_with<encoding>(core, op, b.get<u32>(static_cast<unsigned>(bits(op.imm, 7, 6))));
}
template <Encoding encoding>
Outcome insertps_mem(Core& core, const Op& op) {
  u32 value;
  if (!load_operand(core, op, value)) return Outcome::kFault;
  return insertps_with<encoding>(core, op, value);
}
Handler bind_insertps(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  return by_scalar_encoding(encoding_of(binding), [&](auto e) -> Handler {
    return op.mem.present() ? &run<insertps_mem<e()>> : &run<insertps_reg<e()>>;
  });
}

template <class T>
unsigned lane_of(const Op& op) {
  return static_cast<unsigned>(op.imm & (Xmm::kCount<T> - 1));
}

template <class T, Encoding encoding>
Outcome insert(Core& core, const Op& op, T value) {
  Xmm r = read_xmm(core, first_source<encoding>(op));
  r.set<T>(lane_of<T>(op), value);
  write_vector<encoding>(core, op.dst, r);
  return Outcome::kNext;
}
template <class T, Encoding encoding>
Outcome insert_reg(Core& core, const Op& op) {
  return insert<T, encoding>(core, op, get_gpr<T>(core, second_source<encoding>(op)));
}
template <class T, Encoding encoding>
Outcome insert_mem(Core& core, const Op& op) {
  T value;
  if (!load_operand(core, op, value)) return Outcome::kFault;
  return insert<T, encoding>(core, op, value);
}
template <class T>
Handler bind_insert(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  return by_scalar_encoding(encoding_of(binding), [&](auto e) -> Handler {
    return op.mem.present() ? &run<insert_mem<T, e()>> : &run<insert_reg<T, e()>>;
  });
}

// To a register the element is zero-extended.
template <class T>
Outcome extract_to_reg(Core& core, const Op& op) {
  set_gpr<u64>(core, op.dst, read_xmm(core, op.src).get<T>(lane_of<T>(op)));
  return Outcome::kNext;
}
template <class T>
Outcome extract_to_mem(Core& core, const Op& op) {
  const T value = read_xmm(core, op.src).get<T>(lane_of<T>(op));
  return store_operand(core, op, value) ? Outcome::kNext : Outcome::kFault;
}
template <class T>
Handler bind_extract(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  return op.mem.present() ? &run<extract_to_mem<T>> : &run<extract_to_reg<T>>;
}

// PINSRW and PEXTRW of MMX registers.
template <bool memory>
Outcome pinsrw_mmx(Core& core, const Op& op) {
  if (!x87_exception_absent(core)) return Outcome::kFault;
  u16 value = 0;
  if constexpr (memory) {
    if (!load_operand(core, op, value)) return Outcome::kFault;
  } else {
    value = get_gpr<u16>(core, op.src);
  }
  Xmm r = widened(read_mmx(core, op.dst));
  r.set<u16>(op.imm & 3, value);
  enter_mmx(core);
  write_mmx(core, op.dst, r.get<u64>(0));
  return Outcome::kNext;
}
Outcome pextrw_mmx(Core& core, const Op& op) {
  if (!x87_exception_absent(core)) return Outcome::kFault;
  const u16 value = widened(read_mmx(core, op.src)).get<u16>(op.imm & 3);
  enter_mmx(core);
  set_gpr<u32>(core, op.dst, value);
  return Outcome::kNext;
}
Handler bind_pinsrw(const Binding& binding, Op& op) {
  if (!touches_mmx(binding)) return bind_insert<u16>(binding, op);
  bind_operands(binding, op);
  return op.mem.present() ? &run<pinsrw_mmx<true>> : &run<pinsrw_mmx<false>>;
}
Handler bind_pextrw(const Binding& binding, Op& op) {
  if (!touches_mmx(binding)) return bind_extract<u16>(binding, op);
  bind_operands(binding, op);
  return &run<pextrw_mmx>;
}

// ---- PMOVZX, PMOVSX: the low elements of the source fill the destination

template <class To, class From, unsigned size>
Lanes<size> widen(const Lanes<16>& a) {
  Lanes<size> r;
  for (unsigned n = 0; n < size / sizeof(To); ++n)
    r.template set<To>(n, static_cast<To>(a.get<From>(n)));
  return r;
}
template <class To, class From, Encoding encoding>
Outcome widen_reg(Core& core, const Op& op) {
  constexpr unsigned kSize = kVectorBytes<encoding>;
  write_vector<encoding>(core, op.dst, widen<To, From, kSize>(read_xmm(core, op.src)));
  return Outcome::kNext;
}
template <class To, class From, Encoding encoding>
Outcome widen_mem(Core& core, const Op& op) {
  constexpr unsigned kSize = kVectorBytes<encoding>;
  Lanes<kSize * sizeof(From) / sizeof(To)> value;
  u64 lin;
  if (!operand_linear(core, op, sizeof value.bytes, Intent::kRead, lin)) return Outcome::kFault;
  const u8* source = read_pointer(core, op, lin, sizeof value.bytes);
  if (source == nullptr) return Outcome::kFault;
  Xmm a{};
  std::memcpy(a.bytes, source, sizeof value.bytes);
  write_vector<encoding>(core, op.dst, widen<To, From, kSize>(a));
  return Outcome::kNext;
}
template <class To, class From>
Handler bind_widen(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  return by_encoding(encoding_of(binding), [&](auto e) -> Handler {
    return op.mem.present() ? &run<widen_mem<To, From, e()>> : &run<widen_reg<To, From, e()>>;
  });
}

// MMX forms of the low unpacks read 32 bits.
template <auto function>
constexpr Binder kUnpackLow = mmx_or<bind_mmx<on_low_half<function>, u32>, binary<function>>;
template <auto function, auto low_unpack>
constexpr Binder kUnpackHigh = mmx_or<bind_mmx<unpack_high_mmx<low_unpack>>, binary<function>>;
template <auto function>
constexpr Binder kPack = mmx_or<bind_mmx<on_pair<function>>, binary<function>>;

constexpr InstructionRow kRows[] = {
    mmx_row(ZYDIS_MNEMONIC_PSHUFW, bind_mmx<pshufw>),
    sse_row(ZYDIS_MNEMONIC_PSHUFD, unary<pshufd>),
    avx_row(ZYDIS_MNEMONIC_VPSHUFD, unary<pshufd>),
    sse_row(ZYDIS_MNEMONIC_PSHUFLW, unary<pshuflw>),
    avx_row(ZYDIS_MNEMONIC_VPSHUFLW, unary<pshuflw>),
    sse_row(ZYDIS_MNEMONIC_PSHUFHW, unary<pshufhw>),
    avx_row(ZYDIS_MNEMONIC_VPSHUFHW, unary<pshufhw>),
    sse_row(ZYDIS_MNEMONIC_SHUFPS, binary<shufps>),
    avx_row(ZYDIS_MNEMONIC_VSHUFPS, binary<shufps>),
    sse_row(ZYDIS_MNEMONIC_SHUFPD, bind_binary<Shufpd>),
    avx_row(ZYDIS_MNEMONIC_VSHUFPD, bind_binary<Shufpd>),
    mmx_row(ZYDIS_MNEMONIC_PSHUFB, mmx_or<bind_mmx<pshufb_mmx>, binary<pshufb>>),
    avx_row(ZYDIS_MNEMONIC_VPSHUFB, binary<pshufb>),

    mmx_row(ZYDIS_MNEMONIC_PUNPCKLBW, kUnpackLow<punpcklbw>),
    avx_row(ZYDIS_MNEMONIC_VPUNPCKLBW, binary<punpcklbw>),
    mmx_row(ZYDIS_MNEMONIC_PUNPCKLWD, kUnpackLow<punpcklwd>),
    avx_row(ZYDIS_MNEMONIC_VPUNPCKLWD, binary<punpcklwd>),
    mmx_row(ZYDIS_MNEMONIC_PUNPCKLDQ, kUnpackLow<punpckldq>),
    avx_row(ZYDIS_MNEMONIC_VPUNPCKLDQ, binary<punpckldq>),
    sse_row(ZYDIS_MNEMONIC_PUNPCKLQDQ, binary<punpcklqdq>),
    avx_row(ZYDIS_MNEMONIC_VPUNPCKLQDQ, binary<punpcklqdq>),
    mmx_row(ZYDIS_MNEMONIC_PUNPCKHBW, kUnpackHigh<punpckhbw, punpcklbw>),
    avx_row(ZYDIS_MNEMONIC_VPUNPCKHBW, binary<punpckhbw>),
    mmx_row(ZYDIS_MNEMONIC_PUNPCKHWD, kUnpackHigh<punpckhwd, punpcklwd>),
    avx_row(ZYDIS_MNEMONIC_VPUNPCKHWD, binary<punpckhwd>),
    mmx_row(ZYDIS_MNEMONIC_PUNPCKHDQ, kUnpackHigh<punpckhdq, punpckldq>),
    avx_row(ZYDIS_MNEMONIC_VPUNPCKHDQ, binary<punpckhdq>),
    sse_row(ZYDIS_MNEMONIC_PUNPCKHQDQ, binary<punpckhqdq>),
    avx_row(ZYDIS_MNEMONIC_VPUNPCKHQDQ, binary<punpckhqdq>),
    sse_row(ZYDIS_MNEMONIC_UNPCKLPS, binary<punpckldq>),
    avx_row(ZYDIS_MNEMONIC_VUNPCKLPS, binary<punpckldq>),
    sse_row(ZYDIS_MNEMONIC_UNPCKLPD, binary<punpcklqdq>),
    avx_row(ZYDIS_MNEMONIC_VUNPCKLPD, binary<punpcklqdq>),
    sse_row(ZYDIS_MNEMONIC_UNPCKHPS, binary<punpckhdq>),
    avx_row(ZYDIS_MNEMONIC_VUNPCKHPS, binary<punpckhdq>),
    sse_row(ZYDIS_MNEMONIC_UNPCKHPD, binary<punpckhqdq>),
    avx_row(ZYDIS_MNEMONIC_VUNPCKHPD, binary<punpckhqdq>),
    mmx_row(ZYDIS_MNEMONIC_PACKSSWB, kPack<packsswb>),
    avx_row(ZYDIS_MNEMONIC_VPACKSSWB, binary<packsswb>),
    mmx_row(ZYDIS_MNEMONIC_PACKSSDW, kPack<packssdw>),
    avx_row(ZYDIS_MNEMONIC_VPACKSSDW, binary<packssdw>),
    mmx_row(ZYDIS_MNEMONIC_PACKUSWB, kPack<packuswb>),
    avx_row(ZYDIS_MNEMONIC_VPACKUSWB, binary<packuswb>),
    sse_row(ZYDIS_MNEMONIC_PACKUSDW, binary<packusdw>),
    avx_row(ZYDIS_MNEMONIC_VPACKUSDW, binary<packusdw>),
    mmx_row(ZYDIS_MNEMONIC_PALIGNR, mmx_or<bind_mmx<palignr_mmx>, binary<palignr>>),
    avx_row(ZYDIS_MNEMONIC_VPALIGNR, binary<palignr>),

    sse_row(ZYDIS_MNEMONIC_PBLENDW, binary<pblendw>),
    avx_row(ZYDIS_MNEMONIC_VPBLENDW, binary<pblendw>),
    avx_row(ZYDIS_MNEMONIC_VPBLENDD, bind_binary<BlendImmediate<u32>>),
    sse_row(ZYDIS_MNEMONIC_BLENDPS, bind_binary<BlendImmediate<u32>>),
    avx_row(ZYDIS_MNEMONIC_VBLENDPS, bind_binary<BlendImmediate<u32>>),
    sse_row(ZYDIS_MNEMONIC_BLENDPD, bind_binary<BlendImmediate<u64>>),
    avx_row(ZYDIS_MNEMONIC_VBLENDPD, bind_binary<BlendImmediate<u64>>),
    sse_row(ZYDIS_MNEMONIC_PBLENDVB, bind_binary<BlendVariable<u8>>),
    avx_row(ZYDIS_MNEMONIC_VPBLENDVB, bind_binary<BlendVariable<u8>>),
    sse_row(ZYDIS_MNEMONIC_BLENDVPS, bind_binary<BlendVariable<u32>>),
    avx_row(ZYDIS_MNEMONIC_VBLENDVPS, bind_binary<BlendVariable<u32>>),
    sse_row(ZYDIS_MNEMONIC_BLENDVPD, bind_binary<BlendVariable<u64>>),
    avx_row(ZYDIS_MNEMONIC_VBLENDVPD, bind_binary<BlendVariable<u64>>),

    sse_row(ZYDIS_MNEMONIC_INSERTPS, bind_insertps),
    avx_row(ZYDIS_MNEMONIC_VINSERTPS, bind_insertps),
    sse_row(ZYDIS_MNEMONIC_EXTRACTPS, bind_extract<u32>),
    avx_row(ZYDIS_MNEMONIC_VEXTRACTPS, bind_extract<u32>),
    sse_row(ZYDIS_MNEMONIC_PINSRB, bind_insert<u8>),
    avx_row(ZYDIS_MNEMONIC_VPINSRB, bind_insert<u8>),
    mmx_row(ZYDIS_MNEMONIC_PINSRW, bind_pinsrw),
    avx_row(ZYDIS_MNEMONIC_VPINSRW, bind_pinsrw),
    sse_row(ZYDIS_MNEMONIC_PINSRD, bind_insert<u32>),
    avx_row(ZYDIS_MNEMONIC_VPINSRD, bind_insert<u32>),
    sse_row(ZYDIS_MNEMONIC_PINSRQ, bind_insert<u64>),
    avx_row(ZYDIS_MNEMONIC_VPINSRQ, bind_insert<u64>),
    sse_row(ZYDIS_MNEMONIC_PEXTRB, bind_extract<u8>),
    avx_row(ZYDIS_MNEMONIC_VPEXTRB, bind_extract<u8>),
    mmx_row(ZYDIS_MNEMONIC_PEXTRW, bind_pextrw),
    avx_row(ZYDIS_MNEMONIC_VPEXTRW, bind_pextrw),
    sse_row(ZYDIS_MNEMONIC_PEXTRD, bind_extract<u32>),
    avx_row(ZYDIS_MNEMONIC_VPEXTRD, bind_extract<u32>),
    sse_row(ZYDIS_MNEMONIC_PEXTRQ, bind_extract<u64>),
    avx_row(ZYDIS_MNEMONIC_VPEXTRQ, bind_extract<u64>),

    sse_row(ZYDIS_MNEMONIC_PMOVZXBW, bind_widen<u16, u8>),
    avx_row(ZYDIS_MNEMONIC_VPMOVZXBW, bind_widen<u16, u8>),
    sse_row(ZYDIS_MNEMONIC_PMOVZXBD, bind_widen<u32, u8>),
    avx_row(ZYDIS_MNEMONIC_VPMOVZXBD, bind_widen<u32, u8>),
    sse_row(ZYDIS_MNEMONIC_PMOVZXBQ, bind_widen<u64, u8>),
    avx_row(ZYDIS_MNEMONIC_VPMOVZXBQ, bind_widen<u64, u8>),
    sse_row(ZYDIS_MNEMONIC_PMOVZXWD, bind_widen<u32, u16>),
    avx_row(ZYDIS_MNEMONIC_VPMOVZXWD, bind_widen<u32, u16>),
    sse_row(ZYDIS_MNEMONIC_PMOVZXWQ, bind_widen<u64, u16>),
    avx_row(ZYDIS_MNEMONIC_VPMOVZXWQ, bind_widen<u64, u16>),
    sse_row(ZYDIS_MNEMONIC_PMOVZXDQ, bind_widen<u64, u32>),
    avx_row(ZYDIS_MNEMONIC_VPMOVZXDQ, bind_widen<u64, u32>),
    sse_row(ZYDIS_MNEMONIC_PMOVSXBW, bind_widen<i16, i8>),
    avx_row(ZYDIS_MNEMONIC_VPMOVSXBW, bind_widen<i16, i8>),
    sse_row(ZYDIS_MNEMONIC_PMOVSXBD, bind_widen<i32, i8>),
    avx_row(ZYDIS_MNEMONIC_VPMOVSXBD, bind_widen<i32, i8>),
    sse_row(ZYDIS_MNEMONIC_PMOVSXBQ, bind_widen<i64, i8>),
    avx_row(ZYDIS_MNEMONIC_VPMOVSXBQ, bind_widen<i64, i8>),
    sse_row(ZYDIS_MNEMONIC_PMOVSXWD, bind_widen<i32, i16>),
    avx_row(ZYDIS_MNEMONIC_VPMOVSXWD, bind_widen<i32, i16>),
    sse_row(ZYDIS_MNEMONIC_PMOVSXWQ, bind_widen<i64, i16>),
    avx_row(ZYDIS_MNEMONIC_VPMOVSXWQ, bind_widen<i64, i16>),
    sse_row(ZYDIS_MNEMONIC_PMOVSXDQ, bind_widen<i64, i32>),
    avx_row(ZYDIS_MNEMONIC_VPMOVSXDQ, bind_widen<i64, i32>),
};

}  // namespace

Rows vector_shuffle_rows() { return kRows; }

}  // namespace vtsim::cpu
