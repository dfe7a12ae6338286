// Multiplication, division, CRC32 and the bit permutations of BMI.

#include <catch2/catch.hpp>

#include "model/cpu/exec/bmi.h"
#include "model/cpu/exec/crc32.h"
#include "model/cpu/exec/multiply.h"
#include "tests/cpu/host_alu.h"

using namespace vtsim;
using namespace vtsim::cpu;
using namespace vtsim::cpu::test;

namespace {

// Schoolbook multiplication, for an oracle that shares nothing with the model.
template <class T>
std::pair<T, T> long_product(T a, T b) {
  T low = 0, high = 0;
  constexpr unsigned kBits = sizeof(T) * 8;
  for (unsigned n = 0; n < kBits; ++n) {
    if (!((b >> n) & 1)) continue;
    const T addend = static_cast<T>(a << n);
    low = static_cast<T>(low + addend);
    high = static_cast<T>(high + (n ? a >> (kBits - n) : 0) + (low < addend));
  }
  return {low, high};
}

template <class T>
bool negative(T value) {
  return (value & kSignBit<T>) != 0;
}

}  // namespace

TEMPLATE_TEST_CASE("MUL and IMUL give both halves, CF and OF tell whether the high one matters",
                   "", u8, u16, u32, u64) {
  using T = TestType;
  u64 bad = 0;
  const auto values = interesting_values<T>(21, 60);
  for (const T a : values) {
    for (const T b : values) {
      const auto [low, high] = long_product(a, b);
      const Product<T> ours = multiply<false, T>(a, b);
      bad += ours.low != low || ours.high != high || ours.overflow != (high != 0);
      // Signed: the unsigned product less 2^n times the other factor for each negative one.
      const T signed_high =
          static_cast<T>(high - (negative(a) ? b : T{0}) - (negative(b) ? a : T{0}));
      const Product<T> signed_ours = multiply<true, T>(a, b);
      const T extension = negative(low) ? static_cast<T>(~T{0}) : T{0};
      bad += signed_ours.low != low || signed_ours.high != signed_high ||
             signed_ours.overflow != (signed_high != extension);
    }
  }
  CHECK(bad == 0);
}

TEST_CASE("8-bit DIV and IDIV: every dividend and divisor") {
  u64 bad = 0;
  for (int dividend = 0; dividend < 0x10000; ++dividend) {
    for (int divisor = 0; divisor < 0x100; ++divisor) {
      const u8 high = static_cast<u8>(dividend >> 8), low = static_cast<u8>(dividend);
      Quotient<u8> out{};
      const bool done = divide<false, u8>(high, low, static_cast<u8>(divisor), out);
      const bool expected = divisor != 0 && dividend / divisor <= 0xFF;
      bad += done != expected;
      if (done && expected)
        bad += out.quotient != dividend / divisor || out.remainder != dividend % divisor;

      const int signed_dividend = static_cast<i16>(dividend);
      const int signed_divisor = static_cast<i8>(divisor);
      const bool signed_done = divide<true, u8>(high, low, static_cast<u8>(divisor), out);
      const bool signed_expected = divisor != 0 && signed_dividend / signed_divisor >= -128 &&
                                   signed_dividend / signed_divisor <= 127;
      bad += signed_done != signed_expected;
      if (signed_done && signed_expected) {
        bad += static_cast<i8>(out.quotient) != signed_dividend / signed_divisor ||
               static_cast<i8>(out.remainder) != signed_dividend % signed_divisor;
      }
    }
  }
  CHECK(bad == 0);
}

TEMPLATE_TEST_CASE("DIV and IDIV undo a multiplication with a remainder", "", u16, u32, u64) {
  using T = TestType;
  using S = std::make_signed_t<T>;
  constexpr unsigned kBits = sizeof(T) * 8;
  u64 bad = 0;
  std::mt19937_64 random(22);
  for (unsigned n = 0; n < 20000; ++n) {
    const T quotient = static_cast<T>(random() >> random() % 64);
    const T divisor = static_cast<T>(random() >> random() % 64);
    if (divisor == 0) continue;
    const T remainder = static_cast<T>(random() % divisor);
    const u128 dividend = static_cast<u128>(quotient) * divisor + remainder;
    Quotient<T> out{};
    const bool done =
        divide<false, T>(static_cast<T>(dividend >> kBits), static_cast<T>(dividend), divisor, out);
    bad += !done || out.quotient != quotient || out.remainder != remainder;

    // The remainder has the dividend's sign.
    const S sq = static_cast<S>(quotient), sd = static_cast<S>(divisor);
    const i128 magnitude = sd < 0 ? -static_cast<i128>(sd) : static_cast<i128>(sd);
    const i128 product = static_cast<i128>(sq) * sd;
    i128 rest = static_cast<i128>(random() >> 1) % magnitude;
    if (product < 0) rest = -rest;
    const i128 signed_dividend = product + rest;
    const bool signed_done =
        divide<true, T>(static_cast<T>(signed_dividend >> kBits), static_cast<T>(signed_dividend),
                        divisor, out);
    bad += !signed_done || static_cast<S>(out.quotient) != sq ||
           static_cast<S>(out.remainder) != static_cast<S>(rest);
  }
  CHECK(bad == 0);
}

