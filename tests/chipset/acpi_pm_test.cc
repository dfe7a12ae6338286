#include "model/chipset/acpi_pm.h"

#include <catch2/catch.hpp>
#include <utility>
#include <vector>

using namespace vtsim;
using namespace vtsim::chipset;

namespace {

constexpr u64 kSts = 0x00, kEn = 0x02, kCnt = 0x04, kTmr = 0x08, kGpeSts = 0x20, kGpeEn = 0x28,
              kSmiEn = 0x30, kSmiSts = 0x34, kGpeCntl = 0x42, kTco = 0x60, kApmCnt = 0x80,
              kApmSts = 0x81;
constexpr unsigned kTmrof = 1, kGbl = 0x20, kPwrbtn = 0x100, kRtc = 0x400, kWak = 0x8000;

struct Bench {
  EventQueue events;
  std::vector<SleepState> sleeps;
  std::vector<Ps> wakes;
  unsigned resets = 0;
  unsigned smis = 0;
  AcpiPm pm;
  Ps now = 0;

  explicit Bench(const AcpiPmConfig& config = {})
      : pm(events, config,
           {.sleep = [this](SleepState state, Ps) { sleeps.push_back(state); },
            .wake = [this](Ps when) { wakes.push_back(when); },
            .reset = [this](ResetKind, Ps) { ++resets; }}) {
    pm.smi().connect([this](bool level, Ps) { smis += level; });
  }
  void run_to(Ps when) {
    now = when;
    events.run_until(now);
  }
  void out(u64 offset, unsigned size, u64 value) { pm.write(offset, size, value, now); }
  u64 in(u64 offset, unsigned size) { return pm.read(offset, size, now); }
  void acpi_mode() { out(kApmCnt, 1, 0x02); }
  bool sci() { return pm.sci().level(); }
};

constexpr Ps at_tick(u64 tick) { return AcpiPm::kClock.first_ps_of(tick); }

}  // namespace

// --- Timer ---

