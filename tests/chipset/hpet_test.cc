#include "model/chipset/hpet.h"

#include <catch2/catch.hpp>
#include <tuple>
#include <vector>

using namespace vtsim;
using namespace vtsim::chipset;

namespace {

constexpr Ps kTick = 10'000;  // 100 MHz
constexpr u64 kConf = 0x10, kStatus = 0x20, kCounter = 0xf0;
constexpr u64 timer(unsigned n) { return 0x100 + 0x20 * n; }
constexpr u64 comparator(unsigned n) { return timer(n) + 8; }
constexpr u64 kEnable = 1, kLegacy = 2;
constexpr u64 kLevel = 2, kIntEnb = 4, kPeriodic = 8, kValSet = 0x40, kMode32 = 0x100, kFsb = 0x4000;
constexpr u64 route(u64 input) { return input << 9; }

struct Output {
  unsigned timer;
  bool is_legacy;
  u8 line;
  bool level;
  Ps now;
  bool operator==(const Output&) const = default;
};

struct Fixture : MemoryPort {
  EventQueue events;
  std::vector<Output> outputs;
  std::vector<std::pair<u64, Ps>> messages;
  Hpet hpet;
  Ps now = 0;

  explicit Fixture(Hpet::Fsb fsb = Hpet::Fsb::kAbsent)
      : hpet(events, Frequency{100'000'000}, fsb, *this,
             [this](unsigned n, Hpet::Route r, bool level, Ps at) {
               outputs.push_back({n, r.is_legacy, r.line, level, at});
             }) {}
  bool read(Hpa, std::span<u8>, Ps) override { return false; }
  bool write(Hpa address, std::span<const u8>, Ps at) override {
    messages.emplace_back(address.value, at);
    return true;
  }
  u64 get(u64 offset, unsigned size = 8) { return hpet.read(offset, size, now); }
  void set(u64 offset, u64 value, unsigned size = 8) { hpet.write(offset, size, value, now); }
  void run_until(Ps time) {
    events.run_until(time);
    now = time;
  }
  std::vector<Ps> rises(unsigned n) const {
    std::vector<Ps> times;
    for (const Output& o : outputs) {
      if (o.timer == n && o.level) times.push_back(o.now);
    }
    return times;
  }
};

}  // namespace

