#pragma once
// The host processor as the oracle of arithmetic: one instruction, its result and its flags.

#include <random>
#include <vector>

#include "model/cpu/flags.h"

namespace vtsim::cpu::test {

template <class T>
struct HostResult {
  T value;
  u64 flags;  // the six arithmetic flags
};

// From LAHF and SETO: AH holds SF ZF AF PF CF, AL holds OF.
inline u64 flags_from_ax(u64 ax) {
  const u64 low = bits(ax, 15, 8) & Rflags::kArithmetic;
  return Reg<Rflags>(low).with(Rflags::OF, ax & 1).value;
}

// value <- value op source, with CF = carry before. AT&T order; operands print by their type's size.
#define VTSIM_HOST_BINARY(name, mnemonic)                                          \
  template <class T>                                                               \
  HostResult<T> host_##name(T value, T source, bool carry) {                       \
    u64 ax;                                                                        \
    u8 c = carry;                                                                  \
    asm volatile("addb $0xFF, %[c]\n\t" mnemonic " %[b], %[a]\n\tlahf\n\tseto %%al" \
                 : [a] "+r"(value), [c] "+r"(c), "=&a"(ax)                         \
                 : [b] "r"(source)                                                 \
                 : "cc");                                                          \
    return {value, flags_from_ax(ax)};                                             \
  }
#define VTSIM_HOST_UNARY(name, mnemonic)                                     \
  template <class T>                                                         \
  HostResult<T> host_##name(T value, bool carry) {                           \
    u64 ax;                                                                  \
    u8 c = carry;                                                            \
    asm volatile("addb $0xFF, %[c]\n\t" mnemonic " %[a]\n\tlahf\n\tseto %%al" \
                 : [a] "+r"(value), [c] "+r"(c), "=&a"(ax)                   \
                 :                                                           \
                 : "cc");                                                    \
    return {value, flags_from_ax(ax)};                                       \
  }
#define VTSIM_HOST_SHIFT(name, mnemonic)                                            \
  template <class T>                                                                \
  HostResult<T> host_##name(T value, u8 count, bool carry) {                        \
    u64 ax;                                                                         \
    u8 c = carry;                                                                   \
    asm volatile("addb $0xFF, %[c]\n\t" mnemonic " %%cl, %[a]\n\tlahf\n\tseto %%al" \
                 : [a] "+r"(value), [c] "+r"(c), "=&a"(ax)                          \
                 : "c"(count)                                                       \
                 : "cc");                                                           \
    return {value, flags_from_ax(ax)};                                              \
  }
#define VTSIM_HOST_DOUBLE_SHIFT(name, mnemonic)                                            \
  template <class T>                                                                       \
  HostResult<T> host_##name(T value, T source, u8 count) {                                 \
    u64 ax;                                                                                \
    asm volatile(mnemonic " %%cl, %[b], %[a]\n\tlahf\n\tseto %%al"                         \
                 : [a] "+r"(value), "=&a"(ax)                                              \
                 : "c"(count), [b] "r"(source)                                             \
                 : "cc");                                                                  \
    return {value, flags_from_ax(ax)};                                                     \
  }

VTSIM_HOST_BINARY(add, "add")
VTSIM_HOST_BINARY(adc, "adc")
VTSIM_HOST_BINARY(sub, "sub")
VTSIM_HOST_BINARY(sbb, "sbb")
VTSIM_HOST_BINARY(and, "and")
VTSIM_HOST_UNARY(inc, "inc")
VTSIM_HOST_UNARY(dec, "dec")
VTSIM_HOST_SHIFT(shl, "shl")
VTSIM_HOST_SHIFT(shr, "shr")
VTSIM_HOST_SHIFT(sar, "sar")
VTSIM_HOST_SHIFT(rol, "rol")
VTSIM_HOST_SHIFT(ror, "ror")
VTSIM_HOST_SHIFT(rcl, "rcl")
VTSIM_HOST_SHIFT(rcr, "rcr")
VTSIM_HOST_DOUBLE_SHIFT(shld, "shld")
VTSIM_HOST_DOUBLE_SHIFT(shrd, "shrd")

#undef VTSIM_HOST_BINARY
#undef VTSIM_HOST_UNARY
#undef VTSIM_HOST_SHIFT
#undef VTSIM_HOST_DOUBLE_SHIFT

// Corners of each width, and as many random values.
template <class T>
std::vector<T> interesting_values(u64 seed, unsigned random_count) {
  std::vector<T> values;
  for (const u64 corner : {u64{0}, u64{1}, u64{2}, u64{0x0F}, u64{0x10}, u64{0x7F}, u64{0x80},
                           u64{0xFF}, u64{0x7FFF}, u64{0x8000}, u64{0xFFFF}, u64{0x7FFFFFFF},
                           u64{0x80000000}, u64{0xFFFFFFFF}, ~u64{0} >> 1, ~u64{0} - 1, ~u64{0},
                           u64{1} << 63})
    values.push_back(static_cast<T>(corner));
  std::mt19937_64 random(seed);
  for (unsigned n = 0; n < random_count; ++n) values.push_back(static_cast<T>(random()));
  return values;
}

}  // namespace vtsim::cpu::test
