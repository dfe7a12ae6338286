#include "model/chipset/pit_8254.h"

#include <catch2/catch.hpp>
#include <string>
#include <utility>
#include <vector>

using namespace vtsim;
using namespace vtsim::chipset;

namespace {

using Edges = std::vector<std::pair<Tick, bool>>;

constexpr u8 control(unsigned channel, unsigned mode, bool bcd = false, unsigned rw = 3) {
  return static_cast<u8>(channel * 64 + rw * 16 + mode * 2 + bcd);
}

struct Bench {
  EventQueue events;
  Pit8254 pit{events};
  Tick tick = 0;
  Edges edges;  // of counter 0's OUT

  Bench() {
    pit.out0().connect([this](bool level, Ps now) {
      const auto at = static_cast<Tick>(Pit8254::kClock.cycles_at(now));
      edges.emplace_back(at, level);
    });
  }
  Ps now() const { return Pit8254::kClock.first_ps_of(static_cast<u64>(tick)); }
  void run_to(Tick to) {
    tick = to;
    events.run_until(now());
  }
  void run(Tick ticks) { run_to(tick + ticks); }
  void out(u64 offset, u8 value) { pit.write(offset, 1, value, now()); }
  u8 in(u64 offset) { return static_cast<u8>(pit.read(offset, 1, now())); }

  // The count reaches the counting element with the next tick.
  void program(unsigned channel, unsigned mode, unsigned count, bool bcd = false) {
    out(3, control(channel, mode, bcd));
    write_count(channel, count);
  }
  void write_count(unsigned channel, unsigned count) {
    out(channel, static_cast<u8>(count));
    out(channel, static_cast<u8>(count / 256));
  }
  unsigned latched(unsigned channel) {
    out(3, static_cast<u8>(channel * 64));
    const unsigned low = in(channel);
    return low + 256u * in(channel);
  }
  u8 status(unsigned channel) {
    out(3, static_cast<u8>(0xE0 | (2u << channel)));
    return in(channel);
  }
  bool level(unsigned channel) { return pit.out(channel, now()); }
  std::string wave(unsigned channel, unsigned ticks) {
    std::string levels;
    for (unsigned i = 0; i < ticks; ++i) {
      run(1);
      levels += level(channel) ? '^' : '_';
    }
    return levels;
  }
  void gate2(bool level) { out(4, level ? 1 : 0); }
};

}  // namespace

// --- Mode 0 ---

TEST_CASE("8254 mode 0: OUT goes high N + 1 clocks after the count was written and stays") {
  Bench b;
  b.run_to(100);
  b.program(0, 0, 4);
  CHECK(b.wave(0, 7) == "____^^^");
  CHECK(b.edges == Edges{{105, true}});
}

TEST_CASE("8254 mode 0: the counting element goes on below zero") {
  Bench b;
  b.program(0, 0, 4);
  b.run(1);
  CHECK(b.latched(0) == 4);
  b.run(4);
  CHECK(b.latched(0) == 0);
  b.run(1);
  CHECK(b.latched(0) == 0xFFFF);
}

TEST_CASE("8254 mode 0: writing the first byte stops counting and takes OUT low at once") {
  Bench b;
  b.program(0, 0, 4);
  b.run(10);
  CHECK(b.level(0));
  b.out(0, 3);
  CHECK_FALSE(b.level(0));
  b.run(100);
  CHECK_FALSE(b.level(0));
  b.out(0, 0);
  CHECK(b.wave(0, 5) == "___^^");
}

TEST_CASE("8254 mode 0: gate low suspends counting, OUT unaffected") {
  Bench b;
  b.gate2(true);
  b.program(2, 0, 4);
  b.run(2);  // loaded, and one counted
  b.gate2(false);
  b.run(50);
  CHECK(b.latched(2) == 3);
  CHECK_FALSE(b.level(2));
  b.gate2(true);
  CHECK(b.wave(2, 4) == "__^^");
  b.gate2(false);
  CHECK(b.level(2));
}

