#include "tests/cpu/differential/user_forms.h"

#include <map>

#include "model/cpu/exec/isa.h"

namespace vtsim::cpu::test {

namespace {

// A REX prefix comes last. 26, 2E, 36, 3E, 64, 65 are segments; in 64-bit mode the first four are
// ignored.
const std::vector<std::vector<u8>> kPrefixes64 = {{},
                                                  {0x40},
                                                  {0x48},
                                                  {0x66},
                                                  {0x66, 0x40},
                                                  {0x66, 0x48},
                                                  {0xF2},
                                                  {0xF2, 0x48},
                                                  {0xF3},
                                                  {0xF3, 0x40},
                                                  {0xF3, 0x48},
                                                  {0xF0},
                                                  {0xF0, 0x40},
                                                  {0xF0, 0x48},
                                                  {0xF0, 0x66},
                                                  {0xF0, 0xF3},
                                                  {0xF2, 0xF0},
                                                  {0x67},
                                                  {0x67, 0x48},
                                                  {0x67, 0x66},
                                                  {0x67, 0xF3},
                                                  {0x67, 0xF2},
                                                  {0x64},
                                                  {0x65},
                                                  {0x64, 0x48},
                                                  {0x26},
                                                  {0x36},
                                                  {0x2E, 0x66},
                                                  {0x66, 0xF2},
                                                  {0x66, 0xF3},
                                                  {0xF2, 0xF3},
                                                  {0xF3, 0x66, 0x48},
                                                  {0xF2, 0x66, 0x48}};
const std::vector<std::vector<u8>> kPrefixesLegacy = {
    {},           {0x66},       {0xF2},
    {0xF3},       {0xF0},       {0xF0, 0x66},
    {0x67},       {0x67, 0x66}, {0x67, 0xF3},
    {0x67, 0xF2}, {0x26},       {0x2E},
    {0x36},       {0x3E},       {0x64},
    {0x65},       {0x66, 0xF2}, {0x66, 0xF3},
    {0xF2, 0xF3}, {0xF0, 0xF3}, {0x67, 0x66, 0xF3},
    {0x36, 0x66}};

constexpr u8 kPadding[] = {0x00, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};

bool is_prefix_or_escape(u8 opcode, CodeSize size) {
  switch (opcode) {
    case 0x0F:
    case 0x26:
    case 0x2E:
    case 0x36:
    case 0x3E:
    case 0x64:
    case 0x65:
    case 0x66:
    case 0x67:
    case 0xF0:
    case 0xF2:
    case 0xF3:
      return true;
    default:
      return size == CodeSize::k64 && bits(opcode, 7, 4) == 4;
  }
}

}  // namespace

bool belongs_to_vector_or_x87(const InstructionRow& row) {
  return row.timing == Timing::kSimd || row.timing == Timing::kX87;
}

UserForms::UserForms() {
  for (const auto& prefixes : kPrefixes64) legacy(CodeSize::k64, prefixes);
  for (CodeSize size : {CodeSize::k32, CodeSize::k16})
    for (const auto& prefixes : kPrefixesLegacy) legacy(size, prefixes);
  for (CodeSize size : {CodeSize::k64, CodeSize::k32, CodeSize::k16}) vex(size);
}

void UserForms::legacy(CodeSize size, std::span<const u8> prefixes) {
  for (const std::vector<u8>& escape : {std::vector<u8>{}, std::vector<u8>{0x0F},
                                        std::vector<u8>{0x0F, 0x38}, std::vector<u8>{0x0F, 0x3A}})
    for (unsigned opcode = 0; opcode < 256; ++opcode) {
      if (escape.empty() && is_prefix_or_escape(static_cast<u8>(opcode), size)) continue;
      if (escape.size() == 1 && (opcode == 0x38 || opcode == 0x3A)) continue;
      UserForm form;
      form.size = size;
      form.head.assign(prefixes.begin(), prefixes.end());
      if (size == CodeSize::k64 && !prefixes.empty() && bits(prefixes.back(), 7, 4) == 4)
        form.rex_at = static_cast<int>(prefixes.size()) - 1;
      form.head.insert(form.head.end(), escape.begin(), escape.end());
      form.head.push_back(static_cast<u8>(opcode));
      add(form);
    }
}

void UserForms::vex(CodeSize size) {
  for (u8 map : {u8{2}, u8{3}})
    for (unsigned pp = 0; pp < 4; ++pp)
      for (unsigned w : {0u, 1u})
        for (bool vvvv : {true, false})  // an operand, or 1111B: none
          for (unsigned opcode = 0xF0; opcode < 256; ++opcode) {
            UserForm form;
            form.size = size;
            form.head = {0xC4, static_cast<u8>(0xE0 | map),
                         static_cast<u8>(w << 7 | (vvvv ? 0x60 : 0x78) | pp),
                         static_cast<u8>(opcode)};
            form.vex_at = 0;
            form.vvvv_varies = vvvv;
            add(form);
          }
}

UserForms::Meaning UserForms::meaning(const UserForm& opcode, u8 modrm) const {
  std::vector<u8> bytes = opcode.head;
  bytes.push_back(modrm);
  bytes.insert(bytes.end(), std::begin(kPadding), std::end(kPadding));
  Decoded in;
  Meaning what;
  const DecodeStatus status = decoder_.decode(bytes, opcode.size, 0, in);
  if (status != DecodeStatus::kOk) {
    what.undefined = status == DecodeStatus::kInvalid;
    what.has_modrm = true;
    return what;
  }
  const InstructionRow* const row = find_row(in.mnemonic());
  if (row == nullptr || belongs_to_vector_or_x87(*row) || required_feature(in).unknown_extension)
    return what;
  what.mnemonic = in.mnemonic();
  what.ours = true;
  what.has_modrm = in.has(ZYDIS_ATTRIB_HAS_MODRM);
  for (unsigned n = 0; n < in.ins.operand_count; ++n)
    what.operands +=
        std::to_string(in.operand[n].type) + ":" + std::to_string(in.operand[n].size) + ",";
  return what;
}

// The ModRM bytes that may mean different things; 0F 01 is the only opcode where rm matters too.
std::vector<u8> UserForms::modrm_bytes(const UserForm& opcode, bool memory) {
  const bool by_rm = !memory && opcode.head.size() >= 2 && opcode.head.back() == 0x01 &&
                     opcode.head[opcode.head.size() - 2] == 0x0F;
  std::vector<u8> bytes;
  for (unsigned reg = 0; reg < 8; ++reg)
    for (unsigned rm = 0; rm < (by_rm ? 8u : 1u); ++rm)
      bytes.push_back(
          static_cast<u8>(memory ? 0x07 | reg << 3 : 0xC0 | reg << 3 | (by_rm ? rm : 1)));
  return bytes;
}

// One form for every different meaning of the ModRM byte.
void UserForms::add(const UserForm& opcode) {
  for (bool memory : {false, true}) {
    std::vector<std::pair<Meaning, std::vector<u8>>> meanings;
    for (u8 modrm : modrm_bytes(opcode, memory)) {
      const Meaning what = meaning(opcode, modrm);
      if (!what.ours && !what.undefined) continue;
      bool known = false;
      for (auto& [seen, modrms] : meanings)
        if (seen == what) modrms.push_back(modrm), known = true;
      if (!known) meanings.push_back({what, {modrm}});
      if (!what.has_modrm) break;
    }
    for (const auto& [what, modrms] : meanings) {
      UserForm form = opcode;
      form.has_modrm = what.has_modrm;
      form.memory = memory;
      form.modrms = modrms;
      form.mnemonic = what.mnemonic;
      if (memory && !what.has_modrm) continue;
      (what.ours ? forms_ : undefined_).push_back(form);
    }
  }
}

}  // namespace vtsim::cpu::test