TEST_CASE("PM timer: 3.579545 MHz, 24 bits") {
  Bench b;
  b.run_to(kPsPerSecond);
  CHECK(b.in(kTmr, 4) == 3'579'545);
  b.run_to(at_tick(0x100'0000) - 1);
  CHECK(b.in(kTmr, 4) == 0xFF'FFFF);
  b.run_to(at_tick(0x100'0000));
  CHECK(b.in(kTmr, 4) == 0);
  CHECK(b.in(kTmr + 1, 1) == 0);
}

TEST_CASE("PM timer: with 32 bits it goes on beyond 24") {
  AcpiPmConfig config;
  config.timer_width = AcpiPmConfig::TimerWidth::k32;
  Bench b(config);
  b.run_to(at_tick(0x123'4567));
  CHECK(b.in(kTmr, 4) == 0x123'4567);
  b.run_to(at_tick(0x8000'0000));
  CHECK((b.in(kSts, 2) & kTmrof) == kTmrof);
}

TEST_CASE("PM timer: cannot be written") {
  Bench b;
  b.run_to(kPsPerSecond);
  b.out(kTmr, 4, 0);
  CHECK(b.in(kTmr, 4) == 3'579'545);
}

TEST_CASE("PM timer: TMROF_STS is set whenever the top bit toggles, either way") {
  Bench b;
  b.run_to(at_tick(0x80'0000) - 1);
  CHECK((b.in(kSts, 2) & kTmrof) == 0);
  b.run_to(at_tick(0x80'0000));
  CHECK((b.in(kSts, 2) & kTmrof) == kTmrof);
  b.out(kSts, 2, kTmrof);
  CHECK((b.in(kSts, 2) & kTmrof) == 0);
  b.run_to(at_tick(0x100'0000));
  CHECK((b.in(kSts, 2) & kTmrof) == kTmrof);
}

TEST_CASE("PM timer: with TMROF_EN the overflow is an SCI at its very picosecond") {
  Bench b;
  CHECK(b.events.next() == kNever);
  b.acpi_mode();
  b.out(kEn, 2, kTmrof);
  CHECK(b.events.next() == at_tick(0x80'0000));
  b.run_to(at_tick(0x80'0000) - 1);
  CHECK_FALSE(b.sci());
  b.run_to(at_tick(0x80'0000));
  CHECK(b.sci());
  b.out(kSts, 2, kTmrof);
  CHECK_FALSE(b.sci());
  CHECK(b.events.next() == at_tick(0x100'0000));
}

// --- Registers ---

TEST_CASE("PM1_STS: ones clear, byte by byte; PM1_EN keeps the bits that exist") {
  Bench b;
  b.pm.press_power_button(0);
  b.pm.set_rtc_line(true, 0);
  CHECK(b.in(kSts, 2) == (kPwrbtn | kRtc));
  b.out(kSts, 1, 0xFF);
  CHECK(b.in(kSts, 2) == (kPwrbtn | kRtc));
  b.out(kSts + 1, 1, 0x01);
  CHECK(b.in(kSts, 2) == kRtc);
  b.out(kSts, 4, 0xFFFF'0400);  // also PM1_EN
  CHECK(b.in(kSts, 4) == 0x4521'0000);
}

TEST_CASE("PM1_CNT: SLP_EN and GBL_RLS read as zero, SLP_TYP reads back") {
  Bench b;
  b.out(kCnt, 2, 0x1C07);
  CHECK(b.in(kCnt, 4) == 0x1C03);
  b.out(kCnt + 1, 1, 0x04);
  CHECK(b.in(kCnt, 2) == 0x0403);
}

TEST_CASE("GPE0: status bits are cleared by ones, those that do not exist stay zero") {
  Bench b;
  b.out(kGpeEn, 8, ~u64{0});
  CHECK(b.in(kGpeEn, 8) == 0xFFFF'2FC7);
  b.pm.raise_gpe(9, 0);
  b.pm.raise_gpe(3, 0);
  CHECK(b.in(kGpeSts, 8) == 0x200);
  b.out(kGpeSts + 1, 1, 0xFF);
  CHECK(b.in(kGpeSts, 8) == 0);
}

TEST_CASE("the block's reserved ports read as zero and drop writes") {
  Bench b;
  b.out(0x14, 4, ~u64{0});
  CHECK(b.in(0x14, 4) == 0);
  b.out(0x48, 8, ~u64{0});
  CHECK(b.in(0x48, 8) == 0);
}

TEST_CASE("an access may end in the watchdog's ports") {
  Bench b;
  b.out(kTco - 2, 4, 0x5AA5'0000 | 0xFFFF);
  CHECK(b.in(kTco - 2, 8) == 0x0000'0000'0004'0000);
  b.out(kTco + 1, 2, 0x5A00);
  CHECK(b.in(kTco - 2, 8) == 0x0002'005A'0004'0000);
}

// --- SCI ---

TEST_CASE("SCI: an enabled event in ACPI mode, until its status is cleared") {
  Bench b;
  b.acpi_mode();
  b.pm.press_power_button(0);
  CHECK_FALSE(b.sci());
  b.out(kEn, 2, kPwrbtn);
  CHECK(b.sci());
  b.out(kSts, 2, kPwrbtn);
  CHECK_FALSE(b.sci());
}

TEST_CASE("SCI: a general-purpose event that is enabled, too; software can raise one") {
  Bench b;
  b.acpi_mode();
  b.out(kGpeEn, 4, 0x4);
  b.out(kGpeCntl, 1, 0x02);
  CHECK(b.sci());
  CHECK(b.in(kGpeSts, 4) == 0x4);
  b.out(kGpeSts, 4, 0x4);
  CHECK_FALSE(b.sci());
}

TEST_CASE("SCI: in legacy mode events are SMIs instead, if those are enabled") {
  Bench b;
  b.out(kEn, 2, kPwrbtn);
  b.pm.press_power_button(0);
  CHECK_FALSE(b.sci());
  CHECK(b.smis == 0);
  CHECK((b.in(kSmiSts, 4) & 0x100) == 0x100);
  b.out(kSts, 2, kPwrbtn);
  b.out(kSmiEn, 4, 0x01);
  b.pm.press_power_button(0);
  CHECK(b.smis == 1);
}

// --- ACPI mode and SMI ---

TEST_CASE("APM: the enable and disable commands set and clear SCI_EN") {
  Bench b;
  b.acpi_mode();
  CHECK((b.in(kCnt, 2) & 1) == 1);
  b.out(kApmCnt, 1, 0x55);
  CHECK((b.in(kCnt, 2) & 1) == 1);
  b.out(kApmCnt, 1, 0x03);
  CHECK((b.in(kCnt, 2) & 1) == 0);
}

TEST_CASE("APM: where firmware enables ACPI the command is only an SMI") {
  AcpiPmConfig config;
  config.acpi_enable = AcpiPmConfig::AcpiEnable::kByFirmware;
  Bench b(config);
  b.out(kSmiEn, 4, 0x21);
  b.acpi_mode();
  CHECK((b.in(kCnt, 2) & 1) == 0);
  CHECK(b.smis == 1);
  CHECK((b.in(kSmiSts, 4) & 0x20) == 0x20);
  b.out(kCnt, 2, 1);  // what the handler does
  CHECK((b.in(kCnt, 2) & 1) == 1);
}

TEST_CASE("APM: an SMI needs both APMC_EN and GBL_SMI_EN; each write is one") {
  Bench b;
  for (const unsigned enables : {0x00u, 0x01u, 0x20u}) {
    b.out(kSmiEn, 4, enables);
    b.out(kApmCnt, 1, 0x10);
  }
  CHECK(b.smis == 0);
  b.out(kSmiEn, 4, 0x21);
  b.out(kApmCnt, 1, 0x10);
  b.out(kApmCnt, 1, 0x10);
  CHECK(b.smis == 2);
  b.out(kSmiSts, 4, 0x20);
  CHECK((b.in(kSmiSts, 4) & 0x20) == 0);
}

TEST_CASE("APM: both ports hold what is written, together or apart") {
  Bench b;
  b.out(kApmCnt, 2, 0xA510);
  CHECK(b.in(kApmCnt, 1) == 0x10);
  CHECK(b.in(kApmSts, 1) == 0xA5);
  CHECK(b.in(kApmCnt, 2) == 0xA510);
}

TEST_CASE("SMI_EN: without system-management mode APMC_EN is set at reset") {
  AcpiPmConfig config;
  config.smm = AcpiPmConfig::Smm::kAbsent;
  CHECK((Bench(config).in(kSmiEn, 4) & 0x20) == 0x20);
  CHECK((Bench().in(kSmiEn, 4) & 0x20) == 0x00);
}

TEST_CASE("GBL_RLS is an SMI for firmware, BIOS_RLS an event for the system") {
  Bench b;
  b.out(kSmiEn, 4, 0x05);
  b.out(kCnt, 2, 0x04);
  CHECK(b.smis == 1);
  CHECK((b.in(kSmiSts, 4) & 0x04) == 0x04);
  b.acpi_mode();
  b.out(kEn, 2, kGbl);
  b.out(kSmiEn, 4, 0x85);
  CHECK(b.sci());
  CHECK((b.in(kSmiEn, 4) & 0x80) == 0);
}

// --- Sleep ---

TEST_CASE("SLP_EN turns off or suspends as SLP_TYP says, in QEMU's and the ICH9's numbers") {
  using enum SleepState;
  const std::vector<std::pair<unsigned, SleepState>> types = {{0, kS5}, {1, kS3}, {2, kS4},
                                                              {5, kS3}, {6, kS4}, {7, kS5}};
  for (const auto& [type, state] : types) {
    Bench b;
    b.out(kCnt, 2, type * 0x400);
    CHECK(b.sleeps.empty());
    b.out(kCnt, 2, 0x2000 + type * 0x400);
    CHECK(b.sleeps == std::vector<SleepState>{state});
  }
  Bench b;
  b.out(kCnt, 2, 0x2000 + 3 * 0x400);
  CHECK(b.sleeps.empty());
}

TEST_CASE("SLP_EN is an SMI where firmware asked for it") {
  Bench b;
  b.out(kSmiEn, 4, 0x11);
  b.out(kCnt, 2, 0x2000);
  CHECK(b.sleeps.empty());
  CHECK(b.smis == 1);
  CHECK((b.in(kSmiSts, 4) & 0x10) == 0x10);
}

TEST_CASE("S3: an enabled RTC alarm wakes, a disabled one does not") {
  for (const unsigned enable : {0u, kRtc}) {
    Bench b;
    b.out(kEn, 2, enable);
    b.out(kCnt, 2, 0x2400);
    b.pm.set_rtc_line(true, 77);
    CHECK(b.wakes == (enable ? std::vector<Ps>{77} : std::vector<Ps>{}));
    CHECK((b.in(kSts, 2) & kWak) == (enable ? kWak : 0));
  }
}

TEST_CASE("S3: the power button wakes without being enabled; awake it wakes nobody") {
  Bench b;
  b.pm.press_power_button(1);
  b.out(kSts, 2, kPwrbtn);
  CHECK(b.wakes.empty());
  b.out(kCnt, 2, 0x2400);
  b.pm.press_power_button(2);
  CHECK(b.wakes == std::vector<Ps>{2});
}

TEST_CASE("S3: the reset that ends it keeps the block's contents, another one does not") {
  Bench b;
  b.out(kEn, 2, kRtc);
  b.out(kCnt, 2, 0x2400);
  b.pm.set_rtc_line(true, 5);
  b.pm.reset(6);
  CHECK((b.in(kSts, 2) & (kWak | kRtc)) == (kWak | kRtc));
  CHECK(b.in(kCnt, 2) == 0x0400);
  b.pm.reset(7);
  CHECK(b.in(kSts, 2) == 0);
  CHECK(b.in(kEn, 2) == 0);
  CHECK(b.in(kCnt, 2) == 0);
}

TEST_CASE("RTC_STS is set by the rise of the RTC's line, once") {
  Bench b;
  b.pm.set_rtc_line(true, 0);
  b.out(kSts, 2, kRtc);
  b.pm.set_rtc_line(true, 0);
  CHECK((b.in(kSts, 2) & kRtc) == 0);
  b.pm.set_rtc_line(false, 0);
  b.pm.set_rtc_line(true, 0);
  CHECK((b.in(kSts, 2) & kRtc) == kRtc);
}

// --- Watchdog ---

TEST_CASE("the watchdog answers at 0x60, raises SMIs by TCO_EN and resets if allowed") {
  Bench b;
  b.pm.tco().set_reboot(AcpiTco::Reboot::kAllowed);
  b.out(kSmiEn, 4, 0x2001);
  b.out(kTco + 0x12, 2, 4);
  b.out(kTco, 2, 1);
  b.out(kTco + 8, 2, 0);
  b.run_to(4 * AcpiTco::kTick);
  CHECK(b.smis == 1);
  CHECK((b.in(kSmiSts, 4) & 0x2000) == 0x2000);
  CHECK((b.in(kTco + 4, 2) & 8) == 8);
  b.run_to(8 * AcpiTco::kTick);
  CHECK(b.resets == 1);
}

TEST_CASE("a restored block shows the same registers") {
  Bench a;
  a.acpi_mode();
  a.out(kEn, 2, kPwrbtn);
  a.pm.press_power_button(0);
  Bench b;
  b.pm.restore(a.pm.state());
  CHECK(b.in(kSts, 8) == a.in(kSts, 8));
}

TEST_CASE("S3: IRQ8 ends it only with RTC_EN") {
  Bench b;
  b.acpi_mode();
  CHECK_FALSE(b.pm.wakes_on_rtc());
  b.out(kCnt, 2, 0x2401);  // SLP_EN, SLP_TYP 1, SCI_EN
  CHECK(b.pm.is_suspended());
  b.pm.set_rtc_line(true, 0);
  CHECK(b.wakes.empty());
  b.pm.set_rtc_line(false, 0);
  b.out(kSts, 2, kRtc);
  b.out(kEn, 2, kRtc);
  CHECK(b.pm.wakes_on_rtc());
  b.pm.set_rtc_line(true, 7);
  CHECK(b.wakes == std::vector<Ps>{7});
}
