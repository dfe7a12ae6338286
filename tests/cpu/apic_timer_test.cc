// The local APIC timer. SDM 3A "APIC Timer", "TSC-Deadline Mode". The bench's timer clock has 40 ns
// a tick, its TSC 0.5 ns.

#include <catch2/catch.hpp>

#include "tests/cpu/apic_bench.h"

using namespace vtsim;
using namespace vtsim::cpu;
using namespace vtsim::cpu::test;

namespace {

constexpr u64 kOneShot = 0x000ee;
constexpr u64 kPeriodic = 0x200ee;
constexpr u64 kDeadline = 0x400ee;
constexpr u64 kMasked = 0x10000;
constexpr u64 kDivideBy1 = 0xb;

struct TimerBench : Bench {
  explicit TimerBench(u64 lvt, u64 divide = kDivideBy1) {
    enable_all();
    write(kDivideAt, divide);
    write(kLvtTimerAt, lvt);
  }
  // Takes the timer's interrupt if it is there.
  bool take() {
    if (!apic().interrupt_pending()) return false;
    const u8 vector = apic().acknowledge(now);
    write(kEoiAt, 0);
    return vector == 0xee;
  }
};

}  // namespace

TEST_CASE("APIC timer divide configuration: 2, 4 ... 128, 1") {
  const std::pair<u64, unsigned> rows[] = {{0x0, 2},  {0x1, 4},  {0x2, 8},   {0x3, 16},
                                           {0x8, 32}, {0x9, 64}, {0xa, 128}, {0xb, 1}};
  for (const auto& [configuration, divisor] : rows) {
    TimerBench b(kOneShot, configuration);
    b.write(kInitialCountAt, 10);
    CAPTURE(configuration);
    CHECK(b.events.next() == 10 * divisor * kTimerTick);
    b.run_until(4 * divisor * kTimerTick - 1);
    CHECK(b.read(kCurrentCountAt) == 7);
    b.run_until(4 * divisor * kTimerTick);
    CHECK(b.read(kCurrentCountAt) == 6);
  }
}

TEST_CASE(
    "APIC timer one-shot: interrupts once, exactly when the count reaches 0, and stays at 0") {
  TimerBench b(kOneShot);
  b.run_until(3 * kTimerTick + 17);
  b.write(kInitialCountAt, 1000);
  CHECK(b.read(kCurrentCountAt) == 1000);
  b.run_until(1003 * kTimerTick - 1);
  CHECK_FALSE(b.take());
  CHECK(b.read(kCurrentCountAt) == 1);
  b.run_until(1003 * kTimerTick);
  CHECK(b.take());
  CHECK(b.read(kCurrentCountAt) == 0);
  CHECK(b.read(kInitialCountAt) == 1000);
  b.run_until(5000 * kTimerTick);
  CHECK_FALSE(b.take());
  CHECK(b.events.next() == kNever);
}

TEST_CASE("APIC timer periodic: reloads and interrupts every initial count") {
  TimerBench b(kPeriodic);
  b.write(kInitialCountAt, 100);
  for (int period = 1; period <= 5; ++period) {
    const Ps due = static_cast<Ps>(period) * 100 * kTimerTick;
    CHECK(b.events.next() == due);
    b.run_until(due - 1);
    CHECK_FALSE(b.take());
    b.run_until(due);
    CHECK(b.take());
    CHECK(b.read(kCurrentCountAt) == 100);
  }
  b.run_until(530 * kTimerTick);
  CHECK(b.read(kCurrentCountAt) == 70);
}

TEST_CASE("APIC timer: writing 0 to the initial count stops it") {
  TimerBench b(kPeriodic);
  b.write(kInitialCountAt, 100);
  b.run_until(50 * kTimerTick);
  b.write(kInitialCountAt, 0);
  CHECK(b.read(kCurrentCountAt) == 0);
  b.run_until(1000 * kTimerTick);
  CHECK_FALSE(b.take());
}

TEST_CASE("APIC timer: writing the initial count starts it again") {
  TimerBench b(kOneShot);
  b.write(kInitialCountAt, 100);
  b.run_until(60 * kTimerTick);
  b.write(kInitialCountAt, 100);
  b.run_until(159 * kTimerTick);
  CHECK_FALSE(b.take());
  b.run_until(160 * kTimerTick);
  CHECK(b.take());
}

TEST_CASE("APIC timer masked: it counts and reloads, but no interrupt comes") {
  TimerBench b(kPeriodic | kMasked);
  b.write(kInitialCountAt, 100);
  CHECK(b.events.next() == kNever);
  b.run_until(1030 * kTimerTick);
  CHECK(b.read(kCurrentCountAt) == 70);
  CHECK_FALSE(b.take());
  b.write(kLvtTimerAt, kPeriodic);
  CHECK(b.events.next() == 1100 * kTimerTick);
  b.run_until(1100 * kTimerTick);
  CHECK(b.take());
}

