#include "sim/observe/disassembler.h"

#include <capstone/capstone.h>

#include <array>

#include "model/base/check.h"

namespace vtsim::observe {
namespace {

constexpr std::array<cs_mode, 3> kModes = {CS_MODE_16, CS_MODE_32, CS_MODE_64};

std::size_t mode_index(u8 bits) { return bits == 16 ? 0 : bits == 32 ? 1 : 2; }

}  // namespace

struct Disassembler::Handles {
  std::array<csh, kModes.size()> of{};
};

Disassembler::Disassembler() : handles_(std::make_unique<Handles>()) {
  for (std::size_t i = 0; i < kModes.size(); ++i) {
    const cs_err error = cs_open(CS_ARCH_X86, kModes[i], &handles_->of[i]);
    SIM_CHECK(error == CS_ERR_OK, cs_strerror(error));
  }
}

Disassembler::~Disassembler() {
  for (csh& handle : handles_->of) cs_close(&handle);
}

std::string Disassembler::text(std::span<const u8> code, u64 rip, u8 bits) {
  cs_insn* instruction = nullptr;
  const std::size_t count =
      cs_disasm(handles_->of[mode_index(bits)], code.data(), code.size(), rip, 1, &instruction);
  if (count == 0) return "(bad)";
  std::string text = instruction->mnemonic;
  if (instruction->op_str[0] != '\0') text += std::string(" ") + instruction->op_str;
  cs_free(instruction, count);
  return text;
}

}  // namespace vtsim::observe