TEST_CASE(
    "8254 mode 0: a count written with gate low is loaded, and ends N clocks after the gate") {
  Bench b;
  b.program(2, 0, 3);
  b.run(20);
  CHECK(b.latched(2) == 3);
  b.gate2(true);
  CHECK(b.wave(2, 4) == "__^^");
}

// --- Mode 1 ---

TEST_CASE("8254 mode 1: the gate's rising edge gives one low pulse of N clocks") {
  Bench b;
  b.program(2, 1, 3);
  CHECK(b.wave(2, 4) == "^^^^");
  b.gate2(true);
  CHECK(b.level(2));
  CHECK(b.wave(2, 6) == "___^^^");
  b.gate2(false);
  CHECK(b.wave(2, 3) == "^^^");
}

TEST_CASE("8254 mode 1: a new trigger within the pulse begins it anew") {
  Bench b;
  b.program(2, 1, 4);
  b.gate2(true);
  b.run(3);
  b.gate2(false);
  b.gate2(true);
  CHECK(b.wave(2, 6) == "____^^");
}

TEST_CASE("8254 mode 1: a count written during the pulse waits for the next trigger") {
  Bench b;
  b.program(2, 1, 3);
  b.gate2(true);
  b.run(1);
  b.write_count(2, 5);
  CHECK(b.wave(2, 4) == "__^^");
  b.gate2(false);
  b.gate2(true);
  CHECK(b.wave(2, 7) == "_____^^");
}

// --- Mode 2 ---

TEST_CASE("8254 mode 2: OUT is low for the last of every N clocks") {
  Bench b;
  b.program(0, 2, 4);
  CHECK(b.wave(0, 13) == "^^^_^^^_^^^_^");
}

TEST_CASE("8254 mode 2: reads N down to 1") {
  Bench b;
  b.program(0, 2, 3);
  std::vector<unsigned> values;
  for (int i = 0; i < 7; ++i) {
    b.run(1);
    values.push_back(b.latched(0));
  }
  CHECK(values == std::vector<unsigned>{3, 2, 1, 3, 2, 1, 3});
}

TEST_CASE("8254 mode 2: a new count begins with the next cycle") {
  Bench b;
  b.program(0, 2, 4);
  b.run(2);
  b.write_count(0, 3);
  CHECK(b.wave(0, 9) == "^_^^_^^_^");
}

TEST_CASE("8254 mode 2: gate low takes OUT high at once, its rise reloads at the next clock") {
  Bench b;
  b.gate2(true);
  b.program(2, 2, 3);
  b.run(3);
  CHECK_FALSE(b.level(2));
  b.gate2(false);
  CHECK(b.level(2));
  CHECK(b.wave(2, 5) == "^^^^^");
  b.gate2(true);
  CHECK(b.wave(2, 6) == "^^_^^_");
}

TEST_CASE("8254 mode 2: a count written with gate low is taken by the trigger") {
  Bench b;
  b.gate2(true);
  b.program(2, 2, 5);
  b.run(2);
  b.gate2(false);
  b.write_count(2, 2);
  b.run(10);
  b.gate2(true);
  CHECK(b.wave(2, 4) == "^_^_");
}

// --- Mode 3 ---

TEST_CASE("8254 mode 3: an even count gives equal halves, an odd one a longer high half") {
  Bench b;
  b.program(0, 3, 4);
  CHECK(b.wave(0, 9) == "^^__^^__^");
  b.program(0, 3, 5);
  CHECK(b.wave(0, 11) == "^^^__^^^__^");
}

TEST_CASE("8254 mode 3: the count falls by two, from an even number") {
  Bench b;
  const auto values = [&](unsigned count) {
    std::vector<unsigned> result;
    b.program(0, 3, count);
    for (unsigned i = 0; i <= count; ++i) {
      b.run(1);
      result.push_back(b.latched(0));
    }
    return result;
  };
  CHECK(values(6) == std::vector<unsigned>{6, 4, 2, 6, 4, 2, 6});
  CHECK(values(5) == std::vector<unsigned>{4, 2, 0, 4, 2, 4});
}

