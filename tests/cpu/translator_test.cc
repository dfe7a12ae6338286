// Host code against the handlers: random programs do the same with and without it, instruction by
// instruction where blocks end, in registers, flags and memory.

#include <catch2/catch.hpp>
#include <cstdlib>
#include <random>
#include <vector>

#include "tests/cpu/bare_machine.h"

namespace vtsim::cpu::test {
namespace {

constexpr u64 kData = 0x200000, kDataBytes = 0x4000, kStack = 0x300000, kCallee = 0x123000;

// Random instructions of the forms that have host code, and some that have none. RSI and RDI point into
// the data (RDI close to the end of a page), RBP is a small index, RSP and R15 (a function's address) are
// not written.
class Program {
 public:
  explicit Program(u64 seed) : random_(seed) {}

  std::vector<u8> make(unsigned instructions) {
    for (unsigned n = 0; n < instructions; ++n) {
      std::vector<u8> next = instruction();
      if (pick(6) == 0) {  // a branch around it
        bytes_.push_back(static_cast<u8>(0x70 | pick(16)));
        bytes_.push_back(static_cast<u8>(next.size()));
      }
      bytes_.insert(bytes_.end(), next.begin(), next.end());
    }
    const i64 back = -static_cast<i64>(bytes_.size()) - 5;
    bytes_.push_back(0xE9);
    for (unsigned n = 0; n < 4; ++n) bytes_.push_back(static_cast<u8>(back >> (8 * n)));
    return bytes_;
  }

 private:
  unsigned pick(unsigned count) { return static_cast<unsigned>(random_() % count); }

  // A register that may be written.
  unsigned target() {
    constexpr unsigned kTargets[] = {0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14};
    return kTargets[pick(std::size(kTargets))];
  }

  // [REX] opcode ModRM [SIB] [disp] with a register in `reg` (or an opcode extension), and a register or
  // memory in r/m. Byte operands go without REX now and then, so that AH..BH are used.
  std::vector<u8> with_modrm(std::vector<u8> opcode, unsigned reg, bool memory, bool bytes, bool extension) {
    std::vector<u8> code;
    const bool no_rex = bytes && pick(3) == 0;
    const bool is_narrow = !bytes && pick(8) == 0;
    if (is_narrow) code.push_back(0x66);
    const unsigned rm = no_rex ? pick(4) : target();
    if (no_rex) reg = extension ? reg : pick(8);
    unsigned rex = 0x40 | (is_narrow ? 0 : pick(2) << 3) | (extension ? 0 : (reg >> 3) << 2);
    if (!memory) rex |= rm >> 3;
    if (!no_rex) code.push_back(static_cast<u8>(rex));
    code.insert(code.end(), opcode.begin(), opcode.end());
    if (!memory) {
      code.push_back(static_cast<u8>(0xC0 | (reg & 7) << 3 | (rm & 7)));
      return code;
    }
    const u8 field = static_cast<u8>((reg & 7) << 3);
    switch (pick(4)) {
      case 0: code.insert(code.end(), {static_cast<u8>(0x46 | field), static_cast<u8>(pick(256))}); break;
      case 1: code.insert(code.end(), {static_cast<u8>(0x47 | field), static_cast<u8>(pick(24))}); break;
      case 2:
        code.insert(code.end(), {static_cast<u8>(0x44 | field), static_cast<u8>(pick(4) << 6 | 5 << 3 | 6), 0x08});
        break;
      default: code.insert(code.end(), {static_cast<u8>(0x86 | field), 0x40, 0x0F, 0, 0}); break;
    }
    return code;
  }

  std::vector<u8> with_immediate(std::vector<u8> code, unsigned bytes) {
    for (unsigned n = 0; n < bytes; ++n) code.push_back(static_cast<u8>(pick(4) ? random_() : pick(2) * 0xFF));
    return code;
  }
  static bool narrow(const std::vector<u8>& code) { return code[0] == 0x66; }

  std::vector<u8> instruction() {
    const bool memory = pick(3) == 0, bytes = pick(4) == 0;
    const u8 wide = bytes ? 0 : 1;
    const auto op = [&](unsigned base) { return std::vector<u8>{static_cast<u8>(base | wide)}; };
    switch (pick(20)) {
      case 0:
      case 1: return with_modrm(op(pick(8) << 3), target(), memory, bytes, false);
      case 2:
      case 3: return with_modrm(op(pick(8) << 3 | 2), target(), memory, bytes, false);
      case 4: {
        std::vector<u8> code = with_modrm(op(0x80), pick(8), memory, bytes, true);
        return with_immediate(code, bytes ? 1 : narrow(code) ? 2 : 4);
      }
      case 5: return with_immediate(with_modrm({0x83}, pick(8), memory, false, true), 1);
      case 6: return with_modrm(op(0x84), target(), memory, bytes, false);
      case 7: return with_modrm(op(0x88), target(), memory, bytes, false);
      case 8: return with_modrm(op(0x8A), target(), memory, bytes, false);
      case 9: {
        std::vector<u8> code = with_modrm(op(0xC6), 0, memory, bytes, true);
        return with_immediate(code, bytes ? 1 : narrow(code) ? 2 : 4);
      }
      case 10: return with_modrm({0x8D}, target(), true, false, false);
      case 11: {
        constexpr u8 kExtensions[] = {0xB6, 0xB7, 0xBE, 0xBF};
        return with_modrm({0x0F, kExtensions[pick(4)]}, target(), memory, false, false);
      }
      case 12: return with_modrm({0x63}, target(), memory, false, false);
      case 13: {
        constexpr u8 kShifts[] = {0, 1, 4, 5, 7};
        const u8 extension = kShifts[pick(5)];
        return pick(4) == 0 ? with_modrm(op(0xD0), extension, memory, bytes, true)
                            : with_immediate(with_modrm(op(0xC0), extension, memory, bytes, true), 1);
      }
      case 14: return with_modrm(op(0xF6), 2 + pick(2), memory, bytes, true);
      case 15: return with_modrm(op(0xFE), pick(2), memory, bytes, true);
      case 16: return with_modrm({0x0F, static_cast<u8>(0x40 | pick(16))}, target(), memory, false, false);
      case 17: return with_modrm({0x0F, static_cast<u8>(0x90 | pick(16))}, 0, memory, true, true);
      case 18:
        if (pick(2)) return with_modrm({0x0F, 0xAF}, target(), memory, false, false);
        return with_immediate(with_modrm({0x6B}, target(), memory, false, false), 1);
      default: return stack_or_call();
    }
  }

