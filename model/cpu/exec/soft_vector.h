#pragma once
// What hosts may lack, in software: AES rounds, products of polynomials, PSHUFB.

#include <array>

#include "model/cpu/exec/vector.h"

namespace vtsim::cpu {

// ---- AES: bytes of the state stand in column order, byte 4 * column + row

constexpr u8 times_two(u8 x) { return static_cast<u8>(x << 1 ^ (x & 0x80 ? 0x1B : 0)); }
constexpr u8 field_product(u8 a, u8 b) {
  u8 product = 0;
  for (; b != 0; b >>= 1, a = times_two(a))
    if (b & 1) product ^= a;
  return product;
}

struct AesTables {
  std::array<u8, 256> forward{}, inverse{};
  std::array<u32, 256> mix{}, inverse_mix{};  // one byte's contribution to its column, row 0
};

// FIPS 197 "SubBytes": the multiplicative inverse, then an affine map. 3 generates the field's
// powers.
constexpr AesTables make_aes_tables() {
  AesTables t;
  std::array<u8, 255> power{};
  std::array<u8, 256> logarithm{};
  u8 value = 1;
  for (unsigned n = 0; n < 255; ++n) {
    power[n] = value;
    logarithm[value] = static_cast<u8>(n);
    value = static_cast<u8>(value ^ times_two(value));
  }
  for (unsigned x = 0; x < 256; ++x) {
    const u8 inverse = x == 0 ? u8{0} : power[(255u - logarithm[x]) % 255];
    u8 s = inverse;
    for (unsigned n = 1; n <= 4; ++n) s = static_cast<u8>(s ^ (inverse << n | inverse >> (8 - n)));
    t.forward[x] = static_cast<u8>(s ^ 0x63);
  }
  for (unsigned x = 0; x < 256; ++x) t.inverse[t.forward[x]] = static_cast<u8>(x);
  const auto column = [](u8 x, u8 a, u8 b, u8 c, u8 d) {
    return static_cast<u32>(field_product(x, a)) | static_cast<u32>(field_product(x, b)) << 8 |
           static_cast<u32>(field_product(x, c)) << 16 |
           static_cast<u32>(field_product(x, d)) << 24;
  };
  for (unsigned x = 0; x < 256; ++x) {
    t.mix[x] = column(static_cast<u8>(x), 2, 1, 1, 3);
    t.inverse_mix[x] = column(static_cast<u8>(x), 14, 9, 13, 11);
  }
  return t;
}
inline constexpr AesTables kAes = make_aes_tables();
static_assert(kAes.forward[0x53] == 0xED, "the example of FIPS 197");

inline u32 rotate_left(u32 x, unsigned n) { return x << (n & 31) | x >> (-n & 31); }

inline Xmm mix_columns(const Xmm& x, const std::array<u32, 256>& table) {
  Xmm r;
  for (unsigned column = 0; column < 4; ++column) {
    u32 sum = 0;
    for (unsigned row = 0; row < 4; ++row)
      sum ^= rotate_left(table[x.bytes[4 * column + row]], 8 * row);
    r.set<u32>(column, sum);
  }
  return r;
}
// Row r moves by r columns: to the left when encrypting (direction 1), to the right (3) otherwise.
inline Xmm shift_rows_and_substitute(const Xmm& x, unsigned direction,
                                     const std::array<u8, 256>& table) {
  Xmm r;
  for (unsigned column = 0; column < 4; ++column)
    for (unsigned row = 0; row < 4; ++row)
      r.bytes[4 * column + row] = table[x.bytes[4 * ((column + direction * row) & 3) + row]];
  return r;
}
inline Xmm with_key(const Xmm& x, const Xmm& key) {
  return lanes(_mm_xor_si128(host(x), host(key)));
}

inline Xmm soft_aesenclast(const Xmm& a, const Xmm& key) {
  return with_key(shift_rows_and_substitute(a, 1, kAes.forward), key);
}
inline Xmm soft_aesenc(const Xmm& a, const Xmm& key) {
  return with_key(mix_columns(shift_rows_and_substitute(a, 1, kAes.forward), kAes.mix), key);
}
inline Xmm soft_aesdeclast(const Xmm& a, const Xmm& key) {
  return with_key(shift_rows_and_substitute(a, 3, kAes.inverse), key);
}
inline Xmm soft_aesdec(const Xmm& a, const Xmm& key) {
  return with_key(mix_columns(shift_rows_and_substitute(a, 3, kAes.inverse), kAes.inverse_mix),
                  key);
}
// ---- PCLMULQDQ: product of polynomials over GF(2)

inline Xmm soft_product(u64 x, u64 y) {
  unsigned __int128 product = 0;
  for (unsigned n = 0; n < 64; ++n)
    if (bit(y, n)) product ^= static_cast<unsigned __int128>(x) << n;
  return lanes(product);
}
// ---- PSHUFB

inline Xmm soft_pshufb(const Xmm& a, const Xmm& control) {
  Xmm r;
  for (unsigned n = 0; n < 16; ++n) {
    const u8 c = control.bytes[n];
    r.bytes[n] = static_cast<u8>(a.bytes[c & 15] & ((c >> 7) - 1));
  }
  return r;
}

}  // namespace vtsim::cpu
