// String instructions: pages at a time must do what iteration after iteration would.

#include <catch2/catch.hpp>
#include <random>

#include "tests/cpu/bare_machine.h"

using namespace vtsim;
using namespace vtsim::cpu;
using test::BareMachine;

namespace {

constexpr u64 kCode = 0x10000;
constexpr u64 kData = 0x400000;  // two pages of data and what is around them
constexpr u64 kArea = 4 * kPageSize;
constexpr u8 kHlt = 0xF4;

struct StringMachine : BareMachine {
  StringMachine() { enter_long_mode(); }

  // Runs `code` until the HLT behind it.
  void execute(std::vector<u8> code) {
    load(code);
    while (state().activity == Activity::kActive) run(1000);
  }
  void load(std::vector<u8> code) {
    code.push_back(kHlt);
    put(kCode, code.data(), code.size());
    state().rip = kCode;
    state().activity = Activity::kActive;
  }
  void set(u64 rsi, u64 rdi, u64 rcx, u64 rax, bool down) {
    auto& gpr = state().gpr;
    gpr[kRsi] = rsi;
    gpr[kRdi] = rdi;
    gpr[kRcx] = rcx;
    gpr[kRax] = rax;
    write_rflags(state(), down ? Rflags::DF.mask() : 0);
  }
  std::vector<u8> area() { return std::vector<u8>(ram(kData), ram(kData) + kArea); }
  void fill_area(std::mt19937_64& random, u64 alphabet) {
    for (u64 n = 0; n < kArea; ++n) *ram(kData + n) = static_cast<u8>(random() % alphabet);
  }
};

// REP prefix, operand size prefix or REX.W, opcode (byte form is the even one).
std::vector<u8> encode(u8 rep, u8 opcode, unsigned size) {
  std::vector<u8> code;
  if (rep != 0) code.push_back(rep);
  if (size == 2) code.push_back(0x66);
  if (size == 8) code.push_back(0x48);
  code.push_back(static_cast<u8>(opcode | (size != 1)));
  return code;
}

constexpr u8 kRep = 0xF3, kRepne = 0xF2;
constexpr u8 kMovs = 0xA4, kCmps = 0xA6, kStos = 0xAA, kScas = 0xAE;

// Element after element, in a copy of the area; offsets are relative to it.
struct Oracle {
  std::vector<u8> bytes;
  i64 source, destination;
  u64 count, rax;
  bool down;
  unsigned size;
  u64 a = 0, b = 0;  // compared last
  bool compared = false;

  u64 get(i64 at) const {
    u64 value = 0;
    std::memcpy(&value, bytes.data() + at, size);
    return value;
  }
  void set(i64 at, u64 value) { std::memcpy(bytes.data() + at, &value, size); }
  i64 step() const { return down ? -static_cast<i64>(size) : static_cast<i64>(size); }

