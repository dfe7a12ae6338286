#pragma once
// Tools of the vector instructions (SSE, AVX): lanes, operands, and binders that turn a function of
// values into handlers for all its forms.
//
// A value is Lanes<bytes>: 16 (XMM) or 32 (YMM) bytes, seen as lanes of any type. An instruction is
// written once as a function of Lanes<16>; the binders apply it to each 128-bit half, since nearly all
// AVX instructions work within halves.
//
//   legacy SSE   xmm1, xmm2/m128          first source = destination, bits above 127 keep;
//                                         memory operands of 16 bytes must be aligned: #GP(0)
//   VEX          xmm1, xmm2, xmm3/m128    bits above are cleared; memory need not be aligned

#include <cstring>

#include "model/cpu/exec/table.h"

namespace vtsim::cpu {

// GCC's vectors: element-wise arithmetic that compiles to host vector instructions.
template <class T>
using Vec16 [[gnu::vector_size(16)]] = T;

template <unsigned size>
struct Lanes {
  alignas(16) u8 bytes[size];

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

// All lanes of type T at once, as a host vector.
template <class T>
inline auto lanes_of(const Xmm& x) {
  typedef T V __attribute__((vector_size(16)));
  V v;
  std::memcpy(&v, x.bytes, 16);
  return v;
}
template <class V>
inline Xmm xmm_of(const V& v) {
  static_assert(sizeof(V) == 16);
  Xmm x;
  std::memcpy(x.bytes, &v, 16);
  return x;
}

inline Xmm read_xmm(const Core& core, unsigned n) {
  Xmm x;
  std::memcpy(x.bytes, core.state.vector.reg[n], 16);
  return x;
}
inline void write_xmm(Core& core, unsigned n, const Xmm& x) {  // legacy SSE: keeps bits 255:128
  std::memcpy(core.state.vector.reg[n], x.bytes, 16);
}
inline Ymm read_ymm(const Core& core, unsigned n) {
  Ymm y;
  std::memcpy(y.bytes, core.state.vector.reg[n], 32);
  return y;
}
inline void write_ymm(Core& core, unsigned n, const Ymm& y) {
  std::memcpy(core.state.vector.reg[n], y.bytes, 32);
}
// VEX.128: clears bits 255:128.
inline void write_xmm_zero_upper(Core& core, unsigned n, const Xmm& x) {
  std::memcpy(core.state.vector.reg[n], x.bytes, 16);
  std::memset(core.state.vector.reg[n] + 16, 0, 16);
}

// Legacy SSE's rule for 16-byte memory operands. SDM 1 "Memory Operands" of SSE; SDM 2 "Exceptions
// Type 4": misaligned is #GP(0) whatever CR0.AM.
template <class T>
inline bool load_aligned(Core& core, const Op& op, T& out) {
  u64 lin;
  if (!operand_linear(core, op, sizeof(T), Intent::kRead, lin)) return false;
  if (lin % sizeof(T) != 0) {
    core.raise(kGp, 0);
    return false;
  }
  return load_linear(core, op, lin, out);
}
template <class T>
inline bool store_aligned(Core& core, const Op& op, const T& value) {
  u64 lin;
  if (!operand_linear(core, op, sizeof(T), Intent::kWrite, lin)) return false;
  if (lin % sizeof(T) != 0) {
    core.raise(kGp, 0);
    return false;
  }
  return store_linear(core, op, lin, value);
}

// The legacy two-operand form: dst = function(dst, src/m128). Op: dst, src or memory.
template <Xmm (*function)(const Xmm&, const Xmm&)>
Outcome sse_binary_reg(Core& core, const Op& op) {
  write_xmm(core, op.dst, function(read_xmm(core, op.dst), read_xmm(core, op.src)));
  return Outcome::kNext;
}
template <Xmm (*function)(const Xmm&, const Xmm&)>
Outcome sse_binary_mem(Core& core, const Op& op) {
  Xmm source;
  if (!load_aligned(core, op, source)) return Outcome::kFault;
  write_xmm(core, op.dst, function(read_xmm(core, op.dst), source));
  return Outcome::kNext;
}
template <Xmm (*function)(const Xmm&, const Xmm&)>
Handler sse_binary(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  return op.mem.present() ? &run<sse_binary_mem<function>> : &run<sse_binary_reg<function>>;
}

}  // namespace vtsim::cpu
