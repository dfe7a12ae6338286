#include "tests/cpu/differential/case_generator.h"

#include <algorithm>

#include "model/cpu/state/registers.h"

namespace vtsim::cpu::test {

namespace {

// The width in bits of general registers, addresses and RIP.
unsigned mode_bits(const UserCase& c) { return c.size == CodeSize::k64 ? 64 : 32; }

SegmentName segment_of(ZydisRegister reg) {
  switch (reg) {
    case ZYDIS_REGISTER_ES:
      return kEs;
    case ZYDIS_REGISTER_CS:
      return kCs;
    case ZYDIS_REGISTER_SS:
      return kSs;
    case ZYDIS_REGISTER_FS:
      return kFs;
    case ZYDIS_REGISTER_GS:
      return kGs;
    default:
      return kDs;
  }
}

u64 register_value(ZydisRegister reg, const UserCase& c) {
  const auto number = general_register(reg);
  if (!number) return 0;
  const u64 full = c.state.gpr[*number];
  if (reg == ZYDIS_REGISTER_AL) return bits(full, 7, 0);  // XLAT
  const unsigned width = ZydisRegisterGetWidth(ZYDIS_MACHINE_MODE_LONG_64, reg);
  return full & low_mask(width);
}

// What the operand's address is without its base register.
u64 offset_without_base(const ZydisDecodedOperand& operand, const UserCase& c) {
  const auto& mem = operand.mem;
  const u64 scale = mem.scale == 0 ? 1 : mem.scale;
  return static_cast<u64>(mem.disp.has_displacement ? mem.disp.value : 0) +
         register_value(mem.index, c) * scale;
}

}  // namespace

std::optional<unsigned> general_register(ZydisRegister reg) {
  switch (ZydisRegisterGetClass(reg)) {
    case ZYDIS_REGCLASS_GPR16:
    case ZYDIS_REGCLASS_GPR32:
    case ZYDIS_REGCLASS_GPR64:
      return static_cast<unsigned>(ZydisRegisterGetId(reg));
    case ZYDIS_REGCLASS_GPR8:
      return reg == ZYDIS_REGISTER_AL ? std::optional<unsigned>(0) : std::nullopt;
    default:
      return std::nullopt;
  }
}

bool has_small_stack(const UserCase& c) {
  if (c.size == CodeSize::k64) return false;
  const auto ss = descriptor_named(c.state.selector[kSs]);
  return ss && !ss->is_big();
}

u64 stack_top(const UserCase& c) {
  const u64 sp = c.state.gpr[4] & low_mask(has_small_stack(c) ? 16 : mode_bits(c));
  return sp + segment_base(c, kSs);
}

u64 linear_address(const ZydisDecodedOperand& operand, const Decoded& in, const UserCase& c) {
  const auto& mem = operand.mem;
  u64 offset = offset_without_base(operand, c);
  if (mem.base == ZYDIS_REGISTER_RIP || mem.base == ZYDIS_REGISTER_EIP)
    offset += c.state.rip + in.length();
  else
    offset += register_value(mem.base, c);
  offset &= low_mask(in.ins.address_width);
  return (offset + segment_base(c, segment_of(mem.segment))) & low_mask(mode_bits(c));
}

u64 CaseGenerator::value() {
  const unsigned n = static_cast<unsigned>(below(64));
  switch (below(8)) {
    case 0:
      return below(20);
    case 1:
      return ~below(20);
    case 2:
      return u64{1} << n;
    case 3:
      return low_mask(n);
    case 4:
      return ~low_mask(n);
    case 5:
      return static_cast<u64>(sign_extend(number(), 1 + n));
    default:
      return number();
  }
}

u64 CaseGenerator::data_address() {
  constexpr u64 kMiddle = Arena::kData + 0x800, kReadOnly = Arena::kData + Arena::kWritableBytes;
  const u64 near = below(24);  // how far before an edge
  switch (below(20)) {
    case 0:
      return Arena::kData + 0x1000 - near;
    case 1:
      return kReadOnly - near;
    case 2:
      return kReadOnly + below(0x800);
    case 3:
      return Arena::kData + Arena::kDataBytes - near;
    case 4:
      return Arena::kData - near;
    case 5:
      return one_in(4) ? Arena::kCode + below(64) : Arena::kBase + 0x5A00 - 8 + below(16);
    case 6:
      return one_in(2) ? value() : Arena::kBase + 0x5800 - 8 + below(16);
    case 7:
      return Arena::kStack + below(Arena::kStackBytes);
    case 8:
    case 9:
      return kMiddle + below(256);
    default:
      return kMiddle + 16 * below(16);
  }
}

u64 CaseGenerator::stack_address() {
  switch (below(16)) {
    case 0:
      return Arena::kStack + below(40);
    case 1:
      return Arena::kStack + Arena::kStackBytes - below(40);
    case 2:
      return Arena::kStack + 0x400 + below(0x800);
    case 3:
      return one_in(4) ? value() : Arena::kStack + 0x800;
    default:
      return Arena::kStack + 0x400 + 8 * below(0x100);
  }
}

u16 CaseGenerator::selector() {
  static constexpr u16 kSelectors[] = {0,          1,
                                       3,          kUserCode32,
                                       kUserData,  kUserCode64,
                                       kUserData,  0x20,
                                       0x28,       0x2A,
                                       0x31,       0x08,
                                       0x10,       0x1B,
                                       0x43,       0x53,
                                       0x83,       0xFFFB,
                                       kLdtCode16, kLdtData16,
                                       kLdtData32, kLdtDown32,
                                       kLdtDown16, kLdtReadOnly,
                                       kLdtAbsent, kLdtExecuteOnly,
                                       kLdtCode32, kLdtShort,
                                       kLdtEmpty,  kLdtBeyond};
  const u16 chosen = pick(kSelectors);
  if (bit(chosen, 2) && !has_ldt_) return kUserData;
  return bit(chosen, 2) && one_in(8) ? static_cast<u16>(chosen & ~3u) : chosen;
}

// SDM-NOTE: from a 16-bit stack to 64-bit code, which has none, is nothing that the manual
// describes; some hosts do not get through it.
u16 CaseGenerator::code_selector(const UserCase& c) {
  static constexpr u16 kCodes[] = {kUserCode32, kUserCode64, kLdtCode16, kLdtCode32};
  const u16 chosen = one_in(4) ? selector() : pick(kCodes);
  if ((chosen | 3) == kUserCode64 && has_small_stack(c)) return kUserCode32;
  return bit(chosen, 2) && !has_ldt_ ? kUserCode32 : chosen;
}

u64 CaseGenerator::code_target(u16 cs) {
  if (one_in(10)) return value();
  const auto named = descriptor_named(cs);
  const u64 base = named && cs != kUserCode64 ? named->base() : 0;
  return Arena::kCode + below(0x1000) - base;
}

void CaseGenerator::choose_segments(UserCase& c) {
  auto& selector_of = c.state.selector;
  if (c.size == CodeSize::k64) {
    selector_of = {0, kUserCode64, kUserData, 0, 0, 0};
    if (one_in(2)) selector_of[kDs] = selector_of[kEs] = kUserData;
    if (one_in(8) && has_ldt_) selector_of[kEs] = kLdtShort;
    c.state.fs_base = one_in(2) ? data_address() & low_mask(47) : below(1000);
    c.state.gs_base = one_in(2) ? data_address() & low_mask(47) : below(1000);
    return;
  }
  static constexpr u16 kDataSegments[] = {kLdtData16,   kLdtData32, kLdtDown32, kLdtDown16,
                                          kLdtReadOnly, kLdtShort,  kLdtCode32, 0};
  static constexpr u16 kStacks[] = {kLdtData16, kLdtData32, kLdtDown32, kLdtShort};
  const u16 usual = c.size == CodeSize::k16 ? kLdtData16 : kUserData;
  for (SegmentName name : {kEs, kDs, kFs, kGs})
    selector_of[name] = has_ldt_ && one_in(4) ? pick(kDataSegments) : usual;
  selector_of[kSs] = has_ldt_ && one_in(4) ? pick(kStacks) : usual;
  if (c.size == CodeSize::k16)
    selector_of[kCs] = one_in(6) ? kLdtShortCode : kLdtCode16;
  else
    selector_of[kCs] = has_ldt_ && one_in(6) ? kLdtCode32 : kUserCode32;
}

void CaseGenerator::choose_registers(UserCase& c) {
  for (u64& reg : c.state.gpr) reg = value() & low_mask(mode_bits(c));
  if (c.size != CodeSize::k64) std::fill(c.state.gpr.begin() + 8, c.state.gpr.end(), 0);
  u64& rsp = c.state.gpr[4];
  const u64 sp = (stack_address() - segment_base(c, kSs)) & low_mask(mode_bits(c));
  rsp = has_small_stack(c) ? bits(sp, 15, 0) | (one_in(2) ? rsp & ~low_mask(16) : 0) : sp;
  constexpr u64 kOften = Rflags::kArithmetic;
  c.state.flags = 0x202 | (number() & kOften);
  const auto sometimes = [&](Flag flag, u64 n) {
    if (one_in(n)) c.state.flags |= flag.mask();
  };
  sometimes(Rflags::DF, 4);
  sometimes(Rflags::TF, 3);
  c.memory_seed = 1 + below(1'000'000);
}

// In the middle of a page, across two, or at the end of the code.
void CaseGenerator::choose_place(unsigned length, UserCase& c) {
  u64 at = Arena::kCode + 0x80 + below(0xE00);
  if (one_in(16)) at = Arena::kCode + 0x1000 - below(length + 1);
  if (one_in(24)) at = Arena::kCode + 0x2000 - length;
  if (one_in(48)) at = Arena::kCode + 0x2000 - (1 + below(length));
  if (c.state.selector[kCs] == kLdtShortCode && one_in(3))  // CS limit at Arena::kBase + 0x2004
    at = Arena::kBase + 0x2005 - below(length + 1);
  c.state.rip = at - segment_base(c, kCs);
}

// Prefixes with other register extensions, ModRM with other registers, and a random tail.
void CaseGenerator::encode(const UserForm& form, UserCase& c) {
  c.bytes = form.head;
  if (form.rex_at >= 0) c.bytes[static_cast<unsigned>(form.rex_at)] |= static_cast<u8>(below(8));
  if (form.vex_at >= 0) {
    const unsigned at = static_cast<unsigned>(form.vex_at);
    // R, X and B are inverted. Outside 64-bit mode they are 1, or the byte is not VEX's; vvvv's
    // high bit is ignored there.
    if (form.size == CodeSize::k64) c.bytes[at + 1] ^= static_cast<u8>(below(8) << 5);
    if (form.vvvv_varies) c.bytes[at + 2] ^= static_cast<u8>(below(16) << 3);
  }
  if (form.has_modrm) {
    u8 modrm = form.modrms[below(form.modrms.size())];
    if (form.memory)
      modrm = static_cast<u8>(bits(modrm, 5, 3) << 3 | below(3) << 6 | below(8));
    else if (form.modrms.size() < 2 || bits(form.modrms[0], 2, 0) == bits(form.modrms[1], 2, 0))
      modrm = static_cast<u8>((modrm & 0xF8) | below(8));
    c.bytes.push_back(modrm);
  }
  while (c.bytes.size() < 15)
    c.bytes.push_back(static_cast<u8>(one_in(4) ? 0 : one_in(4) ? 0xFF : number()));
}

// Makes a memory operand lie where data_address() says: by its base register, or its displacement.
void CaseGenerator::steer(const ZydisDecodedOperand& operand, const Decoded& in, UserCase& c) {
  const auto& mem = operand.mem;
  u64 target = data_address();
  const u64 bytes = operand.size / 8u;
  if ((bytes == 16 || bytes >= 64) && !one_in(6)) target = align_down(target, 64);
  u64 offset = target - segment_base(c, segment_of(mem.segment));
  const unsigned width = in.ins.address_width;
  if (const auto base = general_register(mem.base)) {
    u64& reg = c.state.gpr[*base];
    if (mem.index == mem.base)
      offset = (offset - static_cast<u64>(mem.disp.value)) / (1 + (mem.scale ? mem.scale : 1u));
    else
      offset -= offset_without_base(operand, c);
    reg = (reg & ~low_mask(width)) | (offset & low_mask(width));
  } else if (in.ins.raw.disp.size >= 16) {
    if (mem.base != ZYDIS_REGISTER_NONE) offset -= c.state.rip + in.length();
    offset -= offset_without_base(operand, c) - static_cast<u64>(mem.disp.value);
    for (unsigned n = 0; n < in.ins.raw.disp.size / 8u; ++n)
      c.bytes[in.ins.raw.disp.offset + n] = static_cast<u8>(bits(offset, 8 * n + 7, 8 * n));
  }
}

std::optional<UserCase> CaseGenerator::next(const UserForm& form) {
  UserCase c;
  c.size = form.size;
  choose_segments(c);
  choose_registers(c);
  encode(form, c);
  Decoded in;
  const DecodeStatus status = decoder_.decode(c.bytes, c.size, 0, in);
  if (form.mnemonic == ZYDIS_MNEMONIC_INVALID) {
    if (status != DecodeStatus::kInvalid) return std::nullopt;
    if (c.state.selector[kCs] == kLdtShortCode) c.state.selector[kCs] = kLdtCode16;
    c.state.rip = Arena::kCode + 0x80 + below(0x1F00) - segment_base(c, kCs);
    return c;
  }
  if (status != DecodeStatus::kOk || in.mnemonic() != form.mnemonic) return std::nullopt;
  c.bytes.resize(in.length());
  choose_place(in.length(), c);
  for (unsigned n = 0; n < in.ins.operand_count; ++n) {
    if (!in.is_memory(n) || in.operand[n].mem.type != ZYDIS_MEMOP_TYPE_MEM) continue;
    const bool implicit_stack = n >= in.visible() && general_register(in.operand[n].mem.base) == 4u;
    if (!implicit_stack) steer(in.operand[n], in, c);
  }
  decoder_.decode(c.bytes, c.size, c.state.rip, in);
  for (unsigned n = 0; n < in.ins.operand_count; ++n)
    if (in.is_memory(n) && in.operand[n].size <= 64 && one_in(2))
      c.patches.push_back({.address = linear_address(in.operand[n], in, c),
                           .value = value(),
                           .size = in.operand[n].size / 8u});
  adjust(in, c);
  return c;
}

}  // namespace vtsim::cpu::test
