// x87 control instructions, pending exceptions, the instruction and data pointers, and the
// environment in memory. Layouts and rules: SDM 1 "Programming with the x87 FPU".

#include <catch2/catch.hpp>
#include <initializer_list>

#include "model/cpu/exec/x87_value.h"
#include "tests/cpu/bare_machine.h"

using namespace vtsim;
using namespace vtsim::cpu;
using test::BareMachine;

namespace {

constexpr u64 kCode = 0x10000, kData = 0x20000, kHandler = 0x30000, kStack = 0x40000;
constexpr u64 kGdt = 0x5000, kIdt = 0x6000;
constexpr u64 kAbsent = 0x200000;  // a page of 2 MBytes that a test may unmap

CpuModel model_without(Feature feature) {
  CpuModel model = test::test_model();
  model.silicon.remove(feature);
  return model;
}

struct Machine : BareMachine {
  explicit Machine(const CpuModel& model = test::test_model()) : BareMachine(16 << 20, model) {}

  void long_mode() {
    enter_long_mode();
    state().gpr[kRsp] = kStack;
    const u64 descriptors[] = {0, 0x00AF9B000000FFFF, 0x00CF93000000FFFF};
    put(kGdt, descriptors, sizeof descriptors);
    state().gdtr = {kGdt, sizeof descriptors - 1};
    state().idtr = {kIdt, 0xFFF};
    for (const u8 vector : {kMf, kPf, kNm}) {
      const u64 gate[] = {(kHandler >> 16) << 48 | 0x8E00ull << 32 | 8 << 16 | (kHandler & 0xFFFF),
                          0};
      put(kIdt + 16u * vector, gate, sizeof gate);
    }
    const u8 halt = 0xF4;
    put(kHandler, &halt, 1);
  }
  void real_mode() {
    CoreState& s = state();
    s.cr0 = Reg<Cr0>(0x30);
    for (auto& segment : s.seg)
      segment = {
          .selector = 0x1000, .rights = Reg<SegmentRights>(0x93), .limit = 0xFFFF, .base = kCode};
    s.seg[kDs].selector = 0x2000;
    s.seg[kDs].base = kData;
    core().mode_changed();
  }
  void unmap_absent() {
    const u64 entry = 0;
    put(0x3000 + 8 * (kAbsent >> 21), &entry, sizeof entry);
    core().invalidate_all();
  }
  // Runs the code; it ends at a HLT behind it, or in the handler.
  void execute(std::initializer_list<int> bytes, u64 rip = kCode) {
    std::vector<u8> code(bytes.begin(), bytes.end());
    code.push_back(0xF4);
    put(kCode, code.data(), code.size());
    state().activity = Activity::kActive;
    state().rip = rip;
    state().gpr[kRdx] = kData;
    run(20);
  }
  bool trapped() { return state().rip == kHandler + 1; }
  u64 faulting_rip() {
    u64 rip;
    std::memcpy(&rip, ram(state().gpr[kRsp]), sizeof rip);
    return rip;
  }
  template <class T>
  T at(u64 address) {
    T value;
    std::memcpy(&value, ram(address), sizeof value);
    return value;
  }
  X87State& x87() { return state().x87; }
  Float80 physical(unsigned n) { return Float80::from(x87().reg[n]); }
};

// A state with something in every field.
X87State recognizable() {
  X87State x87;
  x87.control = 0x0B40;
  x87.status = 0x1A00;  // TOP 3
  x87.empty = 0xC1;
  x87.opcode = 0x5D8;
  x87.ip = 0x12345678;
  x87.dp = 0x9ABCDEF0;
  x87.cs = 0x1111;
  x87.ds = 0x2222;
  for (unsigned n = 0; n < 8; ++n) make_float80(n & 1, 0x3FFF + n, kIntegerBit + n).to(x87.reg[n]);
  zero80(true).to(x87.reg[2]);
  infinity80(false).to(x87.reg[5]);
  return x87;
}
constexpr u16 kRecognizableTags = 0xF813;  // R7, R6, R0 empty; R5 special; R2 zero

bool same(const X87State& a, const X87State& b) {
  bool equal = a.control == b.control && a.status == b.status && a.empty == b.empty &&
               a.opcode == b.opcode && a.ip == b.ip && a.dp == b.dp && a.cs == b.cs && a.ds == b.ds;
  for (unsigned n = 0; n < 8; ++n) equal = equal && std::memcmp(a.reg[n], b.reg[n], 10) == 0;
  return equal;
}

constexpr int kFninit[] = {0xDB, 0xE3};

}  // namespace

