// Floating-point arithmetic on vectors and scalars. SDM 1 "SSE Packed Arithmetic Instructions",
// "SSE2 Packed Arithmetic Instructions", "SSE3 Packed ... Instructions", "SSE4.1 Dot Product /
// Rounding".

#include "model/cpu/exec/float_environment.h"
#include "model/cpu/exec/groups.h"
#include "model/cpu/exec/host_float.h"

namespace vtsim::cpu {

namespace {

// ---- elementwise

template <auto function, class T, auto soft>
constexpr Binder kPacked = bind_binary<Floating<function, soft_packed<T, soft>>>;
template <auto function, class T, auto soft>
constexpr Binder kScalar = bind_binary_128<Floating<function, soft_scalar<T, soft>>, T>;
// What can neither overflow nor underflow.
template <auto function>
constexpr Binder kPackedPlain = bind_binary<Floating<function>>;
template <auto function>
constexpr Binder kPackedUnary = bind_unary<Floating<function>>;
template <auto function, class T>
constexpr Binder kScalarPlain = bind_binary_128<Floating<function>, T>;

// ---- ADDSUB: subtracts in even lanes, adds in odd ones

template <class T>
Xmm with_even_signs_flipped(const Xmm& x) {
  Xmm r = x;
  for (unsigned n = 0; n < Xmm::kCount<T>; n += 2)
    if (!FormatOf<T>::is_nan(x.get<T>(n))) r.set<T>(n, x.get<T>(n) ^ kSignBit<T>);
  return r;
}
template <class T, auto add>
Xmm addsub(const Xmm& a, const Xmm& b) {
  return add(a, with_even_signs_flipped<T>(b));
}
template <class T>
Xmm soft_addsub(FloatEnv& env, const Xmm& a, const Xmm& b) {
  return soft_packed<T, soft_add<FormatOf<T>>>(env, a, with_even_signs_flipped<T>(b));
}

// ---- HADD, HSUB: neighbours of the first source, then of the second

template <class T>
Xmm every_second(const Xmm& a, const Xmm& b, unsigned first) {
  Xmm r;
  constexpr unsigned kHalf = Xmm::kCount<T> / 2;
  for (unsigned n = 0; n < kHalf; ++n) {
    r.set<T>(n, a.get<T>(2 * n + first));
    r.set<T>(kHalf + n, b.get<T>(2 * n + first));
  }
  return r;
}
template <class T, auto function>
Xmm horizontally(const Xmm& a, const Xmm& b) {
  return function(every_second<T>(a, b, 0), every_second<T>(a, b, 1));
}
template <class T, auto function>
Xmm soft_horizontally(FloatEnv& env, const Xmm& a, const Xmm& b) {
  return soft_packed<T, function>(env, every_second<T>(a, b, 0), every_second<T>(a, b, 1));
}

template <class T, auto host_function, auto soft_function>
constexpr Binder kHorizontal =
    bind_binary<Floating<horizontally<T, host_function>, soft_horizontally<T, soft_function>>>;

// ---- DPPS, DPPD: each step is an operation of its own, which may raise before the next

template <class T, auto multiply, auto soft_multiply, auto add, auto soft_add_lanes>
struct DotProduct {
  using Multiply = Floating<multiply, soft_multiply>;
  using Add = Floating<add, soft_add_lanes>;

