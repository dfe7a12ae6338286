#include "tests/fuzz/code/code_writer.h"

#include <algorithm>
#include <initializer_list>

#include "tests/fuzz/code/layout.h"

namespace vtsim::fuzz {

namespace {

using namespace layout;

class Writer {
 public:
  Writer(Tape& tape, unsigned bits) : tape_(tape), bits_(bits) {}

  void instruction();
  Bytes take() { return std::move(code_); }
  std::size_t size() const { return code_.size(); }

 private:
  void put(std::initializer_list<unsigned> bytes) {
    for (const unsigned byte : bytes) code_.push_back(static_cast<u8>(byte));
  }
  void put_number(u64 value, unsigned size) {
    for (unsigned n = 0; n < size; ++n) code_.push_back(static_cast<u8>(value >> (8 * n)));
  }
  unsigned any(std::initializer_list<u8> choices) {
    return *(choices.begin() + tape_.below(choices.size()));
  }
  unsigned address_bytes() const { return bits_ == 16 ? 2 : 4; }
  unsigned operand_bytes() const { return bits_ == 16 ? 2 : 4; }

  void wild();
  void prefixes();
  void modrm(unsigned reg);
  void random_encoding();
  void vex_encoding();
  void load_register(unsigned reg, u64 value);
  void absolute(unsigned reg, u64 address);  // ModRM: [address]
  void store_to_code();
  void branch();
  void system();
  void control_register();
  void model_specific_register();
  void descriptor_table();
  void segment();
  void far_transfer();
  void string();
  void port();
  void paging_entry();
  void device();
  void sleep();
  u64 address();
  unsigned reg() { return static_cast<unsigned>(tape_.below(8)); }

