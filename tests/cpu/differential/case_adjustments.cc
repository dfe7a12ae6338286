// What single instructions need to get past their first check most of the time: targets of
// branches, selectors, counts, quotients that fit.

#include "model/cpu/state/core_state.h"
#include "tests/cpu/differential/case_generator.h"

namespace vtsim::cpu::test {

struct CaseGenerator::Adjustment {
  Mnemonic mnemonic;
  void (CaseGenerator::*adjust)(const Decoded&, UserCase&);
};

const CaseGenerator::Adjustment CaseGenerator::kAdjustments[] = {
    {ZYDIS_MNEMONIC_JMP, &CaseGenerator::adjust_near_target},
    {ZYDIS_MNEMONIC_JMP, &CaseGenerator::adjust_far_target},
    {ZYDIS_MNEMONIC_CALL, &CaseGenerator::adjust_near_target},
    {ZYDIS_MNEMONIC_CALL, &CaseGenerator::adjust_far_target},
    {ZYDIS_MNEMONIC_LDS, &CaseGenerator::adjust_far_target},
    {ZYDIS_MNEMONIC_LES, &CaseGenerator::adjust_far_target},
    {ZYDIS_MNEMONIC_LFS, &CaseGenerator::adjust_far_target},
    {ZYDIS_MNEMONIC_LGS, &CaseGenerator::adjust_far_target},
    {ZYDIS_MNEMONIC_LSS, &CaseGenerator::adjust_far_target},
    {ZYDIS_MNEMONIC_RET, &CaseGenerator::adjust_return},
    {ZYDIS_MNEMONIC_IRET, &CaseGenerator::adjust_return},
    {ZYDIS_MNEMONIC_IRETD, &CaseGenerator::adjust_return},
    {ZYDIS_MNEMONIC_IRETQ, &CaseGenerator::adjust_return},
    {ZYDIS_MNEMONIC_MOV, &CaseGenerator::adjust_selector},
    {ZYDIS_MNEMONIC_LAR, &CaseGenerator::adjust_selector},
    {ZYDIS_MNEMONIC_LSL, &CaseGenerator::adjust_selector},
    {ZYDIS_MNEMONIC_VERR, &CaseGenerator::adjust_selector},
    {ZYDIS_MNEMONIC_VERW, &CaseGenerator::adjust_selector},
    {ZYDIS_MNEMONIC_POP, &CaseGenerator::adjust_popped_selector},
    {ZYDIS_MNEMONIC_LOOP, &CaseGenerator::adjust_count},
    {ZYDIS_MNEMONIC_LOOPE, &CaseGenerator::adjust_count},
    {ZYDIS_MNEMONIC_LOOPNE, &CaseGenerator::adjust_count},
    {ZYDIS_MNEMONIC_JCXZ, &CaseGenerator::adjust_count},
    {ZYDIS_MNEMONIC_JECXZ, &CaseGenerator::adjust_count},
    {ZYDIS_MNEMONIC_JRCXZ, &CaseGenerator::adjust_count},
    {ZYDIS_MNEMONIC_DIV, &CaseGenerator::adjust_divide},
    {ZYDIS_MNEMONIC_IDIV, &CaseGenerator::adjust_divide},
    {ZYDIS_MNEMONIC_CMPXCHG, &CaseGenerator::adjust_exchange},
    {ZYDIS_MNEMONIC_CMPXCHG8B, &CaseGenerator::adjust_exchange},
    {ZYDIS_MNEMONIC_CMPXCHG16B, &CaseGenerator::adjust_exchange},
    {ZYDIS_MNEMONIC_BT, &CaseGenerator::adjust_bit_offset},
    {ZYDIS_MNEMONIC_BTS, &CaseGenerator::adjust_bit_offset},
    {ZYDIS_MNEMONIC_BTR, &CaseGenerator::adjust_bit_offset},
    {ZYDIS_MNEMONIC_BTC, &CaseGenerator::adjust_bit_offset},
    {ZYDIS_MNEMONIC_ENTER, &CaseGenerator::adjust_frame},
    {ZYDIS_MNEMONIC_LEAVE, &CaseGenerator::adjust_frame},
};

std::span<const CaseGenerator::Adjustment> CaseGenerator::adjustments() { return kAdjustments; }

namespace {

bool is_far(const Decoded& in) { return in.ins.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR; }

void set_bytes(UserCase& c, unsigned at, unsigned count, u64 value) {
  for (unsigned n = 0; n < count; ++n)
    c.bytes[at + n] = static_cast<u8>(bits(value, 8 * n + 7, 8 * n));
}

}  // namespace

void CaseGenerator::adjust(const Decoded& in, UserCase& c) {
  adjust_relative(in, c);
  for (const Adjustment& row : adjustments())
    if (row.mnemonic == in.mnemonic()) (this->*row.adjust)(in, c);
  if (in.ins.meta.category == ZYDIS_CATEGORY_STRINGOP && (in.rep() || in.repne()))
    adjust_count(in, c);
}

void CaseGenerator::adjust_relative(const Decoded& in, UserCase& c) {
  const auto& imm = in.ins.raw.imm[0];
  if (!imm.is_relative || imm.size < 16 || one_in(6)) return;
  set_bytes(c, imm.offset, imm.size / 8u,
            code_target(c.state.selector[kCs]) - c.state.rip - in.length());
}

void CaseGenerator::adjust_near_target(const Decoded& in, UserCase& c) {
  if (is_far(in)) return;
  const u64 target = code_target(c.state.selector[kCs]);
  if (in.is_register(0))
    c.state.gpr[static_cast<unsigned>(ZydisRegisterGetId(in.operand[0].reg.value))] = target;
  if (in.is_memory(0))
    c.patches.push_back({.address = linear_address(in.operand[0], in, c), .value = target});
}

// A far pointer in memory or in the instruction.
void CaseGenerator::adjust_far_target(const Decoded& in, UserCase& c) {
  const bool branch = is_far(in);
  if (!branch && in.ins.meta.category == ZYDIS_CATEGORY_UNCOND_BR) return;
  if (!branch && in.ins.meta.category == ZYDIS_CATEGORY_CALL) return;
  const u16 to = branch ? code_selector(c) : selector();
  const u64 offset = branch ? code_target(to) : value();
  for (unsigned n = 0; n < in.visible(); ++n) {
    if (in.operand[n].type == ZYDIS_OPERAND_TYPE_POINTER) {
      set_bytes(c, in.ins.raw.imm[0].offset, in.ins.raw.imm[0].size / 8u, offset);
      set_bytes(c, in.ins.raw.imm[1].offset, 2, to);
    } else if (in.is_memory(n)) {
      const u64 at = linear_address(in.operand[n], in, c);
      const unsigned bytes = in.operand_bits() / 8u;
      c.patches.push_back({.address = at, .value = offset, .size = bytes});
      c.patches.push_back({.address = at + bytes, .value = to, .size = 2});
    }
  }
}

// What RET and IRET pop, in the order of addresses.
void CaseGenerator::adjust_return(const Decoded& in, UserCase& c) {
  const bool interrupt = in.mnemonic() != ZYDIS_MNEMONIC_RET;
  const bool far = is_far(in) || interrupt;
  const u16 cs = far ? code_selector(c) : c.state.selector[kCs];
  const unsigned bytes = in.mnemonic() == ZYDIS_MNEMONIC_RET && !far && c.size == CodeSize::k64
                             ? 8u
                             : in.operand_bits() / 8u;
  u64 at = stack_top(c);
  const auto pushed = [&](u64 value) {
    c.patches.push_back({.address = at, .value = value, .size = bytes});
    at += bytes;
  };
  pushed(code_target(cs));
  if (far) pushed(cs);
  if (!interrupt) return;
  constexpr u64 kLoadable = Rflags::kArithmetic | Rflags::TF.mask() | Rflags::DF.mask() |
                            Rflags::ID.mask() | Rflags::RF.mask();
  pushed(0x202 | (number() & (one_in(4) ? Rflags::kDefined & ~Rflags::AC.mask() : kLoadable)));
  pushed(stack_address());
  pushed(one_in(4) ? selector() : kUserData);
}

void CaseGenerator::adjust_selector(const Decoded& in, UserCase& c) {
  const bool move = in.mnemonic() == ZYDIS_MNEMONIC_MOV;
  if (move && !(in.is_register(0) &&
                ZydisRegisterGetClass(in.operand[0].reg.value) == ZYDIS_REGCLASS_SEGMENT))
    return;
  const unsigned source = in.visible() - 1;
  const u16 chosen = selector();
  if (in.is_memory(source))
    c.patches.push_back(
        {.address = linear_address(in.operand[source], in, c), .value = chosen, .size = 2});
  if (in.is_register(source)) {
    u64& reg = c.state.gpr[static_cast<unsigned>(ZydisRegisterGetId(in.operand[source].reg.value))];
    reg = (reg & ~low_mask(16)) | chosen;
  }
}

void CaseGenerator::adjust_popped_selector(const Decoded& in, UserCase& c) {
  if (in.is_register(0) && ZydisRegisterGetClass(in.operand[0].reg.value) == ZYDIS_REGCLASS_SEGMENT)
    c.patches.push_back({.address = stack_top(c), .value = selector(), .size = 2});
}

// Loops and repetitions end soon.
void CaseGenerator::adjust_count(const Decoded& in, UserCase& c) {
  u64& rcx = c.state.gpr[kRcx];
  const u64 mask = low_mask(in.ins.address_width);
  rcx = (rcx & ~mask) | (one_in(3) ? below(3) : below(70));
}

void CaseGenerator::adjust_divide(const Decoded& in, UserCase& c) {
  if (one_in(3)) return;
  u64& rax = c.state.gpr[kRax];
  u64& rdx = c.state.gpr[kRdx];
  const u64 mask = low_mask(c.size == CodeSize::k64 ? 64 : 32);
  const bool negative = in.mnemonic() == ZYDIS_MNEMONIC_IDIV && one_in(2);
  rdx = (negative ? ~below(3) : below(3)) & mask;
  if (in.operand[0].size == 8) rax = (negative ? ~below(512) : below(512)) & mask;
}

// The accumulator equals the destination half of the time.
void CaseGenerator::adjust_exchange(const Decoded& in, UserCase& c) {
  if (one_in(2)) return;
  const unsigned bytes = in.operand[0].size / 8u;
  if (in.is_register(0)) {
    if (const auto reg = general_register(in.operand[0].reg.value))
      c.state.gpr[kRax] = c.state.gpr[*reg];
    return;
  }
  const u64 at = linear_address(in.operand[0], in, c);
  const unsigned half = in.mnemonic() == ZYDIS_MNEMONIC_CMPXCHG ? bytes : bytes / 2;
  c.patches.push_back({.address = at, .value = c.state.gpr[kRax], .size = half});
  if (half != bytes)
    c.patches.push_back({.address = at + half, .value = c.state.gpr[kRdx], .size = half});
}

// Bit strings in memory: the bit lies near most of the time.
void CaseGenerator::adjust_bit_offset(const Decoded& in, UserCase& c) {
  if (!in.is_memory(0) || !in.is_register(1) || one_in(6)) return;
  u64& reg = c.state.gpr[static_cast<unsigned>(ZydisRegisterGetId(in.operand[1].reg.value))];
  if (general_register(in.operand[0].mem.base) == general_register(in.operand[1].reg.value)) return;
  reg = (below(4096) - 2048) & low_mask(c.size == CodeSize::k64 ? 64 : 32);
}

void CaseGenerator::adjust_frame(const Decoded& in, UserCase& c) {
  const u64 bp =
      (stack_address() - segment_base(c, kSs)) & low_mask(c.size == CodeSize::k64 ? 64 : 32);
  c.state.gpr[kRbp] = has_small_stack(c) ? bits(bp, 15, 0) : bp;
  if (in.mnemonic() != ZYDIS_MNEMONIC_ENTER || one_in(6)) return;
  set_bytes(c, in.ins.raw.imm[0].offset, 2, below(64));
  set_bytes(c, in.ins.raw.imm[1].offset, 1, below(6));
}

}  // namespace vtsim::cpu::test
