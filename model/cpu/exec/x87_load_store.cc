// x87 data transfer: FLD, FST, FILD, FIST, FISTTP, FBLD, FBSTP, FXCH, FCMOVcc and the constants.
// SDM 1 "x87 FPU Instruction Set > Data Transfer Instructions / Load Constant Instructions".

#include <limits>

#include "model/cpu/exec/conditions.h"
#include "model/cpu/exec/groups.h"
#include "model/cpu/exec/x87_host.h"

namespace vtsim::cpu {

namespace {

// ---- conversions to the register format: exact, but for signalling NaNs and denormals

// Fields of an IEEE format with `fraction_bits`, aligned at the integer bit.
X87Result<Float80> widen(bool negative, unsigned exponent, u64 fraction, unsigned exponent_bits) {
  const unsigned max_exponent = (1u << exponent_bits) - 1;
  const unsigned rebias = Float80::kBias - (max_exponent >> 1);
  if (exponent == max_exponent) {
    const bool signalling = fraction != 0 && (fraction & kQuietBit) == 0;
    const u64 quiet = fraction != 0 ? kQuietBit : 0;
    return {make_float80(negative, Float80::kMaxExponent, kIntegerBit | quiet | fraction),
            signalling ? X87Status::kInvalid : u16{0}};
  }
  if (exponent != 0) return {make_float80(negative, exponent + rebias, kIntegerBit | fraction), 0};
  if (fraction == 0) return {zero80(negative), 0};
  const unsigned shift = static_cast<unsigned>(__builtin_clzll(fraction));
  return {make_float80(negative, rebias + 1 - shift, fraction << shift), X87Status::kDenormal};
}
X87Result<Float80> widen(Single x) {
  return widen(bit(x.bits, 31), static_cast<unsigned>(bits(x.bits, 30, 23)),
               bits(x.bits, 22, 0) << 40, 8);
}
X87Result<Float80> widen(Double x) {
  return widen(bit(x.bits, 63), static_cast<unsigned>(bits(x.bits, 62, 52)),
               bits(x.bits, 51, 0) << 11, 11);
}

// ---- FLD, FILD, FBLD

template <class T>
bool fld(X87& x87, const Op& op) {
  T source;
  if (!load_operand(x87.core, op, source)) return false;
  if (!x87.empty(7)) {
    x87.push_checked({});
    return true;
  }
  // SDM-NOTE: processors load denormals even where that exception is unmasked.
  const X87Result<Float80> wide = widen(source);
  if (x87.accept(wide.status, X87Status::kInvalid)) x87.push(wide.value);
  return true;
}

struct Bytes10 {
  u8 bytes[10];
};

bool fld80(X87& x87, const Op& op) {
  Bytes10 source;
  if (!load_operand(x87.core, op, source)) return false;
  x87.push_checked(Float80::from(source.bytes));
  return true;
}

bool fld_register(X87& x87, const Op& op) {
  if (!x87.empty(op.dst)) {
    x87.push_checked(x87.st(op.dst));
  } else if (!x87.empty(7) ? x87.overflow() : x87.underflow()) {
    x87.push(kIndefinite80);
  }
  return true;
}

template <class T>
bool fild(X87& x87, const Op& op) {
  T source;
  if (!load_operand(x87.core, op, source)) return false;
  x87.push_checked(float80_of(source));
  return true;
}

bool fbld(X87& x87, const Op& op) {
  Bytes10 source;
  if (!load_operand(x87.core, op, source)) return false;
  i64 magnitude = 0;
  for (unsigned n = 9; n-- > 0;)
    magnitude = magnitude * 100 + (source.bytes[n] >> 4) * 10 + (source.bytes[n] & 0xF);
  Float80 value = float80_of(magnitude);
  if (source.bytes[9] & 0x80) value.sign_exponent |= 0x8000;
  x87.push_checked(value);
  return true;
}

// ---- FST, FIST, FISTTP, FBSTP: memory first, then exceptions and the stack

// Stores `convert(control, ST(0))`; `indefinite` where ST(0) is empty.
template <Pop pop, class T, class Convert>
bool store(X87& x87, const Op& op, const T& indefinite, Convert convert) {
  if (x87.empty(0)) {
    if (x87.masked(X87Status::kInvalid) && !store_operand(x87.core, op, indefinite)) return false;
    if (x87.underflow() && pop == Pop::kYes) x87.pop();
    return true;
  }
  const X87Result<T> result = convert(x87.control(), x87.st(0));
  const u16 raised = static_cast<u16>(X87Status::EXCEPTIONS.get(result.status));
  if (x87.masked(raised & X87Status::kBeforeStore) && !store_operand(x87.core, op, result.value))
    return false;
  if (x87.accept(result.status, X87Status::kBeforeStore) && pop == Pop::kYes) x87.pop();
  return true;
}

template <Pop pop>
bool fst32(X87& x87, const Op& op) {
  return store<pop>(x87, op, Single{0xFFC00000}, host::to_single);
}
template <Pop pop>
bool fst64(X87& x87, const Op& op) {
  return store<pop>(x87, op, Double{0xFFF8000000000000}, host::to_double);
}
bool fstp80(X87& x87, const Op& op) {
  constexpr Bytes10 kIndefinite{{0, 0, 0, 0, 0, 0, 0, 0xC0, 0xFF, 0xFF}};
  return store<Pop::kYes>(x87, op, kIndefinite, [](u16, const Float80& value) {
    X87Result<Bytes10> result;
    value.to(result.value.bytes);
    return result;
  });
}

template <Pop pop>
bool fst_register(X87& x87, const Op& op) {
  if (x87.empty(0)) {
    if (!x87.underflow()) return true;
    x87.set_st(op.dst, kIndefinite80);
  } else {
    x87.clear_c1();
    x87.set_st(op.dst, x87.st(0));
  }
  if (pop == Pop::kYes) x87.pop();
  return true;
}

// D9 /3 with a register: FSTP without the stack fault; an empty ST(0) is popped, and nothing else.
bool fstpnce(X87& x87, const Op& op) {
  x87.clear_c1();
  if (!x87.empty(0)) x87.set_st(op.dst, x87.st(0));
  x87.pop();
  return true;
}

// The integer indefinite is the most negative number.
template <Pop pop, class T>
bool fist(X87& x87, const Op& op) {
  return store<pop>(x87, op, std::numeric_limits<T>::min(), host::Round<T>::apply);
}
template <class T>
bool fisttp(X87& x87, const Op& op) {
  return store<Pop::kYes>(x87, op, std::numeric_limits<T>::min(),
                          [](u16 control, const Float80& value) {
                            constexpr u64 kTruncate = static_cast<u64>(Rounding::kZero);
                            return host::Round<T>::apply(
                                static_cast<u16>(X87Control::RC.put(control, kTruncate)), value);
                          });
}
bool fbstp(X87& x87, const Op& op) {
  constexpr host::PackedDecimal kIndefinite{{0, 0, 0, 0, 0, 0, 0, 0xC0, 0xFF, 0xFF}};
  return store<Pop::kYes>(x87, op, kIndefinite, host::to_decimal);
}

template <X87Function in_register, X87Function m32, X87Function m64, X87Function m80 = m64>
Handler bind_transfer(const Binding& binding, Op& op) {
  switch (bind_x87_operands(binding, op)) {
    case 32:
      return &run<x87_instruction<m32>>;
    case 64:
      return &run<x87_instruction<m64>>;
    case 80:
      return &run<x87_instruction<m80>>;
    default:
      return &run<x87_instruction<in_register>>;
  }
}
template <Pop pop, X87Function m80 = fst64<pop>>
constexpr Binder kBindFst = bind_transfer<fst_register<pop>, fst32<pop>, fst64<pop>, m80>;

// ---- between registers

bool fxch(X87& x87, const Op& op) {
  const bool empty = x87.empty(0) || x87.empty(op.dst);
  if (empty && !x87.underflow()) return true;
  const Float80 first = x87.empty(0) ? kIndefinite80 : x87.st(0);
  const Float80 other = x87.empty(op.dst) ? kIndefinite80 : x87.st(op.dst);
  if (!empty) x87.clear_c1();
  x87.set_st(0, other);
  x87.set_st(op.dst, first);
  return true;
}

template <Condition cc>
bool fcmov(X87& x87, const Op& op) {
  if (x87.empty(0) || x87.empty(op.dst)) {
    if (x87.underflow()) x87.set_st(0, kIndefinite80);
    return true;
  }
  if (condition_holds(cc, x87.core.state.lazy)) x87.set_st(0, x87.st(op.dst));
  return true;
}

// ---- constants, rounded as RC says from more bits than a register has

struct Constant80 {
  u16 exponent;
  u64 truncated;   // the significand, rounded towards zero
  bool rounds_up;  // to nearest
};

template <auto constant>
bool load_constant(X87& x87, const Op&) {
  const Rounding rounding = x87.rounding();
  const bool up =
      rounding == Rounding::kUp || (rounding == Rounding::kNearest && constant.rounds_up);
  x87.push_checked({constant.truncated + (up ? 1 : 0), constant.exponent});
  return true;
}

bool fldz(X87& x87, const Op&) {
  x87.push_checked({});
  return true;
}
bool fld1(X87& x87, const Op&) {
  x87.push_checked(kOne80);
  return true;
}

constexpr Constant80 kLog2Of10{0x4000, 0xD49A784BCD1B8AFE, false};
constexpr Constant80 kLog2OfE{0x3FFF, 0xB8AA3B295C17F0BB, true};
constexpr Constant80 kPi{0x4000, 0xC90FDAA22168C234, true};
constexpr Constant80 kLog10Of2{0x3FFD, 0x9A209A84FBCFF798, true};
constexpr Constant80 kLnOf2{0x3FFE, 0xB17217F7D1CF79AB, true};

constexpr InstructionRow kRows[] = {
    x87_row(ZYDIS_MNEMONIC_FLD, bind_transfer<fld_register, fld<Single>, fld<Double>, fld80>),
    x87_row(ZYDIS_MNEMONIC_FST, kBindFst<Pop::kNo>),
    x87_row(ZYDIS_MNEMONIC_FSTP, kBindFst<Pop::kYes, fstp80>),
    x87_row(ZYDIS_MNEMONIC_FSTPNCE, bind_x87<fstpnce>),
    x87_row(ZYDIS_MNEMONIC_FILD, bind_x87_integer<fild<i16>, fild<i32>, fild<i64>>),
    x87_row(ZYDIS_MNEMONIC_FIST, bind_x87_integer<fist<Pop::kNo, i16>, fist<Pop::kNo, i32>>),
    x87_row(ZYDIS_MNEMONIC_FISTP,
            bind_x87_integer<fist<Pop::kYes, i16>, fist<Pop::kYes, i32>, fist<Pop::kYes, i64>>),
    x87_row(ZYDIS_MNEMONIC_FISTTP, bind_x87_integer<fisttp<i16>, fisttp<i32>, fisttp<i64>>),
    x87_row(ZYDIS_MNEMONIC_FBLD, bind_x87<fbld>),
    x87_row(ZYDIS_MNEMONIC_FBSTP, bind_x87<fbstp>),
    x87_row(ZYDIS_MNEMONIC_FXCH, bind_x87<fxch>),
    x87_row(ZYDIS_MNEMONIC_FCMOVB, bind_x87<fcmov<Condition::kB>>, FlagUse::kReads),
    x87_row(ZYDIS_MNEMONIC_FCMOVNB, bind_x87<fcmov<Condition::kNb>>, FlagUse::kReads),
    x87_row(ZYDIS_MNEMONIC_FCMOVE, bind_x87<fcmov<Condition::kZ>>, FlagUse::kReads),
    x87_row(ZYDIS_MNEMONIC_FCMOVNE, bind_x87<fcmov<Condition::kNz>>, FlagUse::kReads),
    x87_row(ZYDIS_MNEMONIC_FCMOVBE, bind_x87<fcmov<Condition::kBe>>, FlagUse::kReads),
    x87_row(ZYDIS_MNEMONIC_FCMOVNBE, bind_x87<fcmov<Condition::kNbe>>, FlagUse::kReads),
    x87_row(ZYDIS_MNEMONIC_FCMOVU, bind_x87<fcmov<Condition::kP>>, FlagUse::kReads),
    x87_row(ZYDIS_MNEMONIC_FCMOVNU, bind_x87<fcmov<Condition::kNp>>, FlagUse::kReads),
    x87_row(ZYDIS_MNEMONIC_FLD1, bind_x87<fld1>),
    x87_row(ZYDIS_MNEMONIC_FLDZ, bind_x87<fldz>),
    x87_row(ZYDIS_MNEMONIC_FLDL2T, bind_x87<load_constant<kLog2Of10>>),
    x87_row(ZYDIS_MNEMONIC_FLDL2E, bind_x87<load_constant<kLog2OfE>>),
    x87_row(ZYDIS_MNEMONIC_FLDPI, bind_x87<load_constant<kPi>>),
    x87_row(ZYDIS_MNEMONIC_FLDLG2, bind_x87<load_constant<kLog10Of2>>),
    x87_row(ZYDIS_MNEMONIC_FLDLN2, bind_x87<load_constant<kLnOf2>>),
};

}  // namespace

Rows x87_transfer_rows() { return kRows; }

}  // namespace vtsim::cpu
