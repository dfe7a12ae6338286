// The local APIC by itself: registers, modes, priorities, local sources, errors.
// Expected values: SDM 3A "Advanced Programmable Interrupt Controller (APIC)".

#include <catch2/catch.hpp>

#include "tests/cpu/apic_bench.h"

using namespace vtsim;
using namespace vtsim::cpu;
using vtsim::cpu::test::Bench;
using namespace vtsim::cpu::test;

namespace {

constexpr MsrStatus kGpFault = MsrStatus::kGeneralProtection;

u64 with_mode(u64 base, u64 mode) { return (base & ~u64{0xc00}) | mode; }
constexpr u64 kDisabled = 0x000;
constexpr u64 kInvalid = 0x400;
constexpr u64 kXapic = 0x800;
constexpr u64 kX2apic = 0xc00;

}  // namespace

TEST_CASE("APIC after power-up: the register values of the manual") {
  Bench b(2);
  CHECK(b.apic(0).apic_base() == 0xfee00900);
  CHECK(b.apic(1).apic_base() == 0xfee00800);
  CHECK(b.read(kIdAt, 1) == 0x01000000);
  CHECK(b.read(kTprAt) == 0);
  CHECK(b.read(kPprAt) == 0);
  CHECK(b.read(kLdrAt) == 0);
  CHECK(b.read(kDfrAt) == 0xffffffff);
  CHECK(b.read(kSvrAt) == 0xff);
  CHECK(b.read(kEsrAt) == 0);
  CHECK(b.read(kIcrLowAt) == 0);
  CHECK(b.read(kIcrHighAt) == 0);
  for (u64 at : {kLvtCmciAt, kLvtTimerAt, kLvtThermalAt, kLvtPerformanceAt, kLvtLint0At,
                 kLvtLint1At, kLvtErrorAt}) {
    CAPTURE(at);
    CHECK(b.read(at) == 0x10000);
  }
  CHECK(b.read(kInitialCountAt) == 0);
  CHECK(b.read(kCurrentCountAt) == 0);
  CHECK(b.read(kDivideAt) == 0);
  for (u64 at = kIsrAt; at < kEsrAt; at += 16) CHECK(b.read(at) == 0);
  CHECK_FALSE(b.apic().interrupt_pending());
}

TEST_CASE("APIC version: version, maximum LVT entry and EOI-broadcast suppression") {
  Bench modern(1);
  CHECK(modern.read(kVersionAt) == 0x01060015);
  LocalApicConfig old;
  old.version = 0x14;
  old.max_lvt = 5;
  old.eoi_broadcast_suppression = false;
  Bench penryn(std::vector<LocalApicConfig>{old});
  CHECK(penryn.read(kVersionAt) == 0x00050014);
}

TEST_CASE("APIC without LVT CMCI: its register is reserved") {
  LocalApicConfig old;
  old.max_lvt = 5;
  Bench b(std::vector<LocalApicConfig>{old});
  CHECK(b.read(kLvtCmciAt) == 0);
  b.write(kEsrAt, 0);
  CHECK(b.read(kEsrAt) == 0x80);
}

TEST_CASE("APR and RRD read as 0 and are no illegal addresses") {
  Bench b;
  for (u64 at : std::initializer_list<u64>{0x90, 0xc0}) {
    b.write(at, 0xff);
    CHECK(b.read(at) == 0);
  }
  b.write(kEsrAt, 0);
  CHECK(b.read(kEsrAt) == 0);
}

TEST_CASE("APIC ID is writable before Nehalem; x2APIC mode knows the initial one, INIT keeps it") {
  auto configs = Bench::plain(2);
  configs[1].id_writable = true;
  Bench b(configs);
  b.write(kIdAt, 0x05ffffff, 1);
  CHECK(b.read(kIdAt, 1) == 0x05000000);
  b.enable_all();
  b.message(0x55, DeliveryMode::kFixed, 5);
  CHECK(b.holders(0x55) == 0b10);
  b.apic(1).init(0);
  CHECK(b.apic(1).id() == 5);
  b.enter_x2apic(1);
  CHECK(b.apic(1).id() == 1);
}

TEST_CASE("APIC ID is read-only on the xAPIC page") {
  Bench b(2);
  b.write(kIdAt, 0x05000000, 1);
  CHECK(b.read(kIdAt, 1) == 0x01000000);
}

// ---- IA32_APIC_BASE

