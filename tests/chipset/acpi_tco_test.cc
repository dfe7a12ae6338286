#include "model/chipset/acpi_tco.h"

#include <catch2/catch.hpp>
#include <vector>

using namespace vtsim;
using namespace vtsim::chipset;

namespace {

constexpr u64 kRld = 0, kDatIn = 2, kSts1 = 4, kSts2 = 6, kCnt1 = 8, kTmr = 0x12;
constexpr Ps kTick = AcpiTco::kTick;

struct Bench {
  EventQueue events;
  std::vector<Ps> resets;
  unsigned smis = 0;
  AcpiTco tco{events,
              [this](ResetKind kind, Ps now) {
                CHECK(kind == ResetKind::kHard);
                resets.push_back(now);
              },
              [this](Ps) { ++smis; }};
  Ps now = 0;

  void run(Ps time) {
    now += time;
    events.run_until(now);
  }
  void out(u64 offset, unsigned value) { tco.write(offset, 2, value, now); }
  unsigned in(u64 offset) { return static_cast<unsigned>(tco.read(offset, 2, now)); }
  void start(unsigned ticks) {
    out(kTmr, ticks);
    out(kRld, 1);
    out(kCnt1, 0);
  }
};

}  // namespace

TEST_CASE("TCO: halted at reset, so that nothing ever expires unless software starts it") {
  Bench b;
  CHECK(b.in(kCnt1) == 0x0800);
  CHECK(b.in(kTmr) == 0x0004);
  CHECK(b.events.next() == kNever);
}

TEST_CASE("TCO: counts down in steps of 0.6 s and shows what is left") {
  Bench b;
  b.start(10);
  CHECK(b.in(kRld) == 10);
  b.run(kTick);
  CHECK(b.in(kRld) == 9);
  b.run(8 * kTick);
  CHECK(b.in(kRld) == 1);
  CHECK((b.in(kSts1)&8) == 0);
  b.run(kTick);
  CHECK((b.in(kSts1)&8) == 8);
  CHECK(b.smis == 1);
  CHECK(b.in(kRld) == 10);
}

TEST_CASE("TCO: a reload begins the count anew") {
  Bench b;
  b.start(10);
  for (int i = 0; i < 5; ++i) {
    b.run(9 * kTick);
    b.out(kRld, 1);
  }
  CHECK((b.in(kSts1)&8) == 0);
  CHECK(b.smis == 0);
}

TEST_CASE("TCO: the second expiry resets the system if nothing forbids it") {
  for (const auto reboot : {AcpiTco::Reboot::kAllowed, AcpiTco::Reboot::kForbidden}) {
    Bench b;
    b.tco.set_reboot(reboot);
    b.start(4);
    b.run(8 * kTick - 1);
    CHECK(b.resets.empty());
    CHECK((b.in(kSts2)&2) == 0);
    b.run(1);
    CHECK((b.in(kSts2)&2) == 2);
    CHECK(b.resets.size() == (reboot == AcpiTco::Reboot::kAllowed ? 1 : 0));
  }
}

TEST_CASE("TCO: clearing TIMEOUT in time prevents the reset") {
  Bench b;
  b.tco.set_reboot(AcpiTco::Reboot::kAllowed);
  b.start(4);
  b.run(5 * kTick);
  b.out(kSts1, 8);
  b.run(4 * kTick);
  CHECK(b.resets.empty());
  CHECK((b.in(kSts1)&8) == 8);
}

TEST_CASE("TCO: halting keeps what is left") {
  Bench b;
  b.start(10);
  b.run(3 * kTick);
  b.out(kCnt1, 0x0800);
  b.run(100 * kTick);
  CHECK(b.in(kRld) == 7);
  b.out(kCnt1, 0);
  b.run(7 * kTick);
  CHECK((b.in(kSts1)&8) == 8);
}

TEST_CASE("TCO: LOCK keeps the halt bit until reset") {
  Bench b;
  b.start(10);
  b.out(kCnt1, 0x1000);
  b.out(kCnt1, 0x0800);
  CHECK(b.in(kCnt1) == 0x1000);
  b.run(10 * kTick);
  CHECK((b.in(kSts1)&8) == 8);
  b.tco.reset();
  CHECK(b.in(kCnt1) == 0x0800);
}

TEST_CASE("TCO: timer values of 0 and 1 are ignored, ten bits are kept") {
  Bench b;
  b.out(kTmr, 1);
  CHECK(b.in(kTmr) == 4);
  b.out(kTmr, 0);
  CHECK(b.in(kTmr) == 4);
  b.out(kTmr, 0xFFFF);
  CHECK(b.in(kTmr) == 0x03FF);
}

TEST_CASE("TCO: data written in raises SW_TCO_SMI") {
  Bench b;
  b.tco.write(kDatIn, 1, 0x5A, 0);
  CHECK((b.in(kSts1)&2) == 2);
  CHECK(b.smis == 1);
  CHECK(b.tco.read(kDatIn, 1, 0) == 0x5A);
}
