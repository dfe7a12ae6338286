#pragma once
// The host's SSE and SSE2 floating-point instructions as functions. Volatile asm keeps them in
// order with the accesses to MXCSR around them, and keeps the operands' order, which decides among
// NaNs.

#include "model/cpu/exec/vector.h"

namespace vtsim::cpu::host_float {

#define VTSIM_HOST_BINARY(name)                                  \
  inline Xmm name(const Xmm& a, const Xmm& b) {                  \
    __m128i result = host(a);                                    \
    asm volatile(#name " %1, %0" : "+x"(result) : "x"(host(b))); \
    return lanes(result);                                        \
  }
#define VTSIM_HOST_UNARY(name)                                   \
  inline Xmm name(const Xmm& a) {                                \
    __m128i result;                                              \
    asm volatile(#name " %1, %0" : "=x"(result) : "x"(host(a))); \
    return lanes(result);                                        \
  }

// clang-format off
VTSIM_HOST_BINARY(addps) VTSIM_HOST_BINARY(addpd) VTSIM_HOST_BINARY(addss) VTSIM_HOST_BINARY(addsd)
VTSIM_HOST_BINARY(subps) VTSIM_HOST_BINARY(subpd) VTSIM_HOST_BINARY(subss) VTSIM_HOST_BINARY(subsd)
VTSIM_HOST_BINARY(mulps) VTSIM_HOST_BINARY(mulpd) VTSIM_HOST_BINARY(mulss) VTSIM_HOST_BINARY(mulsd)
VTSIM_HOST_BINARY(divps) VTSIM_HOST_BINARY(divpd) VTSIM_HOST_BINARY(divss) VTSIM_HOST_BINARY(divsd)
VTSIM_HOST_BINARY(minps) VTSIM_HOST_BINARY(minpd) VTSIM_HOST_BINARY(minss) VTSIM_HOST_BINARY(minsd)
VTSIM_HOST_BINARY(maxps) VTSIM_HOST_BINARY(maxpd) VTSIM_HOST_BINARY(maxss) VTSIM_HOST_BINARY(maxsd)
VTSIM_HOST_UNARY(sqrtps) VTSIM_HOST_UNARY(sqrtpd)
VTSIM_HOST_BINARY(sqrtss) VTSIM_HOST_BINARY(sqrtsd)
VTSIM_HOST_UNARY(cvtps2pd) VTSIM_HOST_UNARY(cvtpd2ps)
VTSIM_HOST_BINARY(cvtss2sd) VTSIM_HOST_BINARY(cvtsd2ss)
VTSIM_HOST_UNARY(cvtdq2ps) VTSIM_HOST_UNARY(cvtdq2pd)
VTSIM_HOST_UNARY(cvtps2dq) VTSIM_HOST_UNARY(cvttps2dq)
VTSIM_HOST_UNARY(cvtpd2dq) VTSIM_HOST_UNARY(cvttpd2dq)
// clang-format on

#undef VTSIM_HOST_BINARY
#undef VTSIM_HOST_UNARY

// CMPPS and CMPPD with the eight predicates of SSE.
#define VTSIM_HOST_COMPARES(name)                                                    \
  template <unsigned predicate>                                                      \
  Xmm name(const Xmm& a, const Xmm& b) {                                             \
    __m128i result = host(a);                                                        \
    asm volatile(#name " %2, %1, %0" : "+x"(result) : "x"(host(b)), "i"(predicate)); \
    return lanes(result);                                                            \
  }
// clang-format off
VTSIM_HOST_COMPARES(cmpps)
VTSIM_HOST_COMPARES(cmppd)
VTSIM_HOST_COMPARES(cmpss)
VTSIM_HOST_COMPARES(cmpsd)
// clang-format on
#undef VTSIM_HOST_COMPARES

}  // namespace vtsim::cpu::host_float