TEST_CASE("FNINIT: control word 037FH, empty stack") {
  Machine m;
  m.long_mode();
  m.x87() = recognizable();
  m.execute({kFninit[0], kFninit[1]});
  CHECK(m.x87().control == 0x037F);
  CHECK(m.x87().status == 0);
  CHECK(m.x87().empty == 0xFF);
  CHECK(m.x87().ip == 0);
}

TEST_CASE("an unmasked exception waits for the next waiting instruction") {
  Machine m;
  m.long_mode();
  m.x87().control = 0x037B;  // zero divide unmasked
  SECTION("#MF at FWAIT") {
    m.execute(
        {0xD9, 0xE8, 0xD9, 0xEE, 0xDE, 0xF9, 0xDF, 0xE0, 0x9B});  // fld1 fldz fdivp fnstsw fwait
    CHECK(m.trapped());
    CHECK(m.faulting_rip() == kCode + 8);
    CHECK((m.state().gpr[kRax] & 0xFFFF) == 0xB084);  // B, ES, ZE, TOP 6: not popped
    CHECK(m.physical(6) == zero80(false));
    CHECK(m.physical(7) == kOne80);
  }
  SECTION("#MF at the next computing instruction, which has not run") {
    m.execute({0xD9, 0xE8, 0xD9, 0xEE, 0xDE, 0xF9, 0xD9, 0xE8});  // ... fld1
    CHECK(m.trapped());
    CHECK(m.faulting_rip() == kCode + 6);
    CHECK(m.x87().status == 0xB084);
  }
  SECTION("FNCLEX takes it away") {
    m.execute({0xD9, 0xE8, 0xD9, 0xEE, 0xDE, 0xF9, 0xDB, 0xE2, 0x9B});
    CHECK(!m.trapped());
    CHECK(m.x87().status == 0x3000);
  }
  SECTION("FLDCW that unmasks makes it pending") {
    const u16 unmasked = 0x037B;
    m.put(kData, &unmasked, 2);
    m.x87().control = 0x037F;
    m.execute({0xD9, 0xE8, 0xD9, 0xEE, 0xDE, 0xF9, 0xD9, 0x2A, 0x9B});
    CHECK(m.trapped());
    CHECK(m.faulting_rip() == kCode + 8);
  }
}

TEST_CASE("a stack fault sets IE and SF, and C1 by its direction") {
  Machine m;
  m.long_mode();
  m.execute({0xD9, 0xE8, 0xD9, 0xE8, 0xD9, 0xE8, 0xD9, 0xE8, 0xD9, 0xE8, 0xD9, 0xE8, 0xD9, 0xE8,
             0xD9, 0xE8});
  CHECK(m.x87().empty == 0);
  CHECK(m.x87().status == 0);
  m.execute({0xD9, 0xE8});
  CHECK(m.x87().status == 0x3A41);
  CHECK(m.physical(7) == kIndefinite80);
  m.x87() = {};
  m.execute({0xD9, 0xFA});  // fsqrt
  CHECK(m.x87().status == 0x0041);
  CHECK(m.physical(0) == kIndefinite80);
}

TEST_CASE("a store that faults changes neither the stack nor the status") {
  Machine m;
  m.long_mode();
  m.unmap_absent();
  const u64 end = kAbsent - 4;
  const auto try_at = [&](std::initializer_list<int> code) {
    const X87State before = m.x87() = recognizable();
    std::memset(m.ram(kAbsent - 64), 0x55, 64);
    m.state().gpr[kRcx] = end;
    m.state().gpr[kRsp] = kStack;
    m.execute(code);
    CHECK(m.trapped());
    CHECK(m.state().cr2 == kAbsent);
    CHECK(same(before, m.x87()));
    CHECK(m.at<u32>(end) == 0x55555555);
  };
  try_at({0xDD, 0x19});  // fstp qword [rcx]
  try_at({0xDB, 0x39});  // fstp tbyte [rcx]
  try_at({0xDF, 0x39});  // fistp qword [rcx]
  try_at({0xDF, 0x31});  // fbstp [rcx]
  try_at({0xD9, 0x31});  // fnstenv [rcx]
  try_at({0xDD, 0x31});  // fnsave [rcx]
  try_at({0xDD, 0x21});  // frstor [rcx]
}