  void run(u8 rep, u8 opcode) {
    while (count != 0) {
      if (opcode == kMovs) set(destination, get(source));
      if (opcode == kStos) set(destination, rax);
      if (opcode == kCmps) a = get(source), b = get(destination), compared = true;
      if (opcode == kScas) a = rax & low_mask(8 * size), b = get(destination), compared = true;
      if (opcode == kMovs || opcode == kCmps) source += step();
      destination += step();
      --count;
      if (compared && (a == b) != (rep == kRep)) break;
    }
  }
};

struct Trial {
  u8 rep;
  u8 opcode;
  unsigned size;
};

void check_against_oracle(StringMachine& m, std::mt19937_64& random, const Trial& trial,
                          u64 alphabet) {
  m.fill_area(random, alphabet);
  const bool down = random() % 2;
  const u64 count = random() % 3 == 0 ? random() % 4 : random() % (kPageSize / trial.size);
  const i64 reach = static_cast<i64>(count * trial.size);
  // Overlaps at every distance, many of them small.
  const auto somewhere = [&] {
    return static_cast<i64>(random() % (kArea - 2 * kPageSize)) + static_cast<i64>(kPageSize);
  };
  const i64 source = somewhere();
  i64 destination = random() % 2 ? somewhere() : source + static_cast<i64>(random() % 40) - 20;
  const i64 lowest = down ? reach : 16, highest = static_cast<i64>(kArea) - (down ? 16 : reach + 16);
  if (source < lowest || source > highest || destination < lowest || destination > highest) return;
  const u64 rax = random() % alphabet * 0x0101010101010101;
  if (trial.opcode == kScas || trial.opcode == kCmps) {
    // Long runs that are equal (REPE) or different (REPNE) until somewhere.
    if (trial.rep == kRep) std::memset(m.ram(kData), static_cast<int>(rax & 0xFF), kArea);
    if (random() % 2) *m.ram(kData + random() % kArea) ^= 1;
  }

  Oracle oracle{.bytes = m.area(), .source = source, .destination = destination, .count = count,
                .rax = rax, .down = down, .size = trial.size};
  oracle.run(trial.rep, trial.opcode);
  m.set(kData + static_cast<u64>(source), kData + static_cast<u64>(destination), count, rax, down);
  const u64 flags_before = read_rflags(m.state());
  const u64 instructions = m.core().instructions();
  m.execute(encode(trial.rep, trial.opcode, trial.size));

  const u64 iterations = count - oracle.count;
  const auto& gpr = m.state().gpr;
  CHECK(m.area() == oracle.bytes);
  CHECK(gpr[kRsi] == kData + static_cast<u64>(oracle.source));
  CHECK(gpr[kRdi] == kData + static_cast<u64>(oracle.destination));
  CHECK(gpr[kRcx] == oracle.count);
  CHECK(m.core().instructions() - instructions == std::max<u64>(iterations, 1) + 1);  // and HLT
  const u64 flags = read_rflags(m.state());
  if (!oracle.compared) {
    CHECK(flags == flags_before);
  } else {
    CHECK(Reg<Rflags>(flags)[Rflags::ZF] == (oracle.a == oracle.b));
    CHECK(Reg<Rflags>(flags)[Rflags::CF] == (oracle.a < oracle.b));
  }
}

// Takes page `lin` out of the map, or puts it back.
void map_page_4k(StringMachine& m, u64 lin, bool present) {
  // The 2-MByte page that holds kData becomes a table of 4-KByte pages at 0x5000.
  const auto entry = [&](u64 at, u64 value) { std::memcpy(m.ram(at), &value, sizeof value); };
  const u64 base = lin & ~u64{0x1FFFFF};
  for (u64 n = 0; n < 512; ++n) {
    const u64 page = base + n * kPageSize;
    entry(0x5000 + 8 * n, page == lin && !present ? 0 : page | 7);
  }
  entry(0x3000 + 8 * (base >> 21), 0x5007);
  m.core().invalidate_all();
}

}  // namespace

TEST_CASE("repeated string instructions are their iterations") {
  StringMachine m;
  std::mt19937_64 random(31);
  const Trial kTrials[] = {{kRep, kMovs, 1},   {kRepne, kMovs, 1}, {kRep, kStos, 1},
                           {kRep, kCmps, 1},   {kRepne, kCmps, 1}, {kRep, kScas, 1},
                           {kRepne, kScas, 1}};
  for (const unsigned size : {1u, 2u, 4u, 8u}) {
    for (Trial trial : kTrials) {
      trial.size = size;
      for (const u64 alphabet : {2u, 256u}) {
        for (unsigned n = 0; n < 40; ++n) check_against_oracle(m, random, trial, alphabet);
      }
    }
  }
}

TEST_CASE("without a prefix one element moves, whatever rCX holds") {
  StringMachine m;
  *m.ram(kData) = 0x5A;
  m.set(kData, kData + 100, 0, 0, false);
  m.execute(encode(0, kMovs, 1));
  CHECK(*m.ram(kData + 100) == 0x5A);
  CHECK(m.state().gpr[kRsi] == kData + 1);
  CHECK(m.state().gpr[kRdi] == kData + 101);
  CHECK(m.state().gpr[kRcx] == 0);
}

