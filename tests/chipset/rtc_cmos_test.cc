#include "model/chipset/rtc_cmos.h"

#include <catch2/catch.hpp>
#include <vector>

using namespace vtsim;
using namespace vtsim::chipset;

namespace {

constexpr Ps kSecond = kPsPerSecond;
constexpr Ps kMs = kSecond / 1000;
constexpr Ps kUs = kMs / 1000;

constexpr u8 kSec = 0, kMin = 2, kHour = 4, kWday = 6;
constexpr u8 kA = 0x0A, kB = 0x0B, kC = 0x0C, kD = 0x0D;

constexpr u8 kSet = 0x80, kPie = 0x40, kAie = 0x20, kUie = 0x10, kBinary = 0x04, k24 = 0x02;

CmosSetup setup_with(DateTime date) {
  CmosSetup setup;
  setup.date = date;
  return setup;
}

struct Bench {
  EventQueue events;
  RtcCmos rtc;
  Ps now = 0;
  std::vector<Ps> rises;  // of IRQ8

  explicit Bench(const CmosSetup& setup = {}) : rtc(events, setup) {
    rtc.interrupt().connect([this](bool level, Ps when) {
      if (level) rises.push_back(when);
    });
  }
  void run_to(Ps when) {
    now = when;
    events.run_until(when);
  }
  void run(Ps time) { run_to(now + time); }
  u8 get(u8 index) {
    rtc.write(0, 1, index, now);
    return static_cast<u8>(rtc.read(1, 1, now));
  }
  void put(u8 index, u8 value) {
    rtc.write(0, 1, index, now);
    rtc.write(1, 1, value, now);
  }
  void set_time(u8 hour, u8 minute, u8 second) {
    put(kHour, hour);
    put(kMin, minute);
    put(kSec, second);
  }
  std::vector<unsigned> date() {
    std::vector<unsigned> bytes;
    for (const u8 i : std::initializer_list<u8>{0x32, 0x09, 0x08, 0x07, 0x06, 0x04, 0x02, 0x00})
      bytes.push_back(get(i));
    return bytes;
  }
};

using Bytes = std::vector<unsigned>;

}  // namespace

TEST_CASE("RTC: shows the date given at power-on, in BCD and 24 hours, with its weekday") {
  Bench b(setup_with({2024, 2, 29, 17, 45, 9}));  // a Thursday
  CHECK(b.date() == Bytes{0x20, 0x24, 0x02, 0x29, 5, 0x17, 0x45, 0x09});
  Bench c(setup_with({2000, 1, 1, 0, 0, 0}));  // a Saturday
  CHECK(c.get(kWday) == 7);
  Bench d(setup_with({1995, 12, 31, 23, 59, 59}));  // a Sunday
  CHECK(d.get(kWday) == 1);
}

TEST_CASE("RTC: time advances with simulated time, once a second") {
  Bench b(setup_with({2025, 1, 1, 0, 0, 58}));
  b.run(kSecond - 1);
  CHECK(b.get(kSec) == 0x58);
  b.run(1);
  CHECK(b.get(kSec) == 0x59);
  b.run(3600 * kSecond);
  CHECK(b.date() == Bytes{0x20, 0x25, 0x01, 0x01, 4, 0x01, 0x00, 0x59});
}