TEST_CASE("IA32_APIC_BASE: every transition between the modes is allowed or #GP as in the manual") {
  struct Row {
    std::vector<u64> path;  // modes to walk through first
    u64 next;
    bool allowed;
  };
  const Row rows[] = {
      {{kXapic}, kDisabled, true},
      {{kXapic}, kXapic, true},
      {{kXapic}, kX2apic, true},
      {{kXapic}, kInvalid, false},
      {{kDisabled}, kDisabled, true},
      {{kDisabled}, kXapic, true},
      {{kDisabled}, kX2apic, false},
      {{kDisabled}, kInvalid, false},
      {{kX2apic}, kDisabled, true},
      {{kX2apic}, kX2apic, true},
      {{kX2apic}, kXapic, false},
      {{kX2apic}, kInvalid, false},
      {{kX2apic, kDisabled}, kXapic, true},
      {{kX2apic, kDisabled}, kX2apic, false},
      {{kX2apic, kDisabled, kXapic}, kX2apic, true},
  };
  for (const Row& row : rows) {
    Bench b;
    LocalApic& apic = b.apic();
    for (u64 mode : row.path) {
      REQUIRE(apic.write_apic_base(with_mode(apic.apic_base(), mode), 0) == MsrStatus::kOk);
    }
    const u64 before = apic.apic_base();
    CAPTURE(row.path, row.next);
    const MsrStatus status = apic.write_apic_base(with_mode(before, row.next), 0);
    CHECK(status == (row.allowed ? MsrStatus::kOk : kGpFault));
    CHECK(apic.apic_base() == (row.allowed ? with_mode(before, row.next) : before));
  }
}

TEST_CASE("IA32_APIC_BASE: reserved bits raise #GP") {
  LocalApicConfig config;
  config.physical_address_bits = 40;
  Bench b(std::vector<LocalApicConfig>{config});
  const u64 base = b.apic().apic_base();
  for (unsigned n : {0U, 1U, 7U, 9U, 40U, 51U, 63U}) {
    CAPTURE(n);
    CHECK(b.apic().write_apic_base(base | u64{1} << n, 0) == kGpFault);
  }
  CHECK(b.apic().write_apic_base(base | u64{1} << 39, 0) == MsrStatus::kOk);
}

TEST_CASE("IA32_APIC_BASE: without x2APIC support, EXTD is reserved") {
  LocalApicConfig config;
  config.x2apic = false;
  Bench b(std::vector<LocalApicConfig>{config});
  CHECK(b.apic().write_apic_base(0xfee00c00, 0) == kGpFault);
}

TEST_CASE("IA32_APIC_BASE: the page follows the base address, and only in xAPIC mode") {
  Bench b;
  CHECK(b.apic().claims(Hpa(0xfee00000)));
  CHECK_FALSE(b.apic().claims(Hpa(0xfee01000)));
  REQUIRE(b.apic().write_apic_base(0xfed40900, 0) == MsrStatus::kOk);
  CHECK(b.apic().claims(Hpa(0xfed40000)));
  CHECK_FALSE(b.apic().claims(Hpa(0xfee00000)));
  REQUIRE(b.apic().write_apic_base(0xfed40d00, 0) == MsrStatus::kOk);
  CHECK_FALSE(b.apic().claims(Hpa(0xfed40000)));
  REQUIRE(b.apic().write_apic_base(0xfed40100, 0) == MsrStatus::kOk);
  CHECK_FALSE(b.apic().claims(Hpa(0xfed40000)));
}

TEST_CASE("IA32_APIC_BASE: disabling loses the registers, enabling again starts as after reset") {
  Bench b;
  b.enable_all();
  b.write(kLvtTimerAt, 0x20040 & 0x400ff);
  b.write(kLdrAt, 0x01000000);
  b.message(0x55);
  REQUIRE(b.apic().interrupt_pending());
  REQUIRE(b.apic().write_apic_base(0xfee00100, 0) == MsrStatus::kOk);
  CHECK_FALSE(b.apic().interrupt_pending());
  b.message(0x66);
  CHECK(b.holders(0x66) == 0);
  REQUIRE(b.apic().write_apic_base(0xfee00900, 0) == MsrStatus::kOk);
  CHECK(b.read(kSvrAt) == 0xff);
  CHECK(b.read(kLdrAt) == 0);
  CHECK(b.read(kLvtTimerAt) == 0x10000);
  CHECK(b.holders(0x55) == 0);
}

TEST_CASE("xAPIC to x2APIC: the high half of the ICR is not preserved") {
  Bench b;
  b.enable_all();
  b.send_xapic_ipi(0x4440, 3);
  b.enter_x2apic();
  CHECK(b.rdmsr(0x830) == 0x4440);
}

