#include "sim/observe/commit_record.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <iterator>

namespace vtsim::observe {
namespace {

constexpr std::string_view kNames[] = {
    "rax",       "rcx",       "rdx",    "rbx",    "rsp",     "rbp",     "rsi",
    "rdi",       "r8",        "r9",     "r10",    "r11",     "r12",     "r13",
    "r14",       "r15",       "rflags", "es",     "cs",      "ss",      "ds",
    "fs",        "gs",        "ldtr",   "tr",     "fs_base", "gs_base", "kernel_gs_base",
    "gdtr_base", "idtr_base", "cr0",    "cr2",    "cr3",     "cr4",     "efer",
    "xcr0",      "pkru",      "dr0",    "dr1",    "dr2",     "dr3",     "dr6",
    "dr7",       "fcw",       "fsw",    "ftw",    "mxcsr",   "r0_x87",  "r1_x87",
    "r2_x87",    "r3_x87",    "r4_x87", "r5_x87", "r6_x87",  "r7_x87",  "ymm0",
    "ymm1",      "ymm2",      "ymm3",   "ymm4",   "ymm5",    "ymm6",    "ymm7",
    "ymm8",      "ymm9",      "ymm10",  "ymm11",  "ymm12",   "ymm13",   "ymm14",
    "ymm15"};
static_assert(std::size(kNames) == static_cast<std::size_t>(LogRegister::kCount));

using Out = std::back_insert_iterator<std::string>;

void append_value(std::string& text, const RegisterChange& change) {
  std::size_t top = change.words;
  while (top > 1 && change.value[top - 1] == 0) --top;
  fmt::format_to(Out(text), "{:x}", change.value[top - 1]);
  for (std::size_t i = top - 1; i > 0; --i)
    fmt::format_to(Out(text), "{:016x}", change.value[i - 1]);
}

}  // namespace

std::string_view register_name(LogRegister reg) { return kNames[static_cast<std::size_t>(reg)]; }

void CommitHash::mix(u64 word) {
  // An odd multiplier spreads a bit upwards, the rotation brings it back down.
  constexpr u64 kMultiplier = 0x9e37'79b9'7f4a'7c15;
  state_ = std::rotl((state_ ^ word) * kMultiplier, 29);
}

void CommitHash::add(const CommitRecord& record) {
  u64 code[2] = {};
  std::memcpy(code, record.code.data(), record.length);
  mix(u64{record.core} << 32 | record.cs);
  mix(record.instruction);
  mix(record.rip);
  mix(code[0]);
  mix(code[1] | u64{record.length} << 60);
  for (const RegisterChange& change : record.registers) {
    mix(static_cast<u64>(change.reg));
    for (std::size_t i = 0; i < change.words; ++i) mix(change.value[i]);
  }
  for (const MemoryWrite& write : record.writes) {
    mix(write.linear);
    mix(write.size);
    mix(write.value);
  }
  ++records_;
}

std::string to_text(const CommitRecord& record) {
  std::string text =
      fmt::format("{} {} {:04x}:{:016x}", record.core, record.instruction, record.cs, record.rip);
  for (std::size_t i = 0; i < record.length; ++i) {
    fmt::format_to(Out(text), " {:02x}", record.code[i]);
  }
  if (!record.registers.empty()) text += " |";
  for (const RegisterChange& change : record.registers) {
    fmt::format_to(Out(text), " {}=", register_name(change.reg));
    append_value(text, change);
  }
  if (!record.writes.empty()) text += " |";
  for (const MemoryWrite& write : record.writes) {
    fmt::format_to(Out(text), " [{:x}]{}={:x}", write.linear, write.size, write.value);
  }
  return text;
}

}  // namespace vtsim::observe
