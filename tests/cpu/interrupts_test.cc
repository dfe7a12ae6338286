#include "model/cpu/interrupts.h"

#include <catch2/catch.hpp>

#include "tests/cpu/system_bench.h"

using namespace vtsim;
using namespace vtsim::cpu;
using namespace vtsim::cpu::test;

namespace {

Event exception(u8 vector) { return {.vector = vector}; }

constexpr u64 kTf = Rflags::TF.mask(), kIf = Rflags::IF.mask(), kRf = Rflags::RF.mask();

}  // namespace

TEST_CASE("Double fault: the manual's table of pairs") {
  const u8 contributory[] = {kDe, kTs, kNp, kSs_, kGp};
  const u8 benign[] = {kDb, kNmi, kBp, kUd, kNm, kMf, kAc, kXm};
  for (const u8 first : contributory) {
    for (const u8 second : contributory)
      CHECK(combine_events(exception(first), exception(second))->vector == kDf);
    CHECK(combine_events(exception(first), exception(kPf))->vector == kPf);
    CHECK(combine_events(exception(kPf), exception(first))->vector == kDf);
    CHECK_FALSE(combine_events(exception(kDf), exception(first)).has_value());
    for (const u8 other : benign) {
      CHECK(combine_events(exception(other), exception(first))->vector == first);
      CHECK(combine_events(exception(first), exception(other))->vector == other);
    }
  }
  CHECK(combine_events(exception(kPf), exception(kPf))->vector == kDf);
  CHECK_FALSE(combine_events(exception(kDf), exception(kPf)).has_value());
  const Event external{.vector = 0x30, .type = EventType::kExternalInterrupt};
  CHECK(combine_events(external, exception(kPf))->vector == kPf);
  CHECK(combine_events(exception(kPf), exception(kPf))->has_error_code);
}

TEST_CASE("IA-32e delivery: frame, aligned stack, flags") {
  SystemBench bench;
  bench.state().gpr[kRsp] = kStackTop - 3;
  write_rflags(bench.state(), 0x4247);  // NT, IF, ZF, PF, CF
  bench.code({0x0F, 0x0B});             // UD2
  bench.go();
  REQUIRE(bench.handled() == kUd);
  CHECK(bench.state().gpr[kRsp] == kStackTop - 16 - 40);
  const Frame frame = frame_of(bench, 0);
  CHECK(frame.rip == kCode);
  CHECK(frame.cs == kKernelCs);
  CHECK(frame.rflags == (0x4247 | kRf));  // a fault
  CHECK(frame.rsp == kStackTop - 3);
  CHECK(frame.ss == kKernelSs);
  const u64 flags = read_rflags(bench.state());
  CHECK((flags & (kIf | Rflags::NT.mask() | kRf)) == 0);
}

TEST_CASE("IA-32e delivery: a trap gate leaves IF set, INT n saves the next RIP and no RF") {
  SystemBench bench;
  bench.gate(0x40, {.type = 0x8F});
  write_rflags(bench.state(), kIf | 2);
  bench.code({0xCD, 0x40});
  bench.go();
  REQUIRE(bench.handled() == 0x40);
  CHECK(bench.pushed(0) == kCode + 2);
  CHECK((bench.pushed(2) & kRf) == 0);
  CHECK((read_rflags(bench.state()) & kIf) != 0);
}

TEST_CASE("IA-32e delivery: from CPL 3 the stack is RSP0 and SS is null") {
  SystemBench bench(3);
  bench.code({0x0F, 0x0B});
  bench.go();
  REQUIRE(bench.handled() == kUd);
  CHECK(bench.state().gpr[kRsp] == kRsp0 - 40);
  CHECK(bench.state().cpl == 0);
  CHECK(bench.state().seg[kSs].selector == 0);
  CHECK_FALSE(bench.state().seg[kSs].usable());
  CHECK(bench.pushed(4) == kUserSs);
}

TEST_CASE("IA-32e delivery: IST whatever the level") {
  SystemBench bench;
  bench.gate(kUd, {.ist = 1});
  bench.code({0x0F, 0x0B});
  bench.go();
  REQUIRE(bench.handled() == kUd);
  CHECK(bench.state().gpr[kRsp] == kIst1 - 40);
  CHECK(bench.state().seg[kSs].selector == kKernelSs);  // the level did not change
}