TEST_CASE("RTC: a date may be given as seconds since 1970") {
  CHECK(Bench(setup_with(date_of(0))).date() == Bytes{0x19, 0x70, 1, 1, 5, 0, 0, 0});
  CHECK(Bench(setup_with(date_of(951'868'799))).date() ==
        Bytes{0x20, 0x00, 2, 0x29, 3, 0x23, 0x59, 0x59});
  CHECK(Bench(setup_with(date_of(1'735'689'600))).date() == Bytes{0x20, 0x25, 1, 1, 4, 0, 0, 0});
}

TEST_CASE("RTC: months, leap years, years and centuries roll over") {
  struct Case {
    DateTime before;
    Bytes after;
  };
  const std::vector<Case> cases = {
      {{2025, 4, 30, 23, 59, 59}, {0x20, 0x25, 0x05, 0x01, 5, 0, 0, 0}},
      {{2024, 2, 28, 23, 59, 59}, {0x20, 0x24, 0x02, 0x29, 5, 0, 0, 0}},
      {{2023, 2, 28, 23, 59, 59}, {0x20, 0x23, 0x03, 0x01, 4, 0, 0, 0}},
      {{2000, 2, 28, 23, 59, 59}, {0x20, 0x00, 0x02, 0x29, 3, 0, 0, 0}},
      {{2100, 2, 28, 23, 59, 59}, {0x21, 0x00, 0x03, 0x01, 2, 0, 0, 0}},
      {{1999, 12, 31, 23, 59, 59}, {0x20, 0x00, 0x01, 0x01, 7, 0, 0, 0}},
  };
  for (const Case& c : cases) {
    Bench b(setup_with(c.before));
    b.run(kSecond);
    CHECK(b.date() == c.after);
  }
}

TEST_CASE("RTC: with DM set the bytes count in binary") {
  Bench b;
  b.put(kB, kSet | kBinary | k24);
  b.set_time(22, 59, 59);
  b.put(kB, kBinary | k24);
  b.run(kSecond);
  CHECK(b.get(kHour) == 23);
  CHECK(b.get(kMin) == 0);
  b.put(kMin, 29);
  b.run(60 * kSecond);
  CHECK(b.get(kMin) == 30);
}

TEST_CASE("RTC: in 12-hour mode bit 7 is PM and midnight is 12 AM") {
  Bench b;
  struct Case {
    u8 before, after;
  };
  for (const Case& c :
       {Case{0x11, 0x92}, Case{0x92, 0x81}, Case{0x91, 0x12}, Case{0x12, 0x01}, Case{0x09, 0x10}}) {
    b.put(kB, 0);
    b.set_time(c.before, 0x59, 0x59);
    b.run(kSecond);
    CHECK(b.get(kHour) == c.after);
  }
}

TEST_CASE("RTC: SET stops updates and clears UIE; the divider goes on") {
  Bench b(setup_with({2025, 1, 1, 0, 0, 0}));
  b.run(300 * kMs);
  b.put(kB, kSet | kUie | k24);
  CHECK(b.get(kB) == (kSet | k24));
  b.run(10 * kSecond);
  CHECK(b.get(kSec) == 0x00);
  CHECK((b.get(kC) & kUie) == 0);
  b.put(kSec, 0x30);
  b.put(kB, k24);
  b.run(699 * kMs);
  CHECK(b.get(kSec) == 0x30);
  b.run(1 * kMs);
  CHECK(b.get(kSec) == 0x31);
}

TEST_CASE("RTC: the first update comes half a second after the divider leaves reset") {
  Bench b;
  b.run(123 * kMs);
  b.put(kA, 0x70);
  b.run(20 * kSecond);
  CHECK(b.get(kSec) == 0x00);
  b.put(kA, 0x26);
  b.run(kSecond / 2 - 1);
  CHECK(b.get(kSec) == 0x00);
  b.run(1);
  CHECK(b.get(kSec) == 0x01);
  b.run(kSecond);
  CHECK(b.get(kSec) == 0x02);
}

TEST_CASE("RTC: UIP is set from 244 us before the update begins until it ends, 1984 us later") {
  Bench b;
  b.run_to(kSecond - 2260 * kUs);
  CHECK(b.get(kA) == 0x26);
  b.run_to(kSecond - 2190 * kUs);
  CHECK(b.get(kA) == 0xA6);
  b.run_to(kSecond - 1);
  CHECK(b.get(kA) == 0xA6);
  b.run_to(kSecond);
  CHECK(b.get(kA) == 0x26);
  b.put(kB, kSet | k24);
  b.run_to(2 * kSecond - 1);
  CHECK(b.get(kA) == 0x26);
}

TEST_CASE("RTC: UIP cannot be written") {
  Bench b;
  b.put(kA, 0xA6);
  CHECK(b.get(kA) == 0x26);
}

TEST_CASE("RTC: the periodic rates are 2^(RS - 1) ticks of 32.768 kHz, RS 1 and 2 being 8 and 9") {
  struct Case {
    u8 rs;
    u64 hz;
  };
  for (const Case& c : {Case{1, 256}, Case{2, 128}, Case{3, 8192}, Case{4, 4096}, Case{6, 1024},
                        Case{8, 256}, Case{9, 128}, Case{13, 8}, Case{15, 2}}) {
    Bench b;
    b.put(kA, static_cast<u8>(0x20 | c.rs));
    b.put(kB, kPie | k24);
    u64 count = 0;
    for (Ps when = b.events.next(); when <= kSecond; when = b.events.next()) {
      b.run_to(when);
      CHECK((b.get(kC) & 0xC0) == 0xC0);
      ++count;
    }
    CHECK(count == c.hz);
    CHECK(b.rises.size() == c.hz);
  }
}

TEST_CASE("RTC: RS 0 gives no periodic interrupt") {
  Bench b;
  b.put(kA, 0x20);
  b.put(kB, kPie | k24);
  CHECK(b.events.next() == kNever);
  b.run(kSecond * 5 / 2);
  CHECK((b.get(kC) & kPie) == 0);
}

TEST_CASE("RTC: register C holds the flags until it is read, which drops IRQ8") {
  Bench b;
  b.put(kB, kUie | k24);
  b.run(3 * kSecond);
  CHECK(b.rises == std::vector<Ps>{kSecond});
  CHECK(b.rtc.interrupt().level());
  CHECK(b.get(kC) == 0xD0);  // IRQF, UF, and PF without its enable
  CHECK_FALSE(b.rtc.interrupt().level());
  CHECK(b.get(kC) == 0x00);
  b.run(kSecond);
  CHECK(b.rises == std::vector<Ps>{kSecond, 4 * kSecond});
}

TEST_CASE("RTC: flags are set without their enables, IRQF is not") {
  Bench b;
  b.put(1, 0xFF);
  b.put(3, 0xFF);
  b.put(5, 0xFF);
  b.run(kSecond);
  CHECK(b.get(kC) == 0x70);
  CHECK(b.rises.empty());
  CHECK(b.events.next() == kNever);
}

TEST_CASE("RTC: enabling an interrupt whose flag is set raises IRQ8 at once") {
  Bench b;
  b.run(kSecond);
  b.put(kB, kUie | k24);
  CHECK(b.rises == std::vector<Ps>{kSecond});
}

TEST_CASE("RTC: the alarm fires when hours, minutes and seconds match") {
  Bench b(setup_with({2025, 6, 15, 11, 59, 50}));
  b.put(1, 0x05);
  b.put(3, 0x00);
  b.put(5, 0x12);
  b.put(kB, kAie | k24);
  b.run(60 * kSecond);
  CHECK(b.rises == std::vector<Ps>{15 * kSecond});
  CHECK((b.get(kC) & kAie) != 0);
}

TEST_CASE("RTC: an alarm byte with bits 7:6 set matches anything") {
  Bench b(setup_with({2025, 6, 15, 11, 59, 50}));
  b.put(1, 0x05);
  b.put(3, 0xC0);
  b.put(5, 0xFF);
  b.put(kB, kAie | k24);
  for (Ps when = 15 * kSecond; when < 300 * kSecond; when += 60 * kSecond) {
    b.run_to(when - 1);
    CHECK((b.get(kC) & kAie) == 0);
    b.run_to(when);
    CHECK((b.get(kC) & kAie) != 0);
  }
}

TEST_CASE("RTC: the date alarm of register D restricts the alarm to a day; 0 means any") {
  Bench b(setup_with({2025, 6, 15, 23, 59, 58}));
  b.put(1, 0xFF);
  b.put(3, 0xFF);
  b.put(5, 0xFF);
  b.put(kD, 0x16);
  CHECK(b.get(kD) == 0x96);
  b.put(kB, kAie | k24);
  b.run(10 * kSecond);
  CHECK(b.rises == std::vector<Ps>{2 * kSecond});
}

TEST_CASE("RTC: register C is read-only, VRT is always set") {
  Bench b;
  b.put(kC, 0xFF);
  CHECK(b.get(kC) == 0x00);
  b.put(kD, 0x00);
  CHECK(b.get(kD) == 0x80);
}

TEST_CASE("RTC: bit 7 of port 0x70 masks NMIs and is no part of the index") {
  Bench b;
  CHECK(b.rtc.nmi_masked());
  b.rtc.write(0, 1, 0x0F, 0);
  CHECK_FALSE(b.rtc.nmi_masked());
  b.rtc.write(1, 1, 0x0A, 0);
  b.rtc.write(0, 1, 0x8F, 0);
  CHECK(b.rtc.nmi_masked());
  CHECK(b.rtc.read(1, 1, 0) == 0x0A);
  CHECK(b.rtc.read(0, 1, 0) == 0xFF);
}

TEST_CASE("CMOS: ports 0x72 and 0x73 reach 128 bytes of their own") {
  Bench b;
  b.put(0x40, 0x11);
  b.rtc.write(2, 1, 0xC0, 0);
  b.rtc.write(3, 1, 0x22, 0);
  CHECK(b.rtc.read(2, 1, 0) == 0x40);
  CHECK(b.rtc.read(3, 1, 0) == 0x22);
  CHECK(b.get(0x40) == 0x11);
}

TEST_CASE("CMOS: memory sizes where SeaBIOS and OVMF look for them") {
  CmosSetup setup;
  setup.memory_below_4g = u64{2} << 30;
  setup.memory_above_4g = u64{6} << 30;
  setup.cores = 4;
  Bench b(setup);
  CHECK(b.get(0x15) + 256 * b.get(0x16) == 640);
  CHECK(b.get(0x17) + 256 * b.get(0x18) == 0xFFFF);  // KiB above 1 MiB, saturated
  CHECK(b.get(0x30) + 256 * b.get(0x31) == 0xFFFF);
  CHECK(b.get(0x34) + 256 * b.get(0x35) == (2048 - 16) * 16);
  CHECK(b.get(0x5B) + 256 * b.get(0x5C) + 65536 * b.get(0x5D) == 6 * 16384);
  CHECK(b.get(0x5F) == 3);
}

TEST_CASE("CMOS: small memories do not underflow the sizes above 1 and 16 MiB") {
  CmosSetup setup;
  setup.memory_below_4g = u64{8} << 20;
  Bench b(setup);
  CHECK(b.get(0x17) + 256 * b.get(0x18) == 7 * 1024);
  CHECK(b.get(0x34) + 256 * b.get(0x35) == 0);
}

TEST_CASE("CMOS: boot order: the first two in 0x3D, the third in 0x38") {
  CmosSetup setup;
  setup.boot_order = {BootDevice::kCdrom, BootDevice::kDisk, BootDevice::kNetwork};
  Bench b(setup);
  CHECK(b.get(0x3D) == 0x23);
  CHECK(b.get(0x38) == 0x40);
  CHECK(b.get(0x14) == 0x06);  // FPU, PS/2 mouse, no floppies
  CHECK(b.get(0x0F) == 0x00);
}

TEST_CASE("RTC: reset clears interrupt enables and flags, and keeps time and RAM") {
  Bench b(setup_with({2025, 1, 1, 0, 0, 0}));
  b.put(kB, kPie | kAie | kUie | 0x08 | k24);
  b.put(0x0F, 0x0A);
  b.run(2 * kSecond);
  b.rtc.reset(b.now);
  CHECK_FALSE(b.rtc.interrupt().level());
  CHECK(b.get(kB) == k24);
  CHECK(b.get(kC) == 0x00);
  CHECK(b.get(0x0F) == 0x0A);
  CHECK(b.get(kSec) == 0x02);
  CHECK(b.events.next() == kNever);
}

TEST_CASE("RTC: a restored clock goes on where the saved one was") {
  Bench a;
  a.put(kA, 0x2F);
  a.run(kSecond * 13 / 2);
  a.get(kC);
  Bench b;
  b.rtc.restore(a.rtc.state());
  b.now = a.now;
  a.run(kSecond);
  b.run(kSecond);
  CHECK(a.date() == b.date());
  CHECK(b.get(kC) == a.get(kC));
}

TEST_CASE("RTC: kvm-unit-tests' s3 arms an alarm for the next second like this") {
  Bench b;
  while ((b.get(kA) & 0x80) == 0) b.run(10 * kUs);
  while ((b.get(kA) & 0x80) != 0) b.run(10 * kUs);
  b.get(kC);
  for (u8 alarm : std::initializer_list<u8>{1, 3, 5}) b.put(alarm, 0xC0);
  b.put(kB, static_cast<u8>(b.get(kB) | kAie));
  b.run(kSecond);
  CHECK(b.rises == std::vector<Ps>{2 * kSecond});
}

TEST_CASE("RTC: may interrupt while an enabled flag is yet to be set, and IRQ8 is low") {
  Bench b;
  CHECK_FALSE(b.rtc.may_interrupt());
  for (u8 alarm : std::initializer_list<u8>{1, 3, 5}) b.put(alarm, 0xC0);
  b.put(kB, static_cast<u8>(b.get(kB) | kAie));
  CHECK(b.rtc.may_interrupt());
  b.run(2 * kSecond);
  CHECK(b.rises.size() == 1);
  CHECK_FALSE(b.rtc.may_interrupt());  // until register C is read
  b.get(kC);
  CHECK(b.rtc.may_interrupt());
}
