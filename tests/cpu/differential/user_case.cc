#include "tests/cpu/differential/user_case.h"

#include <cstring>
#include <sstream>
#include <stdexcept>

namespace vtsim::cpu::test {

namespace {

constexpr const char* kGprNames[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                     "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
constexpr const char* kSegmentNames[] = {"es", "cs", "ss", "ds", "fs", "gs"};

u64 parse_hex(const std::string& text, const std::string& word) {
  std::size_t used = 0;
  u64 value = 0;
  try {
    value = std::stoull(text, &used, 16);
  } catch (const std::exception&) {
    used = 0;
  }
  if (used == 0 || used != text.size()) throw std::invalid_argument("not a number: " + word);
  return value;
}

// The field of a state that a word of a line names.
bool set_field(UserCase& c, const std::string& name, u64 value) {
  for (unsigned n = 0; n < 16; ++n)
    if (name == kGprNames[n]) return c.state.gpr[n] = value, true;
  for (unsigned n = 0; n < 6; ++n)
    if (name == kSegmentNames[n]) return c.state.selector[n] = static_cast<u16>(value), true;
  if (name == "rip") return c.state.rip = value, true;
  if (name == "flags") return c.state.flags = value, true;
  if (name == "fsbase") return c.state.fs_base = value, true;
  if (name == "gsbase") return c.state.gs_base = value, true;
  if (name == "seed") return c.memory_seed = value, true;
  return false;
}

void parse_word(UserCase& c, const std::string& word) {
  const auto equals = word.find('=');
  if (equals == std::string::npos) throw std::invalid_argument("no '=' in " + word);
  const u64 value = parse_hex(word.substr(equals + 1), word);
  if (word[0] != '[') {
    if (!set_field(c, word.substr(0, equals), value))
      throw std::invalid_argument("unknown name: " + word);
    return;
  }
  const auto colon = word.find(':');
  if (colon > equals || word[equals - 1] != ']')
    throw std::invalid_argument("expected [address:size]=value: " + word);
  c.patches.push_back(
      {.address = parse_hex(word.substr(1, colon - 1), word),
       .value = value,
       .size = static_cast<unsigned>(parse_hex(word.substr(colon + 1, equals - colon - 2), word))});
}

}  // namespace

std::optional<std::size_t> image_offset(u64 address) {
  if (address - Arena::kData < Arena::kDataBytes) return address - Arena::kData;
  if (address - Arena::kStack < Arena::kStackBytes)
    return Arena::kDataBytes + address - Arena::kStack;
  return std::nullopt;
}

void fill_image(const UserCase& c, ArenaImage& image) {
  image.assign(kImageBytes, 0);
  if (c.memory_seed != 0) {
    u64 x = c.memory_seed * 0x9E3779B97F4A7C15;  // Marsaglia's xorshift
    for (std::size_t at = 0; at < kImageBytes; at += 8) {
      x ^= x << 13, x ^= x >> 7, x ^= x << 17;
      std::memcpy(image.data() + at, &x, 8);
    }
  }
  for (const MemoryPatch& patch : c.patches)
    for (unsigned n = 0; n < patch.size && n < 8; ++n)
      if (const auto at = image_offset(patch.address + n))
        image[*at] = static_cast<u8>(bits(patch.value, 8 * n + 7, 8 * n));
}

std::string to_hex(std::span<const u8> bytes) {
  std::string text;
  char part[4];
  for (u8 byte : bytes) {
    std::snprintf(part, sizeof part, "%02x", byte);
    text += part;
  }
  return text;
}

std::string to_line(const UserCase& c) {
  std::ostringstream out;
  out << (c.size == CodeSize::k64   ? "64 "
          : c.size == CodeSize::k32 ? "32 "
                                    : "16 ")
      << to_hex(c.bytes) << std::hex;
  const auto field = [&out](const char* name, u64 value) {
    if (value != 0) out << ' ' << name << '=' << value;
  };
  for (unsigned n = 0; n < 16; ++n) field(kGprNames[n], c.state.gpr[n]);
  field("rip", c.state.rip);
  field("flags", c.state.flags);
  for (unsigned n = 0; n < 6; ++n) field(kSegmentNames[n], c.state.selector[n]);
  field("fsbase", c.state.fs_base);
  field("gsbase", c.state.gs_base);
  field("seed", c.memory_seed);
  for (const MemoryPatch& patch : c.patches)
    out << " [" << patch.address << ':' << patch.size << "]=" << patch.value;
  return out.str();
}

UserCase from_line(const std::string& line) {
  std::istringstream in(line);
  std::string size, code, word;
  in >> size >> code;
  UserCase c;
  c.state.flags = 0;
  if (size != "64" && size != "32" && size != "16")
    throw std::invalid_argument("the line begins with 64, 32 or 16: " + line);
  c.size = size == "64" ? CodeSize::k64 : size == "32" ? CodeSize::k32 : CodeSize::k16;
  if (code.empty() || code.size() % 2 != 0 || code.size() > 30)
    throw std::invalid_argument("no instruction bytes: " + code);
  for (std::size_t at = 0; at < code.size(); at += 2)
    c.bytes.push_back(static_cast<u8>(parse_hex(code.substr(at, 2), code)));
  while (in >> word) parse_word(c, word);
  return c;
}

}  // namespace vtsim::cpu::test
