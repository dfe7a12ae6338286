// Conversions between integers and floating point, and between precisions. SDM 1 "SSE Conversion
// Instructions", "SSE2 Conversion Instructions", "Half-Precision Floating-Point Conversion".

#include "model/cpu/exec/float_environment.h"
#include "model/cpu/exec/groups.h"
#include "model/cpu/exec/host_float.h"
#include "model/cpu/exec/mmx.h"

namespace vtsim::cpu {

namespace {

using namespace host_float;

// ---- general registers

template <class Float, class Int>
Xmm from_integer(const Xmm& a, Int value) {
  __m128i r = host(a);
  if constexpr (sizeof(Float) == 4 && sizeof(Int) == 4)
    asm volatile("cvtsi2ssl %1, %0" : "+x"(r) : "r"(value));
  if constexpr (sizeof(Float) == 4 && sizeof(Int) == 8)
    asm volatile("cvtsi2ssq %1, %0" : "+x"(r) : "r"(value));
  if constexpr (sizeof(Float) == 8 && sizeof(Int) == 4)
    asm volatile("cvtsi2sdl %1, %0" : "+x"(r) : "r"(value));
  if constexpr (sizeof(Float) == 8 && sizeof(Int) == 8)
    asm volatile("cvtsi2sdq %1, %0" : "+x"(r) : "r"(value));
  return lanes(r);
}
template <class Float, class Int, bool truncate>
Int to_integer(const Xmm& a) {
  Int r;
  if constexpr (sizeof(Float) == 4 && truncate)
    asm volatile("cvttss2si %1, %0" : "=r"(r) : "x"(host(a)));
  if constexpr (sizeof(Float) == 4 && !truncate)
    asm volatile("cvtss2si %1, %0" : "=r"(r) : "x"(host(a)));
  if constexpr (sizeof(Float) == 8 && truncate)
    asm volatile("cvttsd2si %1, %0" : "=r"(r) : "x"(host(a)));
  if constexpr (sizeof(Float) == 8 && !truncate)
    asm volatile("cvtsd2si %1, %0" : "=r"(r) : "x"(host(a)));
  return r;
}

template <class Float, class Int, Encoding encoding>
[[gnu::always_inline]] inline Outcome from_gpr(Core& core, const Op& op, Int value) {
  const Held<16> a(read_xmm(core, first_source<encoding>(op)));
  Xmm out;
  const auto convert = [a, value] { return from_integer<Float>(a.lanes(), value); };
  if (!compute(core, convert, NoSoftForm{}, out)) return Outcome::kFault;
  write_vector<encoding>(core, op.dst, out);
  return Outcome::kNext;
}
template <class Float, class Int, Encoding encoding>
Outcome from_gpr_reg(Core& core, const Op& op) {
  return from_gpr<Float, Int, encoding>(core, op, get_gpr<Int>(core, second_source<encoding>(op)));
}
template <class Float, class Int, Encoding encoding>
Outcome from_gpr_mem(Core& core, const Op& op) {
  Int value;
  if (!load_operand(core, op, value)) return Outcome::kFault;
  return from_gpr<Float, Int, encoding>(core, op, value);
}
template <class Float, class Int>
Handler choose_from_gpr(const Binding& binding, const Op& op) {
  return by_scalar_encoding(encoding_of(binding), [&](auto e) -> Handler {
    return op.mem.present() ? &run<from_gpr_mem<Float, Int, e()>>
                            : &run<from_gpr_reg<Float, Int, e()>>;
  });
}
template <class Float>
Handler bind_from_gpr(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  return binding.in.operand[binding.in.visible() - 1].size == 64
             ? choose_from_gpr<Float, u64>(binding, op)
             : choose_from_gpr<Float, u32>(binding, op);
}

template <class Float, class Int, bool truncate>
[[gnu::always_inline]] inline Outcome to_gpr(Core& core, const Op& op, const Xmm& a) {
  Int out;
  const auto convert = [x = Held<16>(a)] { return to_integer<Float, Int, truncate>(x.lanes()); };
  if (!compute(core, convert, NoSoftForm{}, out)) return Outcome::kFault;
  set_gpr<Int>(core, op.dst, out);
  return Outcome::kNext;
}
template <class Float, class Int, bool truncate>
Outcome to_gpr_reg(Core& core, const Op& op) {
  return to_gpr<Float, Int, truncate>(core, op, read_xmm(core, op.src));
}
template <class Float, class Int, bool truncate>
Outcome to_gpr_mem(Core& core, const Op& op) {
  Float value;
  if (!load_operand(core, op, value)) return Outcome::kFault;
  const Xmm a = lanes(_mm_cvtsi64_si128(static_cast<i64>(value)));
  return to_gpr<Float, Int, truncate>(core, op, a);
}
template <class Float, bool truncate>
Handler bind_to_gpr(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  const bool memory = op.mem.present();
  if (operand_size_log2(binding) == 3)
    return memory ? &run<to_gpr_mem<Float, u64, truncate>> : &run<to_gpr_reg<Float, u64, truncate>>;
  return memory ? &run<to_gpr_mem<Float, u32, truncate>> : &run<to_gpr_reg<Float, u32, truncate>>;
}

// ---- to twice the width: two elements in the low quadword become a vector

template <auto function, Encoding encoding>
[[gnu::always_inline]] inline Outcome widen(Core& core, const Op& op, const Xmm& a) {
  VectorOf<encoding> out;
  const auto convert = [x = Held<16>(a)] {
    if constexpr (encoding == Encoding::kVex256) {
      const Xmm low = function(x.lanes());
      return joined(low, function(widened(x.lanes().template get<u64>(1))));
    } else {
      return function(x.lanes());
    }
  };
  if (!compute(core, convert, NoSoftForm{}, out)) return Outcome::kFault;
  write_vector<encoding>(core, op.dst, out);
  return Outcome::kNext;
}
template <auto function, Encoding encoding>
Outcome widen_reg(Core& core, const Op& op) {
  return widen<function, encoding>(core, op, read_xmm(core, op.src));
}
template <auto function, Encoding encoding>
Outcome widen_mem(Core& core, const Op& op) {
  Xmm a{};
  if constexpr (encoding == Encoding::kVex256) {
    if (!load_operand(core, op, a)) return Outcome::kFault;
  } else {
    u64 value;
    if (!load_operand(core, op, value)) return Outcome::kFault;
    a = widened(value);
  }
  return widen<function, encoding>(core, op, a);
}
template <auto function>
Handler bind_widening(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  return by_encoding(encoding_of(binding), [&](auto e) -> Handler {
    return op.mem.present() ? &run<widen_mem<function, e()>> : &run<widen_reg<function, e()>>;
  });
}

// ---- to half the width: a vector becomes elements in its low half, the rest is cleared

Xmm soft_cvtpd2ps(FloatEnv& env, const Xmm&, const Xmm& b) {
  Xmm r{};
  for (unsigned n = 0; n < 2; ++n)
    r.set<u32>(n, static_cast<u32>(soft_convert<Single, Double>(env, b.get<u64>(n))));
  return r;
}
template <class Operation>
struct Narrowed {
  template <unsigned size>
  static bool apply(Core& core, const Op& op, const Lanes<size>& a, const Lanes<size>& b,
                    Xmm& out) {
    Lanes<size> wide;
    if (!Operation::template apply<size>(core, op, a, b, wide)) return false;
    if constexpr (size == 16) {
      out = wide;
    } else {
      out = widened(wide.template get<u64>(0), wide.template get<u64>(2));
    }
    return true;
  }
};
template <class Operation, Encoding encoding>
Outcome narrow(Core& core, const Op& op, const VectorOf<encoding>& a) {
  Xmm out;
  if (!Narrowed<Operation>::template apply<kVectorBytes<encoding>>(core, op, a, a, out))
    return Outcome::kFault;
  constexpr Encoding kResult =
      encoding == Encoding::kLegacy ? Encoding::kLegacy : Encoding::kVex128;
  write_vector<kResult>(core, op.dst, out);
  return Outcome::kNext;
}
template <class Operation, Encoding encoding>
Outcome narrow_reg(Core& core, const Op& op) {
  return narrow<Operation, encoding>(core, op, read_vector<kVectorBytes<encoding>>(core, op.src));
}
template <class Operation, Encoding encoding>
Outcome narrow_mem(Core& core, const Op& op) {
  VectorOf<encoding> a;
  if (!load_source<Whole, encoding>(core, op, a)) return Outcome::kFault;
  return narrow<Operation, encoding>(core, op, a);
}
template <class Operation>
Handler bind_narrowing(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  return by_encoding(encoding_of(binding), [&](auto e) -> Handler {
    return op.mem.present() ? &run<narrow_mem<Operation, e()>> : &run<narrow_reg<Operation, e()>>;
  });
}

// ---- scalar, between precisions

Xmm soft_cvtsd2ss(FloatEnv& env, const Xmm& a, const Xmm& b) {
  Xmm r = a;
  r.set<u32>(0, static_cast<u32>(soft_convert<Single, Double>(env, b.get<u64>(0))));
  return r;
}

// ---- MMX registers. The unused upper lanes are zero: their conversion is exact.

// CVTPI2PS keeps the upper half; CVTPI2PD writes all.
template <class Float>
Outcome from_mmx(Core& core, const Op& op, u64 value) {
  Xmm converted;
  const Xmm source = widened(value);
  const auto convert = [source] {
    return sizeof(Float) == 4 ? cvtdq2ps(source) : cvtdq2pd(source);
  };
  if (!compute(core, convert, NoSoftForm{}, converted)) return Outcome::kFault;
  if constexpr (sizeof(Float) == 4) converted.set<u64>(1, read_xmm(core, op.dst).get<u64>(1));
  write_vector<Encoding::kLegacy>(core, op.dst, converted);
  return Outcome::kNext;
}
template <class Float>
Outcome from_mmx_reg(Core& core, const Op& op) {
  if (!x87_exception_absent(core)) return Outcome::kFault;
  const Outcome outcome = from_mmx<Float>(core, op, read_mmx(core, op.src));
  if (outcome == Outcome::kNext) enter_mmx(core);
  return outcome;
}
// CVTPI2PD from memory leaves the x87 state alone. SDM 2 "CVTPI2PD".
template <class Float>
Outcome from_mmx_mem(Core& core, const Op& op) {
  constexpr bool kTouchesX87 = sizeof(Float) == 4;
  u64 value;
  if ((kTouchesX87 && !x87_exception_absent(core)) || !load_operand(core, op, value))
    return Outcome::kFault;
  const Outcome outcome = from_mmx<Float>(core, op, value);
  if (kTouchesX87 && outcome == Outcome::kNext) enter_mmx(core);
  return outcome;
}
template <class Float>
Handler bind_from_mmx(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  return op.mem.present() ? &run<from_mmx_mem<Float>> : &run<from_mmx_reg<Float>>;
}

template <auto function>
Outcome to_mmx(Core& core, const Op& op, const Xmm& source) {
  Xmm converted;
  if (!compute(
          core, [source] { return function(source); }, NoSoftForm{}, converted))
    return Outcome::kFault;
  enter_mmx(core);
  write_mmx(core, op.dst, converted.get<u64>(0));
  return Outcome::kNext;
}
template <auto function, class M>
Outcome to_mmx_reg(Core& core, const Op& op) {
  if (!x87_exception_absent(core)) return Outcome::kFault;
  Xmm source = read_xmm(core, op.src);
  if constexpr (!std::is_same_v<M, Whole>) source.set<u64>(1, 0);
  return to_mmx<function>(core, op, source);
}
template <auto function, class M>
Outcome to_mmx_mem(Core& core, const Op& op) {
  Xmm source;
  if (!x87_exception_absent(core) || !load_source<M, Encoding::kLegacy>(core, op, source))
    return Outcome::kFault;
  return to_mmx<function>(core, op, source);
}
template <auto function, class M>
Handler bind_to_mmx(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  return op.mem.present() ? &run<to_mmx_mem<function, M>> : &run<to_mmx_reg<function, M>>;
}

// ---- F16C. SDM 1 "Half-Precision Floating-Point Conversion": denormal halves are converted
// whatever DAZ says and without DE; results are never flushed.

template <Encoding encoding>
Outcome ph2ps(Core& core, const Op& op, const Xmm& a) {
  VectorOf<encoding> out;
  const auto convert = [&](FloatEnv& env) {
    FloatEnv quiet{Mxcsr::kDefault};
    VectorOf<encoding> r;
    for (unsigned n = 0; n < kVectorBytes<encoding> / 4; ++n)
      r.template set<u32>(n, static_cast<u32>(soft_convert<Single, Half>(quiet, a.get<u16>(n))));
    env.flags = quiet.flags & static_cast<u32>(Mxcsr::IE.mask());
    return r;
  };
  if (!compute_softly(core, convert, out)) return Outcome::kFault;
  write_vector<encoding>(core, op.dst, out);
  return Outcome::kNext;
}
template <Encoding encoding>
Outcome ph2ps_reg(Core& core, const Op& op) {
  return ph2ps<encoding>(core, op, read_xmm(core, op.src));
}
template <Encoding encoding>
Outcome ph2ps_mem(Core& core, const Op& op) {
  using M = std::conditional_t<encoding == Encoding::kVex256, Xmm, u64>;
  M value;
  if (!load_operand(core, op, value)) return Outcome::kFault;
  Xmm a{};
  std::memcpy(a.bytes, &value, sizeof value);
  return ph2ps<encoding>(core, op, a);
}
Handler bind_ph2ps(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  const bool memory = op.mem.present();
  if (encoding_of(binding) == Encoding::kVex256)
    return memory ? &run<ph2ps_mem<Encoding::kVex256>> : &run<ph2ps_reg<Encoding::kVex256>>;
  return memory ? &run<ph2ps_mem<Encoding::kVex128>> : &run<ph2ps_reg<Encoding::kVex128>>;
}

// imm: 2 rounding from MXCSR | 1:0 rounding
template <unsigned size>
bool ps2ph(Core& core, const Op& op, Xmm& out) {
  const auto a = read_vector<size>(core, op.src);
  return compute_softly(
      core,
      [&](FloatEnv& env) {
        const u32 rounding = bit(op.imm, 2) ? static_cast<u32>(Mxcsr::RC.get(env.mxcsr))
                                            : static_cast<u32>(bits(op.imm, 1, 0));
        FloatEnv own{static_cast<u32>(Mxcsr::RC.put(env.mxcsr, rounding) & ~Mxcsr::FTZ.mask())};
        Xmm r{};
        for (unsigned n = 0; n < size / 4; ++n)
          r.set<u16>(n, static_cast<u16>(soft_convert<Half, Single>(own, a.template get<u32>(n))));
        env.flags = own.flags;
        return r;
      },
      out);
}
template <unsigned size>
Outcome ps2ph_reg(Core& core, const Op& op) {
  Xmm out;
  if (!ps2ph<size>(core, op, out)) return Outcome::kFault;
  write_vector<Encoding::kVex128>(core, op.dst, out);
  return Outcome::kNext;
}
// A store that faults leaves MXCSR alone.
template <unsigned size>
Outcome ps2ph_mem(Core& core, const Op& op) {
  const u32 mxcsr = core.state.vector.mxcsr;
  Xmm out;
  if (!ps2ph<size>(core, op, out)) return Outcome::kFault;
  bool stored;
  if constexpr (size == 16) {
    stored = store_operand(core, op, out.get<u64>(0));
  } else {
    stored = store_operand(core, op, out);
  }
  if (stored) return Outcome::kNext;
  core.state.vector.mxcsr = mxcsr;
  return Outcome::kFault;
}
Handler bind_ps2ph(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  const bool memory = op.mem.present();
  if (encoding_of(binding) == Encoding::kVex256)
    return memory ? &run<ps2ph_mem<32>> : &run<ps2ph_reg<32>>;
  return memory ? &run<ps2ph_mem<16>> : &run<ps2ph_reg<16>>;
}

constexpr Binder kPd2ps = bind_narrowing<Floating<cvtpd2ps, soft_cvtpd2ps>>;
constexpr Binder kSd2ss = bind_binary_128<Floating<cvtsd2ss, soft_cvtsd2ss>, u64>;

constexpr InstructionRow kRows[] = {
    sse_row(ZYDIS_MNEMONIC_CVTSI2SS, bind_from_gpr<u32>),
    avx_row(ZYDIS_MNEMONIC_VCVTSI2SS, bind_from_gpr<u32>),
    sse_row(ZYDIS_MNEMONIC_CVTSI2SD, bind_from_gpr<u64>),
    avx_row(ZYDIS_MNEMONIC_VCVTSI2SD, bind_from_gpr<u64>),
    sse_row(ZYDIS_MNEMONIC_CVTSS2SI, bind_to_gpr<u32, false>),
    avx_row(ZYDIS_MNEMONIC_VCVTSS2SI, bind_to_gpr<u32, false>),
    sse_row(ZYDIS_MNEMONIC_CVTTSS2SI, bind_to_gpr<u32, true>),
    avx_row(ZYDIS_MNEMONIC_VCVTTSS2SI, bind_to_gpr<u32, true>),
    sse_row(ZYDIS_MNEMONIC_CVTSD2SI, bind_to_gpr<u64, false>),
    avx_row(ZYDIS_MNEMONIC_VCVTSD2SI, bind_to_gpr<u64, false>),
    sse_row(ZYDIS_MNEMONIC_CVTTSD2SI, bind_to_gpr<u64, true>),
    avx_row(ZYDIS_MNEMONIC_VCVTTSD2SI, bind_to_gpr<u64, true>),
    sse_row(ZYDIS_MNEMONIC_CVTDQ2PS, bind_unary<Floating<cvtdq2ps>>),
    avx_row(ZYDIS_MNEMONIC_VCVTDQ2PS, bind_unary<Floating<cvtdq2ps>>),
    sse_row(ZYDIS_MNEMONIC_CVTPS2DQ, bind_unary<Floating<cvtps2dq>>),
    avx_row(ZYDIS_MNEMONIC_VCVTPS2DQ, bind_unary<Floating<cvtps2dq>>),
    sse_row(ZYDIS_MNEMONIC_CVTTPS2DQ, bind_unary<Floating<cvttps2dq>>),
    avx_row(ZYDIS_MNEMONIC_VCVTTPS2DQ, bind_unary<Floating<cvttps2dq>>),
    sse_row(ZYDIS_MNEMONIC_CVTDQ2PD, bind_widening<cvtdq2pd>),
    avx_row(ZYDIS_MNEMONIC_VCVTDQ2PD, bind_widening<cvtdq2pd>),
    sse_row(ZYDIS_MNEMONIC_CVTPS2PD, bind_widening<cvtps2pd>),
    avx_row(ZYDIS_MNEMONIC_VCVTPS2PD, bind_widening<cvtps2pd>),
    sse_row(ZYDIS_MNEMONIC_CVTPD2PS, kPd2ps),
    avx_row(ZYDIS_MNEMONIC_VCVTPD2PS, kPd2ps),
    sse_row(ZYDIS_MNEMONIC_CVTPD2DQ, bind_narrowing<Floating<cvtpd2dq>>),
    avx_row(ZYDIS_MNEMONIC_VCVTPD2DQ, bind_narrowing<Floating<cvtpd2dq>>),
    sse_row(ZYDIS_MNEMONIC_CVTTPD2DQ, bind_narrowing<Floating<cvttpd2dq>>),
    avx_row(ZYDIS_MNEMONIC_VCVTTPD2DQ, bind_narrowing<Floating<cvttpd2dq>>),
    sse_row(ZYDIS_MNEMONIC_CVTSS2SD, bind_binary_128<Floating<cvtss2sd>, u32>),
    avx_row(ZYDIS_MNEMONIC_VCVTSS2SD, bind_binary_128<Floating<cvtss2sd>, u32>),
    sse_row(ZYDIS_MNEMONIC_CVTSD2SS, kSd2ss),
    avx_row(ZYDIS_MNEMONIC_VCVTSD2SS, kSd2ss),
    sse_row(ZYDIS_MNEMONIC_CVTPI2PS, bind_from_mmx<u32>),
    sse_row(ZYDIS_MNEMONIC_CVTPI2PD, bind_from_mmx<u64>),
    sse_row(ZYDIS_MNEMONIC_CVTPS2PI, bind_to_mmx<cvtps2dq, u64>),
    sse_row(ZYDIS_MNEMONIC_CVTTPS2PI, bind_to_mmx<cvttps2dq, u64>),
    sse_row(ZYDIS_MNEMONIC_CVTPD2PI, bind_to_mmx<cvtpd2dq, Whole>),
    sse_row(ZYDIS_MNEMONIC_CVTTPD2PI, bind_to_mmx<cvttpd2dq, Whole>),
    avx_row(ZYDIS_MNEMONIC_VCVTPH2PS, bind_ph2ps),
    avx_row(ZYDIS_MNEMONIC_VCVTPS2PH, bind_ps2ph),
};

}  // namespace

Rows vector_convert_rows() { return kRows; }

}  // namespace vtsim::cpu