TEST_CASE("APIC timer masked: masked within a period, it keeps the period's phase") {
  TimerBench b(kPeriodic);
  b.write(kInitialCountAt, 100);
  b.run_until(30 * kTimerTick);
  b.write(kLvtTimerAt, kPeriodic | kMasked);
  b.run_until(350 * kTimerTick);
  CHECK(b.read(kCurrentCountAt) == 50);
  b.write(kLvtTimerAt, kPeriodic);
  CHECK(b.events.next() == 400 * kTimerTick);
}

TEST_CASE("APIC timer: an expiry before an access is seen by it, although its event has not run") {
  TimerBench b(kOneShot);
  b.write(kInitialCountAt, 100);
  b.now = 101 * kTimerTick;
  b.write(kInitialCountAt, 50);
  CHECK(b.take());
  CHECK(b.events.next() == 151 * kTimerTick);
}

TEST_CASE("APIC timer masked one-shot: an expiry under the mask is lost") {
  TimerBench b(kOneShot | kMasked);
  b.write(kInitialCountAt, 100);
  b.run_until(200 * kTimerTick);
  b.write(kLvtTimerAt, kOneShot);
  CHECK(b.read(kCurrentCountAt) == 0);
  b.run_until(1000 * kTimerTick);
  CHECK_FALSE(b.take());
}

TEST_CASE("APIC timer: a new divisor changes the rate, not the count") {
  TimerBench b(kOneShot);
  b.write(kInitialCountAt, 100);
  b.run_until(40 * kTimerTick);
  b.write(kDivideAt, 0x1);  // by 4
  CHECK(b.read(kCurrentCountAt) == 60);
  b.run_until((40 + 4 * 59) * kTimerTick);
  CHECK(b.read(kCurrentCountAt) == 1);
  CHECK(b.events.next() == (40 + 4 * 60) * kTimerTick);
}

TEST_CASE("APIC timer: a new divisor starts a new tick") {
  TimerBench b(kOneShot, 0x1);  // by 4
  b.write(kInitialCountAt, 100);
  b.run_until(6 * kTimerTick);
  b.write(kDivideAt, kDivideBy1);
  CHECK(b.read(kCurrentCountAt) == 99);
  CHECK(b.events.next() == (6 + 99) * kTimerTick);
}

TEST_CASE("APIC timer: between one-shot and periodic mode the count goes on") {
  TimerBench b(kOneShot);
  b.write(kInitialCountAt, 100);
  b.run_until(70 * kTimerTick);
  b.write(kLvtTimerAt, kPeriodic);
  CHECK(b.read(kInitialCountAt) == 100);
  CHECK(b.read(kCurrentCountAt) == 30);
  b.run_until(110 * kTimerTick);
  CHECK(b.take());
  CHECK(b.read(kCurrentCountAt) == 90);
  b.write(kLvtTimerAt, kOneShot);
  b.run_until(200 * kTimerTick);
  CHECK(b.take());
  CHECK(b.read(kCurrentCountAt) == 0);
  b.write(kLvtTimerAt, kPeriodic);
  CHECK(b.read(kCurrentCountAt) == 0);
  CHECK(b.events.next() == kNever);
}

TEST_CASE("APIC timer: software disable masks it, the count goes on") {
  TimerBench b(kPeriodic);
  b.write(kInitialCountAt, 100);
  b.write(kSvrAt, 0xff);
  b.run_until(130 * kTimerTick);
  CHECK(b.read(kCurrentCountAt) == 70);
  CHECK_FALSE(b.take());
}

TEST_CASE("APIC timer: INIT stops it") {
  TimerBench b(kPeriodic);
  b.write(kInitialCountAt, 100);
  b.apic().init(b.now);
  CHECK(b.events.next() == kNever);
  CHECK(b.read(kInitialCountAt) == 0);
}

TEST_CASE("APIC timer: a count of the full 32 bits by 128 is exact") {
  TimerBench b(kOneShot, 0xa);
  b.write(kInitialCountAt, 0xffffffff);
  CHECK(b.events.next() == u64{0xffffffff} * 128 * kTimerTick);
}

// ---- TSC-deadline mode

