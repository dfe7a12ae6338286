#include "sim/observe/commit_record.h"

#include <bit>
#include <charconv>
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

// The digits of a number, written to a place with room for them: fmt's way costs several times that.
char* put_hex(char* out, u64 value, unsigned digits) {
  for (unsigned n = digits; n-- > 0;) *out++ = "0123456789abcdef"[value >> (4 * n) & 0xF];
  return out;
}

unsigned hex_digits(u64 value) {
  return (static_cast<unsigned>(std::bit_width(value)) + 3) / 4 + (value == 0 ? 1 : 0);
}

char* put_hex(char* out, u64 value) { return put_hex(out, value, hex_digits(value)); }

char* put_text(char* out, std::string_view text) {
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

char* put_decimal(char* out, u64 value) {
  constexpr std::size_t kLongest = 20;
  return std::to_chars(out, out + kLongest, value).ptr;
}

char* put_change(char* out, const RegisterChange& change) {
  std::size_t top = change.words;
  while (top > 1 && change.value[top - 1] == 0) --top;
  *out++ = ' ';
  out = put_text(out, register_name(change.reg));
  *out++ = '=';
  out = put_hex(out, change.value[top - 1]);
  for (std::size_t i = top - 1; i > 0; --i) out = put_hex(out, change.value[i - 1], 16);
  return out;
}

char* put_write(char* out, const MemoryWrite& write) {
  out = put_text(out, " [");
  out = put_hex(out, write.linear);
  *out++ = ']';
  *out++ = static_cast<char>('0' + write.size);
  *out++ = '=';
  return put_hex(out, write.value);
}

char* put_place(char* out, const CommitRecord& record) {
  out = put_decimal(out, record.core);
  *out++ = ' ';
  out = put_decimal(out, record.instruction);
  *out++ = ' ';
  out = put_hex(out, record.cs, 4);
  *out++ = ':';
  return put_hex(out, record.rip, 16);
}

char* put_what(char* out, const CommitRecord& record) {
  if (record.event) {
    out = put_text(out, " event ");
    out = put_hex(out, record.event->vector, 2);
    if (!record.event->has_error_code) return out;
    return put_hex(put_text(out, " error "), record.event->error_code);
  }
  for (std::size_t i = 0; i < record.length; ++i) {
    *out++ = ' ';
    out = put_hex(out, record.code[i], 2);
  }
  return out;
}

}  // namespace

std::string_view register_name(LogRegister reg) { return kNames[static_cast<std::size_t>(reg)]; }

void CommitHash::mix(u64 even, u64 odd) {
  // An odd multiplier spreads a bit upwards, the rotation brings it back down.
  constexpr u64 kMultiplier = 0x9e37'79b9'7f4a'7c15;
  even_ = std::rotl((even_ ^ even) * kMultiplier, 29);
  odd_ = std::rotl((odd_ ^ odd) * kMultiplier, 31);
}

void CommitHash::add(const CommitRecord& record) {
  const u64 where = u64{record.core} << 32 | u64{record.length} << 16 | record.cs;
  mix(record.rip, record.instruction ^ std::rotl(where, 24));
  if (record.event) {
    const LogEvent& event = *record.event;
    mix(u64{event.has_error_code} << 8 | event.vector, event.error_code);
  } else {
    u64 code[2] = {};
    std::memcpy(code, record.code.data(), record.length);
    mix(code[0], code[1]);
  }
  for (const RegisterChange& change : record.registers) {
    mix(static_cast<u64>(change.reg), change.value[0]);
    if (change.words > 1) mix(change.value[1], change.value[2] ^ std::rotl(change.value[3], 1));
  }
  for (const MemoryWrite& write : record.writes) {
    mix(write.linear ^ u64{write.size} << 60, write.value);
  }
  ++records_;
}

void append_text(const CommitRecord& record, std::string& text) {
  constexpr std::size_t kHead = 160;    // place, code or event, separators
  constexpr std::size_t kChange = 100;  // the longest name, 64 digits
  constexpr std::size_t kWrite = 48;
  const std::size_t begin = text.size();
  text.resize(begin + kHead + kChange * record.registers.size() + kWrite * record.writes.size());
  char* out = put_what(put_place(text.data() + begin, record), record);
  if (!record.registers.empty()) out = put_text(out, " |");
  for (const RegisterChange& change : record.registers) out = put_change(out, change);
  if (!record.writes.empty()) out = put_text(out, " |");
  for (const MemoryWrite& write : record.writes) out = put_write(out, write);
  text.resize(static_cast<std::size_t>(out - text.data()));
}

std::string to_text(const CommitRecord& record) {
  std::string text;
  append_text(record, text);
  return text;
}

}  // namespace vtsim::observe