TEST_CASE("xAPIC to x2APIC: the registers keep their values, the LDR is derived from the ID") {
  auto configs = Bench::plain(1);
  configs[0].apic_id = 0x12345;
  Bench b(configs);
  CHECK(b.read(kIdAt) == 0x45000000);
  b.enable_all();
  b.write(kLvtThermalAt, 0xfa);
  b.write(kTprAt, 0x40);
  b.message(0x39, DeliveryMode::kFixed, 0x45);
  b.enter_x2apic();
  CHECK(b.rdmsr(0x802) == 0x12345);
  CHECK(b.rdmsr(0x80d) == (0x12340 << 12 | 1 << 5));
  CHECK(b.rdmsr(0x80f) == 0x1ff);
  CHECK(b.rdmsr(0x833) == 0xfa);
  CHECK(b.rdmsr(0x808) == 0x40);
  CHECK(b.rdmsr(0x821) == u32{1} << 25);
}

TEST_CASE("INIT: registers as after power-up, but ID, base and mode stay") {
  for (bool x2apic : {false, true}) {
    Bench b(2);
    b.enable_all();
    if (x2apic) b.x2apic_all();
    b.message(0x77, DeliveryMode::kFixed, 1);
    REQUIRE(b.apic(1).interrupt_pending());
    const u64 base = b.apic(1).apic_base();
    b.apic(1).init(0);
    CHECK(b.apic(1).apic_base() == base);
    CHECK(b.apic(1).id() == 1);
    CHECK(b.apic(1).x2apic_mode() == x2apic);
    CHECK_FALSE(b.apic(1).interrupt_pending());
    CHECK_FALSE(b.apic(1).software_enabled());
    CHECK(b.apic(1).state().lvt[1] == 0x10000);
    if (x2apic) CHECK(b.rdmsr(0x80d, 1) == 2);
  }
}

// ---- the xAPIC page

TEST_CASE("xAPIC page: only aligned 32-bit stores count; loads see a register and zeros") {
  Bench b;
  b.apic().write(kTprAt, 1, 0x20, 0);
  b.apic().write(kTprAt + 4, 4, 0x20, 0);
  b.apic().write(kTprAt, 8, 0x20, 0);
  CHECK(b.read(kTprAt) == 0);
  b.write(kTprAt, 0x20);
  CHECK(b.read(kTprAt) == 0x20);
  CHECK(b.apic().read(kVersionAt, 1, 0) == 0x15);
  CHECK(b.apic().read(kVersionAt + 2, 1, 0) == 0x06);
  CHECK(b.apic().read(kVersionAt, 2, 0) == 0x0015);
  CHECK(b.apic().read(kVersionAt, 8, 0) == 0x01060015);
  CHECK(b.apic().read(kVersionAt + 4, 4, 0) == 0);
}

TEST_CASE("xAPIC page: reserved bits are dropped, read-only bits keep their value") {
  Bench b;
  b.enable_all();
  const std::pair<u64, u64> rows[] = {
      {kTprAt, 0xff},         {kLdrAt, 0xff000000},     {kSvrAt, 0x11ff},
      {kLvtTimerAt, 0x700ff}, {kLvtThermalAt, 0x107ff}, {kLvtPerformanceAt, 0x107ff},
      {kLvtCmciAt, 0x107ff},  {kLvtLint0At, 0x1a7ff},   {kLvtLint1At, 0x1a7ff},
      {kLvtErrorAt, 0x100ff}, {kDivideAt, 0xb},         {kIcrHighAt, 0xff000000},
      {kDfrAt, 0xffffffff},   {kInitialCountAt, 0},
  };
  for (const auto& [at, expected] : rows) {
    CAPTURE(at);
    b.write(at, 0xffffffff);
    CHECK(b.read(at) == expected);
  }
  b.write(kDfrAt, 0);
  CHECK(b.read(kDfrAt) == 0x0fffffff);
}

TEST_CASE("xAPIC page: without TSC-deadline mode, bit 18 of LVT Timer is reserved") {
  LocalApicConfig config;
  config.tsc_deadline = false;
  Bench b(std::vector<LocalApicConfig>{config});
  b.enable_all();
  b.write(kLvtTimerAt, 0xffffffff);
  CHECK(b.read(kLvtTimerAt) == 0x300ff);
}

TEST_CASE("SVR: without EOI-broadcast suppression, bit 12 is reserved") {
  LocalApicConfig config;
  config.eoi_broadcast_suppression = false;
  Bench b(std::vector<LocalApicConfig>{config});
  b.write(kSvrAt, 0x11ff);
  CHECK(b.read(kSvrAt) == 0x1ff);
}