TEST_CASE("a repeated instruction uses the budget iteration by iteration and goes on later") {
  for (const u64 portion : {1u, 2u, 7u, 1000u}) {
    StringMachine m;
    m.set(0, kData, 5000, 0xAB, false);
    m.load(encode(kRep, kStos, 1));
    u64 total = 0;
    while (total < 5000) {
      const u64 part = std::min<u64>(portion, 5000 - total);
      const u64 before = m.core().instructions();
      m.run(part);
      REQUIRE(m.core().instructions() - before == part);
      total += part;
      REQUIRE(m.state().gpr[kRcx] == 5000 - total);
      REQUIRE(m.state().gpr[kRdi] == kData + total);
      REQUIRE(m.state().rip == (total < 5000 ? kCode : kCode + 2));
    }
    CHECK(m.area()[4999] == 0xAB);
    CHECK(m.area()[5000] == 0);
  }
}

TEST_CASE("the instructions before and behind a repeated one are counted exactly") {
  StringMachine m;
  m.set(0, kData, 100, 0, false);
  m.load({0x90, 0x90, kRep, kStos, 0x90});
  m.run(50);
  CHECK(m.core().instructions() == 50);
  CHECK(m.state().gpr[kRcx] == 100 - 48);
  CHECK(m.state().rip == kCode + 2);
  m.run(52);
  CHECK(m.state().gpr[kRcx] == 0);
  CHECK(m.state().rip == kCode + 4);
  m.run(2);
  CHECK(m.state().activity == Activity::kHalted);
  CHECK(m.core().instructions() == 104);
}

TEST_CASE("a page fault in the middle shows the iterations that were done") {
  StringMachine m;
  const u64 hole = kData + 2 * kPageSize;
  map_page_4k(m, hole, false);
  m.set(kData, hole - 24, 100, 0, false);
  const u64 flags = read_rflags(m.state());
  // An IDT whose #PF gate leads to HLT at 0x20000.
  const u64 handler = 0x20000;
  *m.ram(handler) = kHlt;
  const u64 gate[2] = {(handler & 0xFFFF) | u64{8} << 16 | u64{0x8E00} << 32 |
                           (handler >> 16 & 0xFFFF) << 48,
                       0};
  std::memcpy(m.ram(0x6000 + 14 * 16), gate, sizeof gate);
  m.state().idtr = {.base = 0x6000, .limit = 0xFFF};
  const u64 gdt[3] = {0, 0x00AF9B000000FFFF, 0x00CF93000000FFFF};
  std::memcpy(m.ram(0x7000), gdt, sizeof gdt);
  m.state().gdtr = {.base = 0x7000, .limit = sizeof gdt - 1};
  m.state().gpr[kRsp] = 0x30000;
  m.execute(encode(kRep, kMovs, 8));
  CHECK(m.state().cr2 == hole);
  CHECK(m.state().gpr[kRcx] == 97);
  CHECK(m.state().gpr[kRsi] == kData + 24);
  CHECK(m.state().gpr[kRdi] == hole);
  u64 saved[6];
  std::memcpy(saved, m.ram(m.state().gpr[kRsp]), sizeof saved);
  CHECK(saved[0] == 2);  // write, page not present, supervisor
  CHECK(saved[1] == kCode);
  // SDM 3A "Resume Flag": pushed as 1 by faults of instructions that will be restarted
  CHECK((saved[3] & ~Rflags::RF.mask()) == flags);
}

TEST_CASE("32-bit addresses wrap at 4 GBytes and count with ECX") {
  StringMachine m;
  m.set(0xFFFFFFFF00000000 | kData, 0xFFFFFFFF00000000 | (kData + 64), 0xFFFFFFFF00000005, 0, false);
  std::memset(m.ram(kData), 0x77, 16);
  std::vector<u8> code = encode(kRep, kMovs, 1);
  code.insert(code.begin(), 0x67);
  m.execute(code);
  CHECK(m.area()[64 + 4] == 0x77);
  CHECK(m.area()[64 + 5] == 0);
  CHECK(m.state().gpr[kRcx] == 0);
  CHECK(m.state().gpr[kRsi] == kData + 5);
  CHECK(m.state().gpr[kRdi] == kData + 69);
}
