// The x87 environment and state in memory: FLDENV, FNSTENV, FRSTOR, FNSAVE.
// SDM 1 "Saving the x87 FPU's State with FSTENV/FNSTENV and FSAVE/FNSAVE".
//
// Seven words of 2 (16-bit operand size) or 4 bytes, the upper halves of the first three and the
// last reserved (ones); after them FNSAVE has ST(0) to ST(7), 10 bytes each:
//
//   word  protected mode         real-address and virtual-8086 mode
//   0     FCW                    FCW
//   1     FSW                    FSW
//   2     FTW                    FTW
//   3     FIP                    FIP[15:0]
//   4     FCS | FOP << 16        FOP | FIP[31:16] << 12    (16 bits: FIP[19:16])
//   5     FDP                    FDP[15:0]
//   6     FDS                    FDP[31:16] << 12
//
// Real-address mode's pointers are linear addresses. The 16-bit protected form has no FOP.

#include <array>

#include "model/cpu/environment.h"
#include "model/cpu/exec/groups.h"
#include "model/cpu/exec/x87.h"

namespace vtsim::cpu {

namespace {

enum class PointerForm : u8 { kProtected, kReal };

constexpr unsigned kEnvironmentWords = 7;
constexpr unsigned kRegisterBytes = Float80::kBytes;
constexpr Field kFop{10, 0}, kPointerUpper{27, 12};

template <class Word>
using Environment = std::array<Word, kEnvironmentWords>;

// Two bits a register: 0 valid, 1 zero, 2 special (NaN, infinity, denormal, unsupported), 3 empty.
u16 full_tag_word(const X87State& x87) {
  unsigned tags = 0;
  for (unsigned n = 0; n < 8; ++n) {
    const FloatClass c = class_of(Float80::from(x87.reg[n]));
    const unsigned tag = bit(x87.empty, n)          ? 3
                         : c == FloatClass::kNormal ? 0
                         : c == FloatClass::kZero   ? 1
                                                    : 2;
    tags |= tag << (2 * n);
  }
  return static_cast<u16>(tags);
}
u8 empty_of(u64 tags) {
  unsigned empty = 0;
  for (unsigned n = 0; n < 8; ++n)
    if (bits(tags, 2 * n + 1, 2 * n) == 3) empty |= 1u << n;
  return static_cast<u8>(empty);
}

// As real-address mode stores it.
u32 linear_pointer(u16 selector, u64 offset) {
  return static_cast<u32>((static_cast<u64>(selector) << 4) + offset);
}

template <class Word, PointerForm form>
Environment<Word> environment_of(const Core& core) {
  const X87State& x87 = core.state.x87;
  constexpr bool kWide = sizeof(Word) == 4;
  const auto low = [](u64 value) { return static_cast<Word>(kWide ? value | 0xFFFF0000 : value); };
  Environment<Word> words{low(x87.control), low(x87.status), low(full_tag_word(x87))};
  if constexpr (form == PointerForm::kProtected) {
    const bool zero = core.environment().shared.offered[Feature::kZeroFcsFds];
    const u32 cs = zero ? 0 : x87.cs;
    words[3] = static_cast<Word>(x87.ip);
    words[4] = static_cast<Word>(kWide ? cs | static_cast<u32>(x87.opcode) << 16 : cs);
    words[5] = static_cast<Word>(x87.dp);
    words[6] = low(zero ? 0 : x87.ds);
  } else {
    const u32 ip = linear_pointer(x87.cs, x87.ip), dp = linear_pointer(x87.ds, x87.dp);
    words[3] = low(bits(ip, 15, 0));
    words[4] = static_cast<Word>(kPointerUpper.put(x87.opcode, ip >> 16));
    words[5] = low(bits(dp, 15, 0));
    words[6] = static_cast<Word>(kPointerUpper.put(0, dp >> 16));
  }
  return words;
}

template <class Word, PointerForm form>
void set_environment(X87State& x87, const Environment<Word>& words) {
  x87.status = static_cast<u16>(words[1]);
  x87.empty = empty_of(words[2]);
  if constexpr (form == PointerForm::kProtected) {
    x87.ip = words[3];
    x87.cs = static_cast<u16>(words[4]);
    x87.opcode = sizeof(Word) == 4 ? static_cast<u16>(kFop.get(words[4] >> 16)) : u16{0};
    x87.dp = words[5];
    x87.ds = static_cast<u16>(words[6]);
  } else {
    x87.ip = bits(words[3], 15, 0) | kPointerUpper.get(words[4]) << 16;
    x87.opcode = static_cast<u16>(kFop.get(words[4]));
    x87.dp = bits(words[5], 15, 0) | kPointerUpper.get(words[6]) << 16;
    x87.cs = x87.ds = 0;
  }
  set_control(x87, words[0]);
}

template <class Word>
constexpr unsigned kEnvironmentBytes = sizeof(Environment<Word>);
template <class Word>
constexpr unsigned kStateBytes = kEnvironmentBytes<Word> + 8 * kRegisterBytes;

// Linear address of an area that can be written on both of its pages; false: raised.
bool writable_area(Core& core, const Op& op, unsigned size, u64& at) {
  if (!operand_linear(core, op, size, Intent::kWrite, at) || !core.probe_write(op, at, 1))
    return false;
  const u64 last_page = align_down(at + size - 1, kPageSize);
  return last_page <= at || core.probe_write(op, last_page, 1);
}

template <class Word, PointerForm form>
bool store_environment(Core& core, const Op& op, u64 at) {
  for (const Word word : environment_of<Word, form>(core)) {
    if (!store_linear(core, op, at, word)) return false;
    at += sizeof(Word);
  }
  return true;
}
template <class Word>
bool load_environment(Core& core, const Op& op, u64 at, Environment<Word>& words) {
  for (Word& word : words) {
    if (!load_linear(core, op, at, word)) return false;
    at += sizeof(Word);
  }
  return true;
}

// Where ST(n) stands in the register file.
u8* cell(X87State& x87, unsigned n) {
  return x87.reg[(static_cast<unsigned>(X87Status::TOP.get(x87.status)) + n) & 7];
}

template <class Word, PointerForm form>
Outcome fnstenv(Core& core, const Op& op) {
  u64 at;
  if (!writable_area(core, op, kEnvironmentBytes<Word>, at) ||
      !store_environment<Word, form>(core, op, at))
    return Outcome::kFault;
  X87State& x87 = core.state.x87;
  set_control(x87, x87.control | X87Control::MASKS.mask());
  return Outcome::kNext;
}

template <class Word, PointerForm form>
Outcome fnsave(Core& core, const Op& op) {
  u64 at;
  if (!writable_area(core, op, kStateBytes<Word>, at) ||
      !store_environment<Word, form>(core, op, at))
    return Outcome::kFault;
  X87State& x87 = core.state.x87;
  at += kEnvironmentBytes<Word>;
  for (unsigned n = 0; n < 8; ++n, at += kRegisterBytes) {
    const Float80 value = Float80::from(cell(x87, n));
    if (!store_linear(core, op, at, value.significand) ||
        !store_linear(core, op, at + 8, value.sign_exponent))
      return Outcome::kFault;
  }
  initialize(x87);
  return Outcome::kNext;
}

template <class Word, PointerForm form>
Outcome fldenv(Core& core, const Op& op) {
  if (x87_exception_pending(core)) return Outcome::kFault;
  u64 at;
  Environment<Word> words;
  if (!operand_linear(core, op, kEnvironmentBytes<Word>, Intent::kRead, at) ||
      !load_environment(core, op, at, words))
    return Outcome::kFault;
  set_environment<Word, form>(core.state.x87, words);
  return Outcome::kNext;
}

template <class Word, PointerForm form>
Outcome frstor(Core& core, const Op& op) {
  if (x87_exception_pending(core)) return Outcome::kFault;
  u64 at;
  Environment<Word> words;
  if (!operand_linear(core, op, kStateBytes<Word>, Intent::kRead, at) ||
      !load_environment(core, op, at, words))
    return Outcome::kFault;
  Float80 values[8];
  at += kEnvironmentBytes<Word>;
  for (Float80& value : values) {
    if (!load_linear(core, op, at, value.significand) ||
        !load_linear(core, op, at + 8, value.sign_exponent))
      return Outcome::kFault;
    at += kRegisterBytes;
  }
  X87State& x87 = core.state.x87;
  set_environment<Word, form>(x87, words);
  for (unsigned n = 0; n < 8; ++n) values[n].to(cell(x87, n));
  return Outcome::kNext;
}

// One of the four layouts.
template <Handler p32, Handler p16, Handler r32, Handler r16>
Handler bind_area(const Binding& binding, Op& op) {
  bind_x87_operands(binding, op);
  const bool narrow = binding.in.ins.operand_width == 16;
  return binding.protected_mode ? (narrow ? p16 : p32) : (narrow ? r16 : r32);
}

constexpr PointerForm kP = PointerForm::kProtected, kR = PointerForm::kReal;

constexpr InstructionRow kRows[] = {
    x87_row(ZYDIS_MNEMONIC_FNSTENV, bind_area<run<fnstenv<u32, kP>>, run<fnstenv<u16, kP>>,
                                              run<fnstenv<u32, kR>>, run<fnstenv<u16, kR>>>),
    x87_row(ZYDIS_MNEMONIC_FLDENV, bind_area<run<fldenv<u32, kP>>, run<fldenv<u16, kP>>,
                                             run<fldenv<u32, kR>>, run<fldenv<u16, kR>>>),
    x87_row(ZYDIS_MNEMONIC_FNSAVE, bind_area<run<fnsave<u32, kP>>, run<fnsave<u16, kP>>,
                                             run<fnsave<u32, kR>>, run<fnsave<u16, kR>>>),
    x87_row(ZYDIS_MNEMONIC_FRSTOR, bind_area<run<frstor<u32, kP>>, run<frstor<u16, kP>>,
                                             run<frstor<u32, kR>>, run<frstor<u16, kR>>>),
};

}  // namespace

Rows x87_environment_rows() { return kRows; }

}  // namespace vtsim::cpu