  std::vector<u8> stack_or_call() {
    const unsigned reg = target();
    const u8 rex = static_cast<u8>(0x40 | reg >> 3), low = static_cast<u8>(reg & 7);
    switch (pick(6)) {
      case 0: return {rex, static_cast<u8>(0x50 | low), rex, static_cast<u8>(0x58 | low)};
      case 1: return {0x68, 1, 2, 3, 0x84, 0x58};
      case 2: return {0x41, 0xFF, 0xD7};  // call *%r15
      case 3: return {0x48, 0x98};
      case 4: return {static_cast<u8>(pick(2) ? 0x48 : 0x90), 0x99};
      default: return with_immediate({static_cast<u8>(0x48 | reg >> 3), static_cast<u8>(0xB8 | low)}, 8);
    }
  }

  std::mt19937_64 random_;
  std::vector<u8> bytes_;
};

void prepare(BareMachine& m, u64 at, const std::vector<u8>& code, u64 seed) {
  std::mt19937_64 random(seed);
  const u8 callee[] = {0xFF, 0xC0, 0x81, 0xC3, 1, 2, 3, 4, 0xC3};  // inc eax; add ebx, 04030201; ret
  m.put(kCallee, callee, sizeof callee);
  m.put(at, code.data(), code.size());
  std::vector<u8> data(kDataBytes);
  for (u8& byte : data) byte = static_cast<u8>(random());
  m.put(kData, data.data(), data.size());
  CoreState& s = m.state();
  for (u64& reg : s.gpr) reg = random() >> (random() % 64);
  s.gpr[kZeroRegister] = 0;
  s.gpr[kRsp] = kStack;
  s.gpr[kRsi] = kData;
  s.gpr[kRdi] = kData + 0x1FE8;
  s.gpr[kRbp] = random() % 200;
  s.gpr[kR15] = kCallee;
  s.rip = at;
  write_rflags(s, random() & Rflags::kArithmetic);
}

void require_equal(BareMachine& code, BareMachine& handlers) {
  REQUIRE(code.core().cycle() == handlers.core().cycle());
  REQUIRE(code.state().rip == handlers.state().rip);
  for (unsigned n = 0; n < 16; ++n) {
    INFO("register " << n);
    REQUIRE(code.state().gpr[n] == handlers.state().gpr[n]);
  }
  REQUIRE(read_rflags(code.state()) == read_rflags(handlers.state()));
  REQUIRE(std::memcmp(code.ram(kData), handlers.ram(kData), kDataBytes) == 0);
  REQUIRE(std::memcmp(code.ram(kStack - 64), handlers.ram(kStack - 64), 64) == 0);
}

TEST_CASE("host code does what the handlers do, on random programs") {
  BareMachine code, handlers;
  if (!code.shared.host_code) {
    WARN("this build has no host code");
    return;
  }
  handlers.shared.host_code = false;
  code.enter_long_mode();
  handlers.enter_long_mode();
  const char* const wanted = std::getenv("VTSIM_TRANSLATOR_PROGRAMS");
  const u64 programs = wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : 3000;
  const auto code_end = [](BareMachine& m) {
    return m.shared.blocks.arena().code_room(0, m.core().block);
  };
  const u8* first_end[2] = {};
  for (u64 seed = 1; seed <= programs; ++seed) {
    INFO("seed " << seed);
    const std::vector<u8> bytes = Program(seed).make(40);
    const u64 at = 0x100000 + seed * 61 % 0x1000;  // over the end of a page now and then
    prepare(code, at, bytes, seed);
    prepare(handlers, at, bytes, seed);
    for (const u64 step : {u64{1}, 7 + seed % 13, u64{40}, u64{200}}) {
      code.run(step);
      handlers.run(step);
      require_equal(code, handlers);
    }
    if (seed == 1) {
      first_end[0] = code_end(code);
      first_end[1] = code_end(handlers);
    }
  }
  CHECK(code_end(code) != first_end[0]);  // there is code
  CHECK(code_end(handlers) == first_end[1]);
}

}  // namespace
}  // namespace vtsim::cpu::test