// ---- x2APIC MSRs

TEST_CASE("x2APIC MSRs raise #GP outside x2APIC mode") {
  Bench b;
  CHECK_FALSE(b.rdmsr(0x802));
  CHECK(b.wrmsr(0x808, 0) == kGpFault);
  REQUIRE(b.apic().write_apic_base(0xfee00100, 0) == MsrStatus::kOk);
  CHECK_FALSE(b.rdmsr(0x803));
}

TEST_CASE("x2APIC MSRs: which exist, which read, which write") {
  Bench b;
  b.enter_x2apic();
  const auto readable = [](u32 n) {
    return n == 2 || n == 3 || n == 8 || n == 0xa || n == 0xd || n == 0xf ||
           (n >= 0x10 && n <= 0x28) || n == 0x2f || n == 0x30 || (n >= 0x32 && n <= 0x39) ||
           n == 0x3e;
  };
  const auto writable = [](u32 n) {
    return n == 8 || n == 0xb || n == 0xf || n == 0x28 || n == 0x2f || n == 0x30 ||
           (n >= 0x32 && n <= 0x38) || n == 0x3e || n == 0x3f;
  };
  for (u32 n = 0; n < 0x100; ++n) {
    CAPTURE(n);
    CHECK(b.rdmsr(0x800 + n).has_value() == readable(n));
    // A self IPI with vector 0 is no #GP, but an error in ESR.
    CHECK((b.wrmsr(0x800 + n, 0) == MsrStatus::kOk) == writable(n));
  }
}

TEST_CASE("x2APIC MSRs: every reserved bit raises #GP by itself") {
  const std::pair<u32, u64> rows[] = {
      {0x808, 0xff},    {0x80b, 0},       {0x80f, 0x11ff},
      {0x828, 0},       {0x82f, 0x117ff}, {0x832, 0x710ff},
      {0x833, 0x117ff}, {0x834, 0x117ff}, {0x835, 0x1f7ff},
      {0x836, 0x1f7ff}, {0x837, 0x110ff}, {0x838, 0xffffffff},
      {0x83e, 0xb},     {0x83f, 0xff},    {0x830, 0xffffffff000ccfff},
  };
  for (const auto& [msr, defined] : rows) {
    for (unsigned n = 0; n < 64; ++n) {
      Bench b;
      b.enter_x2apic();
      CAPTURE(msr, n);
      CHECK((b.wrmsr(msr, u64{1} << n) == kGpFault) == !bit(defined, n));
    }
  }
}

TEST_CASE("x2APIC: the ICR is one 64-bit register that reads back") {
  Bench b(2);
  b.x2apic_all();
  REQUIRE(b.wrmsr(0x830, u64{1} << 32 | 0x40c5) == MsrStatus::kOk);
  CHECK(b.rdmsr(0x830) == (u64{1} << 32 | 0x40c5));
  CHECK(b.holders(0xc5) == 0b10);
}

TEST_CASE("x2APIC: a self IPI goes to the sender only and leaves the ICR") {
  Bench b(2);
  b.x2apic_all();
  REQUIRE(b.wrmsr(0x83f, 0xf1) == MsrStatus::kOk);
  CHECK(b.holders(0xf1) == 0b01);
  CHECK(b.rdmsr(0x830) == 0);
}

// ---- priorities

TEST_CASE("IRR, ISR: 256 vectors stand in eight registers") {
  Bench b;
  b.enable_all();
  for (unsigned vector = 16; vector < 256; vector += 17) b.message(static_cast<u8>(vector));
  for (unsigned reg = 0; reg < 8; ++reg) {
    u32 expected = 0;
    for (unsigned vector = 16; vector < 256; vector += 17) {
      if (vector / 32 == reg) expected |= u32{1} << vector % 32;
    }
    CHECK(b.read(kIrrAt + reg * 16) == expected);
  }
}

TEST_CASE("Acknowledge takes the highest vector and moves it from IRR to ISR") {
  Bench b;
  b.enable_all();
  b.message(0x31);
  b.message(0x92);
  b.message(0x95);
  CHECK(b.apic().highest_deliverable() == 0x95);
  CHECK(b.apic().acknowledge(0) == 0x95);
  CHECK(b.read(kIsrAt + 0x40) == u32{1} << 0x15);
  CHECK(b.read(kIrrAt + 0x40) == u32{1} << 0x12);
  CHECK_FALSE(b.apic().interrupt_pending());  // same class as the one in service
  b.write(kEoiAt, 0);
  CHECK(b.apic().acknowledge(0) == 0x92);
  b.write(kEoiAt, 0);
  CHECK(b.apic().acknowledge(0) == 0x31);
  b.write(kEoiAt, 0);
  CHECK_FALSE(b.apic().interrupt_pending());
}

