// Comparisons that make masks or set RFLAGS. SDM 1 "SSE Comparison Instructions", SDM 2 "CMPPS",
// "COMISS", "PTEST", "VTESTPS".

#include "model/cpu/exec/float_environment.h"
#include "model/cpu/exec/groups.h"
#include "model/cpu/exec/host_float.h"

namespace vtsim::cpu {

namespace {

// ---- CMPPS, CMPPD, CMPSS, CMPSD

// SDM 2 "CMPPD", table "Comparison Predicate for CMPPD and CMPPS Instructions", rows 0 to 15; rows
// 16 to 31 are the same relations with the other behaviour on quiet NaNs.
enum Relation : u8 { kLess = 1, kEqual = 2, kGreater = 4, kUnordered = 8 };
struct Predicate {
  u8 holds_for;
  bool signaling;
};
constexpr Predicate kPredicates[16] = {
    {kEqual, false},                                  // EQ_OQ
    {kLess, true},                                    // LT_OS
    {kLess | kEqual, true},                           // LE_OS
    {kUnordered, false},                              // UNORD_Q
    {kLess | kGreater | kUnordered, false},           // NEQ_UQ
    {kEqual | kGreater | kUnordered, true},           // NLT_US
    {kGreater | kUnordered, true},                    // NLE_US
    {kLess | kEqual | kGreater, false},               // ORD_Q
    {kEqual | kUnordered, false},                     // EQ_UQ
    {kLess | kUnordered, true},                       // NGE_US
    {kLess | kEqual | kUnordered, true},              // NGT_US
    {0, false},                                       // FALSE_OQ
    {kLess | kGreater, false},                        // NEQ_OQ
    {kEqual | kGreater, true},                        // GE_OS
    {kGreater, true},                                 // GT_OS
    {kLess | kEqual | kGreater | kUnordered, false},  // TRUE_UQ
};

// The host's comparisons of one shape.
struct PackedSingle {
  static constexpr bool kIsScalar = false;
  template <unsigned predicate>
  static Xmm compare(const Xmm& a, const Xmm& b) {
    return host_float::cmpps<predicate>(a, b);
  }
};
struct PackedDouble {
  static constexpr bool kIsScalar = false;
  template <unsigned predicate>
  static Xmm compare(const Xmm& a, const Xmm& b) {
    return host_float::cmppd<predicate>(a, b);
  }
};
struct ScalarSingle {
  static constexpr bool kIsScalar = true;
  using Element = u32;
  template <unsigned predicate>
  static Xmm compare(const Xmm& a, const Xmm& b) {
    return host_float::cmpss<predicate>(a, b);
  }
};
struct ScalarDouble {
  static constexpr bool kIsScalar = true;
  using Element = u64;
  template <unsigned predicate>
  static Xmm compare(const Xmm& a, const Xmm& b) {
    return host_float::cmpsd<predicate>(a, b);
  }
};

// Any of the 32 predicates, of the eight that every host has: one comparison that signals what it
// should, then others on operands without NaNs.
template <class Shape>
Xmm compare_by_relation(const Xmm& a, const Xmm& b, const Predicate& predicate) {
  const auto as_mask = [](const Xmm& x) {
    if constexpr (Shape::kIsScalar) {
      Xmm r{};
      r.set(0, x.get<typename Shape::Element>(0));
      return host(r);
    } else {
      return host(x);
    }
  };
  if (predicate.signaling) Shape::template compare<1>(a, b);
  const __m128i unordered = as_mask(Shape::template compare<3>(a, b));
  const Xmm x = lanes(_mm_andnot_si128(unordered, host(a)));
  const Xmm y = lanes(_mm_andnot_si128(unordered, host(b)));
  const __m128i less = _mm_andnot_si128(unordered, as_mask(Shape::template compare<1>(x, y)));
  const __m128i equal = _mm_andnot_si128(unordered, as_mask(Shape::template compare<0>(x, y)));
  const __m128i ones = _mm_set1_epi32(-1);
  __m128i result = _mm_setzero_si128();
  if (predicate.holds_for & kLess) result = _mm_or_si128(result, less);
  if (predicate.holds_for & kEqual) result = _mm_or_si128(result, equal);
  if (predicate.holds_for & kUnordered) result = _mm_or_si128(result, unordered);
  if (predicate.holds_for & kGreater) {
    const __m128i others = _mm_or_si128(unordered, _mm_or_si128(less, equal));
    result = _mm_or_si128(result, _mm_andnot_si128(others, ones));
  }
  if constexpr (Shape::kIsScalar) {
    Xmm r = a;
    r.set(0, lanes(result).get<typename Shape::Element>(0));
    return r;
  } else {
    return lanes(result);
  }
}

template <class Shape>
Xmm compare(const Xmm& a, const Xmm& b, u8 number) {
  switch (number) {
    case 0:
      return Shape::template compare<0>(a, b);
    case 1:
      return Shape::template compare<1>(a, b);
    case 2:
      return Shape::template compare<2>(a, b);
    case 3:
      return Shape::template compare<3>(a, b);
    case 4:
      return Shape::template compare<4>(a, b);
    case 5:
      return Shape::template compare<5>(a, b);
    case 6:
      return Shape::template compare<6>(a, b);
    case 7:
      return Shape::template compare<7>(a, b);
    default: {
      Predicate predicate = kPredicates[number & 15];
      predicate.signaling = predicate.signaling != ((number & 16) != 0);
      return compare_by_relation<Shape>(a, b, predicate);
    }
  }
}

// Legacy looks at three bits of the immediate, VEX at five.
void limit_predicate(const Binding& binding, Op& op) {
  op.imm &= encoding_of(binding) == Encoding::kLegacy ? 7 : 31;
}
template <class Shape>
Handler bind_compare(const Binding& binding, Op& op) {
  const Handler handler = bind_binary<Floating<compare<Shape>>>(binding, op);
  limit_predicate(binding, op);
  return handler;
}
template <class Shape>
Handler bind_scalar_compare(const Binding& binding, Op& op) {
  const Handler handler =
      bind_binary_128<Floating<compare<Shape>>, typename Shape::Element>(binding, op);
  limit_predicate(binding, op);
  return handler;
}

// ---- COMISS, COMISD, UCOMISS, UCOMISD: ZF, PF, CF; OF, SF and AF are cleared

#define VTSIM_HOST_FLAGS(name)                                           \
  u64 name(const Xmm& a, const Xmm& b) {                                 \
    bool zf, pf, cf;                                                     \
    asm volatile(#name " %4, %3"                                         \
                 : "=@ccz"(zf), "=@ccp"(pf), "=@ccc"(cf)                 \
                 : "x"(host(a)), "x"(host(b)));                          \
    return (zf ? Rflags::ZF.mask() : 0) | (pf ? Rflags::PF.mask() : 0) | \
           (cf ? Rflags::CF.mask() : 0);                                 \
  }
VTSIM_HOST_FLAGS(comiss)
VTSIM_HOST_FLAGS(comisd)
VTSIM_HOST_FLAGS(ucomiss)
VTSIM_HOST_FLAGS(ucomisd)
#undef VTSIM_HOST_FLAGS

template <auto function>
[[gnu::always_inline]] inline Outcome compare_to_flags(Core& core, const Op& op, const Xmm& b) {
  const Xmm a = read_xmm(core, op.dst);
  u64 flags;
  if (!compute(
          core, [a, b] { return function(a, b); }, NoSoftForm{}, flags))
    return Outcome::kFault;
  set_arithmetic_flags(core.state.lazy, flags);
  return Outcome::kNext;
}
template <auto function>
Outcome comis_reg(Core& core, const Op& op) {
  return compare_to_flags<function>(core, op, read_xmm(core, op.src));
}
template <auto function, class T>
Outcome comis_mem(Core& core, const Op& op) {
  T value;
  if (!load_operand(core, op, value)) return Outcome::kFault;
  return compare_to_flags<function>(core, op, lanes(_mm_cvtsi64_si128(static_cast<i64>(value))));
}
template <auto function, class T>
Handler bind_comis(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  return op.mem.present() ? &run<comis_mem<function, T>> : &run<comis_reg<function>>;
}

// ---- PTEST, VTESTPS, VTESTPD: ZF: src AND dst is zero; CF: src AND NOT dst is zero

template <u64 kept, Encoding encoding>
Outcome test(Core& core, const Op& op, const VectorOf<encoding>& b) {
  const auto a = read_vector<kVectorBytes<encoding>>(core, op.dst);
  u64 both = 0, second_only = 0;
  for (unsigned n = 0; n < kVectorBytes<encoding> / 8; ++n) {
    const u64 x = a.template get<u64>(n), y = b.template get<u64>(n);
    both |= x & y & kept;
    second_only |= ~x & y & kept;
  }
  set_arithmetic_flags(core.state.lazy, (both == 0 ? Rflags::ZF.mask() : 0) |
                                            (second_only == 0 ? Rflags::CF.mask() : 0));
  return Outcome::kNext;
}
template <u64 kept, Encoding encoding>
Outcome test_reg(Core& core, const Op& op) {
  return test<kept, encoding>(core, op, read_vector<kVectorBytes<encoding>>(core, op.src));
}
template <u64 kept, Encoding encoding>
Outcome test_mem(Core& core, const Op& op) {
  VectorOf<encoding> b;
  if (!load_source<Whole, encoding>(core, op, b)) return Outcome::kFault;
  return test<kept, encoding>(core, op, b);
}
template <u64 kept>
Handler bind_test(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  return by_encoding(encoding_of(binding), [&](auto e) -> Handler {
    return op.mem.present() ? &run<test_mem<kept, e()>> : &run<test_reg<kept, e()>>;
  });
}
constexpr u64 kAllBits = ~u64{0};
constexpr u64 kSingleSigns = 0x8000'0000'8000'0000;
constexpr u64 kDoubleSigns = 0x8000'0000'0000'0000;

constexpr FlagUse kSetsFlags = FlagUse::kWritesAll;

constexpr InstructionRow kRows[] = {
    sse_row(ZYDIS_MNEMONIC_CMPPS, bind_compare<PackedSingle>),
    avx_row(ZYDIS_MNEMONIC_VCMPPS, bind_compare<PackedSingle>),
    sse_row(ZYDIS_MNEMONIC_CMPPD, bind_compare<PackedDouble>),
    avx_row(ZYDIS_MNEMONIC_VCMPPD, bind_compare<PackedDouble>),
    sse_row(ZYDIS_MNEMONIC_CMPSS, bind_scalar_compare<ScalarSingle>),
    avx_row(ZYDIS_MNEMONIC_VCMPSS, bind_scalar_compare<ScalarSingle>),
    sse_row(ZYDIS_MNEMONIC_CMPSD, bind_scalar_compare<ScalarDouble>),
    avx_row(ZYDIS_MNEMONIC_VCMPSD, bind_scalar_compare<ScalarDouble>),
    sse_row(ZYDIS_MNEMONIC_COMISS, bind_comis<comiss, u32>, kSetsFlags),
    avx_row(ZYDIS_MNEMONIC_VCOMISS, bind_comis<comiss, u32>, kSetsFlags),
    sse_row(ZYDIS_MNEMONIC_COMISD, bind_comis<comisd, u64>, kSetsFlags),
    avx_row(ZYDIS_MNEMONIC_VCOMISD, bind_comis<comisd, u64>, kSetsFlags),
    sse_row(ZYDIS_MNEMONIC_UCOMISS, bind_comis<ucomiss, u32>, kSetsFlags),
    avx_row(ZYDIS_MNEMONIC_VUCOMISS, bind_comis<ucomiss, u32>, kSetsFlags),
    sse_row(ZYDIS_MNEMONIC_UCOMISD, bind_comis<ucomisd, u64>, kSetsFlags),
    avx_row(ZYDIS_MNEMONIC_VUCOMISD, bind_comis<ucomisd, u64>, kSetsFlags),
    sse_row(ZYDIS_MNEMONIC_PTEST, bind_test<kAllBits>, kSetsFlags),
    avx_row(ZYDIS_MNEMONIC_VPTEST, bind_test<kAllBits>, kSetsFlags),
    avx_row(ZYDIS_MNEMONIC_VTESTPS, bind_test<kSingleSigns>, kSetsFlags),
    avx_row(ZYDIS_MNEMONIC_VTESTPD, bind_test<kDoubleSigns>, kSetsFlags),
};

}  // namespace

Rows vector_compare_rows() { return kRows; }

}  // namespace vtsim::cpu
