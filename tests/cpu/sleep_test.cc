// What wakes a core that sleeps, and what does not: SDM 2A "HLT", 3A "MP Initialization Protocol",
// "Processor State After Reset".

#include <catch2/catch.hpp>

#include "tests/cpu/system_bench.h"

using namespace vtsim;
using namespace vtsim::cpu;
using namespace vtsim::cpu::test;

namespace {

constexpr u8 kVector = 0x40;
constexpr u8 kHlt = 0xF4;

struct SleepBench : SystemBench {
  SleepBench() { processor.apic().write(0xF0, 4, 0x1FF, 0); }

  void send(DeliveryMode mode) {
    fabric.deliver({.destination = kBroadcastDestination, .vector = kVector, .delivery = mode}, 0);
  }
  // Runs into HLT with RFLAGS.IF as given.
  void halt(bool interrupts_enabled) {
    code({static_cast<u8>(interrupts_enabled ? 0xFB : 0xFA), kHlt, kHlt});  // STI or CLI
    run(10);
    REQUIRE(state().activity == Activity::kHalted);
  }
  bool stays(Activity activity) {
    run(10);
    return state().activity == activity && !core().attention;
  }
};

}  // namespace

TEST_CASE("HLT ends with an interrupt") {
  SleepBench b;
  b.halt(true);
  b.send(DeliveryMode::kFixed);
  CHECK(b.core().attention);
  b.run(10);
  CHECK(b.handled() == kVector);
}

TEST_CASE("A halted core with IF = 0 has nothing to do for a pending interrupt") {
  SleepBench b;
  b.halt(false);
  b.send(DeliveryMode::kFixed);
  CHECK(b.stays(Activity::kHalted));
  b.send(DeliveryMode::kNmi);
  b.run(10);
  CHECK(b.handled() == kNmi);
}

TEST_CASE("A second NMI waits for the end of the first one's handler, asleep") {
  SleepBench b;
  b.halt(true);
  b.send(DeliveryMode::kNmi);
  b.run(10);
  REQUIRE(b.handled() == kNmi);  // whose handler halts
  b.send(DeliveryMode::kNmi);
  CHECK(b.stays(Activity::kHalted));
}

TEST_CASE("STI holds an NMI back for one instruction") {
  SleepBench b;
  b.code({0xFA, 0xFB, 0x90, 0x90, kHlt});  // CLI, STI, NOP, NOP, HLT
  b.run(2);
  REQUIRE(b.state().rip == kCode + 2);
  b.send(DeliveryMode::kNmi);
  b.run(10);
  CHECK(b.handled() == kNmi);
  CHECK(b.pushed(0) == kCode + 3);
}

TEST_CASE("Waiting for a start-up message, a core hears neither NMI nor SMI nor interrupts") {
  SleepBench b;
  b.state().activity = Activity::kWaitForSipi;
  for (const DeliveryMode mode : {DeliveryMode::kNmi, DeliveryMode::kSmi, DeliveryMode::kFixed}) {
    b.send(mode);
    CHECK(b.stays(Activity::kWaitForSipi));
  }
  b.send(DeliveryMode::kStartup);
  b.run(0);
  CHECK(b.core().attention);
}

TEST_CASE("Shutdown hears nothing but a reset") {
  SleepBench b;
  b.state().activity = Activity::kShutdown;
  b.send(DeliveryMode::kNmi);
  CHECK(b.stays(Activity::kShutdown));
}

TEST_CASE("Without power a core hears nothing; a reset starts it at the reset vector") {
  SleepBench b;
  b.run(5);
  b.processor.power_off(0);
  for (const DeliveryMode mode : {DeliveryMode::kNmi, DeliveryMode::kSmi, DeliveryMode::kInit,
                                  DeliveryMode::kStartup, DeliveryMode::kFixed}) {
    b.send(mode);
    CHECK(b.stays(Activity::kOff));
  }
  b.processor.reset(0);
  CHECK(b.state().activity == Activity::kActive);
  CHECK(b.state().seg[kCs].base == 0xFFFF0000);
  CHECK(b.state().rip == 0xFFF0);
  CHECK_FALSE(b.state().signals.any());
}

TEST_CASE("RDTSC waits until all cores that are awake have got as far") {
  SleepBench b;
  LogicalProcessor other(
      {.index = 1, .topology = {}, .frequency = Frequency{1'000'000'000},
       .tsc_frequency = Frequency{1'000'000'000}, .seed = 1},
      {.shared = b.shared, .bus = b.bus, .events = b.events, .fabric = b.fabric, .pic = b.pic,
       .observer = b.observer},
      {});
  const bool single_steps = GENERATE(false, true);  // as of the interpreter of single instructions
  if (single_steps) b.core().observe_instructions(true);
  b.code({0x90, 0x90, 0x0F, 0x31, kHlt});  // NOP, NOP, RDTSC, HLT
  SECTION("another is awake: the instruction is the first of the next turn") {
    other.core().state.activity = Activity::kActive;
    const u64 start = b.core().cycle();
    b.run(100);
    CHECK(b.state().rip == kCode + 2);
    CHECK(b.core().cycle() == start + 2);
    b.run(100);
    CHECK(b.state().rip == kCode + 5);
    CHECK(b.state().gpr[kRax] == start + 2);
    CHECK(b.core().cycle() == start + 4);
  }
  SECTION("the others sleep: nobody compares") {
    other.core().state.activity = Activity::kHalted;
    b.run(100);
    CHECK(b.state().rip == kCode + 5);
  }
}

TEST_CASE("A reset sets the time-stamp counter to 0") {
  SleepBench b;
  constexpr Ps kLater = 5'000'000;
  const u64 cycle = Frequency{1'000'000'000}.cycles_at(kLater);
  b.core().skip_to(cycle);
  b.processor.reset(kLater);
  b.enter_long_mode();
  b.code({0x0F, 0x31, kHlt});  // RDTSC, HLT
  b.state().seg[kCs].selector = kKernelCs;
  b.run(10);
  CHECK(b.state().gpr[kRax] < 10);
  CHECK(b.state().gpr[kRdx] == 0);
}
