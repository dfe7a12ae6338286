#include "tests/cpu/differential/known_differences.h"

#include <cpuid.h>

#include <algorithm>

#include "model/cpu/state/core_state.h"
#include "tests/cpu/differential/user_segments.h"

namespace vtsim::cpu::test {

namespace {

constexpr u64 CF = Rflags::CF.mask(), PF = Rflags::PF.mask(), AF = Rflags::AF.mask(),
              ZF = Rflags::ZF.mask(), SF = Rflags::SF.mask(), OF = Rflags::OF.mask();
constexpr u64 kAll = CF | PF | AF | ZF | SF | OF;

constexpr UndefinedFlags kUndefinedFlags[] = {
    {ZYDIS_MNEMONIC_AAA, OF | SF | ZF | PF, FlagsWhen::kAlways, true, "AAA"},
    {ZYDIS_MNEMONIC_AAS, OF | SF | ZF | PF, FlagsWhen::kAlways, true, "AAS"},
    {ZYDIS_MNEMONIC_AAD, OF | AF | CF, FlagsWhen::kAlways, true, "AAD"},
    {ZYDIS_MNEMONIC_AAM, OF | AF | CF, FlagsWhen::kAlways, false, "AAM"},
    {ZYDIS_MNEMONIC_DAA, OF, FlagsWhen::kAlways, true, "DAA"},
    {ZYDIS_MNEMONIC_DAS, OF, FlagsWhen::kAlways, true, "DAS"},
    {ZYDIS_MNEMONIC_AND, AF, FlagsWhen::kAlways, false, "AND"},
    {ZYDIS_MNEMONIC_OR, AF, FlagsWhen::kAlways, false, "OR"},
    {ZYDIS_MNEMONIC_XOR, AF, FlagsWhen::kAlways, false, "XOR"},
    {ZYDIS_MNEMONIC_TEST, AF, FlagsWhen::kAlways, false, "TEST"},
    {ZYDIS_MNEMONIC_ANDN, AF | PF, FlagsWhen::kAlways, false, "ANDN"},
    {ZYDIS_MNEMONIC_BEXTR, AF | SF | PF, FlagsWhen::kAlways, true, "BEXTR"},
    {ZYDIS_MNEMONIC_BLSI, AF | PF, FlagsWhen::kAlways, false, "BLSI"},
    {ZYDIS_MNEMONIC_BLSMSK, AF | PF, FlagsWhen::kAlways, false, "BLSMSK"},
    {ZYDIS_MNEMONIC_BLSR, AF | PF, FlagsWhen::kAlways, false, "BLSR"},
    {ZYDIS_MNEMONIC_BZHI, AF | PF, FlagsWhen::kAlways, false, "BZHI"},
    {ZYDIS_MNEMONIC_BSF, CF | OF | SF | AF | PF, FlagsWhen::kAlways, true, "BSF"},
    {ZYDIS_MNEMONIC_BSR, CF | OF | SF | AF | PF, FlagsWhen::kAlways, true, "BSR"},
    {ZYDIS_MNEMONIC_BT, OF | SF | AF | PF, FlagsWhen::kAlways, false, "BT"},
    {ZYDIS_MNEMONIC_BTC, OF | SF | AF | PF, FlagsWhen::kAlways, false, "BTC"},
    {ZYDIS_MNEMONIC_BTR, OF | SF | AF | PF, FlagsWhen::kAlways, false, "BTR"},
    {ZYDIS_MNEMONIC_BTS, OF | SF | AF | PF, FlagsWhen::kAlways, false, "BTS"},
    {ZYDIS_MNEMONIC_DIV, kAll, FlagsWhen::kAlways, true, "DIV"},
    {ZYDIS_MNEMONIC_IDIV, kAll, FlagsWhen::kAlways, true, "IDIV"},
    {ZYDIS_MNEMONIC_MUL, SF | ZF | AF | PF, FlagsWhen::kAlways, true, "MUL"},
    {ZYDIS_MNEMONIC_IMUL, SF | ZF | AF | PF, FlagsWhen::kAlways, true, "IMUL"},
    {ZYDIS_MNEMONIC_LZCNT, OF | SF | PF | AF, FlagsWhen::kAlways, true, "LZCNT"},
    {ZYDIS_MNEMONIC_TZCNT, OF | SF | PF | AF, FlagsWhen::kAlways, true, "TZCNT"},
    {ZYDIS_MNEMONIC_SHL, AF, FlagsWhen::kCountNotZero, true, "SAL/SAR/SHL/SHR"},
    {ZYDIS_MNEMONIC_SHL, OF, FlagsWhen::kCountAboveOne, false, "SAL/SAR/SHL/SHR"},
    {ZYDIS_MNEMONIC_SHL, CF, FlagsWhen::kCountNotBelowWidth, false, "SAL/SAR/SHL/SHR"},
    {ZYDIS_MNEMONIC_SHR, AF, FlagsWhen::kCountNotZero, true, "SAL/SAR/SHL/SHR"},
    {ZYDIS_MNEMONIC_SHR, OF, FlagsWhen::kCountAboveOne, false, "SAL/SAR/SHL/SHR"},
    {ZYDIS_MNEMONIC_SHR, CF, FlagsWhen::kCountNotBelowWidth, false, "SAL/SAR/SHL/SHR"},
    {ZYDIS_MNEMONIC_SAR, AF, FlagsWhen::kCountNotZero, true, "SAL/SAR/SHL/SHR"},
    {ZYDIS_MNEMONIC_SAR, OF, FlagsWhen::kCountAboveOne, false, "SAL/SAR/SHL/SHR"},
    {ZYDIS_MNEMONIC_ROL, OF, FlagsWhen::kCountAboveOne, false, "RCL/RCR/ROL/ROR"},
    {ZYDIS_MNEMONIC_ROR, OF, FlagsWhen::kCountAboveOne, false, "RCL/RCR/ROL/ROR"},
    {ZYDIS_MNEMONIC_RCL, OF, FlagsWhen::kCountAboveOne, true, "RCL/RCR/ROL/ROR"},
    {ZYDIS_MNEMONIC_RCR, OF, FlagsWhen::kCountAboveOne, true, "RCL/RCR/ROL/ROR"},
    {ZYDIS_MNEMONIC_SHLD, AF, FlagsWhen::kCountNotZero, true, "SHLD"},
    {ZYDIS_MNEMONIC_SHLD, OF, FlagsWhen::kCountAboveOne, true, "SHLD"},
    {ZYDIS_MNEMONIC_SHLD, kAll, FlagsWhen::kCountAboveWidth, true, "SHLD"},
    {ZYDIS_MNEMONIC_SHRD, AF, FlagsWhen::kCountNotZero, true, "SHRD"},
    {ZYDIS_MNEMONIC_SHRD, OF, FlagsWhen::kCountAboveOne, false, "SHRD"},
    {ZYDIS_MNEMONIC_SHRD, kAll, FlagsWhen::kCountAboveWidth, true, "SHRD"},
};

// The count of a shift: the last operand, an immediate, CL or 1.
unsigned shift_count(const Decoded& in, const UserCase& c) {
  const unsigned width = in.operand[0].size;
  for (unsigned n = in.visible(); n-- > 1;) {
    const u64 count = in.is_immediate(n) ? in.operand[n].imm.value.u : c.state.gpr[kRcx];
    return static_cast<unsigned>(count & (width == 64 ? 63 : 31));
  }
  return 1;
}

bool holds(FlagsWhen when, const Decoded& in, const UserCase& c) {
  if (when == FlagsWhen::kAlways) return true;
  const unsigned count = shift_count(in, c), width = in.operand[0].size;
  switch (when) {
    case FlagsWhen::kCountNotZero:
      return count != 0;
    case FlagsWhen::kCountAboveOne:
      return count > 1;
    case FlagsWhen::kCountNotBelowWidth:
      return count >= width;
    default:
      return count > width;
  }
}

bool is_amd() {
  unsigned a, b, c, d;
  return __get_cpuid(0, &a, &b, &c, &d) && b == signature_AMD_ebx;
}

bool is_one_of(const Decoded& in, std::initializer_list<Mnemonic> mnemonics) {
  return std::find(mnemonics.begin(), mnemonics.end(), in.mnemonic()) != mnemonics.end();
}
bool is_undefined(const Decoded& in) { return in.mnemonic() == ZYDIS_MNEMONIC_INVALID; }
bool is_near_branch(const Decoded& in) {
  return in.ins.meta.branch_type == ZYDIS_BRANCH_TYPE_SHORT ||
         in.ins.meta.branch_type == ZYDIS_BRANCH_TYPE_NEAR || in.mnemonic() == ZYDIS_MNEMONIC_RET;
}
bool has_prefix(const UserCase& c, u8 prefix) {
  for (u8 byte : c.bytes) {
    if (byte == prefix) return true;
    constexpr u8 kLegacy[] = {0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x66, 0x67, 0xF0, 0xF2, 0xF3};
    if (std::find(std::begin(kLegacy), std::end(kLegacy), byte) == std::end(kLegacy)) return false;
  }
  return false;
}
bool repeats(const Decoded& in) {
  return in.has(ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE);
}
bool is_fault(const UserResult& result) {
  return result.vector == kGp || result.vector == kPf || result.vector == kSs_ ||
         result.vector == kNp;
}
u64 repeat_count(const Decoded& in, const UserCase& c) {
  return c.state.gpr[kRcx] & low_mask(in.ins.address_width);
}

constexpr Verdict not_compared_if(bool condition) {
  return condition ? Verdict::kNotCompared : Verdict::kNotOne;
}
Verdict take_flags(u64 mask, UserResult& host, const UserResult& model) {
  const u64 differing = (host.state.flags ^ model.state.flags) & mask;
  host.state.flags ^= differing;
  return differing != 0 ? Verdict::kForgiven : Verdict::kNotOne;
}

constexpr VendorDifference kAmdDifferences[] = {
    {"operand size of near branches",
     "in 64-bit mode Intel ignores 66 before near branches, AMD takes 16-bit operands (SDM 2 "
     "\"JMP\", APM 3 \"JMP (Near)\")",
     [](const Decoded& in, const UserCase& c, UserResult&, const UserResult&) {
       return not_compared_if(c.size == CodeSize::k64 && is_near_branch(in) &&
                              has_prefix(c, 0x66) && !in.ins.raw.rex.W);
     }},
    {"far pointers of 80 bits", "AMD has no m16:64 (SDM 2 \"LSS\", \"JMP\"; APM 3 \"LSS\")",
     [](const Decoded& in, const UserCase& c, UserResult&, const UserResult&) {
       return not_compared_if(
           c.size == CodeSize::k64 && in.ins.raw.rex.W &&
           (in.ins.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR ||
            is_one_of(in, {ZYDIS_MNEMONIC_LSS, ZYDIS_MNEMONIC_LFS, ZYDIS_MNEMONIC_LGS})) &&
           in.is_memory(in.visible() - 1));
     }},
    {"0F 0D with a register",
     "reserved NOP on Intel (SDM 2 \"Opcode Map\"), #UD on AMD (APM 3 \"PREFETCH\")",
     [](const Decoded& in, const UserCase&, UserResult& host, const UserResult& model) {
       return not_compared_if(in.mnemonic() == ZYDIS_MNEMONIC_NOP && in.ins.opcode == 0x0D &&
                              host.vector == kUd && model.vector != kUd);
     }},
    {"PUSH of a segment register",
     "Intel writes 16 bits of a 32-bit slot, AMD all (SDM 2 \"PUSH\")",
     [](const Decoded& in, const UserCase&, UserResult&, const UserResult&) {
       return not_compared_if(in.mnemonic() == ZYDIS_MNEMONIC_PUSH && in.operand_bits() == 32 &&
                              in.is_register(0) && in.operand[0].size == 16);
     }},
    {"INT1 under a hypervisor",
     "the trap's RIP is behind the instruction (SDM 3A \"Debug Exception\"); some hypervisors pass "
     "it on with RIP at it",
     [](const Decoded& in, const UserCase&, UserResult& host, const UserResult& model) {
       return not_compared_if(in.mnemonic() == ZYDIS_MNEMONIC_INT1 &&
                              host.state.rip + in.length() == model.state.rip);
     }},
    {"F2 and F3 before LOOPE and LOOPNE",
     "reserved (SDM 2 \"REP\"); AMD takes the condition from the prefix",
     [](const Decoded& in, const UserCase& c, UserResult&, const UserResult&) {
       return not_compared_if(is_one_of(in, {ZYDIS_MNEMONIC_LOOPE, ZYDIS_MNEMONIC_LOOPNE}) &&
                              (has_prefix(c, 0xF2) || has_prefix(c, 0xF3)));
     }},
    {"PAUSE with REX.B", "XCHG R8, RAX on AMD, PAUSE on Intel",
     [](const Decoded& in, const UserCase&, UserResult&, const UserResult&) {
       return not_compared_if(in.mnemonic() == ZYDIS_MNEMONIC_PAUSE && in.ins.raw.rex.B);
     }},
    {"UD0 and UD1 without their ModRM byte",
     "AMD does not fetch operands of undefined opcodes (SDM 2 \"UD\")",
     [](const Decoded& in, const UserCase&, UserResult& host, const UserResult& model) {
       return not_compared_if(is_one_of(in, {ZYDIS_MNEMONIC_UD0, ZYDIS_MNEMONIC_UD1}) &&
                              host.vector == kUd && model.vector != kUd);
     }},
    {"VMREAD at the end of the code",
     "0F 78 is EXTRQ's opcode on AMD, whose immediates are fetched before #UD",
     [](const Decoded& in, const UserCase&, UserResult& host, const UserResult& model) {
       return not_compared_if(in.mnemonic() == ZYDIS_MNEMONIC_VMREAD && is_fault(host) &&
                              model.vector == kUd);
     }},
    {"repeated I/O with a count of 0",
     "SDM 2 \"REP\": an iteration checks the permission; AMD does before the first",
     [](const Decoded& in, const UserCase& c, UserResult& host, const UserResult& model) {
       return not_compared_if(in.ins.meta.category == ZYDIS_CATEGORY_IOSTRINGOP && repeats(in) &&
                              repeat_count(in, c) == 0 && host.vector == kGp &&
                              model.vector != kGp);
     }},
    {"repetitions with 32-bit addresses and a count of 0",
     "Intel clears the upper halves of the registers, AMD does not",
     [](const Decoded& in, const UserCase& c, UserResult&, const UserResult&) {
       return not_compared_if(c.size == CodeSize::k64 &&
                              in.ins.meta.category == ZYDIS_CATEGORY_STRINGOP && repeats(in) &&
                              in.ins.address_width == 32 && repeat_count(in, c) == 0);
     }},
    {"SYSRET outside 64-bit mode", "#UD on Intel (SDM 2 \"SYSRET\"), exists on AMD",
     [](const Decoded& in, const UserCase& c, UserResult& host, const UserResult& model) {
       return not_compared_if(c.size != CodeSize::k64 && in.mnemonic() == ZYDIS_MNEMONIC_SYSRET &&
                              host.vector == kGp && model.vector == kUd);
     }},
    {"LOCK before MOV CR0", "AMD's other name of CR8 (APM 3 \"MOV CRn\"), #UD on Intel",
     [](const Decoded& in, const UserCase& c, UserResult& host, const UserResult& model) {
       return not_compared_if(is_undefined(in) && has_prefix(c, 0xF0) && host.vector == kGp &&
                              model.vector == kUd);
     }},
    {"LOCK before what it may not lock", "#UD on Intel in any case; AMD reads memory before",
     [](const Decoded& in, const UserCase& c, UserResult& host, const UserResult& model) {
       return not_compared_if(is_undefined(in) && has_prefix(c, 0xF0) && host.vector == kPf &&
                              model.vector == kUd);
     }},
    {"RF after code beyond the limit of CS",
     "faults save RF = 1 (SDM 3B \"Instruction-Breakpoint Exception Condition\"); AMD does not for "
     "this one",
     [](const Decoded&, const UserCase& c, UserResult& host, const UserResult& model) {
       const auto cs = descriptor_named(c.state.selector[kCs]);
       const bool beyond = host.vector == kGp && model.vector == kGp && host.error == 0 &&
                           c.size != CodeSize::k64 && c.state.rip + c.bytes.size() > cs->limit();
       return beyond ? take_flags(Rflags::RF.mask(), host, model) : Verdict::kNotOne;
     }},
    {"the first of two faults",
     "the order of an instruction's accesses and checks is not defined (CMPS, far RET, IRET); "
     "AMD's "
     "is another",
     [](const Decoded& in, const UserCase&, UserResult& host, const UserResult& model) {
       return not_compared_if(
           is_one_of(in, {ZYDIS_MNEMONIC_CMPSB, ZYDIS_MNEMONIC_CMPSW, kStringCmpsd,
                          ZYDIS_MNEMONIC_CMPSQ, ZYDIS_MNEMONIC_IRET, ZYDIS_MNEMONIC_IRETD,
                          ZYDIS_MNEMONIC_IRETQ, ZYDIS_MNEMONIC_RET}) &&
           is_fault(host) && is_fault(model) &&
           (host.vector != model.vector || host.cr2 != model.cr2));
     }},
    {"flags after a fault in repeated CMPS and SCAS",
     "restored (SDM 2 \"REP\"); AMD keeps those of the last iteration",
     [](const Decoded& in, const UserCase&, UserResult& host, const UserResult& model) {
       const bool one = in.ins.meta.category == ZYDIS_CATEGORY_STRINGOP && repeats(in) &&
                        is_fault(host) && host.vector == model.vector;
       return one ? take_flags(kAll, host, model) : Verdict::kNotOne;
     }},
    {"far CALL to code of another mode",
     "AMD pushes with the stack size of the new mode; SDM 2 \"CALL\" does not say",
     [](const Decoded& in, const UserCase&, UserResult& host, const UserResult& model) {
       const bool other =
           is_one_of(in, {ZYDIS_MNEMONIC_CALL}) && in.ins.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR;
       return not_compared_if(other && (host.vector != model.vector || host.cr2 != model.cr2) &&
                              (is_fault(host) || is_fault(model)));
     }},
    {"POP of a segment register at a page's end",
     "AMD reads the whole slot, the model the selector, as Intel's are said to; SDM 2 \"POP\" does not "
     "say: to be seen on an Intel host",
     [](const Decoded& in, const UserCase&, UserResult& host, const UserResult& model) {
       return not_compared_if(in.mnemonic() == ZYDIS_MNEMONIC_POP && in.is_register(0) &&
                              in.operand[0].size == 16 && is_fault(host) &&
                              (host.vector != model.vector || host.cr2 != model.cr2));
     }},
    {"pushes before a fault",
     "what is below the stack pointer after a fault is not defined, nor the order of ENTER's accesses "
     "(SDM 2 \"ENTER\"); AMD has pushed before a later access faults, the model checks first",
     [](const Decoded& in, const UserCase&, UserResult& host, const UserResult& model) {
       const bool pushes =
           is_one_of(in, {ZYDIS_MNEMONIC_ENTER, ZYDIS_MNEMONIC_PUSHA, ZYDIS_MNEMONIC_PUSHAD}) ||
           (in.mnemonic() == ZYDIS_MNEMONIC_CALL && in.ins.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR);
       return not_compared_if(pushes && is_fault(host) && is_fault(model));
     }},
    {"POPA that faults", "AMD has popped the registers before the fault",
     [](const Decoded& in, const UserCase&, UserResult& host, const UserResult& model) {
       return not_compared_if(is_one_of(in, {ZYDIS_MNEMONIC_POPA, ZYDIS_MNEMONIC_POPAD}) &&
                              is_fault(host) && host.vector == model.vector);
     }},
    {"ARPL that changes nothing",
     "a destination that may not be written faults in any case (SDM 2 \"ARPL\"); AMD reads, and "
     "writes only changes",
     [](const Decoded& in, const UserCase&, UserResult& host, const UserResult& model) {
       return not_compared_if(in.mnemonic() == ZYDIS_MNEMONIC_ARPL && is_fault(model) &&
                              (host.vector != model.vector || host.error != model.error));
     }},
};

}  // namespace

std::span<const UndefinedFlags> undefined_flags() { return kUndefinedFlags; }
std::span<const VendorDifference> amd_differences() { return kAmdDifferences; }

KnownDifferences::KnownDifferences()
    : amd_(is_amd()),
      undefined_uses_(std::size(kUndefinedFlags)),
      vendor_uses_(std::size(kAmdDifferences)) {}

bool KnownDifferences::forgive(const Decoded& in, const UserCase& c, UserResult& host,
                               const UserResult& model) {
  if (amd_)
    for (unsigned n = 0; n < std::size(kAmdDifferences); ++n)
      if (const Verdict verdict = kAmdDifferences[n].judge(in, c, host, model);
          verdict != Verdict::kNotOne) {
        ++vendor_uses_[n];
        if (verdict == Verdict::kNotCompared) return true;
      }
  for (unsigned n = 0; n < std::size(kUndefinedFlags); ++n) {
    const UndefinedFlags& row = kUndefinedFlags[n];
    if (row.mnemonic != in.mnemonic() || host.vector != model.vector || !holds(row.when, in, c))
      continue;
    const u64 differing = (host.state.flags ^ model.state.flags) & row.flags;
    if (differing == 0) continue;
    ++undefined_uses_[n];
    host.state.flags ^= differing;
  }
  return false;
}

}  // namespace vtsim::cpu::test
