// Fused multiply-add. SDM 1 "Fused-Multiply-ADD (FMA)", SDM 2 "VFMADD132PD" and its like.
//
// The digits of the mnemonic tell which operands are multiplied: 132 is op1 * op3 + op2, 213 is
// op2 * op1 + op3, 231 is op2 * op3 + op1. Hosts with FMA compute; NaNs, and everything on other
// hosts, go through soft_fma: IEEE arithmetic leaves no choice but for NaNs.

#include "model/cpu/exec/float_environment.h"
#include "model/cpu/exec/groups.h"

namespace vtsim::cpu {

namespace {

enum class Order : u8 { k132, k213, k231 };

// What is negated; kept in Op::imm, which is free here.
struct Signs {
  static constexpr Flag PRODUCT{0}, ADDEND_EVEN{1}, ADDEND_ODD{2};  // the addend, by lanes
};

template <unsigned size>
struct Factors {
  Held<size> x, y, z;  // x * y + z
};

template <Order order, unsigned size>
Factors<size> in_order(const Lanes<size>& first, const Lanes<size>& second,
                       const Lanes<size>& third) {
  const Held<size> a(first), b(second), c(third);
  if constexpr (order == Order::k132) return {a, c, b};
  if constexpr (order == Order::k213) return {b, a, c};
  if constexpr (order == Order::k231) return {b, c, a};
}

// ---- in software. Lanes beyond `count` are zero.

template <class T, unsigned count, unsigned size>
Lanes<size> soft_lanes(FloatEnv& env, u64 signs, const Factors<size>& f) {
  const Lanes<size> x = f.x.lanes(), y = f.y.lanes(), z = f.z.lanes();
  Lanes<size> result{};
  for (unsigned n = 0; n < count; ++n) {
    const Flag addend = n % 2 == 0 ? Signs::ADDEND_EVEN : Signs::ADDEND_ODD;
    const FmaSigns lane{.negate_product = (signs & Signs::PRODUCT.mask()) != 0,
                        .negate_addend = (signs & addend.mask()) != 0};
    result.template set<T>(
        n, static_cast<T>(soft_fma<FormatOf<T>>(env, x.template get<T>(n), y.template get<T>(n),
                                                z.template get<T>(n), lane)));
  }
  return result;
}

// ---- the host's instruction, on one 128-bit half

template <class T, bool scalar>
__m128i host_fma(__m128i x, __m128i y, __m128i z) {
  if constexpr (sizeof(T) == 4 && scalar)
    asm volatile("vfmadd213ss %2, %1, %0" : "+x"(x) : "x"(y), "x"(z));
  if constexpr (sizeof(T) == 8 && scalar)
    asm volatile("vfmadd213sd %2, %1, %0" : "+x"(x) : "x"(y), "x"(z));
  if constexpr (sizeof(T) == 4 && !scalar)
    asm volatile("vfmadd213ps %2, %1, %0" : "+x"(x) : "x"(y), "x"(z));
  if constexpr (sizeof(T) == 8 && !scalar)
    asm volatile("vfmadd213pd %2, %1, %0" : "+x"(x) : "x"(y), "x"(z));
  return x;
}

// The sign bits of even and odd lanes.
template <class T>
__m128i sign_mask(u64 signs, Flag even, Flag odd) {
  const u64 in_even = (signs & even.mask()) != 0, in_odd = (signs & odd.mask()) != 0;
  if constexpr (sizeof(T) == 4)
    return _mm_set1_epi64x(static_cast<i64>(in_even << 31 | in_odd << 63));
  else
    return _mm_set_epi64x(static_cast<i64>(in_odd << 63), static_cast<i64>(in_even << 63));
}

template <class T, bool scalar, unsigned size>
Lanes<size> host_lanes(u64 signs, const Factors<size>& f) {
  const __m128i product_signs = sign_mask<T>(signs, Signs::PRODUCT, Signs::PRODUCT);
  const __m128i addend_signs = sign_mask<T>(signs, Signs::ADDEND_EVEN, Signs::ADDEND_ODD);
  const auto half = [&](const Held<16>& x, const Held<16>& y, const Held<16>& z) {
    return lanes(host_fma<T, scalar>(_mm_xor_si128(x.value, product_signs), y.value,
                                     _mm_xor_si128(z.value, addend_signs)));
  };
  if constexpr (size == 16) {
    return half(f.x, f.y, f.z);
  } else {
    const Xmm low = half(f.x.low, f.y.low, f.z.low);
    return joined(low, half(f.x.high, f.y.high, f.z.high));
  }
}

template <class T, unsigned count, unsigned size>
bool any_nan(const Lanes<size>& x) {
  for (unsigned n = 0; n < count; ++n)
    if (FormatOf<T>::is_nan(x.template get<T>(n))) return true;
  return false;
}

// ---- handlers

template <class T, bool scalar, unsigned size>
[[gnu::always_inline]] inline bool fused(Core& core, u64 signs, const Factors<size>& f,
                                         Lanes<size>& out) {
  constexpr unsigned kCount = scalar ? 1 : size / sizeof(T);
  const auto soft_form = [signs, f](FloatEnv& env) { return soft_lanes<T, kCount>(env, signs, f); };
  if (!__builtin_cpu_supports("fma")) return compute_softly(core, soft_form, out);
  const auto host_form = [signs, f] { return host_lanes<T, scalar>(signs, f); };
  if (!compute(core, host_form, soft_form, out)) return false;
  if (any_nan<T, kCount>(out)) [[unlikely]] {  // which one is the operands' order to say
    FloatEnv env{core.state.vector.mxcsr};
    out = soft_form(env);
  }
  return true;
}

template <class T, bool scalar, Order order, Encoding encoding>
[[gnu::always_inline]] inline Outcome fma(Core& core, const Op& op, u64 signs,
                                          const VectorOf<encoding>& third) {
  constexpr unsigned kSize = kVectorBytes<encoding>;
  const auto first = read_vector<kSize>(core, op.dst), second = read_vector<kSize>(core, op.src);
  VectorOf<encoding> out;
  if (!fused<T, scalar>(core, signs, in_order<order>(first, second, third), out))
    return Outcome::kFault;
  if constexpr (scalar) {
    const T value = out.template get<T>(0);
    out = first;
    out.template set<T>(0, value);
  }
  write_vector<encoding>(core, op.dst, out);
  return Outcome::kNext;
}
template <class T, bool scalar, Order order, Encoding encoding>
Outcome fma_reg(Core& core, const Op& op) {
  return fma<T, scalar, order, encoding>(core, op, op.imm,
                                         read_vector<kVectorBytes<encoding>>(core, op.index));
}
template <class T, bool scalar, Order order, Encoding encoding>
Outcome fma_mem(Core& core, const Op& op) {
  VectorOf<encoding> third;
  if (!load_source<std::conditional_t<scalar, T, Whole>, encoding>(core, op, third))
    return Outcome::kFault;
  return fma<T, scalar, order, encoding>(core, op, op.imm, third);
}

template <class T, bool scalar, Order order, u64 signs>
Handler bind_fma(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  op.imm = signs;
  const auto choose = [&](auto e) -> Handler {
    return op.mem.present() ? &run<fma_mem<T, scalar, order, e()>>
                            : &run<fma_reg<T, scalar, order, e()>>;
  };
  if constexpr (!scalar) {
    if (encoding_of(binding) == Encoding::kVex256) return choose(Constant<Encoding::kVex256>{});
  }
  return choose(Constant<Encoding::kVex128>{});
}

constexpr u64 kAdd = 0;
constexpr u64 kSub = Signs::ADDEND_EVEN.mask() | Signs::ADDEND_ODD.mask();
constexpr u64 kNegatedAdd = Signs::PRODUCT.mask();
constexpr u64 kNegatedSub = kNegatedAdd | kSub;
constexpr u64 kAddSub = Signs::ADDEND_EVEN.mask();  // subtracts in even lanes
constexpr u64 kSubAdd = Signs::ADDEND_ODD.mask();

#define VTSIM_FMA_PACKED(name, kind)                                                  \
  avx_row(ZYDIS_MNEMONIC_##name##132PS, bind_fma<u32, false, Order::k132, kind>),     \
      avx_row(ZYDIS_MNEMONIC_##name##213PS, bind_fma<u32, false, Order::k213, kind>), \
      avx_row(ZYDIS_MNEMONIC_##name##231PS, bind_fma<u32, false, Order::k231, kind>), \
      avx_row(ZYDIS_MNEMONIC_##name##132PD, bind_fma<u64, false, Order::k132, kind>), \
      avx_row(ZYDIS_MNEMONIC_##name##213PD, bind_fma<u64, false, Order::k213, kind>), \
      avx_row(ZYDIS_MNEMONIC_##name##231PD, bind_fma<u64, false, Order::k231, kind>)
#define VTSIM_FMA_ALL(name, kind)                                                    \
  VTSIM_FMA_PACKED(name, kind),                                                      \
      avx_row(ZYDIS_MNEMONIC_##name##132SS, bind_fma<u32, true, Order::k132, kind>), \
      avx_row(ZYDIS_MNEMONIC_##name##213SS, bind_fma<u32, true, Order::k213, kind>), \
      avx_row(ZYDIS_MNEMONIC_##name##231SS, bind_fma<u32, true, Order::k231, kind>), \
      avx_row(ZYDIS_MNEMONIC_##name##132SD, bind_fma<u64, true, Order::k132, kind>), \
      avx_row(ZYDIS_MNEMONIC_##name##213SD, bind_fma<u64, true, Order::k213, kind>), \
      avx_row(ZYDIS_MNEMONIC_##name##231SD, bind_fma<u64, true, Order::k231, kind>)

constexpr InstructionRow kRows[] = {
    VTSIM_FMA_ALL(VFMADD, kAdd),          VTSIM_FMA_ALL(VFMSUB, kSub),
    VTSIM_FMA_ALL(VFNMADD, kNegatedAdd),  VTSIM_FMA_ALL(VFNMSUB, kNegatedSub),
    VTSIM_FMA_PACKED(VFMADDSUB, kAddSub), VTSIM_FMA_PACKED(VFMSUBADD, kSubAdd),
};
#undef VTSIM_FMA_PACKED
#undef VTSIM_FMA_ALL

}  // namespace

Rows vector_fma_rows() { return kRows; }

}  // namespace vtsim::cpu
