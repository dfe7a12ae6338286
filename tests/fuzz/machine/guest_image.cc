#include "tests/fuzz/machine/guest_image.h"

#include <algorithm>
#include <initializer_list>

#include "tests/fuzz/code/code_writer.h"
#include "tests/sim/loader/images.h"

namespace vtsim::fuzz {

namespace {

// Offsets within the image.
constexpr u64 kResume = 0x200;   // where the next piece begins
constexpr u64 kHandler = 0x210;
constexpr u64 kGdt = 0x240, kGdtr = 0x260, kIdtr = 0x268;
constexpr u64 kIdt = 0x400;      // 256 gates
constexpr u64 kPieces = 0xC00;
constexpr u64 kStack = kLoadAddress + 0x40000;

class Assembler {
 public:
  void at(u64 offset) { code_.resize(offset, 0x90); }
  u64 here() const { return code_.size(); }
  void bytes(std::initializer_list<unsigned> list) {
    for (const unsigned byte : list) code_.push_back(static_cast<u8>(byte));
  }
  void number(u64 value, unsigned size) {
    for (unsigned n = 0; n < size; ++n) code_.push_back(static_cast<u8>(value >> (8 * n)));
  }
  void append(const Bytes& more) { code_.insert(code_.end(), more.begin(), more.end()); }
  void set(u64 offset, u64 value) {
    for (unsigned n = 0; n < 4; ++n) code_[offset + n] = static_cast<u8>(value >> (8 * n));
  }
  Bytes take() { return std::move(code_); }

