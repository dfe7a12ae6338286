// Fused multiply-add. SDM 1 "Fused-Multiply-ADD (FMA)", SDM 2 "VFMADD132PD" and its like.
//
// The digits of the mnemonic tell which operands are multiplied: 132 is op1 * op3 + op2, 213 is
// op2 * op1 + op3, 231 is op2 * op3 + op1. Hosts with FMA compute, all others and all NaNs go
// through soft_fma: IEEE arithmetic leaves no choice but for NaNs.

#include "model/cpu/exec/float_environment.h"
#include "model/cpu/exec/groups.h"

namespace vtsim::cpu {

namespace {

// What the mnemonic says; kept in Op::imm, which is free here.
struct Kind {
  static constexpr Field ORDER{1, 0};
  static constexpr Flag NEGATE_PRODUCT{2};
  static constexpr Flag NEGATE_EVEN{3}, NEGATE_ODD{4};  // the addend, in even and odd lanes
};
enum class Order : u8 { k132, k213, k231 };

template <unsigned size>
struct Factors {
  Lanes<size> x, y, z;  // x * y + z
};

template <unsigned size>
Factors<size> in_order(u64 kind, const Lanes<size>& first, const Lanes<size>& second,
                       const Lanes<size>& third) {
  switch (static_cast<Order>(Kind::ORDER.get(kind))) {
    case Order::k132:
      return {first, third, second};
    case Order::k213:
      return {second, first, third};
    default:
      return {second, third, first};
  }
}

template <class T, unsigned count, unsigned size>
Lanes<size> soft_lanes(FloatEnv& env, u64 kind, const Factors<size>& f, Lanes<size> result) {
  for (unsigned n = 0; n < count; ++n) {
    const FmaSigns signs{
        .negate_product = (kind & Kind::NEGATE_PRODUCT.mask()) != 0,
        .negate_addend = (kind & (n % 2 == 0 ? Kind::NEGATE_EVEN : Kind::NEGATE_ODD).mask()) != 0};
    result.template set<T>(
        n, static_cast<T>(soft_fma<FormatOf<T>>(env, f.x.template get<T>(n), f.y.template get<T>(n),
                                                f.z.template get<T>(n), signs)));
  }
  return result;
}

// ---- the host's instruction, on one 128-bit half

template <class T, bool scalar>
Xmm host_fma(const Xmm& x, const Xmm& y, const Xmm& z) {
  __m128i r = host(x);
  if constexpr (sizeof(T) == 4 && scalar)
    asm volatile("vfmadd213ss %2, %1, %0" : "+x"(r) : "x"(host(y)), "x"(host(z)));
  if constexpr (sizeof(T) == 8 && scalar)
    asm volatile("vfmadd213sd %2, %1, %0" : "+x"(r) : "x"(host(y)), "x"(host(z)));
  if constexpr (sizeof(T) == 4 && !scalar)
    asm volatile("vfmadd213ps %2, %1, %0" : "+x"(r) : "x"(host(y)), "x"(host(z)));
  if constexpr (sizeof(T) == 8 && !scalar)
    asm volatile("vfmadd213pd %2, %1, %0" : "+x"(r) : "x"(host(y)), "x"(host(z)));
  return lanes(r);
}

template <class T>
Xmm sign_mask(u64 kind, Flag even, Flag odd) {
  Xmm r{};
  for (unsigned n = 0; n < Xmm::kCount<T>; ++n)
    if (kind & (n % 2 == 0 ? even : odd).mask()) r.set<T>(n, kSignBit<T>);
  return r;
}
Xmm exclusive_or(const Xmm& a, const Xmm& b) { return lanes(_mm_xor_si128(host(a), host(b))); }

template <class T, bool scalar, unsigned size>
Lanes<size> host_lanes(u64 kind, const Factors<size>& f) {
  const Xmm product_signs = sign_mask<T>(kind, Kind::NEGATE_PRODUCT, Kind::NEGATE_PRODUCT);
  const Xmm addend_signs = sign_mask<T>(kind, Kind::NEGATE_EVEN, Kind::NEGATE_ODD);
  const auto half = [&](const Xmm& x, const Xmm& y, const Xmm& z) {
    return host_fma<T, scalar>(exclusive_or(x, product_signs), y, exclusive_or(z, addend_signs));
  };
  if constexpr (size == 16) {
    return half(f.x, f.y, f.z);
  } else {
    return joined(half(low_lanes(f.x), low_lanes(f.y), low_lanes(f.z)),
                  half(high_lanes(f.x), high_lanes(f.y), high_lanes(f.z)));
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
bool fused(Core& core, u64 kind, const Factors<size>& f, const Lanes<size>& first,
           Lanes<size>& out) {
  constexpr unsigned kCount = scalar ? 1 : size / sizeof(T);
  const auto soft_form = [kind, f, first](FloatEnv& env) {
    return soft_lanes<T, kCount>(env, kind, f, first);
  };
  const bool nan = any_nan<T, kCount>(f.x) || any_nan<T, kCount>(f.y) || any_nan<T, kCount>(f.z);
  if (nan || !__builtin_cpu_supports("fma")) return compute_softly(core, soft_form, out);
  Lanes<size> wide;
  const auto host_form = [kind, f] { return host_lanes<T, scalar>(kind, f); };
  if (!compute(core, host_form, soft_form, wide)) return false;
  if constexpr (scalar) {
    out = first;
    out.template set<T>(0, wide.template get<T>(0));
  } else {
    out = wide;
  }
  return true;
}

template <class T, bool scalar, Encoding encoding>
Outcome fma(Core& core, const Op& op, u64 kind, const VectorOf<encoding>& third) {
  constexpr unsigned kSize = kVectorBytes<encoding>;
  const auto first = read_vector<kSize>(core, op.dst), second = read_vector<kSize>(core, op.src);
  Lanes<kSize> out;
  if (!fused<T, scalar>(core, kind, in_order(kind, first, second, third), first, out))
    return Outcome::kFault;
  write_vector<encoding>(core, op.dst, out);
  return Outcome::kNext;
}
template <class T, bool scalar, Encoding encoding>
Outcome fma_reg(Core& core, const Op& op) {
  return fma<T, scalar, encoding>(core, op, op.imm,
                                  read_vector<kVectorBytes<encoding>>(core, op.index));
}
template <class T, bool scalar, Encoding encoding>
Outcome fma_mem(Core& core, const Op& op) {
  VectorOf<encoding> third;
  if (!load_source<std::conditional_t<scalar, T, Whole>, encoding>(core, op, third))
    return Outcome::kFault;
  return fma<T, scalar, encoding>(core, op, op.imm, third);
}

template <class T, bool scalar, u64 kind>
Handler bind_fma(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  op.imm = kind;
  const bool memory = op.mem.present();
  if constexpr (!scalar) {
    if (encoding_of(binding) == Encoding::kVex256)
      return memory ? &run<fma_mem<T, false, Encoding::kVex256>>
                    : &run<fma_reg<T, false, Encoding::kVex256>>;
  }
  return memory ? &run<fma_mem<T, scalar, Encoding::kVex128>>
                : &run<fma_reg<T, scalar, Encoding::kVex128>>;
}

constexpr u64 kAdd = 0;
constexpr u64 kSub = Kind::NEGATE_EVEN.mask() | Kind::NEGATE_ODD.mask();
constexpr u64 kNegatedAdd = Kind::NEGATE_PRODUCT.mask();
constexpr u64 kNegatedSub = kNegatedAdd | kSub;
constexpr u64 kAddSub = Kind::NEGATE_EVEN.mask();  // subtracts in even lanes
constexpr u64 kSubAdd = Kind::NEGATE_ODD.mask();

constexpr u64 k132 = static_cast<u64>(Order::k132), k213 = static_cast<u64>(Order::k213),
              k231 = static_cast<u64>(Order::k231);

#define VTSIM_FMA_PACKED(name, kind)                                            \
  avx_row(ZYDIS_MNEMONIC_##name##132PS, bind_fma<u32, false, kind | k132>),     \
      avx_row(ZYDIS_MNEMONIC_##name##213PS, bind_fma<u32, false, kind | k213>), \
      avx_row(ZYDIS_MNEMONIC_##name##231PS, bind_fma<u32, false, kind | k231>), \
      avx_row(ZYDIS_MNEMONIC_##name##132PD, bind_fma<u64, false, kind | k132>), \
      avx_row(ZYDIS_MNEMONIC_##name##213PD, bind_fma<u64, false, kind | k213>), \
      avx_row(ZYDIS_MNEMONIC_##name##231PD, bind_fma<u64, false, kind | k231>)
#define VTSIM_FMA_ALL(name, kind)                                              \
  VTSIM_FMA_PACKED(name, kind),                                                \
      avx_row(ZYDIS_MNEMONIC_##name##132SS, bind_fma<u32, true, kind | k132>), \
      avx_row(ZYDIS_MNEMONIC_##name##213SS, bind_fma<u32, true, kind | k213>), \
      avx_row(ZYDIS_MNEMONIC_##name##231SS, bind_fma<u32, true, kind | k231>), \
      avx_row(ZYDIS_MNEMONIC_##name##132SD, bind_fma<u64, true, kind | k132>), \
      avx_row(ZYDIS_MNEMONIC_##name##213SD, bind_fma<u64, true, kind | k213>), \
      avx_row(ZYDIS_MNEMONIC_##name##231SD, bind_fma<u64, true, kind | k231>)

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