TEST_CASE("A higher class interrupts a lower one in service, the same class does not") {
  Bench b;
  b.enable_all();
  b.message(0x50);
  CHECK(b.apic().acknowledge(0) == 0x50);
  b.message(0x5f);
  CHECK_FALSE(b.apic().interrupt_pending());
  b.message(0x60);
  CHECK(b.apic().acknowledge(0) == 0x60);
  b.write(kEoiAt, 0);  // ends 0x60, the highest in service
  CHECK(b.read(kPprAt) == 0x50);
  CHECK_FALSE(b.apic().interrupt_pending());
  b.write(kEoiAt, 0);
  CHECK(b.apic().highest_deliverable() == 0x5f);
}

TEST_CASE("PPR: the higher class of TPR and ISR decides; the subclass is TPR's or 0") {
  struct Row {
    u8 tpr;
    u8 in_service;
    u64 ppr;
  };
  for (const Row& row : {Row{0x00, 0x00, 0x00}, Row{0x35, 0x00, 0x35}, Row{0x00, 0x47, 0x40},
                         Row{0x35, 0x47, 0x40}, Row{0x5a, 0x47, 0x5a}, Row{0x45, 0x47, 0x45}}) {
    Bench b;
    b.enable_all();
    if (row.in_service != 0) {
      b.message(row.in_service);
      REQUIRE(b.apic().acknowledge(0) == row.in_service);
    }
    b.write(kTprAt, row.tpr);
    CAPTURE(row.tpr, row.in_service);
    CHECK(b.read(kPprAt) == row.ppr);
  }
}

TEST_CASE("TPR: only vectors of a class above it are deliverable") {
  Bench b;
  b.enable_all();
  b.write(kTprAt, 0x6f);
  b.message(0x6f);
  CHECK_FALSE(b.apic().interrupt_pending());
  b.message(0x70);
  CHECK(b.apic().highest_deliverable() == 0x70);
  b.write(kTprAt, 0xf0);
  CHECK_FALSE(b.apic().interrupt_pending());
  b.message(0xff);
  CHECK_FALSE(b.apic().interrupt_pending());
  b.write(kTprAt, 0xe0);
  CHECK(b.apic().highest_deliverable() == 0xff);
}

TEST_CASE("CR8 is TPR[7:4]; writing it clears TPR[3:0]") {
  Bench b;
  b.write(kTprAt, 0x5c);
  CHECK(b.apic().cr8() == 5);
  b.apic().set_cr8(9, 0);
  CHECK(b.read(kTprAt) == 0x90);
  b.enable_all();
  b.message(0x95);
  CHECK_FALSE(b.apic().interrupt_pending());
  b.apic().set_cr8(8, 0);
  CHECK(b.apic().interrupt_pending());
}

TEST_CASE("CR8 keeps working while the local APIC is disabled") {
  Bench b;
  REQUIRE(b.apic().write_apic_base(0xfee00100, 0) == MsrStatus::kOk);
  b.apic().set_cr8(15, 0);
  CHECK(b.apic().cr8() == 15);
}

TEST_CASE(
    "An acknowledge with nothing deliverable gives the spurious vector and leaves ISR alone") {
  Bench b;
  b.write(kSvrAt, 0x1e7);
  b.message(0x31);
  b.write(kTprAt, 0x30);
  CHECK(b.apic().acknowledge(0) == 0xe7);
  CHECK(b.read(kIsrAt + 0x10) == 0);
  CHECK(b.read(kIrrAt + 0x10) == u32{1} << 0x11);
}

TEST_CASE("The core is told when what is deliverable changes, and only then") {
  Bench b;
  b.enable_all();
  const int before = b.core().line_changes;
  b.message(0x40);
  CHECK(b.core().line_changes == before + 1);
  b.message(0x40);
  b.message(0x35);
  CHECK(b.core().line_changes == before + 1);
  b.message(0x80);
  CHECK(b.core().line_changes == before + 2);
}

// ---- EOI

