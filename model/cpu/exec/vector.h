#pragma once
// Tools of the vector instructions: values, operands, and binders that turn a function of values
// into handlers for all its forms.
//
// A value is Lanes<bytes>: 16 (XMM) or 32 (YMM) bytes, seen as lanes of any type. An instruction is
// written once as a function of Lanes<16>; the binders apply it to each 128-bit half, since nearly
// all AVX instructions work within halves.
//
//   legacy SSE   xmm1, xmm2/m128          first source = destination, bits above 127 keep;
//                                         memory operands of 16 bytes must be aligned: #GP(0)
//   VEX          xmm1, xmm2, xmm3/m128    bits above are cleared; memory need not be aligned
//
// Where bind_operands (exec/table.h) leaves the operands:
//   legacy   dst (also the first source), src or memory, imm
//   VEX      dst, src = first source, index or memory = second source; imm = immediate, or the
//   third
//            register source (VEX.is4, and the second register source beside a memory operand)

#include <emmintrin.h>

#include <cstring>
#include <type_traits>

#include "model/cpu/exec/choose.h"

namespace vtsim::cpu {

template <unsigned size>
struct Lanes {
  alignas(16) u8 bytes[size];

  static constexpr unsigned kSize = size;
  template <class T>
  static constexpr unsigned kCount = size / sizeof(T);