TEST_CASE("HPET: capabilities: 8086, three timers, 64 bits, legacy replacement, 10 ns") {
  Fixture f;
  CHECK(f.get(0) == 0x0098'9680'8086'a201);
  CHECK(f.get(4, 4) == 10'000'000);
  f.set(0, 0);
  CHECK(f.get(0, 4) == 0x8086'a201);
}

TEST_CASE("HPET: the counter counts while enabled, keeps its value while not, and can be set then") {
  Fixture f;
  f.run_until(100 * kTick);
  CHECK(f.get(kCounter) == 0);
  f.set(kConf, kEnable);
  f.run_until(150 * kTick);
  CHECK(f.get(kCounter) == 50);
  f.now += kTick - 1;
  CHECK(f.get(kCounter) == 50);
  f.now += 1;
  CHECK(f.get(kCounter) == 51);
  f.set(kConf, 0);
  f.run_until(300 * kTick);
  CHECK(f.get(kCounter) == 51);
  f.set(kCounter, 0xffff'ffff'ffff'fff0);
  f.set(kConf, kEnable);
  f.run_until(316 * kTick);
  CHECK(f.get(kCounter) == 0);
  CHECK(f.get(kCounter + 4, 4) == 0);
}

TEST_CASE("HPET: a one-shot timer interrupts once, at the tick of its comparator") {
  Fixture f;
  f.set(timer(1), kIntEnb | route(20));
  f.set(comparator(1), 1000);
  f.run_until(55 * kTick);
  f.set(kConf, kEnable);
  f.run_until(5000 * kTick);
  CHECK(f.outputs == std::vector<Output>{{1, false, 20, true, 1055 * kTick},
                                         {1, false, 20, false, 1055 * kTick}});
}

TEST_CASE("HPET: no interrupt without the timer's enable, or while the counter is halted") {
  Fixture f;
  f.set(timer(0), route(20));
  f.set(comparator(0), 10);
  f.set(timer(1), kIntEnb | route(20));
  f.set(comparator(1), 100);
  f.set(kConf, kEnable);
  f.run_until(50 * kTick);
  f.set(kConf, 0);
  f.run_until(500 * kTick);
  CHECK(f.outputs.empty());
}

TEST_CASE("HPET: a periodic timer, set up as Linux does, interrupts every period without drift") {
  Fixture f;
  f.set(kConf, kEnable | kLegacy);
  f.run_until(7 * kTick);
  f.set(timer(0), kIntEnb | kPeriodic | kValSet | kMode32, 4);
  f.set(comparator(0), 107, 4);
  f.set(comparator(0), 100, 4);
  f.run_until(450 * kTick);
  CHECK(f.rises(0) == std::vector<Ps>{107 * kTick, 207 * kTick, 307 * kTick, 407 * kTick});
  CHECK(f.outputs[0].is_legacy);
  CHECK(f.outputs[0].line == 0);
  CHECK(f.get(comparator(0)) == 507);
}

TEST_CASE("HPET: a periodic comparator moves on though interrupts are off") {
  Fixture f;
  f.set(timer(0), kPeriodic | kValSet);
  f.set(comparator(0), 100);
  f.set(comparator(0), 100);
  f.set(kConf, kEnable);
  f.run_until(99 * kTick);
  CHECK(f.get(comparator(0)) == 100);
  f.run_until(1234 * kTick);
  CHECK(f.get(comparator(0)) == 1300);
  f.set(timer(0), kPeriodic | kIntEnb | route(20));
  f.run_until(1300 * kTick);
  CHECK(f.rises(0) == std::vector<Ps>{1300 * kTick});
}

TEST_CASE("HPET: a comparator of 32 bits matches again when the low half comes round") {
  Fixture f;
  f.set(timer(2), kIntEnb | kMode32 | route(23));
  f.set(comparator(2), 0x1'0000'0010);
  CHECK(f.get(comparator(2)) == 0x10);
  f.set(kConf, kEnable);
  const Ps turn = (Ps{1} << 32) * kTick;
  f.run_until(turn + 100 * kTick);
  CHECK(f.rises(2) == std::vector<Ps>{16 * kTick, turn + 16 * kTick});
}

TEST_CASE("HPET: a level interrupt lasts until its status bit is cleared by a one") {
  Fixture f;
  f.set(timer(0), kIntEnb | kLevel | route(21));
  f.set(comparator(0), 10);
  f.set(kConf, kEnable);
  f.run_until(20 * kTick);
  CHECK(f.outputs == std::vector<Output>{{0, false, 21, true, 10 * kTick}});
  CHECK(f.get(kStatus) == 1);
  f.set(kStatus, 0);
  f.set(kStatus, 2);
  CHECK(f.outputs.size() == 1);
  f.set(kStatus, 1, 4);
  CHECK(f.get(kStatus) == 0);
  REQUIRE(f.outputs.size() == 2);
  CHECK_FALSE(f.outputs[1].level);
}

TEST_CASE("HPET: with legacy replacement timers 0 and 1 take IRQ0 and IRQ8, timer 2 its own route") {
  Fixture f;
  int changes = 0;
  f.hpet.on_legacy_change([&](Ps) { ++changes; });
  for (unsigned n = 0; n < 3; ++n) {
    f.set(timer(n), kIntEnb | route(22));
    f.set(comparator(n), 10);
  }
  f.set(kConf, kEnable | kLegacy);
  CHECK(changes == 1);
  CHECK(f.hpet.replaces_legacy());
  f.run_until(20 * kTick);
  REQUIRE(f.outputs.size() == 6);
  CHECK(f.outputs[0] == Output{0, true, 0, true, 10 * kTick});
  CHECK(f.outputs[2] == Output{1, true, 8, true, 10 * kTick});
  CHECK(f.outputs[4] == Output{2, false, 22, true, 10 * kTick});
  f.set(kConf, 0);
  CHECK(changes == 2);
}

TEST_CASE("HPET: routes 20 to 23 are offered; capability bits are read-only") {
  Fixture f;
  CHECK(f.get(timer(0)) == 0x00f0'0000'0000'0030);
  f.set(timer(0), ~u64{0});
  CHECK(f.get(timer(0)) == 0x00f0'0000'0000'3f7e);
}

TEST_CASE("HPET: an FSB route sends a write instead, where the part offers it") {
  Fixture f(Hpet::Fsb::kPresent);
  CHECK((f.get(timer(0)) & 0x8000) != 0);
  f.set(timer(0), kIntEnb | kFsb);
  f.set(timer(0) + 0x10, 0xfee0'1000'0000'0041);
  f.set(comparator(0), 10);
  f.set(kConf, kEnable);
  f.run_until(20 * kTick);
  CHECK(f.outputs.empty());
  CHECK(f.messages == std::vector<std::pair<u64, Ps>>{{0xfee0'1000, 10 * kTick}});
}

TEST_CASE("HPET: the second half of a 64-bit register can be accessed alone") {
  Fixture f;
  f.set(comparator(0), 0x1111'2222, 4);
  f.set(comparator(0) + 4, 0x3333'4444, 4);
  CHECK(f.get(comparator(0)) == 0x3333'4444'1111'2222);
  CHECK(f.get(comparator(0) + 4, 4) == 0x3333'4444);
}

TEST_CASE("HPET: reset stops the counter and its events") {
  Fixture f;
  f.set(timer(0), kIntEnb | kLevel | route(20));
  f.set(comparator(0), 10);
  f.set(kConf, kEnable);
  f.run_until(20 * kTick);
  f.set(comparator(0), 100);
  f.hpet.reset(f.now);
  CHECK_FALSE(f.outputs.back().level);
  f.run_until(1000 * kTick);
  CHECK(f.get(kCounter) == 0);
  CHECK(f.events.next() == kNever);
}