TEST_CASE(
    "EOI of a level-triggered interrupt is broadcast to the I/O APICs, of an edge one is not") {
  Bench b;
  b.enable_all();
  b.level_message(0x81);
  CHECK(b.read(kTmrAt + 0x40) == 0b10);
  CHECK(b.apic().acknowledge(0) == 0x81);
  CHECK(b.io_apic.vectors.empty());
  b.write(kEoiAt, 0);
  CHECK(b.io_apic.vectors == std::vector<u8>{0x81});
  b.message(0x81);
  CHECK(b.read(kTmrAt + 0x40) == 0);
  CHECK(b.apic().acknowledge(0) == 0x81);
  b.write(kEoiAt, 0);
  CHECK(b.io_apic.vectors.size() == 1);
}

TEST_CASE("SVR bit 12 suppresses EOI broadcasts") {
  Bench b;
  b.write(kSvrAt, 0x11ff);
  b.level_message(0x81);
  CHECK(b.apic().acknowledge(0) == 0x81);
  b.write(kEoiAt, 0);
  CHECK(b.io_apic.vectors.empty());
  CHECK(b.read(kIsrAt + 0x40) == 0);
}

TEST_CASE("EOI with nothing in service does nothing") {
  Bench b;
  b.enable_all();
  b.level_message(0x81);
  b.write(kEoiAt, 0);
  CHECK(b.io_apic.vectors.empty());
  CHECK(b.apic().highest_deliverable() == 0x81);
}

// ---- software disable

TEST_CASE("Software-disabled: LVT entries are masked and stay masked") {
  Bench b;
  b.enable_all();
  b.write(kLvtErrorAt, 0x40);
  b.write(kLvtLint1At, 0x400);
  b.write(kSvrAt, 0xff);
  CHECK(b.read(kLvtErrorAt) == 0x10040);
  CHECK(b.read(kLvtLint1At) == 0x10400);
  b.write(kLvtErrorAt, 0x41);
  CHECK(b.read(kLvtErrorAt) == 0x10041);
  b.write(kSvrAt, 0x1ff);
  CHECK(b.read(kLvtErrorAt) == 0x10041);
}

TEST_CASE("Software-disabled: takes NMI, SMI, INIT and start-up, no maskable interrupts") {
  Bench b;
  b.message(0x45);
  b.message(0, DeliveryMode::kExtInt);
  CHECK_FALSE(b.apic().interrupt_pending());
  b.message(0, DeliveryMode::kNmi);
  b.message(0, DeliveryMode::kSmi);
  b.message(0, DeliveryMode::kInit);
  b.message(0x9a, DeliveryMode::kStartup);
  CHECK(b.core().nmis == 1);
  CHECK(b.core().smis == 1);
  CHECK(b.core().inits == 1);
  CHECK(b.core().startups == std::vector<u8>{0x9a});
}

TEST_CASE("Software-disabled: what was pending stays pending") {
  Bench b;
  b.enable_all();
  b.message(0x45);
  b.write(kSvrAt, 0xff);
  CHECK(b.apic().acknowledge(0) == 0x45);
}

// ---- errors

TEST_CASE("ESR shows the errors since the last write to it, and only after a write") {
  Bench b;
  b.enable_all();
  b.message(0x0f);
  CHECK(b.read(kEsrAt) == 0);
  b.write(kEsrAt, 0);
  CHECK(b.read(kEsrAt) == 0x40);
  CHECK(b.read(kEsrAt) == 0x40);
  b.write(kEsrAt, 0);
  CHECK(b.read(kEsrAt) == 0);
}

TEST_CASE("Illegal vectors 0 to 15: sender and receiver note them, IRR does not hold them") {
  Bench b(2);
  b.enable_all();
  for (u8 vector = 0; vector < 16; ++vector) {
    b.send_xapic_ipi(0x4000U | vector, 1);
    CHECK(b.holders(vector) == 0);
    b.write(kEsrAt, 0, 0);
    b.write(kEsrAt, 0, 1);
    CHECK(b.read(kEsrAt, 0) == 0x20);
    CHECK(b.read(kEsrAt, 1) == 0x40);
  }
  b.send_xapic_ipi(0x4010, 1);
  CHECK(b.holders(16) == 0b10);
}

TEST_CASE("A self IPI with an illegal vector is both a send and a receive error") {
  Bench b;
  b.x2apic_all();
  REQUIRE(b.wrmsr(0x83f, 3) == MsrStatus::kOk);
  REQUIRE(b.wrmsr(0x828, 0) == MsrStatus::kOk);
  CHECK(b.rdmsr(0x828) == 0x60);
}