TEST_CASE("the instruction pointer follows every instruction, the others as the processor says") {
  SECTION("with FDP_EXCPTN_ONLY, only unmasked exceptions set the data pointer and the opcode") {
    Machine m;
    m.long_mode();
    m.execute({0x90, 0xDD, 0x02});  // fld qword [rdx]
    CHECK(m.x87().ip == kCode + 1);
    CHECK(m.x87().cs == 8);
    CHECK(m.x87().dp == 0);
    CHECK(m.x87().opcode == 0);
    m.x87().control = 0x037B;
    m.execute({0xD9, 0xE8, 0xDE, 0x72, 0x04});  // fld1; fidiv word [rdx + 4]: zero
    CHECK(m.x87().ip == kCode + 2);
    CHECK(m.x87().dp == kData + 4);
    CHECK(m.x87().ds == 16);
    CHECK(m.x87().opcode == 0x672);
  }
  SECTION("without it, every memory operand") {
    Machine m(model_without(Feature::kFdpExcptnOnly));
    m.long_mode();
    m.execute({0xDD, 0x42, 0x08, 0xD9, 0xE8});  // fld qword [rdx + 8]; fld1
    CHECK(m.x87().ip == kCode + 3);
    CHECK(m.x87().dp == kData + 8);
    CHECK(m.x87().opcode == 0);
  }
  SECTION("fopcode compatibility mode keeps every opcode") {
    Machine m;
    m.long_mode();
    m.core().msr.misc_enable |= 4;
    m.execute({0xD9, 0xE8});
    CHECK(m.x87().opcode == 0x1E8);
  }
}

TEST_CASE("FNSTENV: 28 bytes in protected mode; exceptions are masked afterwards") {
  Machine m(model_without(Feature::kZeroFcsFds));
  m.long_mode();
  m.x87() = recognizable();
  m.execute({0xD9, 0x32});
  CHECK(m.at<u32>(kData) == 0xFFFF0B40);
  CHECK(m.at<u32>(kData + 4) == 0xFFFF1A00);
  CHECK(m.at<u32>(kData + 8) == (0xFFFF0000 | kRecognizableTags));
  CHECK(m.at<u32>(kData + 12) == 0x12345678);
  CHECK(m.at<u32>(kData + 16) == 0x05D81111);
  CHECK(m.at<u32>(kData + 20) == 0x9ABCDEF0);
  CHECK(m.at<u32>(kData + 24) == 0xFFFF2222);
  CHECK(m.at<u32>(kData + 28) == 0);
  CHECK(m.x87().control == 0x0B7F);
}

TEST_CASE("FNSTENV: 14 bytes with 16-bit operands; no selectors where FCS and FDS are deprecated") {
  Machine m;
  m.long_mode();
  m.x87() = recognizable();
  m.execute({0x66, 0xD9, 0x32});
  CHECK(m.at<u16>(kData) == 0x0B40);
  CHECK(m.at<u16>(kData + 2) == 0x1A00);
  CHECK(m.at<u16>(kData + 4) == kRecognizableTags);
  CHECK(m.at<u16>(kData + 6) == 0x5678);
  CHECK(m.at<u16>(kData + 8) == 0);
  CHECK(m.at<u16>(kData + 10) == 0xDEF0);
  CHECK(m.at<u16>(kData + 12) == 0);
  CHECK(m.at<u16>(kData + 14) == 0);
}

