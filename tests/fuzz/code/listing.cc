#include "tests/fuzz/code/listing.h"

#include <capstone/capstone.h>
#include <fmt/format.h>

namespace vtsim::fuzz {

std::string listing(std::span<const u8> code, u64 address, unsigned bits) {
  csh handle = 0;
  const cs_mode mode = bits == 16 ? CS_MODE_16 : bits == 32 ? CS_MODE_32 : CS_MODE_64;
  if (cs_open(CS_ARCH_X86, mode, &handle) != CS_ERR_OK) return {};
  cs_option(handle, CS_OPT_SKIPDATA, CS_OPT_ON);
  cs_insn* lines = nullptr;
  const std::size_t count = cs_disasm(handle, code.data(), code.size(), address, 0, &lines);
  std::string text;
  for (std::size_t n = 0; n < count; ++n) {
    std::string bytes;
    for (unsigned at = 0; at < lines[n].size; ++at) bytes += fmt::format("{:02x}", lines[n].bytes[at]);
    text += fmt::format("{:#x}: {:<24} {} {}\n", lines[n].address, bytes, lines[n].mnemonic,
                        lines[n].op_str);
  }
  cs_free(lines, count);
  cs_close(&handle);
  return text;
}

}  // namespace vtsim::fuzz
