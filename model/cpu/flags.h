#pragma once
// Lazy arithmetic flags: an instruction stores what it computed from, and only a reader pays.
// SDM 1 "EFLAGS Register > Status Flags", appendix "EFLAGS Cross-Reference".

#include <type_traits>

#include "model/cpu/state/core_state.h"

namespace vtsim::cpu {

enum class FlagKind : u32 {
  kExplicit,  // a: the flags themselves, in their RFLAGS positions
  kLogic,     // a: result; CF = OF = AF = 0
  kAdd,       // a + b
  kSub,       // a - b (SUB, CMP, NEG)
  kAdc,       // a + b + 1; ADC without carry in is kAdd
  kSbb,       // a - b - 1; SBB without borrow is kSub
  kInc,       // a: result, b: the CF that is kept
  kDec,       // a: result, b: the CF that is kept
  kShl,       // a << b, 1 <= b <= 31 or 63
  kShr,       // a >> b, logical
  kSar,       // a >> b, arithmetic
};

inline constexpr u32 flag_word(FlagKind kind, unsigned size_log2) {
  return static_cast<u32>(kind) << 2 | size_log2;
}

template <class T>
inline constexpr unsigned kSizeLog2 = sizeof(T) == 1 ? 0 : sizeof(T) == 2 ? 1 : sizeof(T) == 4 ? 2 : 3;

template <class T>
inline constexpr T kSignBit = static_cast<T>(T{1} << (sizeof(T) * 8 - 1));

// The six arithmetic flags of a lazy record, of operands of type T.
template <class T>
constexpr u64 flags_of(FlagKind kind, u64 wide_a, u64 wide_b) {
  const T a = static_cast<T>(wide_a);
  const T b = static_cast<T>(wide_b);
  constexpr unsigned kBits = sizeof(T) * 8;
  T r = a;
  bool cf = false, of = false, af = false;
  switch (kind) {
    case FlagKind::kExplicit:
      return wide_a & Rflags::kArithmetic;
    case FlagKind::kLogic:
      break;
    case FlagKind::kAdd:
    case FlagKind::kAdc: {
      const T carry = kind == FlagKind::kAdc;
      r = static_cast<T>(a + b + carry);
      cf = carry ? r <= a : r < a;
      of = ((a ^ r) & (b ^ r) & kSignBit<T>) != 0;
      af = ((a ^ b ^ r) & 0x10) != 0;
      break;
    }
    case FlagKind::kSub:
    case FlagKind::kSbb: {
      const T borrow = kind == FlagKind::kSbb;
      r = static_cast<T>(a - b - borrow);
      cf = borrow ? a <= b : a < b;
      of = ((a ^ b) & (a ^ r) & kSignBit<T>) != 0;
      af = ((a ^ b ^ r) & 0x10) != 0;
      break;
    }
    case FlagKind::kInc:
      cf = wide_b != 0;
      of = r == kSignBit<T>;
      af = (r & 0xF) == 0;
      break;
    case FlagKind::kDec:
      cf = wide_b != 0;
      of = r == static_cast<T>(kSignBit<T> - 1);
      af = (r & 0xF) == 0xF;
      break;
    // AF is undefined after shifts; Intel's processors clear it. OF is defined for counts of 1;
    // for others it is the same function of the last step, as the processors compute it.
    case FlagKind::kShl: {
      const unsigned count = static_cast<unsigned>(wide_b);
      r = count < kBits ? static_cast<T>(a << count) : T{0};
      cf = count <= kBits && ((a >> (kBits - count)) & 1);
      of = ((r & kSignBit<T>) != 0) != cf;
      break;
    }
    case FlagKind::kShr: {
      const unsigned count = static_cast<unsigned>(wide_b);
      r = count < kBits ? static_cast<T>(a >> count) : T{0};
      cf = count <= kBits && ((a >> (count - 1)) & 1);
      // the result's two top bits differ after a one-bit shift exactly when the operand was negative
      of = count == 1 && (a & kSignBit<T>) != 0;
      break;
    }
    case FlagKind::kSar: {
      using S = std::make_signed_t<T>;
      const unsigned count = static_cast<unsigned>(wide_b) < kBits ? static_cast<unsigned>(wide_b)
                                                                   : kBits - 1;
      r = static_cast<T>(static_cast<S>(a) >> count);
      const unsigned last = static_cast<unsigned>(wide_b) - 1 < kBits
                                ? static_cast<unsigned>(wide_b) - 1
                                : kBits - 1;
      cf = (static_cast<S>(a) >> last) & 1;
      break;
    }
  }
  const u64 parity = ~static_cast<u64>(__builtin_parity(static_cast<u8>(r))) & 1;
  return (cf ? Rflags::CF.mask() : 0) | parity << Rflags::PF.position |
         (af ? Rflags::AF.mask() : 0) | (r == 0 ? Rflags::ZF.mask() : 0) |
         ((r & kSignBit<T>) ? Rflags::SF.mask() : 0) | (of ? Rflags::OF.mask() : 0);
}

// The six arithmetic flags in their RFLAGS positions.
u64 arithmetic_flags(const LazyFlags& lazy);

// The same for the slow paths of hot handlers: a call that keeps every other register, so that the
// handler stays a leaf function.
#if defined(VTSIM_LOOP_DISPATCH)
inline u64 kept_arithmetic_flags(const LazyFlags& lazy) { return arithmetic_flags(lazy); }
#else
inline u64 kept_arithmetic_flags(const LazyFlags& lazy) {
  u64 flags;
  asm("call vtsim_arithmetic_flags_keep" : "=a"(flags) : "D"(&lazy), "m"(lazy) : "cc");
  return flags;
}
#endif

inline void set_arithmetic_flags(LazyFlags& lazy, u64 flags) {
  lazy = {flags & Rflags::kArithmetic, 0, flag_word(FlagKind::kExplicit, 3)};
}

template <class T>
inline void set_logic_flags(LazyFlags& lazy, T result) {
  lazy.a = result;
  lazy.kind = flag_word(FlagKind::kLogic, kSizeLog2<T>);
}

inline bool carry_flag(const LazyFlags& lazy) { return kept_arithmetic_flags(lazy) & 1; }

inline u64 read_rflags(const CoreState& state) {
  return state.rflags_other | arithmetic_flags(state.lazy);
}

// Writes all of RFLAGS as given: the caller has masked what may change.
inline void write_rflags(CoreState& state, u64 value) {
  value = (value & Rflags::kDefined) | Rflags::kFixedOne;
  set_arithmetic_flags(state.lazy, value);
  state.rflags_other = value & ~Rflags::kArithmetic;
}

// The sixteen conditions in the order of their encoding (Jcc, SETcc, CMOVcc).
enum class Condition : u8 { kO, kNo, kB, kNb, kZ, kNz, kBe, kNbe, kS, kNs, kP, kNp, kL, kNl, kLe, kNle };

// The condition on flags that are already in RFLAGS positions.
constexpr bool condition_holds(Condition cc, u64 flags) {
  const bool cf = Reg<Rflags>(flags)[Rflags::CF], zf = Reg<Rflags>(flags)[Rflags::ZF];
  const bool sf = Reg<Rflags>(flags)[Rflags::SF], of = Reg<Rflags>(flags)[Rflags::OF];
  bool holds = false;
  switch (static_cast<unsigned>(cc) >> 1) {
    case 0: holds = of; break;
    case 1: holds = cf; break;
    case 2: holds = zf; break;
    case 3: holds = cf || zf; break;
    case 4: holds = sf; break;
    case 5: holds = Reg<Rflags>(flags)[Rflags::PF]; break;
    case 6: holds = sf != of; break;
    default: holds = zf || sf != of; break;
  }
  return holds != static_cast<bool>(static_cast<unsigned>(cc) & 1);
}

// The condition straight from operands: what a compare or test and its branch become. `Kind` is
// kSub (a, b are the operands), kLogic or any other kind (computed through the flags).
template <Condition cc, FlagKind kind, class T>
inline bool condition_from(u64 wide_a, u64 wide_b) {
  using S = std::make_signed_t<T>;
  const T a = static_cast<T>(wide_a);
  [[maybe_unused]] const T b = static_cast<T>(wide_b);
  if constexpr (kind == FlagKind::kSub) {
    switch (cc) {
      case Condition::kB: return a < b;
      case Condition::kNb: return a >= b;
      case Condition::kZ: return a == b;
      case Condition::kNz: return a != b;
      case Condition::kBe: return a <= b;
      case Condition::kNbe: return a > b;
      case Condition::kS: return static_cast<S>(static_cast<T>(a - b)) < 0;
      case Condition::kNs: return static_cast<S>(static_cast<T>(a - b)) >= 0;
      case Condition::kL: return static_cast<S>(a) < static_cast<S>(b);
      case Condition::kNl: return static_cast<S>(a) >= static_cast<S>(b);
      case Condition::kLe: return static_cast<S>(a) <= static_cast<S>(b);
      case Condition::kNle: return static_cast<S>(a) > static_cast<S>(b);
      default: break;
    }
  } else if constexpr (kind == FlagKind::kLogic) {
    switch (cc) {
      case Condition::kO: case Condition::kB: return false;
      case Condition::kNo: case Condition::kNb: return true;
      case Condition::kZ: case Condition::kBe: return a == 0;
      case Condition::kNz: case Condition::kNbe: return a != 0;
      case Condition::kS: case Condition::kL: return static_cast<S>(a) < 0;
      case Condition::kNs: case Condition::kNl: return static_cast<S>(a) >= 0;
      case Condition::kLe: return static_cast<S>(a) <= 0;
      case Condition::kNle: return static_cast<S>(a) > 0;
      default: break;
    }
  } else if constexpr (kind == FlagKind::kInc || kind == FlagKind::kDec) {
    if constexpr (cc == Condition::kZ) return a == 0;
    if constexpr (cc == Condition::kNz) return a != 0;
    if constexpr (cc == Condition::kS) return static_cast<S>(a) < 0;
    if constexpr (cc == Condition::kNs) return static_cast<S>(a) >= 0;
  } else if constexpr (kind == FlagKind::kAdd) {
    const T r = static_cast<T>(a + b);
    if constexpr (cc == Condition::kB) return r < a;
    if constexpr (cc == Condition::kNb) return r >= a;
    if constexpr (cc == Condition::kZ) return r == 0;
    if constexpr (cc == Condition::kNz) return r != 0;
    if constexpr (cc == Condition::kS) return static_cast<S>(r) < 0;
    if constexpr (cc == Condition::kNs) return static_cast<S>(r) >= 0;
  }
  return condition_holds(cc, flags_of<T>(kind, wide_a, wide_b));
}

// The condition on whatever was recorded last.
inline bool condition_holds(Condition cc, const LazyFlags& lazy) {
  return condition_holds(cc, kept_arithmetic_flags(lazy));
}

}  // namespace vtsim::cpu