  Tape& tape_;
  unsigned bits_;
  Bytes code_;
};

// An address that means something.
u64 Writer::address() {
  const u64 bases[] = {kData, kData, kCode, kStack, kTables, kGdt, kIdt, kTss, kSecondTss, kAlias,
                       0xC0000, kApicAlias, 0x24000, 0x30000, 0x38000, 0xFFFF0};
  return tape_.one_of(bases) + tape_.number(tape_.chance(64) ? 2 : 1);
}

void Writer::wild() {
  for (u64 n = tape_.below(8) + 1; n > 0; --n) code_.push_back(tape_.byte());
}

void Writer::prefixes() {
  constexpr u8 kPrefixes[] = {0x66, 0x67, 0xF2, 0xF3, 0xF0, 0x2E, 0x36, 0x3E, 0x26, 0x64, 0x65, 0x66};
  while (tape_.chance(70)) code_.push_back(tape_.one_of(kPrefixes));
  if (bits_ == 64 && tape_.chance(120)) put({0x40 | tape_.byte() % 16u});
}

// Mostly registers and plain memory operands, so that not everything faults.
void Writer::modrm(unsigned reg_field) {
  const unsigned rm = reg();
  switch (tape_.below(6)) {
    case 0:
    case 1: return put({0xC0 | reg_field << 3 | rm});
    case 2: return absolute(reg_field, address());
    case 3:
      put({0x40 | reg_field << 3 | rm});
      if (rm == 4 && bits_ != 16) code_.push_back(tape_.byte());
      return code_.push_back(tape_.byte());
    case 4:
      put({reg_field << 3 | rm});
      if (rm == 4 && bits_ != 16) code_.push_back(tape_.byte());
      if (bits_ == 16 ? rm == 6 : rm == 5) put_number(address(), address_bytes());
      return;
    default: return put({tape_.byte() | 0u});
  }
}

void Writer::absolute(unsigned reg_field, u64 where) {
  if (bits_ == 16) {
    put({0x06 | reg_field << 3});
  } else {
    put({0x04 | reg_field << 3, 0x25});
  }
  put_number(where, address_bytes());
}

void Writer::random_encoding() {
  prefixes();
  const u64 map = tape_.below(8);
  if (map == 7) {
    put({0x0F, tape_.chance(128) ? 0x38u : 0x3Au, tape_.byte()});
  } else if (map >= 3) {
    put({0x0F, tape_.byte()});
  } else {
    put({tape_.byte()});
  }
  modrm(reg());
  if (tape_.chance(128)) put_number(tape_.number(1), 1);
}

void Writer::vex_encoding() {
  const unsigned second = tape_.byte();
  if (tape_.chance(128)) {
    put({0xC5, bits_ == 64 ? second : second | 0xC0u});
  } else {
    const unsigned map = bits_ == 64 ? second & 0xE0u : 0xE0u;
    put({0xC4, map | (1 + tape_.byte() % 3u), tape_.byte()});
  }
  put({tape_.byte()});
  modrm(reg());
  if (tape_.chance(128)) put({tape_.byte()});
}

void Writer::load_register(unsigned to, u64 value) {
  put({0xB8 + to});
  put_number(value, operand_bytes());
}

// MOV [code], immediate: near by, or anywhere; directly, or through the alias.
void Writer::store_to_code() {
  u64 to = kCode + (tape_.chance(160) ? std::min<u64>(size() + tape_.below(48), kCodeBytes - 1)
                                      : tape_.below(kCodeBytes));
  if (bits_ == 16) {
    put({0x2E, 0xC6});
    absolute(0, to & 0xFFFF);
    return put({tape_.byte()});
  }
  if (tape_.chance(80)) to += kAlias;
  if (tape_.chance(128)) {
    put({0xC6});
    absolute(0, to);
    return put({tape_.byte()});
  }
  put({0xC7});
  absolute(0, to);
  put_number(tape_.number(4), 4);
}

void Writer::branch() {
  const unsigned kind = static_cast<unsigned>(tape_.below(8));
  const unsigned back = static_cast<unsigned>(tape_.below(40));
  const unsigned offset = tape_.chance(128) ? 256 - back : back;
  switch (kind) {
    case 0: return put({0xEB, offset});
    case 1: return put({0xE2, offset});                           // LOOP
    case 2: return put({0xE8, offset, 0}), put_number(0, operand_bytes() - 2);  // CALL forward
    case 3: return put({0xC3});
    case 4: return put({0xFF}), modrm(tape_.chance(128) ? 4 : 2);
    case 5: return put({0x0F, 0x80 | tape_.byte() % 16u, offset, 0}), put_number(0, operand_bytes() - 2);
    default: return put({0x70 | tape_.byte() % 16u, offset});
  }
}

void Writer::control_register() {
  constexpr u64 kBits[] = {0x1, 0x2, 0x4, 0x8, 0x10, 0x20, 0x10000, 0x40000, 0x20000000, 0x40000000,
                           0x80000000, 0x80, 0x200, 0x400, 0x800, 0x1000, 0x20000, 0x100000, 0x200000};
  const unsigned cr[] = {0, 0, 4, 4, 3, 2, 8};
  const unsigned number = tape_.one_of(cr);
  const unsigned target = number == 8 ? 0 : number;
  if (number == 8 && bits_ == 64) put({0x44});
  put({0x0F, 0x20, 0xC0 | target << 3});  // MOV EAX, CRn
  if (tape_.chance(20)) return;
  if (number == 3) {
    load_register(0, kTables | (tape_.chance(40) ? tape_.number(2) : tape_.below(32)));
  } else {
    if (bits_ == 16) put({0x66});
    put({0x0F, 0xBA, 0xF8, tape_.byte() % 32u});  // BTC EAX, n
    if (tape_.chance(100)) {
      if (bits_ == 16) put({0x66});
      put({0x35});
      put_number(tape_.one_of(kBits), 4);
    }
  }
  if (number == 8 && bits_ == 64) put({0x44});
  put({0x0F, 0x22, 0xC0 | target << 3});
}

void Writer::model_specific_register() {
  constexpr u32 kRegisters[] = {
      0x10,       0x1B,       0x3A,       0x3B,       0x48,       0x49,       0x8B,       0xC1,
      0xCD,       0xFE,       0x10A,      0x122,      0x140,      0x174,      0x175,      0x176,
      0x179,      0x17A,      0x186,      0x19A,      0x1A0,      0x1C8,      0x1C9,      0x1D9,
      0x1DB,      0x200,      0x201,      0x250,      0x268,      0x277,      0x2FF,      0x309,
      0x345,      0x38D,      0x38F,      0x390,      0x400,      0x401,      0x480,      0x600,
      0x6E0,      0x802,      0x808,      0x80B,      0x80F,      0x830,      0x832,      0x838,
      0x83E,      0x83F,      0xDA0,      0xC0000080, 0xC0000081, 0xC0000082, 0xC0000084, 0xC0000100,
      0xC0000101, 0xC0000102, 0xC0000103, 0x40000000};
  const bool prefix = bits_ == 16;
  if (prefix) put({0x66});
  put({0xB9});
  put_number(tape_.one_of(kRegisters) + (tape_.chance(30) ? tape_.below(32) : 0), 4);
  if (tape_.chance(90)) return put({0x0F, 0x32});
  if (tape_.chance(100)) put({0x0F, 0x32});  // change some bits of what it holds
  if (tape_.chance(128)) {
    if (prefix) put({0x66});
    put({0x35});
    put_number(tape_.number(tape_.chance(60) ? 4 : 2), 4);
  } else {
    if (prefix) put({0x66});
    put({0xB8});
    put_number(address(), 4);
  }
  if (tape_.chance(160)) put({0x31, 0xD2});  // XOR EDX, EDX
  put({0x0F, 0x30});
}

void Writer::descriptor_table() {
  const unsigned kind = static_cast<unsigned>(tape_.below(8));
  put({0x0F, kind < 6 ? 0x01u : 0x00u});
  if (tape_.chance(100)) {
    absolute(kind < 6 ? kind : tape_.byte() % 8u, address());
  } else {
    modrm(kind < 6 ? tape_.byte() % 8u : kind);
  }
}

void Writer::segment() {
  load_register(0, tape_.chance(220) ? tape_.below(0x30) * 8 | tape_.below(4) : tape_.number(2));
  switch (tape_.below(8)) {
    case 0: return put({0x0F, 0x00, 0xC0 | (2 + tape_.byte() % 4u) << 3});  // LLDT, LTR, VERR, VERW
    case 1: return put({0x0F, 0x02 | (tape_.byte() & 1u), 0xC0 | reg() << 3});  // LAR, LSL
    case 2: return put({0x50, 0x0F, 0xA1 | (tape_.byte() & 8u)});  // PUSH; POP FS or GS
    case 3: return put({any({0x07, 0x17, 0x1F})});
    case 4: return put({0x0F, 0xB2 | tape_.byte() % 4u}), absolute(reg(), address());  // LSS LFS LGS
    default: return put({0x8E, 0xC0 | reg() << 3});
  }
}

void Writer::far_transfer() {
  const u64 selector = tape_.chance(220) ? tape_.below(0x30) * 8 | tape_.below(4) : tape_.number(2);
  const u64 offset = tape_.chance(200) ? kCode + tape_.below(256) : address();
  switch (tape_.below(8)) {
    case 0:  // an IRET frame of our own: flags, CS, offset
      put({0x9C, 0x68});
      put_number(selector, operand_bytes());
      put({0x68});
      put_number(offset, operand_bytes());
      return put({bits_ == 64 && tape_.chance(128) ? 0x48u : 0x90u, 0xCF});
    case 1: return put({0xCF});
    case 2:
      put({0x68});
      put_number(selector, operand_bytes());
      put({0x68});
      put_number(offset, operand_bytes());
      return put({0xCB});
    case 3: return put({0xCD, tape_.byte()});
    case 4: return put({any({0xCC, 0xCE, 0xF1})});
    case 5: return put({0x0F, any({0x05, 0x07, 0x34, 0x35, 0xAA})});
    case 6:
      put({0xFF});
      return absolute(tape_.chance(128) ? 5 : 3, kGdt + tape_.below(64));
    default:
      if (bits_ == 64) return put({0x48, 0x0F, tape_.chance(128) ? 0x07u : 0x35u});
      put({tape_.chance(128) ? 0xEAu : 0x9Au});
      put_number(offset, operand_bytes());
      return put_number(selector, 2);
  }
}

void Writer::string() {
  if (tape_.chance(128)) load_register(6, address());
  if (tape_.chance(128)) load_register(7, address());
  if (tape_.chance(200)) load_register(1, tape_.below(40));
  if (tape_.chance(30)) put({0xFD});
  constexpr u8 kStrings[] = {0xA4, 0xA5, 0xA6, 0xA7, 0xAA, 0xAB, 0xAC, 0xAD, 0xAE, 0xAF,
                             0x6C, 0x6D, 0x6E, 0x6F};
  if (tape_.chance(180)) put({tape_.chance(180) ? 0xF3u : 0xF2u});
  if (bits_ == 64 && tape_.chance(80)) put({0x48});
  put({tape_.one_of(kStrings)});
}

void Writer::port() {
  const u64 number = tape_.chance(200) ? 0x80 + tape_.below(8) : tape_.number(2);
  if (tape_.chance(100)) load_register(0, tape_.number(2));
  if (tape_.chance(128)) return put({0xE4 | (tape_.byte() & 3u), static_cast<unsigned>(number & 0xFF)});
  load_register(2, number);
  put({0xEC | (tape_.byte() & 3u)});
}

// Changes an entry of the paging structures that is in use, and may forget to invalidate.
void Writer::paging_entry() {
  const u64 page = kTables + kPageSize * tape_.below(5);
  const u64 index = tape_.chance(128) ? tape_.below(8) : tape_.below(64);
  const u64 frame = (tape_.chance(128) ? 0x10 + tape_.below(0x20) : tape_.below(0x100)) << 12;
  if (bits_ == 16) put({0x66});
  put({0xC7});
  absolute(0, page + 8 * index);
  put_number(frame | tape_.below(256) | (tape_.chance(200) ? 7 : 0), 4);
  if (tape_.chance(128)) put({0x0F, 0x01}), absolute(7, (index << 12) & 0xFFFFF);
  if (tape_.chance(60)) put({0x0F, 0x20, 0xD8, 0x0F, 0x22, 0xD8});  // MOV CR3, CR3
}

void Writer::device() {
  if (tape_.chance(128)) {
    load_register(0, tape_.number(2));
    put({0x89});
    return absolute(0, 0xC0000 + 8 * tape_.below(16));
  }
  load_register(0, tape_.number(tape_.chance(128) ? 1 : 4));
  put({tape_.chance(180) ? 0x89u : 0x8Bu});
  absolute(0, kApicAlias + 16 * tape_.below(64));
}

void Writer::sleep() {
  switch (tape_.below(5)) {
    case 0: return put({0xFB, 0xF4});  // STI; HLT
    case 1:
      load_register(0, address());
      return put({0x0F, 0x01, 0xC8, 0x0F, 0x01, 0xC9});  // MONITOR, MWAIT
    case 2: return put({0xFA});
    case 3: return put({0xF4});
    default: return put({0xFB});
  }
}

void Writer::system() {
  switch (tape_.below(8)) {
    case 0: return put({0x0F, any({0xA2, 0x31, 0x33, 0x06, 0x08, 0x09})});
    case 1: return put({0x0F, 0x01, 0xC0 | tape_.byte() % 64u});
    case 2: return put({0x0F, 0xAE}), modrm(reg());  // FXSAVE, XSAVE, LDMXCSR, CLFLUSH...
    case 3: return put({0x0F, 0xC7}), modrm(reg());  // CMPXCHG8B, XSAVES, RDRAND...
    case 4: return put({0x0F, 0x21 | (tape_.byte() & 2u), 0xC0 | tape_.byte() % 64u});  // MOV DR
    case 5:
      put({0x9C, tape_.chance(128) ? 0x58u : 0x90u, 0x81, 0x34, 0x24});  // PUSHF; XOR [ESP], imm
      put_number(u64{1} << tape_.below(22), operand_bytes());
      return put({0x9D});
    case 6: return put({0x66, 0x0F, 0x38, 0x82}), absolute(reg(), address());  // INVPCID
    default: return put({any({0x60, 0x61, 0xC8, 0xC9, 0x62, 0x63,
                                                               0x9B, 0xD7, 0x98, 0x99})});
  }
}

void Writer::instruction() {
  switch (tape_.below(20)) {
    case 0: return wild();
    case 1:
    case 2:
    case 3:
    case 4:
    case 5: return random_encoding();
    case 6: return vex_encoding();
    case 7: return store_to_code();
    case 8:
    case 9: return branch();
    case 10: return control_register();
    case 11: return model_specific_register();
    case 12: return descriptor_table();
    case 13: return segment();
    case 14: return far_transfer();
    case 15: return string();
    case 16: return port();
    case 17: return paging_entry();
    case 18: return tape_.chance(80) ? sleep() : device();
    default: return system();
  }
}

}  // namespace

Bytes write_code(Tape& tape, unsigned bits, std::size_t most_bytes) {
  Writer writer(tape, bits);
  while (!tape.at_end() && writer.size() < most_bytes) writer.instruction();
  return writer.take();
}

}  // namespace vtsim::fuzz