TEST_CASE("Reserved addresses of the xAPIC page: illegal register address") {
  Bench b;
  for (u64 at : std::initializer_list<u64>{0x00, 0x10, 0x40, 0x70, 0x290, 0x2e0, 0x3a0, 0x3d0,
                                           0x3f0, 0x400, 0xff0}) {
    CAPTURE(at);
    CHECK(b.read(at) == 0);
    b.write(kEsrAt, 0);
    CHECK(b.read(kEsrAt) == 0x80);
    b.write(at, 0);
    b.write(kEsrAt, 0);
    CHECK(b.read(kEsrAt) == 0x80);
    b.write(kEsrAt, 0);
  }
}

TEST_CASE("The error interrupt comes once, until a write to ESR rearms it") {
  Bench b;
  b.enable_all();
  b.write(kLvtErrorAt, 0xfe);
  b.message(1);
  CHECK(b.apic().acknowledge(0) == 0xfe);
  b.write(kEoiAt, 0);
  b.message(2);
  CHECK_FALSE(b.apic().interrupt_pending());
  b.write(kEsrAt, 0);
  b.message(3);
  CHECK(b.apic().acknowledge(0) == 0xfe);
}

TEST_CASE("An LVT entry with an illegal vector is a receive error, no interrupt") {
  Bench b;
  b.enable_all();
  b.write(kLvtThermalAt, 0x05);
  b.apic().local_interrupt(LvtEntry::kThermal, 0);
  CHECK_FALSE(b.apic().interrupt_pending());
  b.write(kEsrAt, 0);
  CHECK(b.read(kEsrAt) == 0x40);
}

// ---- LVT

TEST_CASE("LVT delivery modes: fixed, SMI, NMI; masked entries do nothing") {
  Bench b;
  b.enable_all();
  const auto fire = [&](u64 entry) {
    b.write(kLvtThermalAt, entry);
    b.apic().local_interrupt(LvtEntry::kThermal, 0);
  };
  fire(0x10000 | 0x61);
  CHECK_FALSE(b.apic().interrupt_pending());
  fire(0x61);
  CHECK(b.apic().acknowledge(0) == 0x61);
  fire(0x200);
  CHECK(b.core().smis == 1);
  fire(0x400);
  CHECK(b.core().nmis == 1);
  fire(0x500);
  CHECK(b.core().inits == 0);  // not supported for this entry
}

TEST_CASE("LINT pins can deliver INIT and SMI") {
  Bench b;
  b.enable_all();
  b.write(kLvtLint0At, 0x500);
  b.write(kLvtLint1At, 0x200);
  b.apic().set_lint(0, Level::kAssert, 0);
  b.apic().set_lint(1, Level::kAssert, 0);
  CHECK(b.core().inits == 1);
  CHECK(b.core().smis == 1);
}

TEST_CASE("The performance-counter entry is masked when its interrupt is delivered") {
  Bench b;
  b.enable_all();
  b.write(kLvtPerformanceAt, 0x400);
  b.apic().local_interrupt(LvtEntry::kPerformance, 0);
  CHECK(b.core().nmis == 1);
  CHECK(b.read(kLvtPerformanceAt) == 0x10400);
  b.apic().local_interrupt(LvtEntry::kPerformance, 0);
  CHECK(b.core().nmis == 1);
}

TEST_CASE("LINT0 as ExtINT: the 8259 gives the vector, TPR does not hold it back, ISR is not set") {
  Bench b;
  b.enable_all();
  b.write(kTprAt, 0xff);
  b.write(kLvtLint0At, 0x700);
  b.apic().set_lint(0, Level::kAssert, 0);
  REQUIRE(b.apic().interrupt_pending());
  CHECK(b.apic().acknowledge(0) == 0x31);
  CHECK(b.pic.acknowledges == 1);
  CHECK(b.read(kIsrAt + 0x10) == 0);
  CHECK(b.apic().interrupt_pending());  // the line is still up
  b.apic().set_lint(0, Level::kDeassert, 0);
  CHECK_FALSE(b.apic().interrupt_pending());
}

TEST_CASE("LINT0 as ExtINT: masking and unmasking follow the line") {
  Bench b;
  b.enable_all();
  b.apic().set_lint(0, Level::kAssert, 0);
  CHECK_FALSE(b.apic().interrupt_pending());
  b.write(kLvtLint0At, 0x700);
  CHECK(b.apic().interrupt_pending());
  b.write(kLvtLint0At, 0x10700);
  CHECK_FALSE(b.apic().interrupt_pending());
}

TEST_CASE("An ExtINT message is pending until its acknowledge") {
  Bench b;
  b.enable_all();
  b.message(0, DeliveryMode::kExtInt);
  REQUIRE(b.apic().interrupt_pending());
  CHECK(b.apic().acknowledge(0) == 0x31);
  CHECK_FALSE(b.apic().interrupt_pending());
}