TEST_CASE("Gate faults: vector * 8 + IDT bit, EXT for events that the program did not ask for") {
  SystemBench bench;
  SECTION("not present, exception") {
    bench.gate(kUd, {.type = 0x0E});
    bench.code({0x0F, 0x0B});
    bench.go();
    REQUIRE(bench.handled() == kNp);
    CHECK(bench.pushed(0) == kUd * 8 + 3);
    CHECK(bench.pushed(1) == kCode);
  }
  SECTION("not present, INT n: restartable at the instruction itself") {
    bench.gate(0x40, {.type = 0x0E});
    bench.code({0xCD, 0x40});
    bench.go();
    REQUIRE(bench.handled() == kNp);
    CHECK(bench.pushed(0) == 0x40 * 8 + 2);
    CHECK(bench.pushed(1) == kCode);
  }
  SECTION("not a 64-bit gate") {
    bench.gate(0x40, {.type = 0x86});
    bench.code({0xCD, 0x40});
    bench.go();
    REQUIRE(bench.handled() == kGp);
    CHECK(bench.pushed(0) == 0x40 * 8 + 2);
  }
  SECTION("a 32-bit code segment") {
    bench.gate(0x40, {.selector = 0x20});
    bench.code({0xCD, 0x40});
    bench.go();
    REQUIRE(bench.handled() == kGp);
    CHECK(bench.pushed(0) == 0x20);
  }
  SECTION("beyond the table") {
    bench.state().idtr.limit = 0x40 * 16 + 14;
    bench.code({0xCD, 0x40});
    bench.go();
    REQUIRE(bench.handled() == kGp);
    CHECK(bench.pushed(0) == 0x40 * 8 + 2);
  }
}

TEST_CASE("INT n above the gate's DPL") {
  SystemBench bench(3);
  bench.code({0xCD, 0x40});
  bench.go();
  REQUIRE(bench.handled() == kGp);
  CHECK(bench.pushed(0) == 0x40 * 8 + 2);
  bench.gate(0x40, {.type = 0xEE});
  SystemBench allowed(3);
  allowed.gate(0x40, {.type = 0xEE});
  allowed.code({0xCD, 0x40});
  allowed.go();
  CHECK(allowed.handled() == 0x40u);
}

TEST_CASE("Double fault and shutdown") {
  SystemBench bench;
  bench.gate(kUd, {.type = 0x0E});  // #UD -> #NP
  bench.gate(kNp, {.type = 0x0E});  // #NP -> #NP: double fault
  bench.code({0x0F, 0x0B});
  SECTION("the handler of vector 8 gets error code 0") {
    bench.go();
    REQUIRE(bench.handled() == kDf);
    CHECK(bench.pushed(0) == 0);
  }
  SECTION("a third one shuts the processor down") {
    bench.gate(kDf, {.type = 0x0E});
    bench.go();
    CHECK(bench.state().activity == Activity::kShutdown);
  }
}

TEST_CASE("A page fault during delivery is delivered itself, with its address in CR2") {
  SystemBench bench;
  bench.state().gpr[kRsp] = u64{1} << 39;  // not mapped
  bench.gate(kPf, {.ist = 1});
  bench.code({0xCC});
  bench.go();
  REQUIRE(bench.handled() == kPf);
  CHECK(bench.state().cr2 == (u64{1} << 39) - 40);
  CHECK(bench.pushed(0) == 2);  // a write, supervisor, not present
  CHECK(bench.pushed(1) == kCode);
}

// ---- debug exceptions

TEST_CASE("Single step: a trap after each instruction that began with TF set") {
  SystemBench bench;
  write_rflags(bench.state(), kTf | 2);
  bench.code({0x90, 0x90});
  bench.go();
  REQUIRE(bench.handled() == kDb);
  CHECK(bench.pushed(0) == kCode + 1);
  CHECK((bench.state().dr6 & Dr6::BS.mask()) != 0);
  CHECK((bench.pushed(2) & kTf) != 0);
  CHECK((read_rflags(bench.state()) & kTf) == 0);
}

TEST_CASE("Instruction breakpoints are faults, and RF passes them") {
  SystemBench bench;
  bench.state().dr[1] = kCode + 1;
  bench.state().dr7 |= 1 << 2;
  bench.code({0x90, 0x90, 0xF4});
  bench.core().mode_changed();
  SECTION("hit") {
    bench.go();
    REQUIRE(bench.handled() == kDb);
    CHECK(bench.pushed(0) == kCode + 1);
    CHECK((bench.state().dr6 & 0xF) == 2);
    CHECK((bench.pushed(2) & kRf) == 0);
  }
  SECTION("RF") {
    bench.state().rip = kCode + 1;
    write_rflags(bench.state(), kRf | 2);
    bench.go();
    CHECK(bench.state().rip == kCode + 3);
    CHECK((read_rflags(bench.state()) & kRf) == 0);
  }
}

