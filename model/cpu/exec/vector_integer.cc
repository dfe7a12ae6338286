// Packed integer arithmetic, comparison and logic on MMX, XMM and YMM registers.
// SDM 1 "MMX Packed Arithmetic / Comparison / Logical Instructions", "SSE2 128-Bit SIMD Integer
// Instructions", "SSSE3 Instructions", "SSE4.1 Instructions", "Intel AVX2".

#include <cstdlib>
#include <limits>

#include "model/cpu/exec/groups.h"
#include "model/cpu/exec/mmx.h"

namespace vtsim::cpu {

namespace {

template <class T, class Wide>
T saturated(Wide value) {
  constexpr Wide kLow = std::numeric_limits<T>::min(), kHigh = std::numeric_limits<T>::max();
  return static_cast<T>(value < kLow ? kLow : value > kHigh ? kHigh : value);
}

// ---- addition, subtraction

Xmm paddb(const Xmm& a, const Xmm& b) { return lanes(_mm_add_epi8(host(a), host(b))); }
Xmm paddw(const Xmm& a, const Xmm& b) { return lanes(_mm_add_epi16(host(a), host(b))); }
Xmm paddd(const Xmm& a, const Xmm& b) { return lanes(_mm_add_epi32(host(a), host(b))); }
Xmm paddq(const Xmm& a, const Xmm& b) { return lanes(_mm_add_epi64(host(a), host(b))); }
Xmm paddsb(const Xmm& a, const Xmm& b) { return lanes(_mm_adds_epi8(host(a), host(b))); }
Xmm paddsw(const Xmm& a, const Xmm& b) { return lanes(_mm_adds_epi16(host(a), host(b))); }
Xmm paddusb(const Xmm& a, const Xmm& b) { return lanes(_mm_adds_epu8(host(a), host(b))); }
Xmm paddusw(const Xmm& a, const Xmm& b) { return lanes(_mm_adds_epu16(host(a), host(b))); }
Xmm psubb(const Xmm& a, const Xmm& b) { return lanes(_mm_sub_epi8(host(a), host(b))); }
Xmm psubw(const Xmm& a, const Xmm& b) { return lanes(_mm_sub_epi16(host(a), host(b))); }
Xmm psubd(const Xmm& a, const Xmm& b) { return lanes(_mm_sub_epi32(host(a), host(b))); }
Xmm psubq(const Xmm& a, const Xmm& b) { return lanes(_mm_sub_epi64(host(a), host(b))); }
Xmm psubsb(const Xmm& a, const Xmm& b) { return lanes(_mm_subs_epi8(host(a), host(b))); }
Xmm psubsw(const Xmm& a, const Xmm& b) { return lanes(_mm_subs_epi16(host(a), host(b))); }
Xmm psubusb(const Xmm& a, const Xmm& b) { return lanes(_mm_subs_epu8(host(a), host(b))); }
Xmm psubusw(const Xmm& a, const Xmm& b) { return lanes(_mm_subs_epu16(host(a), host(b))); }

// ---- multiplication

Xmm pmullw(const Xmm& a, const Xmm& b) { return lanes(_mm_mullo_epi16(host(a), host(b))); }
Xmm pmulhw(const Xmm& a, const Xmm& b) { return lanes(_mm_mulhi_epi16(host(a), host(b))); }
Xmm pmulhuw(const Xmm& a, const Xmm& b) { return lanes(_mm_mulhi_epu16(host(a), host(b))); }
Xmm pmuludq(const Xmm& a, const Xmm& b) { return lanes(_mm_mul_epu32(host(a), host(b))); }
Xmm pmaddwd(const Xmm& a, const Xmm& b) { return lanes(_mm_madd_epi16(host(a), host(b))); }
Xmm pmulld(const Xmm& a, const Xmm& b) {
  return map_lanes<u32>(a, b, [](u32 x, u32 y) { return x * y; });
}
Xmm pmuldq(const Xmm& a, const Xmm& b) {
  Xmm r;
  for (unsigned n = 0; n < 2; ++n)
    r.set<i64>(n, static_cast<i64>(a.get<i32>(2 * n)) * b.get<i32>(2 * n));
  return r;
}
Xmm pmulhrsw(const Xmm& a, const Xmm& b) {
  return map_lanes<i16>(a, b, [](int x, int y) { return ((x * y >> 14) + 1) >> 1; });
}
// Unsigned bytes of the first by signed bytes of the second source.
Xmm pmaddubsw(const Xmm& a, const Xmm& b) {
  Xmm r;
  for (unsigned n = 0; n < 8; ++n) {
    const int sum =
        a.get<u8>(2 * n) * b.get<i8>(2 * n) + a.get<u8>(2 * n + 1) * b.get<i8>(2 * n + 1);
    r.set<i16>(n, saturated<i16>(sum));
  }
  return r;
}

// ---- horizontal

template <class T, class Function>
Xmm horizontal(const Xmm& a, const Xmm& b, Function function) {
  Xmm r;
  constexpr unsigned kHalf = Xmm::kCount<T> / 2;
  for (unsigned n = 0; n < kHalf; ++n) {
    r.set<T>(n, static_cast<T>(function(a.get<T>(2 * n), a.get<T>(2 * n + 1))));
    r.set<T>(kHalf + n, static_cast<T>(function(b.get<T>(2 * n), b.get<T>(2 * n + 1))));
  }
  return r;
}
Xmm phaddw(const Xmm& a, const Xmm& b) {
  return horizontal<i16>(a, b, [](int x, int y) { return x + y; });
}
Xmm phaddd(const Xmm& a, const Xmm& b) {
  return horizontal<u32>(a, b, [](u32 x, u32 y) { return x + y; });
}
Xmm phaddsw(const Xmm& a, const Xmm& b) {
  return horizontal<i16>(a, b, [](int x, int y) { return saturated<i16>(x + y); });
}
Xmm phsubw(const Xmm& a, const Xmm& b) {
  return horizontal<i16>(a, b, [](int x, int y) { return x - y; });
}
Xmm phsubd(const Xmm& a, const Xmm& b) {
  return horizontal<u32>(a, b, [](u32 x, u32 y) { return x - y; });
}
Xmm phsubsw(const Xmm& a, const Xmm& b) {
  return horizontal<i16>(a, b, [](int x, int y) { return saturated<i16>(x - y); });
}
Xmm psadbw(const Xmm& a, const Xmm& b) { return lanes(_mm_sad_epu8(host(a), host(b))); }

// Four-byte blocks: one of the second source against eight overlapping ones of the first.
Xmm sum_absolute_blocks(const Xmm& a, const Xmm& b, unsigned first, unsigned second) {
  Xmm r;
  for (unsigned n = 0; n < 8; ++n) {
    int sum = 0;
    for (unsigned k = 0; k < 4; ++k)
      sum += std::abs(a.get<u8>(first + n + k) - b.get<u8>(second + k));
    r.set<u16>(n, static_cast<u16>(sum));
  }
  return r;
}
// The upper half of VMPSADBW has selectors of its own, in bits 5:3.
struct Mpsadbw {
  static Xmm half(const Xmm& a, const Xmm& b, u64 selectors) {
    return sum_absolute_blocks(a, b, static_cast<unsigned>(bits(selectors, 2, 2)) * 4,
                               static_cast<unsigned>(bits(selectors, 1, 0)) * 4);
  }
  template <unsigned size>
  static bool apply(Core&, const Op& op, const Lanes<size>& a, const Lanes<size>& b,
                    Lanes<size>& out) {
    if constexpr (size == 16) {
      out = half(a, b, op.imm);
    } else {
      out = joined(half(low_lanes(a), low_lanes(b), op.imm),
                   half(high_lanes(a), high_lanes(b), bits(op.imm, 5, 3)));
    }
    return true;
  }
};

// The least unsigned word and its position.
Xmm phminposuw(const Xmm& a) {
  unsigned best = 0;
  for (unsigned n = 1; n < 8; ++n)
    if (a.get<u16>(n) < a.get<u16>(best)) best = n;
  Xmm r{};
  r.set<u16>(0, a.get<u16>(best));
  r.set<u16>(1, static_cast<u16>(best));
  return r;
}

// ---- average, absolute value, sign

Xmm pavgb(const Xmm& a, const Xmm& b) { return lanes(_mm_avg_epu8(host(a), host(b))); }
Xmm pavgw(const Xmm& a, const Xmm& b) { return lanes(_mm_avg_epu16(host(a), host(b))); }

template <class T>
Xmm absolute(const Xmm& a) {
  return map_lanes<T>(a, [](i64 x) { return x < 0 ? -x : x; });
}
template <class T>
Xmm with_sign(const Xmm& a, const Xmm& b) {
  return map_lanes<T>(a, b, [](i64 x, i64 sign) { return sign < 0 ? -x : sign == 0 ? 0 : x; });
}

// ---- minimum, maximum

Xmm pminub(const Xmm& a, const Xmm& b) { return lanes(_mm_min_epu8(host(a), host(b))); }
Xmm pmaxub(const Xmm& a, const Xmm& b) { return lanes(_mm_max_epu8(host(a), host(b))); }
Xmm pminsw(const Xmm& a, const Xmm& b) { return lanes(_mm_min_epi16(host(a), host(b))); }
Xmm pmaxsw(const Xmm& a, const Xmm& b) { return lanes(_mm_max_epi16(host(a), host(b))); }
template <class T>
Xmm minimum(const Xmm& a, const Xmm& b) {
  return map_lanes<T>(a, b, [](T x, T y) { return x < y ? x : y; });
}
template <class T>
Xmm maximum(const Xmm& a, const Xmm& b) {
  return map_lanes<T>(a, b, [](T x, T y) { return x > y ? x : y; });
}

// ---- comparison

Xmm pcmpeqb(const Xmm& a, const Xmm& b) { return lanes(_mm_cmpeq_epi8(host(a), host(b))); }
Xmm pcmpeqw(const Xmm& a, const Xmm& b) { return lanes(_mm_cmpeq_epi16(host(a), host(b))); }
Xmm pcmpeqd(const Xmm& a, const Xmm& b) { return lanes(_mm_cmpeq_epi32(host(a), host(b))); }
Xmm pcmpgtb(const Xmm& a, const Xmm& b) { return lanes(_mm_cmpgt_epi8(host(a), host(b))); }
Xmm pcmpgtw(const Xmm& a, const Xmm& b) { return lanes(_mm_cmpgt_epi16(host(a), host(b))); }
Xmm pcmpgtd(const Xmm& a, const Xmm& b) { return lanes(_mm_cmpgt_epi32(host(a), host(b))); }
Xmm pcmpeqq(const Xmm& a, const Xmm& b) {
  return map_lanes<u64>(a, b, [](u64 x, u64 y) { return x == y ? ~u64{0} : 0; });
}
Xmm pcmpgtq(const Xmm& a, const Xmm& b) {
  return map_lanes<i64>(a, b, [](i64 x, i64 y) { return x > y ? -1 : 0; });
}

// ---- logic

Xmm pand(const Xmm& a, const Xmm& b) { return lanes(_mm_and_si128(host(a), host(b))); }
Xmm pandn(const Xmm& a, const Xmm& b) { return lanes(_mm_andnot_si128(host(a), host(b))); }
Xmm por(const Xmm& a, const Xmm& b) { return lanes(_mm_or_si128(host(a), host(b))); }
Xmm pxor(const Xmm& a, const Xmm& b) { return lanes(_mm_xor_si128(host(a), host(b))); }

// Most mnemonics have MMX forms that do the same to the lanes of 64 bits.
template <auto function>
constexpr Binder kAllForms = mmx_or<bind_mmx<on_low_half<function>>, binary<function>>;
template <auto function>
constexpr Binder kAllForms1 = mmx_or<bind_mmx<on_low_half<function>>, unary<function>>;
template <auto function>
constexpr Binder kHorizontalForms = mmx_or<bind_mmx<on_pair<function>>, binary<function>>;

constexpr InstructionRow kRows[] = {
    mmx_row(ZYDIS_MNEMONIC_PADDB, kAllForms<paddb>),
    avx_row(ZYDIS_MNEMONIC_VPADDB, binary<paddb>),
    mmx_row(ZYDIS_MNEMONIC_PADDW, kAllForms<paddw>),
    avx_row(ZYDIS_MNEMONIC_VPADDW, binary<paddw>),
    mmx_row(ZYDIS_MNEMONIC_PADDD, kAllForms<paddd>),
    avx_row(ZYDIS_MNEMONIC_VPADDD, binary<paddd>),
    mmx_row(ZYDIS_MNEMONIC_PADDQ, kAllForms<paddq>),
    avx_row(ZYDIS_MNEMONIC_VPADDQ, binary<paddq>),
    mmx_row(ZYDIS_MNEMONIC_PADDSB, kAllForms<paddsb>),
    avx_row(ZYDIS_MNEMONIC_VPADDSB, binary<paddsb>),
    mmx_row(ZYDIS_MNEMONIC_PADDSW, kAllForms<paddsw>),
    avx_row(ZYDIS_MNEMONIC_VPADDSW, binary<paddsw>),
    mmx_row(ZYDIS_MNEMONIC_PADDUSB, kAllForms<paddusb>),
    avx_row(ZYDIS_MNEMONIC_VPADDUSB, binary<paddusb>),
    mmx_row(ZYDIS_MNEMONIC_PADDUSW, kAllForms<paddusw>),
    avx_row(ZYDIS_MNEMONIC_VPADDUSW, binary<paddusw>),
    mmx_row(ZYDIS_MNEMONIC_PSUBB, kAllForms<psubb>),
    avx_row(ZYDIS_MNEMONIC_VPSUBB, binary<psubb>),
    mmx_row(ZYDIS_MNEMONIC_PSUBW, kAllForms<psubw>),
    avx_row(ZYDIS_MNEMONIC_VPSUBW, binary<psubw>),
    mmx_row(ZYDIS_MNEMONIC_PSUBD, kAllForms<psubd>),
    avx_row(ZYDIS_MNEMONIC_VPSUBD, binary<psubd>),
    mmx_row(ZYDIS_MNEMONIC_PSUBQ, kAllForms<psubq>),
    avx_row(ZYDIS_MNEMONIC_VPSUBQ, binary<psubq>),
    mmx_row(ZYDIS_MNEMONIC_PSUBSB, kAllForms<psubsb>),
    avx_row(ZYDIS_MNEMONIC_VPSUBSB, binary<psubsb>),
    mmx_row(ZYDIS_MNEMONIC_PSUBSW, kAllForms<psubsw>),
    avx_row(ZYDIS_MNEMONIC_VPSUBSW, binary<psubsw>),
    mmx_row(ZYDIS_MNEMONIC_PSUBUSB, kAllForms<psubusb>),
    avx_row(ZYDIS_MNEMONIC_VPSUBUSB, binary<psubusb>),
    mmx_row(ZYDIS_MNEMONIC_PSUBUSW, kAllForms<psubusw>),
    avx_row(ZYDIS_MNEMONIC_VPSUBUSW, binary<psubusw>),

    mmx_row(ZYDIS_MNEMONIC_PMULLW, kAllForms<pmullw>),
    avx_row(ZYDIS_MNEMONIC_VPMULLW, binary<pmullw>),
    mmx_row(ZYDIS_MNEMONIC_PMULHW, kAllForms<pmulhw>),
    avx_row(ZYDIS_MNEMONIC_VPMULHW, binary<pmulhw>),
    mmx_row(ZYDIS_MNEMONIC_PMULHUW, kAllForms<pmulhuw>),
    avx_row(ZYDIS_MNEMONIC_VPMULHUW, binary<pmulhuw>),
    mmx_row(ZYDIS_MNEMONIC_PMULUDQ, kAllForms<pmuludq>),
    avx_row(ZYDIS_MNEMONIC_VPMULUDQ, binary<pmuludq>),
    mmx_row(ZYDIS_MNEMONIC_PMADDWD, kAllForms<pmaddwd>),
    avx_row(ZYDIS_MNEMONIC_VPMADDWD, binary<pmaddwd>),
    sse_row(ZYDIS_MNEMONIC_PMULLD, binary<pmulld>),
    avx_row(ZYDIS_MNEMONIC_VPMULLD, binary<pmulld>),
    sse_row(ZYDIS_MNEMONIC_PMULDQ, binary<pmuldq>),
    avx_row(ZYDIS_MNEMONIC_VPMULDQ, binary<pmuldq>),
    mmx_row(ZYDIS_MNEMONIC_PMULHRSW, kAllForms<pmulhrsw>),
    avx_row(ZYDIS_MNEMONIC_VPMULHRSW, binary<pmulhrsw>),
    mmx_row(ZYDIS_MNEMONIC_PMADDUBSW, kAllForms<pmaddubsw>),
    avx_row(ZYDIS_MNEMONIC_VPMADDUBSW, binary<pmaddubsw>),

    mmx_row(ZYDIS_MNEMONIC_PHADDW, kHorizontalForms<phaddw>),
    avx_row(ZYDIS_MNEMONIC_VPHADDW, binary<phaddw>),
    mmx_row(ZYDIS_MNEMONIC_PHADDD, kHorizontalForms<phaddd>),
    avx_row(ZYDIS_MNEMONIC_VPHADDD, binary<phaddd>),
    mmx_row(ZYDIS_MNEMONIC_PHADDSW, kHorizontalForms<phaddsw>),
    avx_row(ZYDIS_MNEMONIC_VPHADDSW, binary<phaddsw>),
    mmx_row(ZYDIS_MNEMONIC_PHSUBW, kHorizontalForms<phsubw>),
    avx_row(ZYDIS_MNEMONIC_VPHSUBW, binary<phsubw>),
    mmx_row(ZYDIS_MNEMONIC_PHSUBD, kHorizontalForms<phsubd>),
    avx_row(ZYDIS_MNEMONIC_VPHSUBD, binary<phsubd>),
    mmx_row(ZYDIS_MNEMONIC_PHSUBSW, kHorizontalForms<phsubsw>),
    avx_row(ZYDIS_MNEMONIC_VPHSUBSW, binary<phsubsw>),
    mmx_row(ZYDIS_MNEMONIC_PSADBW, kAllForms<psadbw>),
    avx_row(ZYDIS_MNEMONIC_VPSADBW, binary<psadbw>),
    sse_row(ZYDIS_MNEMONIC_MPSADBW, bind_binary<Mpsadbw>),
    avx_row(ZYDIS_MNEMONIC_VMPSADBW, bind_binary<Mpsadbw>),
    sse_row(ZYDIS_MNEMONIC_PHMINPOSUW, unary_128<phminposuw>),
    avx_row(ZYDIS_MNEMONIC_VPHMINPOSUW, unary_128<phminposuw>),

    mmx_row(ZYDIS_MNEMONIC_PAVGB, kAllForms<pavgb>),
    avx_row(ZYDIS_MNEMONIC_VPAVGB, binary<pavgb>),
    mmx_row(ZYDIS_MNEMONIC_PAVGW, kAllForms<pavgw>),
    avx_row(ZYDIS_MNEMONIC_VPAVGW, binary<pavgw>),
    mmx_row(ZYDIS_MNEMONIC_PABSB, kAllForms1<absolute<i8>>),
    avx_row(ZYDIS_MNEMONIC_VPABSB, unary<absolute<i8>>),
    mmx_row(ZYDIS_MNEMONIC_PABSW, kAllForms1<absolute<i16>>),
    avx_row(ZYDIS_MNEMONIC_VPABSW, unary<absolute<i16>>),
    mmx_row(ZYDIS_MNEMONIC_PABSD, kAllForms1<absolute<i32>>),
    avx_row(ZYDIS_MNEMONIC_VPABSD, unary<absolute<i32>>),
    mmx_row(ZYDIS_MNEMONIC_PSIGNB, kAllForms<with_sign<i8>>),
    avx_row(ZYDIS_MNEMONIC_VPSIGNB, binary<with_sign<i8>>),
    mmx_row(ZYDIS_MNEMONIC_PSIGNW, kAllForms<with_sign<i16>>),
    avx_row(ZYDIS_MNEMONIC_VPSIGNW, binary<with_sign<i16>>),
    mmx_row(ZYDIS_MNEMONIC_PSIGND, kAllForms<with_sign<i32>>),
    avx_row(ZYDIS_MNEMONIC_VPSIGND, binary<with_sign<i32>>),

    mmx_row(ZYDIS_MNEMONIC_PMINUB, kAllForms<pminub>),
    avx_row(ZYDIS_MNEMONIC_VPMINUB, binary<pminub>),
    mmx_row(ZYDIS_MNEMONIC_PMAXUB, kAllForms<pmaxub>),
    avx_row(ZYDIS_MNEMONIC_VPMAXUB, binary<pmaxub>),
    mmx_row(ZYDIS_MNEMONIC_PMINSW, kAllForms<pminsw>),
    avx_row(ZYDIS_MNEMONIC_VPMINSW, binary<pminsw>),
    mmx_row(ZYDIS_MNEMONIC_PMAXSW, kAllForms<pmaxsw>),
    avx_row(ZYDIS_MNEMONIC_VPMAXSW, binary<pmaxsw>),
    sse_row(ZYDIS_MNEMONIC_PMINSB, binary<minimum<i8>>),
    avx_row(ZYDIS_MNEMONIC_VPMINSB, binary<minimum<i8>>),
    sse_row(ZYDIS_MNEMONIC_PMINSD, binary<minimum<i32>>),
    avx_row(ZYDIS_MNEMONIC_VPMINSD, binary<minimum<i32>>),
    sse_row(ZYDIS_MNEMONIC_PMINUW, binary<minimum<u16>>),
    avx_row(ZYDIS_MNEMONIC_VPMINUW, binary<minimum<u16>>),
    sse_row(ZYDIS_MNEMONIC_PMINUD, binary<minimum<u32>>),
    avx_row(ZYDIS_MNEMONIC_VPMINUD, binary<minimum<u32>>),
    sse_row(ZYDIS_MNEMONIC_PMAXSB, binary<maximum<i8>>),
    avx_row(ZYDIS_MNEMONIC_VPMAXSB, binary<maximum<i8>>),
    sse_row(ZYDIS_MNEMONIC_PMAXSD, binary<maximum<i32>>),
    avx_row(ZYDIS_MNEMONIC_VPMAXSD, binary<maximum<i32>>),
    sse_row(ZYDIS_MNEMONIC_PMAXUW, binary<maximum<u16>>),
    avx_row(ZYDIS_MNEMONIC_VPMAXUW, binary<maximum<u16>>),
    sse_row(ZYDIS_MNEMONIC_PMAXUD, binary<maximum<u32>>),
    avx_row(ZYDIS_MNEMONIC_VPMAXUD, binary<maximum<u32>>),

    mmx_row(ZYDIS_MNEMONIC_PCMPEQB, kAllForms<pcmpeqb>),
    avx_row(ZYDIS_MNEMONIC_VPCMPEQB, binary<pcmpeqb>),
    mmx_row(ZYDIS_MNEMONIC_PCMPEQW, kAllForms<pcmpeqw>),
    avx_row(ZYDIS_MNEMONIC_VPCMPEQW, binary<pcmpeqw>),
    mmx_row(ZYDIS_MNEMONIC_PCMPEQD, kAllForms<pcmpeqd>),
    avx_row(ZYDIS_MNEMONIC_VPCMPEQD, binary<pcmpeqd>),
    sse_row(ZYDIS_MNEMONIC_PCMPEQQ, binary<pcmpeqq>),
    avx_row(ZYDIS_MNEMONIC_VPCMPEQQ, binary<pcmpeqq>),
    mmx_row(ZYDIS_MNEMONIC_PCMPGTB, kAllForms<pcmpgtb>),
    avx_row(ZYDIS_MNEMONIC_VPCMPGTB, binary<pcmpgtb>),
    mmx_row(ZYDIS_MNEMONIC_PCMPGTW, kAllForms<pcmpgtw>),
    avx_row(ZYDIS_MNEMONIC_VPCMPGTW, binary<pcmpgtw>),
    mmx_row(ZYDIS_MNEMONIC_PCMPGTD, kAllForms<pcmpgtd>),
    avx_row(ZYDIS_MNEMONIC_VPCMPGTD, binary<pcmpgtd>),
    sse_row(ZYDIS_MNEMONIC_PCMPGTQ, binary<pcmpgtq>),
    avx_row(ZYDIS_MNEMONIC_VPCMPGTQ, binary<pcmpgtq>),

    mmx_row(ZYDIS_MNEMONIC_PAND, kAllForms<pand>),
    avx_row(ZYDIS_MNEMONIC_VPAND, binary<pand>),
    mmx_row(ZYDIS_MNEMONIC_PANDN, kAllForms<pandn>),
    avx_row(ZYDIS_MNEMONIC_VPANDN, binary<pandn>),
    mmx_row(ZYDIS_MNEMONIC_POR, kAllForms<por>),
    avx_row(ZYDIS_MNEMONIC_VPOR, binary<por>),
    mmx_row(ZYDIS_MNEMONIC_PXOR, kAllForms<pxor>),
    avx_row(ZYDIS_MNEMONIC_VPXOR, binary<pxor>),
    sse_row(ZYDIS_MNEMONIC_ANDPS, binary<pand>),
    avx_row(ZYDIS_MNEMONIC_VANDPS, binary<pand>),
    sse_row(ZYDIS_MNEMONIC_ANDPD, binary<pand>),
    avx_row(ZYDIS_MNEMONIC_VANDPD, binary<pand>),
    sse_row(ZYDIS_MNEMONIC_ANDNPS, binary<pandn>),
    avx_row(ZYDIS_MNEMONIC_VANDNPS, binary<pandn>),
    sse_row(ZYDIS_MNEMONIC_ANDNPD, binary<pandn>),
    avx_row(ZYDIS_MNEMONIC_VANDNPD, binary<pandn>),
    sse_row(ZYDIS_MNEMONIC_ORPS, binary<por>),
    avx_row(ZYDIS_MNEMONIC_VORPS, binary<por>),
    sse_row(ZYDIS_MNEMONIC_ORPD, binary<por>),
    avx_row(ZYDIS_MNEMONIC_VORPD, binary<por>),
    sse_row(ZYDIS_MNEMONIC_XORPS, binary<pxor>),
    avx_row(ZYDIS_MNEMONIC_VXORPS, binary<pxor>),
    sse_row(ZYDIS_MNEMONIC_XORPD, binary<pxor>),
    avx_row(ZYDIS_MNEMONIC_VXORPD, binary<pxor>),
};

}  // namespace

Rows vector_integer_rows() { return kRows; }

}  // namespace vtsim::cpu