TEST_CASE("TSC deadline: interrupts when the TSC reaches it, and reads 0 from then on") {
  TimerBench b(kDeadline);
  b.tsc.offset = 5000;
  b.apic().write_tsc_deadline(7000, b.now);
  CHECK(b.apic().tsc_deadline(b.now) == 7000);
  CHECK(b.events.next() == 2000 * OffsetTsc::kTick);
  b.run_until(2000 * OffsetTsc::kTick - 1);
  CHECK_FALSE(b.take());
  CHECK(b.apic().tsc_deadline(b.now) == 7000);
  b.run_until(2000 * OffsetTsc::kTick);
  CHECK(b.take());
  CHECK(b.apic().tsc_deadline(b.now) == 0);
  b.run_until(9000 * OffsetTsc::kTick);
  CHECK_FALSE(b.take());
}

TEST_CASE("TSC deadline: one that has passed interrupts at once") {
  TimerBench b(kDeadline);
  b.run_until(1000 * OffsetTsc::kTick);
  b.apic().write_tsc_deadline(1000, b.now);
  CHECK(b.take());
  CHECK(b.apic().tsc_deadline(b.now) == 0);
}

TEST_CASE("TSC deadline: writing 0 disarms") {
  TimerBench b(kDeadline);
  b.apic().write_tsc_deadline(1000, b.now);
  b.apic().write_tsc_deadline(0, b.now);
  CHECK(b.events.next() == kNever);
  b.run_until(5000 * OffsetTsc::kTick);
  CHECK_FALSE(b.take());
}

TEST_CASE("TSC deadline: a new one replaces the old one") {
  TimerBench b(kDeadline);
  b.apic().write_tsc_deadline(1000, b.now);
  b.apic().write_tsc_deadline(4000, b.now);
  b.run_until(3999 * OffsetTsc::kTick);
  CHECK_FALSE(b.take());
  b.run_until(4000 * OffsetTsc::kTick);
  CHECK(b.take());
}

TEST_CASE("TSC deadline: in the other modes writes are ignored and reads give 0") {
  TimerBench b(kOneShot);
  b.apic().write_tsc_deadline(1000, b.now);
  CHECK(b.apic().tsc_deadline(b.now) == 0);
  b.run_until(5000 * OffsetTsc::kTick);
  CHECK_FALSE(b.take());
}

TEST_CASE("TSC deadline: the initial count is ignored, the current count reads 0") {
  TimerBench b(kDeadline);
  b.write(kInitialCountAt, 500);
  CHECK(b.read(kInitialCountAt) == 0);
  CHECK(b.read(kCurrentCountAt) == 0);
  CHECK(b.events.next() == kNever);
}

TEST_CASE("TSC deadline: changing to or from this mode disarms the timer") {
  TimerBench b(kOneShot);
  b.write(kInitialCountAt, 500);
  b.write(kLvtTimerAt, kDeadline);
  CHECK(b.events.next() == kNever);
  b.apic().write_tsc_deadline(100000, b.now);
  b.write(kLvtTimerAt, kPeriodic);
  CHECK(b.events.next() == kNever);
  b.write(kLvtTimerAt, kDeadline);
  CHECK(b.apic().tsc_deadline(b.now) == 0);
  CHECK(b.read(kDivideAt) == kDivideBy1);
}

TEST_CASE("TSC deadline: rewriting LVT Timer without a change of mode keeps it armed") {
  TimerBench b(kDeadline);
  b.apic().write_tsc_deadline(1000, b.now);
  b.write(kLvtTimerAt, kDeadline);
  CHECK(b.apic().tsc_deadline(b.now) == 1000);
  CHECK(b.events.next() == 1000 * OffsetTsc::kTick);
}

TEST_CASE("TSC deadline: a write to the TSC moves the moment, or brings it about") {
  TimerBench b(kDeadline);
  b.apic().write_tsc_deadline(10000, b.now);
  b.tsc.offset = 4000;
  b.apic().tsc_changed(b.now);
  CHECK(b.events.next() == 6000 * OffsetTsc::kTick);
  b.tsc.offset = 20000;
  b.apic().tsc_changed(b.now);
  CHECK(b.take());
}

TEST_CASE("TSC deadline: one beyond the end of simulated time stays armed") {
  TimerBench b(kDeadline);
  b.apic().write_tsc_deadline(~u64{0}, b.now);
  CHECK(b.events.next() == kNever);
  CHECK(b.apic().tsc_deadline(b.now) == ~u64{0});
}

TEST_CASE("TSC deadline: masked, the deadline passes without an interrupt") {
  TimerBench b(kDeadline | kMasked);
  b.apic().write_tsc_deadline(1000, b.now);
  b.run_until(1000 * OffsetTsc::kTick);
  CHECK_FALSE(b.take());
  CHECK(b.apic().tsc_deadline(b.now) == 0);
}