TEST_CASE("FNSTENV: real-address mode has linear pointers") {
  Machine m;
  m.real_mode();
  m.x87() = recognizable();
  m.x87().cs = 0x1234;
  m.x87().ip = 0x5678;  // 0x179B8
  m.x87().ds = 0x8000;
  m.x87().dp = 0x0123;  // 0x80123
  m.state().gpr[kRbx] = 0;
  SECTION("16 bits") {
    m.execute({0xD9, 0x37}, 0);
    CHECK(m.at<u16>(kData + 6) == 0x79B8);
    CHECK(m.at<u16>(kData + 8) == 0x15D8);
    CHECK(m.at<u16>(kData + 10) == 0x0123);
    CHECK(m.at<u16>(kData + 12) == 0x8000);
    CHECK(m.at<u16>(kData + 14) == 0);
  }
  SECTION("32 bits") {
    m.execute({0x66, 0xD9, 0x37}, 0);
    CHECK(m.at<u32>(kData + 12) == 0xFFFF79B8);
    CHECK(m.at<u32>(kData + 16) == 0x000015D8);
    CHECK(m.at<u32>(kData + 20) == 0xFFFF0123);
    CHECK(m.at<u32>(kData + 24) == 0x00008000);
  }
}

TEST_CASE("FNSAVE and FRSTOR: registers from ST(0) on, whatever TOP is") {
  Machine m(model_without(Feature::kZeroFcsFds));
  m.long_mode();
  const X87State before = recognizable();
  const auto round_trip = [&](std::initializer_list<int> save, std::initializer_list<int> restore,
                              unsigned registers_at) {
    m.x87() = before;
    m.execute(save);
    CHECK(m.x87().empty == 0xFF);
    CHECK(m.x87().control == 0x037F);
    CHECK(Float80::from(m.ram(kData + registers_at)) == Float80::from(before.reg[3]));
    CHECK(Float80::from(m.ram(kData + registers_at + 70)) == Float80::from(before.reg[2]));
    m.x87() = {};
    m.execute(restore);
  };
  round_trip({0xDD, 0x32}, {0xDD, 0x22}, 28);
  CHECK(same(before, m.x87()));
  round_trip({0x66, 0xDD, 0x32}, {0x66, 0xDD, 0x22}, 14);
  X87State narrow = before;  // the 16-bit form has no opcode and 16-bit offsets
  narrow.opcode = 0;
  narrow.ip &= 0xFFFF;
  narrow.dp &= 0xFFFF;
  CHECK(same(narrow, m.x87()));
}

TEST_CASE("FLDENV: an unmasked exception in the environment becomes pending") {
  Machine m;
  m.long_mode();
  const u32 environment[7] = {0x037E, 0x0001, 0xFFFF};
  m.put(kData, environment, sizeof environment);
  m.execute({0xD9, 0x22, 0xDF, 0xE0, 0xD9, 0xE8});  // fldenv [rdx]; fnstsw ax; fld1
  CHECK((m.state().gpr[kRax] & 0xFFFF) == 0x8081);
  CHECK(m.trapped());
  CHECK(m.faulting_rip() == kCode + 4);
}

TEST_CASE("FBLD: eighteen digits and a sign") {
  Machine m;
  m.long_mode();
  const u8 digits[] = {0x90, 0x78, 0x56, 0x34, 0x12, 0x00, 0x00, 0x00, 0x99, 0x80};
  m.put(kData, digits, sizeof digits);
  m.execute({0xDF, 0x22, 0xDF, 0x7A, 0x10});  // fbld [rdx]; fistp qword [rdx + 16]
  CHECK(m.at<i64>(kData + 16) == -990000001234567890);
}

TEST_CASE("CR0.TS and CR0.EM: #NM; FWAIT only with CR0.MP and CR0.TS") {
  Machine m;
  m.long_mode();
  const auto traps = [&](u64 cr0, std::initializer_list<int> code) {
    m.state().cr0 = Reg<Cr0>((m.state().cr0.value & ~u64{0xE}) | cr0);
    m.core().mode_changed();
    m.state().gpr[kRsp] = kStack;
    m.execute(code);
    return m.trapped();
  };
  CHECK(!traps(0x2, {0xD9, 0xE8}));
  CHECK(traps(0xA, {0xD9, 0xE8}));
  CHECK(traps(0x4, {0xD9, 0xE8}));
  CHECK(traps(0x8, {0xDB, 0xE3}));
  CHECK(traps(0xA, {0x9B}));
  CHECK(!traps(0x8, {0x9B}));
  CHECK(!traps(0x6, {0x9B}));
}
