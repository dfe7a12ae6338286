#include "tests/sim/loader/images.h"

namespace vtsim::test {
namespace {

void append(Bytes& to, const Bytes& from) { to.insert(to.end(), from.begin(), from.end()); }

void append_dword(Bytes& to, u32 value) {
  to.resize(to.size() + 4);
  put(to, to.size() - 4, value, 4);
}

Bytes pattern(std::size_t bytes) {
  Bytes out(bytes);
  for (std::size_t i = 0; i < bytes; ++i) out[i] = static_cast<u8>(i * 7 + (i >> 8) + 1);
  return out;
}

}  // namespace

void put(Bytes& bytes, u64 offset, u64 value, unsigned size) {
  for (unsigned i = 0; i < size; ++i) bytes.at(offset + i) = static_cast<u8>(value >> (8 * i));
}

u64 get(const Bytes& bytes, u64 offset, unsigned size) {
  u64 value = 0;
  for (unsigned i = size; i-- > 0;) value = (value << 8) | bytes.at(offset + i);
  return value;
}

Bytes bzimage() {
  constexpr std::size_t kSetup = 5 * 512, kPayload = 64 * 1024;
  Bytes out(kSetup);
  append(out, pattern(kPayload));
  put(out, 0x1f1, 4, 1);              // setup_sects
  put(out, 0x1f4, kPayload / 16, 4);  // syssize
  put(out, 0x1fe, 0xaa55, 2);         // boot_flag
  put(out, 0x200, 0x6aeb, 2);         // jump over the header, to 26Ch
  put(out, 0x202, 0x53726448, 4);     // "HdrS"
  put(out, 0x206, 0x020f, 2);         // version
  put(out, 0x211, 1, 1);              // loadflags: LOADED_HIGH
  put(out, 0x214, 0x100000, 4);       // code32_start
  put(out, 0x22c, 0x7fffffff, 4);     // initrd_addr_max
  put(out, 0x230, 0x200000, 4);       // kernel_alignment
  put(out, 0x234, 1, 1);              // relocatable_kernel
  put(out, 0x236, 1, 2);              // xloadflags: XLF_KERNEL_64
  put(out, 0x238, 255, 4);            // cmdline_size
  put(out, 0x258, 0x1000000, 8);      // pref_address
  put(out, 0x260, 128 * 1024, 4);     // init_size
  return out;
}

Bytes elf(const ElfSpec& spec) {
  const bool wide = spec.bits == 64;
  const unsigned word = wide ? 8 : 4;
  const std::size_t header_bytes = wide ? 64 : 52, program_bytes = wide ? 56 : 32;
  const std::size_t count = spec.segments.size() + (spec.note.empty() ? 0 : 1);
  Bytes out(header_bytes + count * program_bytes);
  put(out, 0, 0x464c457f, 4);
  put(out, 4, wide ? 2 : 1, 1);
  put(out, 5, 1, 1);
  put(out, 6, 1, 1);
  put(out, 16, 2, 2);              // ET_EXEC
  put(out, 18, wide ? 62 : 3, 2);  // e_machine
  put(out, 20, 1, 4);              // e_version
  put(out, 24, spec.entry, word);  // e_entry
  put(out, wide ? 32 : 28, header_bytes, word);
  put(out, wide ? 52 : 40, header_bytes, 2);
  put(out, wide ? 54 : 42, program_bytes, 2);
  put(out, wide ? 56 : 44, count, 2);
  append(out, spec.prefix);
  std::size_t header = header_bytes;
  const auto add = [&](u32 type, const ElfSpec::Segment& segment) {
    while (out.size() % 8 != 0) out.push_back(0);
    put(out, header, type, 4);
    put(out, header + (wide ? 8 : 4), out.size(), word);
    put(out, header + (wide ? 16 : 8), segment.virtual_address, word);
    put(out, header + (wide ? 24 : 12), segment.physical, word);
    put(out, header + (wide ? 32 : 16), segment.bytes.size(), word);
    put(out, header + (wide ? 40 : 20), segment.memory_bytes, word);
    put(out, header + (wide ? 48 : 28), 4, word);
    append(out, segment.bytes);
    header += program_bytes;
  };
  for (const ElfSpec::Segment& segment : spec.segments) add(1, segment);
  if (!spec.note.empty()) add(4, {0, 0, spec.note, spec.note.size()});
  return out;
}

ElfSpec one_segment(unsigned bits) {
  constexpr u64 kBase = 2 << 20;
  ElfSpec spec;
  spec.bits = bits;
  spec.entry = kBase + 16;
  spec.segments = {{kBase, kBase, pattern(4096), 8192}};
  return spec;
}

Bytes pvh_note(u32 entry) {
  Bytes note;
  for (u32 value : {4u, 4u, 18u, 0x006e6558u, entry}) append_dword(note, value);
  return note;
}

Bytes multiboot1_header(u32 flags) {
  constexpr u32 kMagic = 0x1badb002;
  Bytes header;
  for (u32 value : {kMagic, flags, 0u - kMagic - flags}) append_dword(header, value);
  return header;
}

Bytes multiboot1_flat() {
  constexpr u32 kLoad = 1 << 20, kHeaderAt = 64;
  Bytes out = pattern(4096);
  Bytes header = multiboot1_header(1u << 16);
  for (u32 value : {kLoad + kHeaderAt, kLoad, 0u, kLoad + 0x3000, kLoad + 256}) {
    append_dword(header, value);
  }
  for (std::size_t i = 0; i < header.size(); ++i) out[kHeaderAt + i] = header[i];
  return out;
}

Bytes multiboot2_tag(u16 type, u16 flags, const std::vector<u32>& values) {
  Bytes tag;
  append_dword(tag, type | static_cast<u32>(flags) << 16);
  append_dword(tag, static_cast<u32>(8 + 4 * values.size()));
  for (u32 value : values) append_dword(tag, value);
  while (tag.size() % 8 != 0) tag.push_back(0);
  return tag;
}

Bytes multiboot2_header(const Bytes& tags) {
  constexpr u32 kMagic = 0xe85250d6;
  Bytes header;
  const auto length = static_cast<u32>(16 + tags.size() + 8);
  for (u32 value : {kMagic, 0u, length, 0u - kMagic - length}) append_dword(header, value);
  append(header, tags);
  append(header, multiboot2_tag(0, 0, {}));
  return header;
}

}  // namespace vtsim::test
