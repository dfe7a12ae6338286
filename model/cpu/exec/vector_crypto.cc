// AES-NI, PCLMULQDQ and SHA. SDM 1 "AESNI and PCLMULQDQ", "Intel SHA Extensions"; FIPS 197 and 180-4.
// Hosts with AES-NI and PCLMULQDQ compute those; integers are the same on every host.

#include "model/cpu/exec/groups.h"
#include "model/cpu/exec/soft_vector.h"

namespace vtsim::cpu {

namespace {

// ---- AES

#define VTSIM_AES_ROUND(name)                                            \
  [[gnu::always_inline]] inline Xmm name(const Xmm& a, const Xmm& key) { \
    if (!__builtin_cpu_supports("aes")) return soft_##name(a, key);      \
    __m128i v = host(a);                                                 \
    asm(#name " %1, %0" : "+x"(v) : "x"(host(key)));                     \
    return lanes(v);                                                     \
  }
VTSIM_AES_ROUND(aesenc)
VTSIM_AES_ROUND(aesenclast)
VTSIM_AES_ROUND(aesdec)
VTSIM_AES_ROUND(aesdeclast)
#undef VTSIM_AES_ROUND

Xmm aesimc(const Xmm& a) { return mix_columns(a, kAes.inverse_mix); }

u32 substitute_word(u32 x) {
  u32 r = 0;
  for (unsigned n = 0; n < 32; n += 8) r |= static_cast<u32>(kAes.forward[x >> n & 0xFF]) << n;
  return r;
}
Xmm aeskeygenassist(const Xmm& a, u8 round_constant) {
  const u32 low = substitute_word(a.get<u32>(1)), high = substitute_word(a.get<u32>(3));
  Xmm r;
  r.set<u32>(0, low);
  r.set<u32>(1, rotate_left(low, 24) ^ round_constant);
  r.set<u32>(2, high);
  r.set<u32>(3, rotate_left(high, 24) ^ round_constant);
  return r;
}

// ---- PCLMULQDQ: product of polynomials over GF(2)

[[gnu::always_inline]] inline Xmm pclmulqdq(const Xmm& a, const Xmm& b, u8 imm) {
  const u64 x = a.get<u64>(imm & 1), y = b.get<u64>(imm >> 4 & 1);
  if (!__builtin_cpu_supports("pclmul")) return soft_product(x, y);
  __m128i v = _mm_cvtsi64_si128(static_cast<i64>(x));
  asm("pclmulqdq $0, %1, %0" : "+x"(v) : "x"(_mm_cvtsi64_si128(static_cast<i64>(y))));
  return lanes(v);
}

// ---- SHA1: A, B, C, D stand in lanes 3 to 0

Xmm sha1msg1(const Xmm& a, const Xmm& b) {
  Xmm r;
  r.set<u32>(3, a.get<u32>(1) ^ a.get<u32>(3));
  r.set<u32>(2, a.get<u32>(0) ^ a.get<u32>(2));
  r.set<u32>(1, b.get<u32>(3) ^ a.get<u32>(1));
  r.set<u32>(0, b.get<u32>(2) ^ a.get<u32>(0));
  return r;
}
Xmm sha1msg2(const Xmm& a, const Xmm& b) {
  const u32 w16 = rotate_left(a.get<u32>(3) ^ b.get<u32>(2), 1);
  Xmm r;
  r.set<u32>(3, w16);
  r.set<u32>(2, rotate_left(a.get<u32>(2) ^ b.get<u32>(1), 1));
  r.set<u32>(1, rotate_left(a.get<u32>(1) ^ b.get<u32>(0), 1));
  r.set<u32>(0, rotate_left(a.get<u32>(0) ^ w16, 1));
  return r;
}
Xmm sha1nexte(const Xmm& a, const Xmm& b) {
  Xmm r = b;
  r.set<u32>(3, b.get<u32>(3) + rotate_left(a.get<u32>(3), 30));
  return r;
}
u32 sha1_function(unsigned kind, u32 b, u32 c, u32 d) {
  switch (kind) {
    case 0:
      return (b & c) ^ (~b & d);
    case 2:
      return (b & c) ^ (b & d) ^ (c & d);
    default:
      return b ^ c ^ d;
  }
}
Xmm sha1rnds4(const Xmm& state, const Xmm& words, u8 imm) {
  constexpr u32 kConstants[4] = {0x5A827999, 0x6ED9EBA1, 0x8F1BBCDC, 0xCA62C1D6};
  const unsigned kind = imm & 3;
  u32 a = state.get<u32>(3), b = state.get<u32>(2), c = state.get<u32>(1), d = state.get<u32>(0);
  u32 e = 0;  // the first word holds W + E
  for (unsigned n = 4; n-- > 0;) {
    const u32 next =
        sha1_function(kind, b, c, d) + rotate_left(a, 5) + words.get<u32>(n) + e + kConstants[kind];
    e = d;
    d = c;
    c = rotate_left(b, 30);
    b = a;
    a = next;
  }
  Xmm r;
  r.set<u32>(3, a);
  r.set<u32>(2, b);
  r.set<u32>(1, c);
  r.set<u32>(0, d);
  return r;
}

// ---- SHA256

u32 small_sigma0(u32 x) { return rotate_left(x, 25) ^ rotate_left(x, 14) ^ x >> 3; }
u32 small_sigma1(u32 x) { return rotate_left(x, 15) ^ rotate_left(x, 13) ^ x >> 10; }
u32 big_sigma0(u32 x) { return rotate_left(x, 30) ^ rotate_left(x, 19) ^ rotate_left(x, 10); }
u32 big_sigma1(u32 x) { return rotate_left(x, 26) ^ rotate_left(x, 21) ^ rotate_left(x, 7); }

Xmm sha256msg1(const Xmm& a, const Xmm& b) {
  Xmm r;
  for (unsigned n = 0; n < 4; ++n)
    r.set<u32>(n, a.get<u32>(n) + small_sigma0(n < 3 ? a.get<u32>(n + 1) : b.get<u32>(0)));
  return r;
}
Xmm sha256msg2(const Xmm& a, const Xmm& b) {
  Xmm r;
  const u32 w16 = a.get<u32>(0) + small_sigma1(b.get<u32>(2));
  const u32 w17 = a.get<u32>(1) + small_sigma1(b.get<u32>(3));
  r.set<u32>(0, w16);
  r.set<u32>(1, w17);
  r.set<u32>(2, a.get<u32>(2) + small_sigma1(w16));
  r.set<u32>(3, a.get<u32>(3) + small_sigma1(w17));
  return r;
}

// Two rounds; words and constants come in the low half of XMM0.
// dst: C D G H in lanes 3 to 0; src: A B E F.
struct Sha256Rounds {
  template <unsigned size>
  static bool apply(Core& core, const Op&, const Xmm& cdgh, const Xmm& abef, Xmm& out) {
    const Xmm words = read_xmm(core, 0);
    u32 a = abef.get<u32>(3), b = abef.get<u32>(2), e = abef.get<u32>(1), f = abef.get<u32>(0);
    u32 c = cdgh.get<u32>(3), d = cdgh.get<u32>(2), g = cdgh.get<u32>(1), h = cdgh.get<u32>(0);
    for (unsigned n = 0; n < 2; ++n) {
      const u32 t1 = ((e & f) ^ (~e & g)) + big_sigma1(e) + words.get<u32>(n) + h;
      const u32 t2 = ((a & b) ^ (a & c) ^ (b & c)) + big_sigma0(a);
      h = g;
      g = f;
      f = e;
      e = d + t1;
      d = c;
      c = b;
      b = a;
      a = t1 + t2;
    }
    out.set<u32>(3, a);
    out.set<u32>(2, b);
    out.set<u32>(1, e);
    out.set<u32>(0, f);
    return true;
  }
};

constexpr InstructionRow kRows[] = {
    sse_row(ZYDIS_MNEMONIC_AESENC, binary_128<aesenc>),
    avx_row(ZYDIS_MNEMONIC_VAESENC, binary_128<aesenc>),
    sse_row(ZYDIS_MNEMONIC_AESENCLAST, binary_128<aesenclast>),
    avx_row(ZYDIS_MNEMONIC_VAESENCLAST, binary_128<aesenclast>),
    sse_row(ZYDIS_MNEMONIC_AESDEC, binary_128<aesdec>),
    avx_row(ZYDIS_MNEMONIC_VAESDEC, binary_128<aesdec>),
    sse_row(ZYDIS_MNEMONIC_AESDECLAST, binary_128<aesdeclast>),
    avx_row(ZYDIS_MNEMONIC_VAESDECLAST, binary_128<aesdeclast>),
    sse_row(ZYDIS_MNEMONIC_AESIMC, unary_128<aesimc>),
    avx_row(ZYDIS_MNEMONIC_VAESIMC, unary_128<aesimc>),
    sse_row(ZYDIS_MNEMONIC_AESKEYGENASSIST, unary_128<aeskeygenassist>),
    avx_row(ZYDIS_MNEMONIC_VAESKEYGENASSIST, unary_128<aeskeygenassist>),
    sse_row(ZYDIS_MNEMONIC_PCLMULQDQ, binary_128<pclmulqdq>),
    avx_row(ZYDIS_MNEMONIC_VPCLMULQDQ, binary_128<pclmulqdq>),
    sse_row(ZYDIS_MNEMONIC_SHA1MSG1, binary_128<sha1msg1>),
    sse_row(ZYDIS_MNEMONIC_SHA1MSG2, binary_128<sha1msg2>),
    sse_row(ZYDIS_MNEMONIC_SHA1NEXTE, binary_128<sha1nexte>),
    sse_row(ZYDIS_MNEMONIC_SHA1RNDS4, binary_128<sha1rnds4>),
    sse_row(ZYDIS_MNEMONIC_SHA256MSG1, binary_128<sha256msg1>),
    sse_row(ZYDIS_MNEMONIC_SHA256MSG2, binary_128<sha256msg2>),
    sse_row(ZYDIS_MNEMONIC_SHA256RNDS2, bind_binary_128<Sha256Rounds, Whole>),
};

}  // namespace

Rows vector_crypto_rows() { return kRows; }

}  // namespace vtsim::cpu