TEST_CASE("LINT0 fixed and level-triggered: remote IRR until the EOI, again while asserted") {
  Bench b;
  b.enable_all();
  b.write(kLvtLint0At, 0x8051);
  b.apic().set_lint(0, Level::kAssert, 0);
  CHECK(b.read(kLvtLint0At) == 0xc051);
  CHECK(b.read(kTmrAt + 0x20) == u32{1} << 0x11);
  CHECK(b.apic().acknowledge(0) == 0x51);
  CHECK_FALSE(b.apic().interrupt_pending());
  b.write(kEoiAt, 0);
  CHECK(b.apic().acknowledge(0) == 0x51);  // still asserted
  b.apic().set_lint(0, Level::kDeassert, 0);
  b.write(kEoiAt, 0);
  CHECK(b.read(kLvtLint0At) == 0x8051);
  CHECK_FALSE(b.apic().interrupt_pending());
}

TEST_CASE("LINT0 fixed and edge-triggered: one interrupt a rising edge; active-low inverts") {
  Bench b;
  b.enable_all();
  b.write(kLvtLint0At, 0x51);
  b.apic().set_lint(0, Level::kAssert, 0);
  CHECK(b.apic().acknowledge(0) == 0x51);
  b.write(kEoiAt, 0);
  CHECK_FALSE(b.apic().interrupt_pending());
  b.write(kLvtLint0At, 0x2051);
  b.apic().set_lint(0, Level::kDeassert, 0);
  CHECK(b.apic().acknowledge(0) == 0x51);
}

TEST_CASE("INIT does not change the level of the pins") {
  Bench b;
  b.apic().set_lint(0, Level::kAssert, 0);
  b.apic().init(0);
  b.enable_all();
  CHECK_FALSE(b.apic().interrupt_pending());
  b.write(kLvtLint0At, 0x700);
  CHECK(b.apic().interrupt_pending());
}

TEST_CASE("LINT0: made edge-triggered, its remote IRR flag is gone") {
  Bench b;
  b.enable_all();
  b.write(kLvtLint0At, 0x8051);
  b.apic().set_lint(0, Level::kAssert, 0);
  b.write(kLvtLint0At, 0x8051);
  CHECK(b.read(kLvtLint0At) == 0xc051);
  b.write(kLvtLint0At, 0x0051);
  CHECK(b.read(kLvtLint0At) == 0x0051);
}

TEST_CASE("LINT1 as NMI is edge-sensitive") {
  Bench b;
  b.enable_all();
  b.write(kLvtLint1At, 0x8400);
  b.apic().set_lint(1, Level::kAssert, 0);
  b.apic().set_lint(1, Level::kAssert, 0);
  CHECK(b.core().nmis == 1);
  b.apic().set_lint(1, Level::kDeassert, 0);
  b.apic().set_lint(1, Level::kAssert, 0);
  CHECK(b.core().nmis == 2);
}

TEST_CASE("Disabled by IA32_APIC_BASE: LINT0 is INTR and LINT1 is NMI") {
  Bench b;
  REQUIRE(b.apic().write_apic_base(0xfee00100, 0) == MsrStatus::kOk);
  b.apic().set_lint(0, Level::kAssert, 0);
  REQUIRE(b.apic().interrupt_pending());
  CHECK(b.apic().acknowledge(0) == 0x31);
  b.apic().set_lint(1, Level::kAssert, 0);
  CHECK(b.core().nmis == 1);
  b.message(0, DeliveryMode::kNmi);
  CHECK(b.core().nmis == 1);
}

TEST_CASE("Virtual-wire mode: software-enabled, LINT0 ExtINT, LINT1 NMI") {
  Bench b;
  b.apic().enter_virtual_wire_mode(0);
  CHECK(b.read(kSvrAt) == 0x1ff);
  CHECK(b.read(kLvtLint0At) == 0x700);
  CHECK(b.read(kLvtLint1At) == 0x400);
  b.apic().set_lint(0, Level::kAssert, 0);
  CHECK(b.apic().interrupt_pending());
}

TEST_CASE("A restored local APIC goes on where the saved one was") {
  Bench b(2);
  b.enable_all();
  b.write(kLvtTimerAt, 0x20099);
  b.write(kInitialCountAt, 1000);
  b.message(0x44);
  const LocalApicState saved = b.apic().state();
  Bench other(2);
  other.apic().restore(saved, 0);
  CHECK(other.apic().state() == saved);
  CHECK(other.apic().highest_deliverable() == 0x44);
  CHECK(other.events.next() == b.events.next());
}