TEST_CASE("Data breakpoints are traps") {
  SystemBench bench;
  bench.state().dr[0] = 0x50004;
  bench.state().dr7 |= 1 | u64{0b1101} << 16;  // writes of four bytes
  bench.core().mode_changed();
  bench.code({0x89, 0x04, 0x25, 0x02, 0x00, 0x05, 0x00, 0xF4});  // mov %eax,0x50002
  SECTION("an access that overlaps") {
    bench.go();
    REQUIRE(bench.handled() == kDb);
    CHECK(bench.pushed(0) == kCode + 7);
    CHECK((bench.state().dr6 & 0xF) == 1);
  }
  SECTION("reads do not count") {
    bench.code({0x8B, 0x04, 0x25, 0x02, 0x00, 0x05, 0x00, 0xF4});
    bench.go();
    CHECK(bench.state().rip == kCode + 8);
  }
  SECTION("one that does not overlap") {
    bench.code({0x89, 0x04, 0x25, 0x08, 0x00, 0x05, 0x00, 0xF4});
    bench.go();
    CHECK(bench.state().rip == kCode + 8);
  }
}

TEST_CASE("General detect: a fault before the access, and GD is cleared for the handler") {
  SystemBench bench;
  bench.state().dr7 |= Dr7::GD.mask();
  bench.core().mode_changed();
  bench.code({0x0F, 0x21, 0xF8});  // mov %dr7,%rax
  bench.go();
  REQUIRE(bench.handled() == kDb);
  CHECK(bench.pushed(0) == kCode);
  CHECK((bench.pushed(2) & kRf) != 0);
  CHECK((bench.state().dr6 & Dr6::BD.mask()) != 0);
  CHECK((bench.state().dr7 & Dr7::GD.mask()) == 0);
}

TEST_CASE("MOV SS holds a trap back for one instruction") {
  SystemBench bench;
  write_rflags(bench.state(), kTf | 2);
  bench.state().gpr[kRax] = kKernelSs;
  bench.code({0x8E, 0xD0, 0x90, 0x90});  // mov %eax,%ss; nop
  bench.go();
  REQUIRE(bench.handled() == kDb);
  CHECK(bench.pushed(0) == kCode + 3);
}

TEST_CASE("NMI: blocked from its delivery to the next IRET") {
  SystemBench bench;
  bench.code({0x90, 0xF4});
  bench.state().signals.nmi = true;
  bench.core().set_attention();
  bench.go();
  REQUIRE(bench.handled() == kNmi);
  CHECK(bench.state().nmi_blocked);
  bench.put(bench.state().rip, "\x48\xCF", 2);  // IRETQ
  bench.state().activity = Activity::kActive;
  bench.run(1);
  CHECK_FALSE(bench.state().nmi_blocked);
  CHECK(bench.state().rip == kCode);
}

TEST_CASE("Single step on branches: BTF traps behind a taken branch only, and is cleared") {
  SystemBench bench;
  write_rflags(bench.state(), kTf | 2);
  bench.state().debugctl = DebugCtl::BTF.mask();
  bench.code({0x90, 0x90, 0xEB, 0x02, 0x0F, 0x0B, 0x90});  // nop; nop; jmp +2
  bench.go();
  REQUIRE(bench.handled() == kDb);
  CHECK(bench.pushed(0) == kCode + 6);
  CHECK(bench.state().debugctl == 0);
}

TEST_CASE("a data breakpoint traps after the iteration of a string instruction that met it") {
  SystemBench bench;
  bench.code({0xF3, 0xAA, 0xF4});  // rep stosb; hlt
  bench.state().gpr[kRcx] = 5;
  bench.state().gpr[kRdi] = 0x50000;
  bench.state().dr[0] = 0x50001;
  bench.state().dr7 = Dr7::kReset | 0x10002;  // one byte, writes
  bench.core().mode_changed();
  bench.go();
  CHECK(bench.handled() == kDb);
  CHECK(bench.state().gpr[kRcx] == 3);
  CHECK(frame_of(bench, 0).rip == kCode);
}
