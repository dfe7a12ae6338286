#pragma once
// Floating-point operations of the vector instructions: host instructions under the guest's MXCSR.
//
// The host's MXCSR is left at the default controls (all masked, to nearest, denormals as they are);
// its flags are nobody's. An operation that is run under the guest's own default controls needs one
// look: when the host shows no flag that the guest doesn't have already, nothing that the operation
// raised is new. Otherwise, and under any other controls, it is run again with cleared flags.

#include "model/cpu/exec/soft_float.h"
#include "model/cpu/exec/vector.h"

namespace vtsim::cpu {

inline u32 host_mxcsr() {
  u32 value;
  asm volatile("stmxcsr %0" : "=m"(value));
  return value;
}
inline void set_host_mxcsr(u32 value) { asm volatile("ldmxcsr %0" : : "m"(value)); }

// ORs an operation's flags into MXCSR and raises what is unmasked; false: raised.
bool record_float_flags(Core& core, u32 flags);

// Stands for "cannot overflow or underflow: the host's instruction tells everything".
struct NoSoftForm {};

// The result is left in Core::scratch, so that the caller's fast path keeps its values in
// registers.
template <class Result, class Host, class Soft>
[[gnu::noinline, gnu::cold]] bool compute_carefully(Core& core, Host host_form, Soft soft_form) {
  const u32 guest = core.state.vector.mxcsr;
  if constexpr (!std::is_same_v<Soft, NoSoftForm>) {
    constexpr u32 kBoth = static_cast<u32>(Mxcsr::OM.mask() | Mxcsr::UM.mask());
    if ((guest & kBoth) != kBoth) {
      FloatEnv env{guest};
      const Result result = soft_form(env);
      std::memcpy(core.scratch, &result, sizeof result);
      return record_float_flags(core, env.flags);
    }
  }
  set_host_mxcsr((guest & ~static_cast<u32>(Mxcsr::FLAGS.mask())) |
                 static_cast<u32>(Mxcsr::MASKS.mask()));
  const Result result = host_form();
  const u32 flags = host_mxcsr() & static_cast<u32>(Mxcsr::FLAGS.mask());
  set_host_mxcsr(Mxcsr::kDefault);
  std::memcpy(core.scratch, &result, sizeof result);
  return record_float_flags(core, flags);
}

// out = host_form(): host instructions in volatile asm, depending on nothing but captured values
// (Held ones, below). soft_form(FloatEnv&): the same in software. False: raised.
template <class Host, class Soft, class Result>
[[gnu::always_inline]] inline bool compute(Core& core, Host host_form, Soft soft_form,
                                           Result& out) {
  constexpr u32 kFlags = static_cast<u32>(Mxcsr::FLAGS.mask());
  const u32 guest = core.state.vector.mxcsr;
  if ((guest & ~kFlags) == Mxcsr::kDefault) [[likely]] {
    const Result result = host_form();
    if ((host_mxcsr() & kFlags & ~guest) == 0) [[likely]] {
      out = result;
      return true;
    }
  }
  if (!compute_carefully<Result>(core, host_form, soft_form)) return false;
  std::memcpy(&out, core.scratch, sizeof out);
  return true;
}

// A vector as the compiler keeps it in registers: what closures capture.
template <unsigned size>
struct Held;
template <>
struct Held<16> {
  explicit Held(const Xmm& x) : value(host(x)) {}
  Xmm lanes() const { return cpu::lanes(value); }
  __m128i value;
};
template <>
struct Held<32> {
  explicit Held(const Ymm& y) : low(low_lanes(y)), high(high_lanes(y)) {}
  Ymm lanes() const { return joined(low.lanes(), high.lanes()); }
  Held<16> low, high;
};

// Operations in software alone: soft_form(FloatEnv&).
template <class Soft, class Result>
inline bool compute_softly(Core& core, Soft soft_form, Result& out) {
  FloatEnv env{core.state.vector.mxcsr};
  out = soft_form(env);
  return env.flags == 0 || record_float_flags(core, env.flags);
}

// For binders (exec/vector.h): a host function of Xmm values, and its software form where it may
// overflow or underflow: Xmm soft(FloatEnv&, const Xmm&, const Xmm&).
template <auto function, auto soft = NoSoftForm{}>
struct Floating {
  static constexpr bool kHasSoft = !std::is_same_v<std::remove_cv_t<decltype(soft)>, NoSoftForm>;

  template <unsigned size>
  [[gnu::always_inline]] static bool apply(Core& core, const Op& op, const Lanes<size>& a,
                                           const Lanes<size>& b, Lanes<size>& out) {
    const u8 imm = static_cast<u8>(op.imm);
    const Held<size> x(a), y(b);
    const auto host_form = [x, y, imm] {
      if constexpr (size == 16) {
        return call_on_lanes<function>(x.lanes(), y.lanes(), imm);
      } else {
        const Xmm low = call_on_lanes<function>(x.low.lanes(), y.low.lanes(), imm);
        return joined(low, call_on_lanes<function>(x.high.lanes(), y.high.lanes(), imm));
      }
    };
    if constexpr (!kHasSoft) {
      return compute(core, host_form, NoSoftForm{}, out);
    } else {
      const auto soft_form = [x, y](FloatEnv& env) {
        if constexpr (size == 16) {
          return soft(env, x.lanes(), y.lanes());
        } else {
          const Xmm low = soft(env, x.low.lanes(), y.low.lanes());
          return joined(low, soft(env, x.high.lanes(), y.high.lanes()));
        }
      };
      return compute(core, host_form, soft_form, out);
    }
  }
};

// Software forms lane by lane: all lanes, or the lowest one, the others being those of `a`.
template <class T, auto function>
Xmm soft_packed(FloatEnv& env, const Xmm& a, const Xmm& b) {
  Xmm r;
  for (unsigned n = 0; n < Xmm::kCount<T>; ++n)
    r.set<T>(n, static_cast<T>(function(env, a.get<T>(n), b.get<T>(n))));
  return r;
}
template <class T, auto function>
Xmm soft_scalar(FloatEnv& env, const Xmm& a, const Xmm& b) {
  Xmm r = a;
  r.set<T>(0, static_cast<T>(function(env, a.get<T>(0), b.get<T>(0))));
  return r;
}

}  // namespace vtsim::cpu