  template <class T>
  T get(unsigned lane) const {
    T value;
    std::memcpy(&value, bytes + lane * sizeof(T), sizeof(T));
    return value;
  }
  template <class T>
  void set(unsigned lane, T value) {
    std::memcpy(bytes + lane * sizeof(T), &value, sizeof(T));
  }
  static Lanes zero() { return Lanes{}; }
};
using Xmm = Lanes<16>;
using Ymm = Lanes<32>;

// To and from what the host's instructions take.
inline __m128i host(const Xmm& x) {
  __m128i v;
  std::memcpy(&v, x.bytes, 16);
  return v;
}
inline Xmm lanes(__m128i v) {
  Xmm x;
  std::memcpy(x.bytes, &v, 16);
  return x;
}
inline Xmm low_lanes(const Ymm& y) {
  Xmm x;
  std::memcpy(x.bytes, y.bytes, 16);
  return x;
}
inline Xmm high_lanes(const Ymm& y) {
  Xmm x;
  std::memcpy(x.bytes, y.bytes + 16, 16);
  return x;
}
inline Ymm joined(const Xmm& low, const Xmm& high) {
  Ymm y;
  std::memcpy(y.bytes, low.bytes, 16);
  std::memcpy(y.bytes + 16, high.bytes, 16);
  return y;
}

// As one number of 128 bits.
inline unsigned __int128 whole(const Xmm& x) {
  unsigned __int128 v;
  std::memcpy(&v, x.bytes, 16);
  return v;
}
inline Xmm lanes(unsigned __int128 v) {
  Xmm x;
  std::memcpy(x.bytes, &v, 16);
  return x;
}

// Lane by lane: result lane of type To = function(lane of a, lane of b).
template <class T, class Function>
inline Xmm map_lanes(const Xmm& a, const Xmm& b, Function function) {
  Xmm r;
  for (unsigned n = 0; n < Xmm::kCount<T>; ++n)
    r.set<T>(n, static_cast<T>(function(a.get<T>(n), b.get<T>(n))));
  return r;
}
template <class T, class Function>
inline Xmm map_lanes(const Xmm& a, Function function) {
  Xmm r;
  for (unsigned n = 0; n < Xmm::kCount<T>; ++n) r.set<T>(n, static_cast<T>(function(a.get<T>(n))));
  return r;
}

// ---- registers

template <unsigned size>
inline Lanes<size> read_vector(const Core& core, u64 n) {
  Lanes<size> x;
  std::memcpy(x.bytes, core.state.vector.reg[n], size);
  return x;
}
inline Xmm read_xmm(const Core& core, unsigned n) { return read_vector<16>(core, n); }

enum class Encoding : u8 { kLegacy, kVex128, kVex256 };

template <Encoding encoding>
inline constexpr unsigned kVectorBytes = encoding == Encoding::kVex256 ? 32 : 16;
template <Encoding encoding>
using VectorOf = Lanes<kVectorBytes<encoding>>;

// Legacy SSE keeps bits 255:128, VEX.128 clears them. SDM 2 "Instruction Set Reference > VEX
// Encoding and Upper Bits of Vector Registers".
template <Encoding encoding>
inline void write_vector(Core& core, unsigned n, const VectorOf<encoding>& x) {
  std::memcpy(core.state.vector.reg[n], x.bytes, sizeof x.bytes);
  if constexpr (encoding == Encoding::kVex128) std::memset(core.state.vector.reg[n] + 16, 0, 16);
}

inline Encoding encoding_of(const Binding& binding) {
  const ZydisDecodedInstruction& ins = binding.in.ins;
  if (ins.encoding != ZYDIS_INSTRUCTION_ENCODING_VEX) return Encoding::kLegacy;
  return ins.avx.vector_length == 256 ? Encoding::kVex256 : Encoding::kVex128;
}
// Instructions on one element ignore VEX.L.
inline Encoding scalar_encoding_of(const Binding& binding) {
  return encoding_of(binding) == Encoding::kLegacy ? Encoding::kLegacy : Encoding::kVex128;
}
template <class Choose>
Handler by_encoding(Encoding encoding, Choose choose) {
  switch (encoding) {
    case Encoding::kLegacy:
      return choose(Constant<Encoding::kLegacy>{});
    case Encoding::kVex128:
      return choose(Constant<Encoding::kVex128>{});
    default:
      return choose(Constant<Encoding::kVex256>{});
  }
}
template <class Choose>
Handler by_scalar_encoding(Encoding encoding, Choose choose) {
  return encoding == Encoding::kLegacy ? choose(Constant<Encoding::kLegacy>{})
                                       : choose(Constant<Encoding::kVex128>{});
}

// Where the sources are: legacy's first source is the destination.
template <Encoding encoding>
inline unsigned first_source(const Op& op) {
  return encoding == Encoding::kLegacy ? op.dst : op.src;
}
template <Encoding encoding>
inline unsigned second_source(const Op& op) {
  return encoding == Encoding::kLegacy ? op.src : op.index;
}

// ---- memory operands

// Misaligned is #GP(0) whatever CR0.AM. SDM 2 "Exceptions Type 1 and Type 4".
template <class T, Form form = Form::kGeneral>
inline bool aligned_linear(Core& core, const Op& op, Intent intent, u64& lin) {
  if (!operand_linear<form>(core, op, sizeof(T), intent, lin)) return false;
  if (lin % sizeof(T) == 0) [[likely]]
    return true;
  core.raise(kGp, 0);
  return false;
}
template <class T, Form form = Form::kGeneral>
inline bool load_aligned(Core& core, const Op& op, T& out) {
  u64 lin;
  return aligned_linear<T, form>(core, op, Intent::kRead, lin) && load_linear(core, op, lin, out);
}
template <class T, Form form = Form::kGeneral>
inline bool store_aligned(Core& core, const Op& op, const T& value) {
  u64 lin;
  return aligned_linear<T, form>(core, op, Intent::kWrite, lin) &&
         store_linear(core, op, lin, value);
}

// The whole vector as a source operand in memory.
struct Whole {};

// A source in memory: the whole vector (aligned where legacy), or M bytes in the lowest lane.
template <class M, Encoding encoding, Form form = Form::kGeneral>
inline bool load_source(Core& core, const Op& op, VectorOf<encoding>& out) {
  if constexpr (!std::is_same_v<M, Whole>) {
    M value;
    if (!load_operand<M, form>(core, op, value)) return false;
    static_assert(kVectorBytes<encoding> == 16 && sizeof(M) <= 8);
    out = lanes(_mm_cvtsi64_si128(static_cast<i64>(value)));
    return true;
  } else if constexpr (encoding == Encoding::kLegacy) {
    return load_aligned<VectorOf<encoding>, form>(core, op, out);
  } else {
    return load_operand<VectorOf<encoding>, form>(core, op, out);
  }
}

// Flat 64-bit addresses, or all others.
template <class Choose>
Handler by_flatness(const Op& op, Choose choose) {
  return op.mem.general() ? choose(Constant<Form::kGeneral>{})
                          : choose(Constant<Form::kBaseIndex>{});
}

// ---- operations: what a handler does with its sources. apply() is false when it raised.

// Calls function(a[, imm]) or function(a, b[, imm]).
template <auto function>
[[gnu::always_inline]] inline Xmm call_on_lanes(const Xmm& a, const Xmm& b, u8 imm) {
  using F = decltype(function);
  if constexpr (std::is_invocable_v<F, const Xmm&, const Xmm&, u8>) {
    return function(a, b, imm);
  } else if constexpr (std::is_invocable_v<F, const Xmm&, const Xmm&>) {
    return function(a, b);
  } else if constexpr (std::is_invocable_v<F, const Xmm&, u8>) {
    return function(b, imm);
  } else {
    return function(b);
  }
}

// A function that depends on nothing but its operands.
template <auto function>
struct Pure {
  template <unsigned size>
  [[gnu::always_inline]] static bool apply(Core&, const Op& op, const Lanes<size>& a,
                                           const Lanes<size>& b, Lanes<size>& out) {
    const u8 imm = static_cast<u8>(op.imm);
    if constexpr (size == 16) {
      out = call_on_lanes<function>(a, b, imm);
    } else {
      out = joined(call_on_lanes<function>(low_lanes(a), low_lanes(b), imm),
                   call_on_lanes<function>(high_lanes(a), high_lanes(b), imm));
    }
    return true;
  }
};

// ---- two sources

template <class Operation, Encoding encoding>
Outcome binary_reg(Core& core, const Op& op) {
  constexpr unsigned kSize = kVectorBytes<encoding>;
  const auto a = read_vector<kSize>(core, first_source<encoding>(op));
  const auto b = read_vector<kSize>(core, second_source<encoding>(op));
  Lanes<kSize> out;
  if (!Operation::template apply<kSize>(core, op, a, b, out)) return Outcome::kFault;
  write_vector<encoding>(core, op.dst, out);
  return Outcome::kNext;
}
template <class Operation, Encoding encoding, class M, Form form = Form::kGeneral>
Outcome binary_mem(Core& core, const Op& op) {
  constexpr unsigned kSize = kVectorBytes<encoding>;
  Lanes<kSize> b, out;
  if (!load_source<M, encoding, form>(core, op, b)) return Outcome::kFault;
  const auto a = read_vector<kSize>(core, first_source<encoding>(op));
  if (!Operation::template apply<kSize>(core, op, a, b, out)) return Outcome::kFault;
  write_vector<encoding>(core, op.dst, out);
  return Outcome::kNext;
}

// Legacy, VEX.128 and VEX.256 forms.
template <class Operation, class M = Whole>
Handler bind_binary(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  return by_encoding(encoding_of(binding), [&](auto e) -> Handler {
    if (!op.mem.present()) return &run<binary_reg<Operation, e()>>;
    return by_flatness(
        op, [e](auto form) -> Handler { return &run<binary_mem<Operation, e(), M, form()>>; });
  });
}
// The same without VEX.256: elements of type M, or instructions that have no 256-bit form.
template <class Operation, class M>
Handler bind_binary_128(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  return by_scalar_encoding(encoding_of(binding), [&](auto e) -> Handler {
    if (!op.mem.present()) return &run<binary_reg<Operation, e()>>;
    return by_flatness(
        op, [e](auto form) -> Handler { return &run<binary_mem<Operation, e(), M, form()>>; });
  });
}

template <auto function>
Handler binary(const Binding& binding, Op& op) {
  return bind_binary<Pure<function>>(binding, op);
}
template <auto function, class M = Whole>
Handler binary_128(const Binding& binding, Op& op) {
  return bind_binary_128<Pure<function>, M>(binding, op);
}

// ---- one source: dst = function(src)

template <class Operation, Encoding encoding>
Outcome unary_reg(Core& core, const Op& op) {
  constexpr unsigned kSize = kVectorBytes<encoding>;
  const auto a = read_vector<kSize>(core, op.src);
  Lanes<kSize> out;
  if (!Operation::template apply<kSize>(core, op, a, a, out)) return Outcome::kFault;
  write_vector<encoding>(core, op.dst, out);
  return Outcome::kNext;
}
template <class Operation, Encoding encoding, class M, Form form = Form::kGeneral>
Outcome unary_mem(Core& core, const Op& op) {
  constexpr unsigned kSize = kVectorBytes<encoding>;
  Lanes<kSize> a, out;
  if (!load_source<M, encoding, form>(core, op, a)) return Outcome::kFault;
  if (!Operation::template apply<kSize>(core, op, a, a, out)) return Outcome::kFault;
  write_vector<encoding>(core, op.dst, out);
  return Outcome::kNext;
}

template <class Operation, class M = Whole>
Handler bind_unary(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  return by_encoding(encoding_of(binding), [&](auto e) -> Handler {
    if (!op.mem.present()) return &run<unary_reg<Operation, e()>>;
    return by_flatness(
        op, [e](auto form) -> Handler { return &run<unary_mem<Operation, e(), M, form()>>; });
  });
}
template <class Operation, class M = Whole>
Handler bind_unary_128(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  return by_scalar_encoding(encoding_of(binding), [&](auto e) -> Handler {
    if (!op.mem.present()) return &run<unary_reg<Operation, e()>>;
    return by_flatness(
        op, [e](auto form) -> Handler { return &run<unary_mem<Operation, e(), M, form()>>; });
  });
}
template <auto function>
Handler unary(const Binding& binding, Op& op) {
  return bind_unary<Pure<function>>(binding, op);
}
template <auto function, class M = Whole>
Handler unary_128(const Binding& binding, Op& op) {
  return bind_unary_128<Pure<function>, M>(binding, op);
}

// ---- rows

constexpr InstructionRow vector_row(Mnemonic mnemonic, Binder bind, Gate gate,
                                    FlagUse flags = FlagUse::kNone) {
  return {
      .mnemonic = mnemonic, .bind = bind, .gate = gate, .timing = Timing::kSimd, .flags = flags};
}
constexpr InstructionRow sse_row(Mnemonic mnemonic, Binder bind, FlagUse flags = FlagUse::kNone) {
  return vector_row(mnemonic, bind, Gate::kSse, flags);
}
constexpr InstructionRow avx_row(Mnemonic mnemonic, Binder bind, FlagUse flags = FlagUse::kNone) {
  return vector_row(mnemonic, bind, Gate::kAvx, flags);
}
// Mnemonics with forms on MMX and on XMM registers.
constexpr InstructionRow mmx_row(Mnemonic mnemonic, Binder bind) {
  return vector_row(mnemonic, bind, Gate::kMmxOrSse);
}

}  // namespace vtsim::cpu