  static Xmm selected(const Xmm& x, u64 bits) {
    Xmm r{};
    for (unsigned n = 0; n < Xmm::kCount<T>; ++n)
      if (bit(bits, n)) r.set<T>(n, x.get<T>(n));
    return r;
  }
  // Lanes of `x` next to each other are added; the sums stand in the low half.
  template <unsigned size>
  static Lanes<size> halves(const Lanes<size>& x, unsigned first) {
    if constexpr (size == 16) {
      Xmm r{};
      for (unsigned n = 0; n < Xmm::kCount<T> / 2; ++n)
        r.set<T>(n, x.template get<T>(2 * n + first));
      return r;
    } else {
      return joined(halves<16>(low_lanes(x), first), halves<16>(high_lanes(x), first));
    }
  }
  template <unsigned size>
  static Lanes<size> selected_halves(const Lanes<size>& x, u64 bits) {
    if constexpr (size == 16)
      return selected(x, bits);
    else
      return joined(selected(low_lanes(x), bits), selected(high_lanes(x), bits));
  }
  static Xmm spread(const Xmm& x, u64 bits) {
    Xmm r{};
    for (unsigned n = 0; n < Xmm::kCount<T>; ++n)
      if (bit(bits, n)) r.set<T>(n, x.get<T>(0));
    return r;
  }
  template <unsigned size>
  static bool apply(Core& core, const Op& op, const Lanes<size>& a, const Lanes<size>& b,
                    Lanes<size>& out) {
    const u64 factors = bits(op.imm, 7, 4);
    Lanes<size> value;
    if (!Multiply::template apply<size>(core, op, selected_halves(a, factors),
                                        selected_halves(b, factors), value))
      return false;
    for (unsigned n = Xmm::kCount<T>; n > 1; n /= 2) {
      const Lanes<size> even = halves<size>(value, 0), odd = halves<size>(value, 1);
      if (!Add::template apply<size>(core, op, even, odd, value)) return false;
    }
    if constexpr (size == 16) {
      out = spread(value, op.imm);
    } else {
      out = joined(spread(low_lanes(value), op.imm), spread(high_lanes(value), op.imm));
    }
    return true;
  }
};
using Dpps = DotProduct<u32, host_float::mulps, soft_packed<u32, soft_mul<Single>>,
                        host_float::addps, soft_packed<u32, soft_add<Single>>>;
using Dppd = DotProduct<u64, host_float::mulpd, soft_packed<u64, soft_mul<Double>>,
                        host_float::addpd, soft_packed<u64, soft_add<Double>>>;

// ---- ROUNDPS, ROUNDPD, ROUNDSS, ROUNDSD
//   imm: 3 suppress the precision exception | 2 rounding from MXCSR | 1:0 rounding

template <class T>
T rounded(FloatEnv& env, T value, u64 imm) {
  const RoundControl control{
      .rounding = bit(imm, 2) ? env.rounding() : static_cast<Rounding>(bits(imm, 1, 0)),
      .suppress_precision = bit(imm, 3)};
  return static_cast<T>(soft_round<FormatOf<T>>(env, value, control));
}
template <class T>
struct RoundPacked {
  template <unsigned size>
  static bool apply(Core& core, const Op& op, const Lanes<size>&, const Lanes<size>& b,
                    Lanes<size>& out) {
    return compute_softly(
        core,
        [&](FloatEnv& env) {
          Lanes<size> r;
          for (unsigned n = 0; n < size / sizeof(T); ++n)
            r.template set<T>(n, rounded<T>(env, b.template get<T>(n), op.imm));
          return r;
        },
        out);
  }
};
template <class T>
struct RoundScalar {
  template <unsigned size>
  static bool apply(Core& core, const Op& op, const Lanes<size>& a, const Lanes<size>& b,
                    Lanes<size>& out) {
    return compute_softly(
        core,
        [&](FloatEnv& env) {
          Lanes<size> r = a;
          r.template set<T>(0, rounded<T>(env, b.template get<T>(0), op.imm));
          return r;
        },
        out);
  }
};

// ---- RCPPS, RSQRTPS: approximations, without exceptions, whatever MXCSR says.
// SDM-NOTE: the manual promises a relative error of at most 1.5 * 2^-12 and leaves the bits to the
// processor. Ours are the exact quotient or root rounded to 12 significant bits (error at most
// 2^-12), the same on every host. Denormal sources count as zeros, tiny results are flushed to
// zero.

using F = Single;

int exponent_of(u32 x) { return static_cast<int>(bits(x, 30, 23)) - F::kBias; }
u64 significand_of(u32 x) { return (x & F::kFractionMask) | u64{1} << F::kFraction; }

// 2^exponent * significand / 2^11, significand in 2^11 .. 2^12
u32 packed_approximation(u64 sign, int exponent, u64 significand) {
  if (significand == u64{1} << 12) {
    significand >>= 1;
    ++exponent;
  }
  if (exponent < F::kMin) return static_cast<u32>(sign);
  return static_cast<u32>(sign | static_cast<u64>(exponent + F::kBias) << F::kFraction |
                          ((significand << 12) & F::kFractionMask));
}

u32 reciprocal(u32 x) {
  const u64 sign = x & F::kSign;
  if (F::is_nan(x)) return static_cast<u32>(x | F::kQuiet);
  if (F::is_infinite(x)) return static_cast<u32>(sign);
  if (F::is_zero(x) || F::is_denormal(x)) return static_cast<u32>(sign | F::kInfinity);
  const u64 m = significand_of(x);
  return packed_approximation(sign, -exponent_of(x) - 1, ((u64{1} << 35) + m / 2) / m);
}

u64 integer_root(u64 x) {
  u64 root = 0;
  for (u64 step = u64{1} << 31; step != 0; step >>= 1)
    if ((root | step) * (root | step) <= x) root |= step;
  return root;
}

u32 reciprocal_root(u32 x) {
  const u64 sign = x & F::kSign;
  if (F::is_nan(x)) return static_cast<u32>(x | F::kQuiet);
  if (F::is_zero(x) || F::is_denormal(x)) return static_cast<u32>(sign | F::kInfinity);
  if (sign != 0) return static_cast<u32>(F::kIndefinite);
  if (F::is_infinite(x)) return 0;
  const int odd = exponent_of(x) & 1;
  const u64 m = significand_of(x) << odd;
  const u64 halves = integer_root((u64{1} << 49) / m);  // in halves of the last place
  return packed_approximation(0, -(exponent_of(x) - odd) / 2 - 1, (halves + 1) / 2);
}

template <u32 (*function)(u32)>
Xmm approximate_all(const Xmm& a) {
  return map_lanes<u32>(a, function);
}
template <u32 (*function)(u32)>
Xmm approximate_low(const Xmm& a, const Xmm& b) {
  Xmm r = a;
  r.set<u32>(0, function(b.get<u32>(0)));
  return r;
}

using namespace host_float;

constexpr InstructionRow kRows[] = {
    sse_row(ZYDIS_MNEMONIC_ADDPS, kPacked<addps, u32, soft_add<Single>>),
    avx_row(ZYDIS_MNEMONIC_VADDPS, kPacked<addps, u32, soft_add<Single>>),
    sse_row(ZYDIS_MNEMONIC_ADDPD, kPacked<addpd, u64, soft_add<Double>>),
    avx_row(ZYDIS_MNEMONIC_VADDPD, kPacked<addpd, u64, soft_add<Double>>),
    sse_row(ZYDIS_MNEMONIC_ADDSS, kScalar<addss, u32, soft_add<Single>>),
    avx_row(ZYDIS_MNEMONIC_VADDSS, kScalar<addss, u32, soft_add<Single>>),
    sse_row(ZYDIS_MNEMONIC_ADDSD, kScalar<addsd, u64, soft_add<Double>>),
    avx_row(ZYDIS_MNEMONIC_VADDSD, kScalar<addsd, u64, soft_add<Double>>),
    sse_row(ZYDIS_MNEMONIC_SUBPS, kPacked<subps, u32, soft_sub<Single>>),
    avx_row(ZYDIS_MNEMONIC_VSUBPS, kPacked<subps, u32, soft_sub<Single>>),
    sse_row(ZYDIS_MNEMONIC_SUBPD, kPacked<subpd, u64, soft_sub<Double>>),
    avx_row(ZYDIS_MNEMONIC_VSUBPD, kPacked<subpd, u64, soft_sub<Double>>),
    sse_row(ZYDIS_MNEMONIC_SUBSS, kScalar<subss, u32, soft_sub<Single>>),
    avx_row(ZYDIS_MNEMONIC_VSUBSS, kScalar<subss, u32, soft_sub<Single>>),
    sse_row(ZYDIS_MNEMONIC_SUBSD, kScalar<subsd, u64, soft_sub<Double>>),
    avx_row(ZYDIS_MNEMONIC_VSUBSD, kScalar<subsd, u64, soft_sub<Double>>),
    sse_row(ZYDIS_MNEMONIC_MULPS, kPacked<mulps, u32, soft_mul<Single>>),
    avx_row(ZYDIS_MNEMONIC_VMULPS, kPacked<mulps, u32, soft_mul<Single>>),
    sse_row(ZYDIS_MNEMONIC_MULPD, kPacked<mulpd, u64, soft_mul<Double>>),
    avx_row(ZYDIS_MNEMONIC_VMULPD, kPacked<mulpd, u64, soft_mul<Double>>),
    sse_row(ZYDIS_MNEMONIC_MULSS, kScalar<mulss, u32, soft_mul<Single>>),
    avx_row(ZYDIS_MNEMONIC_VMULSS, kScalar<mulss, u32, soft_mul<Single>>),
    sse_row(ZYDIS_MNEMONIC_MULSD, kScalar<mulsd, u64, soft_mul<Double>>),
    avx_row(ZYDIS_MNEMONIC_VMULSD, kScalar<mulsd, u64, soft_mul<Double>>),
    sse_row(ZYDIS_MNEMONIC_DIVPS, kPacked<divps, u32, soft_div<Single>>),
    avx_row(ZYDIS_MNEMONIC_VDIVPS, kPacked<divps, u32, soft_div<Single>>),
    sse_row(ZYDIS_MNEMONIC_DIVPD, kPacked<divpd, u64, soft_div<Double>>),
    avx_row(ZYDIS_MNEMONIC_VDIVPD, kPacked<divpd, u64, soft_div<Double>>),
    sse_row(ZYDIS_MNEMONIC_DIVSS, kScalar<divss, u32, soft_div<Single>>),
    avx_row(ZYDIS_MNEMONIC_VDIVSS, kScalar<divss, u32, soft_div<Single>>),
    sse_row(ZYDIS_MNEMONIC_DIVSD, kScalar<divsd, u64, soft_div<Double>>),
    avx_row(ZYDIS_MNEMONIC_VDIVSD, kScalar<divsd, u64, soft_div<Double>>),

    sse_row(ZYDIS_MNEMONIC_MINPS, kPackedPlain<minps>),
    avx_row(ZYDIS_MNEMONIC_VMINPS, kPackedPlain<minps>),
    sse_row(ZYDIS_MNEMONIC_MINPD, kPackedPlain<minpd>),
    avx_row(ZYDIS_MNEMONIC_VMINPD, kPackedPlain<minpd>),
    sse_row(ZYDIS_MNEMONIC_MINSS, kScalarPlain<minss, u32>),
    avx_row(ZYDIS_MNEMONIC_VMINSS, kScalarPlain<minss, u32>),
    sse_row(ZYDIS_MNEMONIC_MINSD, kScalarPlain<minsd, u64>),
    avx_row(ZYDIS_MNEMONIC_VMINSD, kScalarPlain<minsd, u64>),
    sse_row(ZYDIS_MNEMONIC_MAXPS, kPackedPlain<maxps>),
    avx_row(ZYDIS_MNEMONIC_VMAXPS, kPackedPlain<maxps>),
    sse_row(ZYDIS_MNEMONIC_MAXPD, kPackedPlain<maxpd>),
    avx_row(ZYDIS_MNEMONIC_VMAXPD, kPackedPlain<maxpd>),
    sse_row(ZYDIS_MNEMONIC_MAXSS, kScalarPlain<maxss, u32>),
    avx_row(ZYDIS_MNEMONIC_VMAXSS, kScalarPlain<maxss, u32>),
    sse_row(ZYDIS_MNEMONIC_MAXSD, kScalarPlain<maxsd, u64>),
    avx_row(ZYDIS_MNEMONIC_VMAXSD, kScalarPlain<maxsd, u64>),
    sse_row(ZYDIS_MNEMONIC_SQRTPS, kPackedUnary<sqrtps>),
    avx_row(ZYDIS_MNEMONIC_VSQRTPS, kPackedUnary<sqrtps>),
    sse_row(ZYDIS_MNEMONIC_SQRTPD, kPackedUnary<sqrtpd>),
    avx_row(ZYDIS_MNEMONIC_VSQRTPD, kPackedUnary<sqrtpd>),
    sse_row(ZYDIS_MNEMONIC_SQRTSS, kScalarPlain<sqrtss, u32>),
    avx_row(ZYDIS_MNEMONIC_VSQRTSS, kScalarPlain<sqrtss, u32>),
    sse_row(ZYDIS_MNEMONIC_SQRTSD, kScalarPlain<sqrtsd, u64>),
    avx_row(ZYDIS_MNEMONIC_VSQRTSD, kScalarPlain<sqrtsd, u64>),

    sse_row(ZYDIS_MNEMONIC_ADDSUBPS, bind_binary<Floating<addsub<u32, addps>, soft_addsub<u32>>>),
    avx_row(ZYDIS_MNEMONIC_VADDSUBPS, bind_binary<Floating<addsub<u32, addps>, soft_addsub<u32>>>),
    sse_row(ZYDIS_MNEMONIC_ADDSUBPD, bind_binary<Floating<addsub<u64, addpd>, soft_addsub<u64>>>),
    avx_row(ZYDIS_MNEMONIC_VADDSUBPD, bind_binary<Floating<addsub<u64, addpd>, soft_addsub<u64>>>),
    sse_row(ZYDIS_MNEMONIC_HADDPS, kHorizontal<u32, addps, soft_add<Single>>),
    avx_row(ZYDIS_MNEMONIC_VHADDPS, kHorizontal<u32, addps, soft_add<Single>>),
    sse_row(ZYDIS_MNEMONIC_HADDPD, kHorizontal<u64, addpd, soft_add<Double>>),
    avx_row(ZYDIS_MNEMONIC_VHADDPD, kHorizontal<u64, addpd, soft_add<Double>>),
    sse_row(ZYDIS_MNEMONIC_HSUBPS, kHorizontal<u32, subps, soft_sub<Single>>),
    avx_row(ZYDIS_MNEMONIC_VHSUBPS, kHorizontal<u32, subps, soft_sub<Single>>),
    sse_row(ZYDIS_MNEMONIC_HSUBPD, kHorizontal<u64, subpd, soft_sub<Double>>),
    avx_row(ZYDIS_MNEMONIC_VHSUBPD, kHorizontal<u64, subpd, soft_sub<Double>>),
    sse_row(ZYDIS_MNEMONIC_DPPS, bind_binary<Dpps>),
    avx_row(ZYDIS_MNEMONIC_VDPPS, bind_binary<Dpps>),
    sse_row(ZYDIS_MNEMONIC_DPPD, bind_binary_128<Dppd, Whole>),
    avx_row(ZYDIS_MNEMONIC_VDPPD, bind_binary_128<Dppd, Whole>),

    sse_row(ZYDIS_MNEMONIC_ROUNDPS, bind_unary<RoundPacked<u32>>),
    avx_row(ZYDIS_MNEMONIC_VROUNDPS, bind_unary<RoundPacked<u32>>),
    sse_row(ZYDIS_MNEMONIC_ROUNDPD, bind_unary<RoundPacked<u64>>),
    avx_row(ZYDIS_MNEMONIC_VROUNDPD, bind_unary<RoundPacked<u64>>),
    sse_row(ZYDIS_MNEMONIC_ROUNDSS, bind_binary_128<RoundScalar<u32>, u32>),
    avx_row(ZYDIS_MNEMONIC_VROUNDSS, bind_binary_128<RoundScalar<u32>, u32>),
    sse_row(ZYDIS_MNEMONIC_ROUNDSD, bind_binary_128<RoundScalar<u64>, u64>),
    avx_row(ZYDIS_MNEMONIC_VROUNDSD, bind_binary_128<RoundScalar<u64>, u64>),

    sse_row(ZYDIS_MNEMONIC_RCPPS, unary<approximate_all<reciprocal>>),
    avx_row(ZYDIS_MNEMONIC_VRCPPS, unary<approximate_all<reciprocal>>),
    sse_row(ZYDIS_MNEMONIC_RCPSS, binary_128<approximate_low<reciprocal>, u32>),
    avx_row(ZYDIS_MNEMONIC_VRCPSS, binary_128<approximate_low<reciprocal>, u32>),
    sse_row(ZYDIS_MNEMONIC_RSQRTPS, unary<approximate_all<reciprocal_root>>),
    avx_row(ZYDIS_MNEMONIC_VRSQRTPS, unary<approximate_all<reciprocal_root>>),
    sse_row(ZYDIS_MNEMONIC_RSQRTSS, binary_128<approximate_low<reciprocal_root>, u32>),
    avx_row(ZYDIS_MNEMONIC_VRSQRTSS, binary_128<approximate_low<reciprocal_root>, u32>),
};

}  // namespace

Rows vector_float_rows() { return kRows; }

}  // namespace vtsim::cpu