TEST_CASE("8254 mode 3: a new count begins with the next half-cycle") {
  Bench b;
  b.program(0, 3, 8);
  b.run(2);
  b.write_count(0, 4);
  CHECK(b.wave(0, 9) == "^^__^^__^");
  b.program(0, 3, 8);
  b.run(6);
  b.write_count(0, 4);
  CHECK(b.wave(0, 7) == "__^^__^");
}

TEST_CASE("8254 mode 3: gate low takes OUT high, its rise begins a cycle") {
  Bench b;
  b.gate2(true);
  b.program(2, 3, 4);
  b.run(3);
  CHECK_FALSE(b.level(2));
  b.gate2(false);
  CHECK(b.level(2));
  b.run(7);
  b.gate2(true);
  CHECK(b.wave(2, 5) == "^^__^");
}

TEST_CASE("8254: modes 6 and 7 are 2 and 3, reported as written") {
  Bench b;
  b.program(0, 6, 3);
  CHECK(b.wave(0, 4) == "^^_^");
  b.program(0, 7, 4);
  CHECK(b.wave(0, 5) == "^^__^");
  CHECK((b.status(0) & 0x0E) == 0x0E);
}

// --- Modes 4 and 5 ---

TEST_CASE("8254 mode 4: one low clock N + 1 clocks after the count was written, once") {
  Bench b;
  b.program(0, 4, 3);
  CHECK(b.wave(0, 7) == "^^^_^^^");
  b.run(70000);
  CHECK(b.edges == Edges{{0, true}, {4, false}, {5, true}});
}

TEST_CASE("8254 mode 4: a new count is loaded at the next clock; its first byte changes nothing") {
  Bench b;
  b.program(0, 4, 3);
  b.run(2);
  b.out(0, 5);
  CHECK(b.wave(0, 3) == "^_^");
  b.out(0, 0);
  CHECK(b.wave(0, 7) == "^^^^^_^");
}

TEST_CASE("8254 mode 4: gate low suspends counting") {
  Bench b;
  b.gate2(true);
  b.program(2, 4, 3);
  b.run(2);
  b.gate2(false);
  CHECK(b.wave(2, 5) == "^^^^^");
  b.gate2(true);
  CHECK(b.wave(2, 3) == "^_^");
}

TEST_CASE("8254 mode 5: one low clock N + 1 clocks after the gate's rising edge") {
  Bench b;
  b.program(2, 5, 3);
  CHECK(b.wave(2, 5) == "^^^^^");
  b.gate2(true);
  CHECK(b.wave(2, 6) == "^^^_^^");
  b.gate2(false);
  b.gate2(true);
  b.run(2);
  b.gate2(false);
  b.gate2(true);
  CHECK(b.wave(2, 6) == "^^^_^^");
}

// --- Counts ---

TEST_CASE("8254: a count of 0 is 65536, in BCD 10000") {
  Bench b;
  b.program(0, 2, 0);
  b.run_to(3 * 65536 - 1);
  CHECK(b.edges.size() == 5);
  CHECK(b.edges.back() == std::pair<Tick, bool>{2 * 65536 + 1, true});
  b.edges.clear();
  const Tick begin = b.tick;
  b.program(0, 2, 0, true);
  b.run(25000);
  REQUIRE(b.edges.size() == 4);
  CHECK(b.edges[1] == std::pair<Tick, bool>{begin + 10001, true});
  CHECK(b.edges[3] == std::pair<Tick, bool>{begin + 20001, true});
}

TEST_CASE("8254: BCD counts down in decimal") {
  Bench b;
  b.program(0, 0, 0x1000, true);
  b.run(1);
  CHECK(b.latched(0) == 0x1000);
  b.run(1);
  CHECK(b.latched(0) == 0x0999);
  b.run(1000);
  CHECK(b.latched(0) == 0x9999);
}

