// BMI1, BMI2 and ADX. SDM 1 "BMI1 and BMI2 Instructions".
//
// Op: the ModRM operand is in `mem` or `src`; the register of VEX.vvvv that is a source in `imm`.

#include "model/cpu/exec/bmi.h"

#include "model/cpu/exec/groups.h"
#include "model/cpu/exec/multiply.h"
#include "model/cpu/exec/rotate.h"
#include "model/cpu/exec/two_operand.h"

namespace vtsim::cpu {

namespace {

template <class T>
bool read_rm(Core& core, const Op& op, T& out) {
  if (op.mem.present()) return load_operand(core, op, out);
  out = get_gpr<T>(core, op.src);
  return true;
}

template <class T>
T read_vvvv(const Core& core, const Op& op) {
  return get_gpr<T>(core, static_cast<u8>(op.imm));
}

// CF, SF and ZF from the result; OF = 0. SDM-NOTE: AF and PF are undefined; we derive PF.
template <class T>
void set_flags(Core& core, T result, bool carry) {
  const u64 flags = flags_of<T>(FlagKind::kLogic, result, 0);
  set_arithmetic_flags(core.state.lazy, Reg<Rflags>(flags).with(Rflags::CF, carry).value);
}

// ---- destination <- operation(ModRM operand, vvvv)

template <class T>
struct FlaggedResult {
  T value;
  bool carry = false;
};

struct Andn {
  template <class T>
  static FlaggedResult<T> apply(T rm, T vvvv) {
    return {static_cast<T>(~vvvv & rm)};
  }
};
struct Bextr {
  template <class T>
  static FlaggedResult<T> apply(T rm, T vvvv) {
    return {bit_field(rm, vvvv)};
  }
};
struct Bzhi {
  template <class T>
  static FlaggedResult<T> apply(T rm, T vvvv) {
    const unsigned count = static_cast<u8>(vvvv);
    const bool beyond = count > sizeof(T) * 8 - 1;
    return {low_bits(rm, count), beyond};
  }
};
struct Blsi {
  template <class T>
  static FlaggedResult<T> apply(T rm, T) {
    return {static_cast<T>(rm & -rm), rm != 0};
  }
};
struct Blsmsk {
  template <class T>
  static FlaggedResult<T> apply(T rm, T) {
    return {static_cast<T>(rm ^ (rm - 1)), rm == 0};
  }
};
struct Blsr {
  template <class T>
  static FlaggedResult<T> apply(T rm, T) {
    return {static_cast<T>(rm & (rm - 1)), rm == 0};
  }
};

template <class Operation, class T>
Outcome with_flags(Core& core, const Op& op) {
  T rm;
  if (!read_rm(core, op, rm)) return Outcome::kFault;
  const FlaggedResult<T> result = Operation::template apply<T>(rm, read_vvvv<T>(core, op));
  set_gpr<T>(core, op.dst, result.value);
  set_flags(core, result.value, result.carry);
  return Outcome::kNext;
}

struct Sarx {
  template <class T>
  static T apply(T rm, T vvvv) {
    return static_cast<T>(static_cast<std::make_signed_t<T>>(rm) >> (vvvv & kCountMask<T>));
  }
};
struct Shlx {
  template <class T>
  static T apply(T rm, T vvvv) {
    return static_cast<T>(rm << (vvvv & kCountMask<T>));
  }
};
struct Shrx {
  template <class T>
  static T apply(T rm, T vvvv) {
    return static_cast<T>(rm >> (vvvv & kCountMask<T>));
  }
};
struct Pdep {  // the mask is the ModRM operand
  template <class T>
  static T apply(T rm, T vvvv) {
    return deposit_bits(vvvv, rm);
  }
};
struct Pext {
  template <class T>
  static T apply(T rm, T vvvv) {
    return extract_bits(vvvv, rm);
  }
};

template <class Operation, class T>
Outcome without_flags(Core& core, const Op& op) {
  T rm;
  if (!read_rm(core, op, rm)) return Outcome::kFault;
  set_gpr<T>(core, op.dst, Operation::template apply<T>(rm, read_vvvv<T>(core, op)));
  return Outcome::kNext;
}

template <class T>
Outcome rorx(Core& core, const Op& op) {
  T rm;
  if (!read_rm(core, op, rm)) return Outcome::kFault;
  const unsigned count = static_cast<unsigned>(op.imm) & kCountMask<T>;
  set_gpr<T>(core, op.dst, rotated_left(rm, kBitsOf<T> - count));
  return Outcome::kNext;
}

// dst: high half, imm: low half; the high half wins where both are one register.
template <class T>
Outcome mulx(Core& core, const Op& op) {
  T rm;
  if (!read_rm(core, op, rm)) return Outcome::kFault;
  const Product<T> product = multiply<false, T>(rm, get_gpr<T>(core, gpr_offset(kRdx)));
  set_gpr<T>(core, static_cast<u8>(op.imm), product.low);
  set_gpr<T>(core, op.dst, product.high);
  return Outcome::kNext;
}

// ---- ADCX, ADOX: an addition that reads and writes one flag only

template <class T, bool overflow>
Outcome add_with(Core& core, const Op& op) {
  constexpr Flag kFlag = overflow ? Rflags::OF : Rflags::CF;
  T rm;
  if (!read_rm(core, op, rm)) return Outcome::kFault;
  const Reg<Rflags> flags(kept_arithmetic_flags(core.state.lazy));
  const u128 sum = static_cast<u128>(get_gpr<T>(core, op.dst)) + rm + flags[kFlag];
  set_gpr<T>(core, op.dst, static_cast<T>(sum));
  set_arithmetic_flags(core.state.lazy,
                       flags.with(kFlag, static_cast<u64>(sum >> kBitsOf<T>)).value);
  return Outcome::kNext;
}

// ---- binding

constexpr unsigned kNoOperand = ~0u;

// Operand `rm` by ModRM; operand `vvvv` by VEX.vvvv, where there is one.
void bind_vex(const Binding& binding, unsigned rm, unsigned vvvv, Op& op) {
  const Decoded& in = binding.in;
  op.dst = gpr_operand(in.operand[0].reg.value);
  op.imm = vvvv != kNoOperand ? gpr_operand(in.operand[vvvv].reg.value)
                              : gpr_offset(kZeroRegister);
  if (in.is_memory(rm)) {
    bind_memory(binding, rm, op);
  } else {
    op.src = gpr_operand(in.operand[rm].reg.value);
  }
}

template <unsigned rm, unsigned vvvv, Outcome (*h32)(Core&, const Op&),
          Outcome (*h64)(Core&, const Op&)>
Handler bind_bmi(const Binding& binding, Op& op) {
  bind_vex(binding, rm, vvvv, op);
  return binding.in.operand[0].size == 64 ? &run<h64> : &run<h32>;
}

template <class Operation, unsigned rm, unsigned vvvv>
Handler flagged(const Binding& binding, Op& op) {
  return bind_bmi<rm, vvvv, with_flags<Operation, u32>, with_flags<Operation, u64>>(binding, op);
}
template <class Operation, unsigned rm, unsigned vvvv>
Handler unflagged(const Binding& binding, Op& op) {
  return bind_bmi<rm, vvvv, without_flags<Operation, u32>, without_flags<Operation, u64>>(binding,
                                                                                          op);
}

Handler bind_rorx(const Binding& binding, Op& op) {
  bind_vex(binding, 1, kNoOperand, op);
  op.imm = binding.in.operand[2].imm.value.u;
  return binding.in.operand[0].size == 64 ? &run<rorx<u64>> : &run<rorx<u32>>;
}

constexpr FlagUse kAll = FlagUse::kWritesAll, kSome = FlagUse::kReadsAndWrites;

constexpr InstructionRow row_of(Mnemonic mnemonic, Binder bind, FlagUse flags) {
  // VEX-encoded: #UD in real and virtual-8086 mode.
  return {.mnemonic = mnemonic, .bind = bind, .gate = Gate::kProtected, .flags = flags};
}

constexpr InstructionRow kRows[] = {
    row_of(ZYDIS_MNEMONIC_ANDN, flagged<Andn, 2, 1>, kAll),
    row_of(ZYDIS_MNEMONIC_BEXTR, flagged<Bextr, 1, 2>, kAll),
    row_of(ZYDIS_MNEMONIC_BZHI, flagged<Bzhi, 1, 2>, kAll),
    row_of(ZYDIS_MNEMONIC_BLSI, flagged<Blsi, 1, kNoOperand>, kAll),
    row_of(ZYDIS_MNEMONIC_BLSMSK, flagged<Blsmsk, 1, kNoOperand>, kAll),
    row_of(ZYDIS_MNEMONIC_BLSR, flagged<Blsr, 1, kNoOperand>, kAll),
    row_of(ZYDIS_MNEMONIC_SARX, unflagged<Sarx, 1, 2>, FlagUse::kNone),
    row_of(ZYDIS_MNEMONIC_SHLX, unflagged<Shlx, 1, 2>, FlagUse::kNone),
    row_of(ZYDIS_MNEMONIC_SHRX, unflagged<Shrx, 1, 2>, FlagUse::kNone),
    row_of(ZYDIS_MNEMONIC_PDEP, unflagged<Pdep, 2, 1>, FlagUse::kNone),
    row_of(ZYDIS_MNEMONIC_PEXT, unflagged<Pext, 2, 1>, FlagUse::kNone),
    row_of(ZYDIS_MNEMONIC_RORX, bind_rorx, FlagUse::kNone),
    row_of(ZYDIS_MNEMONIC_MULX, bind_bmi<2, 1, mulx<u32>, mulx<u64>>, FlagUse::kNone),
    row(ZYDIS_MNEMONIC_ADCX, bind_bmi<1, kNoOperand, add_with<u32, false>, add_with<u64, false>>,
        kSome),
    row(ZYDIS_MNEMONIC_ADOX, bind_bmi<1, kNoOperand, add_with<u32, true>, add_with<u64, true>>,
        kSome),
};

}  // namespace

Rows bmi_rows() { return kRows; }

}  // namespace vtsim::cpu