 private:
  Bytes code_;
};

void start(Assembler& a) {
  a.bytes({0x0F, 0x01, 0x15});  // LGDT
  a.number(kLoadAddress + kGdtr, 4);
  a.bytes({0x0F, 0x01, 0x1D});  // LIDT
  a.number(kLoadAddress + kIdtr, 4);
  a.bytes({0xEA});              // JMP 8:next
  a.number(kLoadAddress + a.here() + 6, 4);
  a.number(8, 2);
  a.bytes({0xB8, 16, 0, 0, 0, 0x8E, 0xD8, 0x8E, 0xC0, 0x8E, 0xD0});
  a.bytes({0xE9});              // JMP handler: the way to the first piece
  a.number(kHandler - (a.here() + 4), 4);
  a.at(kResume);
  a.number(kLoadAddress + kPieces, 4);
  a.at(kHandler);
  a.bytes({0xBC});              // MOV ESP, stack
  a.number(kStack, 4);
  a.bytes({0x2E, 0xFF, 0x25});  // JMP CS:[resume]
  a.number(kLoadAddress + kResume, 4);
  a.at(kGdt);
  for (const u64 entry : {u64{0}, u64{0x00CF9B000000FFFF}, u64{0x00CF93000000FFFF}}) a.number(entry, 8);
  a.at(kGdtr);
  a.number(23, 2);
  a.number(kLoadAddress + kGdt, 4);
  a.at(kIdtr);
  a.number(0x7FF, 2);
  a.number(kLoadAddress + kIdt, 4);
  a.at(kIdt);
  const u64 handler = kLoadAddress + kHandler;
  for (unsigned vector = 0; vector < 256; ++vector)
    a.number((handler & 0xFFFF) | 8 << 16 | u64{0x8E00} << 32 | (handler >> 16) << 48, 8);
  a.at(kPieces);
}

void out(Assembler& a, u64 port, u64 value, unsigned size) {
  a.bytes({0xBA});
  a.number(port, 4);
  a.bytes({0xB8});
  a.number(value, 4);
  if (size == 2) a.bytes({0x66});
  a.bytes({size == 1 ? 0xEEu : 0xEFu});
}

void port_access(Tape& tape, Assembler& a) {
  constexpr u16 kBases[] = {0x20, 0xA0, 0x4D0, 0x40, 0x60, 0x64, 0x70, 0x92, 0x3F8, 0x510, 0xCF8,
                            0xCF8, 0xCFC, 0xB2, 0x600, 0x604, 0x620, 0x660, 0xE9, 0x402, 0x80};
  const u64 port = tape.chance(230) ? tape.one_of(kBases) + tape.below(12) : tape.number(2);
  const unsigned size = 1u << tape.below(3);
  if (tape.chance(150)) return out(a, port, tape.number(tape.chance(128) ? 1 : 4), size);
  a.bytes({0xBA});
  a.number(port, 4);
  a.bytes({size == 1 ? 0xECu : 0xEDu});
}

void configuration_access(Tape& tape, Assembler& a) {
  constexpr u32 kFunctions[] = {0x0000, 0xF800, 0xFB00, 0x0800, 0x1000};
  out(a, 0xCF8, u64{1} << 31 | tape.one_of(kFunctions) | tape.below(64) * 4, 4);
  out(a, 0xCFC + tape.below(4), tape.number(4), 1u << tape.below(3));
}

// MOV [registers of a device], immediate; or a read.
void memory_access(Tape& tape, Assembler& a) {
  constexpr u64 kBases[] = {0xFEC00000, 0xFEC00010, 0xFED00000, 0xFED00100, 0xFEE00000, 0xFEE00300,
                            0xFED1F000, 0xE0000000, 0xB0000000, 0xFEB00000, 0xA0000,    0xC0000,
                            0xFFFF0000, 0xFEE00080, 0x80000000};
  const u64 address = tape.one_of(kBases) + (tape.chance(128) ? 16 * tape.below(64) : tape.below(256));
  if (tape.chance(80)) {
    a.bytes({0x8B, 0x05});  // MOV EAX, [address]
    return a.number(address, 4);
  }
  a.bytes({0xC7, 0x05});
  a.number(address, 4);
  a.number(tape.number(tape.chance(128) ? 2 : 4), 4);
}

// A descriptor in memory, and its address to fw_cfg's DMA register.
void fw_cfg_dma(Tape& tape, Assembler& a) {
  constexpr u64 kDescriptor = 0x90000;
  const u64 control = tape.below(64) << 16 | tape.below(32), length = tape.number(2);
  const u64 target = tape.chance(128) ? kLoadAddress + tape.number(2) : tape.number(4);
  const u64 words[] = {control, length, 0, target};
  for (unsigned n = 0; n < 4; ++n) {
    a.bytes({0xC7, 0x05});
    a.number(kDescriptor + 4 * n, 4);
    a.number(__builtin_bswap32(static_cast<u32>(words[n])), 4);
  }
  out(a, 0x514, 0, 4);
  out(a, 0x518, __builtin_bswap32(kDescriptor), 4);
}

void piece(Tape& tape, Assembler& a) {
  switch (tape.below(10)) {
    case 0:
    case 1: return port_access(tape, a);
    case 2: return configuration_access(tape, a);
    case 3: return memory_access(tape, a);
    case 4: return fw_cfg_dma(tape, a);
    case 5: return a.bytes({0xFB, 0x90, 0xFA});  // STI; NOP; CLI
    default: return a.append(write_code(tape, 32, 4 + tape.below(12)));
  }
}

// Flips, numbers that matter, a cut.
void spoil(Tape& tape, Bytes& image) {
  constexpr u64 kNumbers[] = {0, 1, 0xFF, 0xFFFF, 0x80000000, 0xFFFFFFFF, 0x100000, ~u64{0}, 0x1000};
  for (u64 n = tape.below(5); n > 0 && !image.empty(); --n) {
    const u64 at = tape.below(tape.chance(60) ? image.size() : std::min<u64>(image.size(), 700));
    const unsigned size = 1u << tape.below(4);
    if (tape.chance(20)) {
      image.resize(at);
    } else if (tape.chance(100)) {
      image[at] = tape.byte();
    } else if (at + size <= image.size()) {
      test::put(image, at, tape.one_of(kNumbers), size);
    }
  }
}

}  // namespace

Bytes flat_image(Tape& tape) {
  Assembler a;
  start(a);
  while (!tape.at_end() && a.here() < 0x4000) {
    a.bytes({0xC7, 0x05});  // MOV [resume], the piece behind this one
    a.number(kLoadAddress + kResume, 4);
    const u64 place = a.here();
    a.number(0, 4);
    piece(tape, a);
    a.set(place, kLoadAddress + a.here());
  }
  a.bytes({0xBA});  // the end: debug exit, then halt
  a.number(0xF4, 4);
  a.bytes({0xB8, 1, 0, 0, 0, 0xEE, 0xFA, 0xF4});
  return a.take();
}

Bytes container_image(Tape& tape) {
  const u64 kind = tape.below(6);
  test::ElfSpec spec = test::one_segment(kind % 2 == 0 ? 64 : 32);
  if (kind == 2) spec.note = test::pvh_note(2 << 20);
  if (kind == 3) spec.prefix = test::multiboot1_header(3);
  if (kind == 4) spec.prefix = test::multiboot2_header(test::multiboot2_tag(3, 0, {(2 << 20) + 16}));
  const Bytes code = write_code(tape, 32, 200);
  Bytes& body = spec.segments[0].bytes;
  for (std::size_t n = 0; n < code.size() && 16 + n < body.size(); ++n) body[16 + n] = code[n];
  Bytes image = kind == 5 ? test::bzimage() : test::elf(spec);
  spoil(tape, image);
  return image;
}

}  // namespace vtsim::fuzz