TEMPLATE_TEST_CASE("IDIV of the most negative dividends by -1 and others is #DE, not a host trap",
                   "", u8, u16, u32, u64) {
  using T = TestType;
  const T minus_one = static_cast<T>(~T{0});
  Quotient<T> out{};
  CHECK_FALSE(divide<true, T>(kSignBit<T>, 0, minus_one, out));   // the smallest of double width
  CHECK_FALSE(divide<true, T>(minus_one, kSignBit<T>, minus_one, out));  // -2^(n-1) / -1
  CHECK(divide<true, T>(minus_one, static_cast<T>(kSignBit<T> + 1), minus_one, out));
  CHECK(out.quotient == static_cast<T>(kSignBit<T> - 1));
  CHECK(out.remainder == 0);
  CHECK_FALSE(divide<true, T>(0, kSignBit<T>, 1, out));
  CHECK(divide<true, T>(minus_one, kSignBit<T>, 1, out));
  CHECK(out.quotient == kSignBit<T>);
  CHECK_FALSE(divide<false, T>(1, 0, 1, out));
  CHECK_FALSE(divide<false, T>(0, 1, 0, out));
}

TEST_CASE("CRC32 accumulates CRC-32C whatever the width of its steps") {
  // RFC 3720 "CRC Examples": 32 bytes of zeros give AA 36 91 8A.
  u32 crc = ~u32{0};
  for (unsigned n = 0; n < 4; ++n) crc = crc32c<u64>(crc, 0);
  CHECK(~crc == 0x8A9136AA);
  // The same bytes by any width.
  const u64 data = 0x0123456789ABCDEF;
  u32 bytes = 1;
  for (unsigned n = 0; n < 8; ++n) bytes = crc32c<u8>(bytes, static_cast<u8>(data >> (8 * n)));
  CHECK(crc32c<u64>(1, data) == bytes);
  CHECK(crc32c<u32>(crc32c<u32>(1, static_cast<u32>(data)), static_cast<u32>(data >> 32)) == bytes);
}

TEMPLATE_TEST_CASE("PDEP and PEXT: bit by bit", "", u32, u64) {
  using T = TestType;
  u64 bad = 0;
  const auto values = interesting_values<T>(23, 40);
  for (const T source : values) {
    for (const T mask : values) {
      T deposited = 0, extracted = 0;
      unsigned k = 0;
      for (unsigned n = 0; n < sizeof(T) * 8; ++n) {
        if (!bit(mask, n)) continue;
        deposited |= static_cast<T>(static_cast<T>(bit(source, k)) << n);
        extracted |= static_cast<T>(static_cast<T>(bit(source, n)) << k);
        ++k;
      }
      bad += deposit_bits(source, mask) != deposited || extract_bits(source, mask) != extracted;
    }
  }
  CHECK(bad == 0);
}

TEST_CASE("BEXTR and BZHI take starts and lengths beyond the operand") {
  CHECK(bit_field<u32>(0xFFFFFFFF, 0x2004) == 0x0FFFFFFF);  // start 4, length 32
  CHECK(bit_field<u32>(0xFFFFFFFF, 0x0120) == 0);           // start 32
  CHECK(bit_field<u64>(~u64{0}, 0xFF00) == ~u64{0});        // length 255
  CHECK(bit_field<u64>(0x1234, 0x0804) == 0x23);
  CHECK(bit_field<u64>(0x1234, 0x0004) == 0);
  CHECK(low_bits<u32>(0xFFFFFFFF, 8) == 0xFF);
  CHECK(low_bits<u64>(~u64{0}, 200) == ~u64{0});
}