TEST_CASE("8254: access to one byte sets the other to zero") {
  Bench b;
  b.out(3, control(0, 2, false, 1));
  b.out(0, 0x05);
  b.run(1);
  CHECK(b.in(0) == 0x05);
  CHECK(b.in(0) == 0x05);
  b.out(3, control(0, 2, false, 2));
  b.out(0, 0x05);
  b.run(1);
  CHECK(b.in(0) == 0x05);
  CHECK(b.pit.state().channels[0].counter.initial == 0x500);
}

// --- Reading ---

TEST_CASE("8254: counter latch holds the value until both bytes are read; later latches wait") {
  Bench b;
  b.program(0, 2, 0x1234);
  b.run(1);
  b.out(3, 0x00);
  b.run(0x100);
  b.out(3, 0x00);
  CHECK(b.in(0) == 0x34);
  CHECK(b.in(0) == 0x12);
  CHECK(b.in(0) == 0x34);  // live again: 0x1134
  CHECK(b.in(0) == 0x11);
}

TEST_CASE("8254: a control word releases what was latched") {
  Bench b;
  b.program(0, 2, 0x1234);
  b.run(1);
  b.out(3, 0x00);
  b.out(3, 0xC2);
  b.program(0, 2, 0x5678);
  b.run(1);
  CHECK(b.in(0) == 0x78);
  CHECK(b.in(0) == 0x56);
}

TEST_CASE("8254: the read and write byte sequences are independent") {
  Bench b;
  b.program(0, 2, 0x1234);
  b.run(1);
  CHECK(b.in(0) == 0x34);
  b.out(0, 0x78);
  CHECK(b.in(0) == 0x12);
  b.out(0, 0x56);
  CHECK(b.pit.state().channels[0].counter.count_register == 0x5678);
}

TEST_CASE("8254: read-back status: OUT, null count, and the control word's low six bits") {
  Bench b;
  b.out(3, 0x34);
  CHECK(b.status(0) == 0xF4);  // OUT high, count not written, RW 3, mode 2
  b.write_count(0, 4);
  CHECK(b.status(0) == 0xF4);  // written, not yet loaded
  b.run(1);
  CHECK(b.status(0) == 0xB4);
  b.run(3);
  CHECK(b.status(0) == 0x34);
  b.program(0, 0, 0x9, true);
  b.run(1);
  CHECK(b.status(0) == 0x31);
}

TEST_CASE("8254: read-back of status and count: the status is read first") {
  Bench b;
  b.program(0, 2, 0x1234);
  b.program(1, 3, 0x0010);
  b.run(1);
  b.out(3, 0xC6);
  b.run(3);
  CHECK(b.in(0) == 0xB4);
  CHECK(b.in(0) == 0x34);
  CHECK(b.in(0) == 0x12);
  CHECK(b.in(1) == 0xB6);
  CHECK(b.in(1) == 0x10);
  CHECK(b.in(1) == 0x00);
}

TEST_CASE("8254: read-back of the count alone latches no status, of the status alone no count") {
  Bench b;
  b.program(0, 2, 0x1234);
  b.run(1);
  b.out(3, 0xD2);
  b.run(0x200);
  CHECK(b.in(0) == 0x34);
  CHECK(b.in(0) == 0x12);
  b.out(3, 0xE2);
  CHECK(b.in(0) == 0xB4);
  CHECK(b.in(0) == 0x34);
  CHECK(b.in(0) == 0x10);
}

TEST_CASE("8254: the control port cannot be read") {
  Bench b;
  CHECK(b.in(3) == 0xFF);
}

// --- Time ---

TEST_CASE("8254: each edge of IRQ0 comes at the first picosecond of its clock") {
  EventQueue events;
  Pit8254 pit(events);
  std::vector<Ps> rises;
  pit.out0().connect([&](bool level, Ps now) {
    if (level) rises.push_back(now);
  });
  const Ps written = 123'456'789;
  const u64 tick = Pit8254::kClock.cycles_at(written);
  pit.write(3, 1, 0x34, written);
  pit.write(0, 1, 1193 % 256, written);
  pit.write(0, 1, 1193 / 256, written);
  rises.clear();
  events.run_until(kPsPerSecond);
  REQUIRE(rises.size() == 1000);
  for (u64 n = 0; n < rises.size(); ++n) {
    CHECK(rises[n] == Pit8254::kClock.first_ps_of(tick + 1 + (n + 1) * 1193));
  }
}

TEST_CASE("8254: a finished one-time count and an idle counter need no event") {
  Bench b;
  CHECK(b.events.next() == kNever);
  b.program(0, 0, 10);
  b.run(20);
  CHECK(b.events.next() == kNever);
  b.program(0, 2, 10);
  CHECK(b.events.next() != kNever);
  b.program(0, 0, 0);
  b.out(3, 0x30);  // how Linux shuts it down: mode 0, and no count
  CHECK(b.events.next() == kNever);
}

TEST_CASE("8254: a count of 1 in modes 2 and 3 is illegal and never ends in a storm of events") {
  for (unsigned mode : {2u, 3u}) {
    Bench b;
    b.program(0, mode, 1);
    b.run(5);
    CHECK(b.events.next() == kNever);
  }
}

TEST_CASE("8254: a core that lags behind another does not turn time back") {
  Bench b;
  b.program(0, 2, 100);
  b.run(50);
  const unsigned ahead = b.latched(0);
  b.tick -= 20;
  CHECK(b.latched(0) == ahead);
}

// --- Port 0x61 ---

TEST_CASE("port 0x61: bit 5 is counter 2's OUT, bit 0 its gate, bits 3:0 read back") {
  Bench b;
  b.out(4, 0xFF);
  CHECK((b.in(4) & 0xCF) == 0x0F);
  b.out(4, 0x0D);
  b.program(2, 0, 5);
  CHECK((b.in(4) & 0x2F) == 0x0D);
  b.run(6);
  CHECK((b.in(4) & 0x2F) == 0x2D);
}

TEST_CASE("port 0x61: bit 4 toggles every 15.085 us") {
  Bench b;
  unsigned toggles = 0;
  bool last = b.in(4) & 0x10;
  for (Tick t = 0; t < 18 * 100; ++t) {
    b.run(1);
    const bool level = b.in(4) & 0x10;
    toggles += level != last;
    last = level;
  }
  CHECK(toggles == 100);
}

TEST_CASE("8254: Linux's calibration against counter 2 sees 50 ms within one clock") {
  Bench b;
  b.out(4, 0x01);
  b.out(3, 0xB0);
  const unsigned latch = 1193182 / 20;
  b.out(2, latch % 256);
  b.out(2, latch / 256);
  while (!(b.in(4) & 0x20)) b.run(1);
  CHECK(b.tick == latch + 1);
}

TEST_CASE("8254: reset: no counter runs, the speaker's gate is low, IRQ0 is low") {
  Bench b;
  b.program(0, 2, 10);
  b.gate2(true);
  b.run(3);
  b.pit.reset(b.now());
  CHECK_FALSE(b.pit.out0().level());
  CHECK(b.events.next() == kNever);
  CHECK((b.in(4) & 0x0F) == 0);
  b.out(0, 0x12);  // no control word yet
  b.run(5);
  CHECK(b.latched(0) == 0);
}

TEST_CASE("8254: a restored counter goes on where the saved one was") {
  Bench a;
  a.program(2, 3, 1000);
  a.gate2(true);
  a.run(777);
  Bench b;
  b.pit.restore(a.pit.state());
  b.tick = a.tick;
  a.run(50);
  b.run(50);
  CHECK(a.latched(2) == b.latched(2));
  CHECK(a.level(2) == b.level(2));
}
