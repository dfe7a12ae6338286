// Who gets a message: destinations, shorthands, arbitration. SDM 3A "Issuing Interprocessor
// Interrupts", "Determining IPI Destination", "Message Signalled Interrupts".

#include <catch2/catch.hpp>

#include "tests/cpu/apic_bench.h"

using namespace vtsim;
using namespace vtsim::cpu;
using namespace vtsim::cpu::test;

namespace {

constexpr u64 kFixed = 0x4000;
constexpr u64 kLowest = 0x4100;
constexpr u64 kLogical = 0x0800;
constexpr u64 kSelf = 0x40000;
constexpr u64 kAllIncludingSelf = 0x80000;
constexpr u64 kAllExcludingSelf = 0xc0000;

void set_flat(Bench& b) {
  for (std::size_t i = 0; i < b.apics.size(); ++i) {
    b.write(kDfrAt, 0xffffffff, i);
    b.write(kLdrAt, u64{1} << (24 + i), i);
  }
}

void set_cluster(Bench& b) {
  for (std::size_t i = 0; i < b.apics.size(); ++i) {
    b.write(kDfrAt, 0x0fffffff, i);
    b.write(kLdrAt, (i / 4 << 4 | u64{1} << i % 4) << 24, i);
  }
}

}  // namespace

TEST_CASE("xAPIC physical destination: the ID, or 0xFF for all, sender included") {
  Bench b(4);
  b.enable_all();
  b.send_xapic_ipi(kFixed | 0x41, 2);
  CHECK(b.holders(0x41) == 0b0100);
  b.send_xapic_ipi(kFixed | 0x42, 0xff);
  CHECK(b.holders(0x42) == 0b1111);
  b.send_xapic_ipi(kFixed | 0x43, 9);
  CHECK(b.holders(0x43) == 0);
  b.send_xapic_ipi(kFixed | 0x44, 0);
  CHECK(b.holders(0x44) == 0b0001);
}

TEST_CASE("xAPIC flat logical destination: any common bit; 0xFF reaches all") {
  Bench b(4);
  b.enable_all();
  set_flat(b);
  b.send_xapic_ipi(kFixed | kLogical | 0x41, 0b1010);
  CHECK(b.holders(0x41) == 0b1010);
  b.send_xapic_ipi(kFixed | kLogical | 0x42, 0xff);
  CHECK(b.holders(0x42) == 0b1111);
  b.send_xapic_ipi(kFixed | kLogical | 0x43, 0x30);
  CHECK(b.holders(0x43) == 0);
}

TEST_CASE("xAPIC cluster logical destination: the cluster in bits 7:4, members in bits 3:0") {
  Bench b(8);
  b.enable_all();
  set_cluster(b);
  b.send_xapic_ipi(kFixed | kLogical | 0x41, 0x05);
  CHECK(b.holders(0x41) == 0b0000'0101);
  b.send_xapic_ipi(kFixed | kLogical | 0x42, 0x1c);
  CHECK(b.holders(0x42) == 0b1100'0000);
  b.send_xapic_ipi(kFixed | kLogical | 0x43, 0xff);
  CHECK(b.holders(0x43) == 0b1111'1111);
  b.send_xapic_ipi(kFixed | kLogical | 0x44, 0x2f);
  CHECK(b.holders(0x44) == 0);
}

TEST_CASE("xAPIC logical destination: an LDR of 0 matches nothing but the broadcast") {
  Bench b(2);
  b.enable_all();
  b.send_xapic_ipi(kFixed | kLogical | 0x41, 0x03);
  CHECK(b.holders(0x41) == 0);
  b.send_xapic_ipi(kFixed | kLogical | 0x42, 0xff);
  CHECK(b.holders(0x42) == 0b11);
}

TEST_CASE("Shorthands: self, all, all but self; the destination field does not matter") {
  Bench b(4);
  b.enable_all();
  b.send_xapic_ipi(kFixed | kSelf | 0x41, 3, 1);
  CHECK(b.holders(0x41) == 0b0010);
  b.send_xapic_ipi(kFixed | kAllIncludingSelf | 0x42, 3, 1);
  CHECK(b.holders(0x42) == 0b1111);
  b.send_xapic_ipi(kFixed | kAllExcludingSelf | 0x43, 3, 1);
  CHECK(b.holders(0x43) == 0b1101);
}

TEST_CASE("x2APIC physical destination: 32 bits, 0xFF is an ID, all ones reach all") {
  auto configs = Bench::plain(3);
  configs[1].apic_id = 0xff;
  configs[2].apic_id = 0x10001;
  Bench b(configs);
  b.x2apic_all();
  REQUIRE(b.wrmsr(0x830, u64{0xff} << 32 | kFixed | 0x41) == MsrStatus::kOk);
  CHECK(b.holders(0x41) == 0b010);
  REQUIRE(b.wrmsr(0x830, u64{0x10001} << 32 | kFixed | 0x42) == MsrStatus::kOk);
  CHECK(b.holders(0x42) == 0b100);
  REQUIRE(b.wrmsr(0x830, u64{0xffffffff} << 32 | kFixed | 0x43) == MsrStatus::kOk);
  CHECK(b.holders(0x43) == 0b111);
}

TEST_CASE("x2APIC logical destination: cluster in bits 31:16, members in bits 15:0") {
  auto configs = Bench::plain(4);
  configs[2].apic_id = 0x12;
  configs[3].apic_id = 0x1f;
  Bench b(configs);
  b.x2apic_all();
  CHECK(b.rdmsr(0x80d, 0) == 0x00000001);
  CHECK(b.rdmsr(0x80d, 1) == 0x00000002);
  CHECK(b.rdmsr(0x80d, 2) == 0x00010004);
  CHECK(b.rdmsr(0x80d, 3) == 0x00018000);
  const auto send = [&](u64 destination, u64 vector) {
    REQUIRE(b.wrmsr(0x830, destination << 32 | kFixed | kLogical | vector) == MsrStatus::kOk);
  };
  send(0x00000003, 0x41);
  CHECK(b.holders(0x41) == 0b0011);
  send(0x00018004, 0x42);
  CHECK(b.holders(0x42) == 0b1100);
  send(0x0001000b, 0x43);
  CHECK(b.holders(0x43) == 0);
  send(0xffffffff, 0x44);
  CHECK(b.holders(0x44) == 0b1111);
}

TEST_CASE("x2APIC shorthands") {
  Bench b(3);
  b.x2apic_all();
  REQUIRE(b.wrmsr(0x830, kFixed | kAllExcludingSelf | 0x41, 2) == MsrStatus::kOk);
  CHECK(b.holders(0x41) == 0b011);
  REQUIRE(b.wrmsr(0x830, kFixed | kAllIncludingSelf | 0x42, 2) == MsrStatus::kOk);
  CHECK(b.holders(0x42) == 0b111);
  REQUIRE(b.wrmsr(0x830, kFixed | kSelf | 0x43, 2) == MsrStatus::kOk);
  CHECK(b.holders(0x43) == 0b100);
}

TEST_CASE("INIT, start-up, NMI and SMI IPIs reach the addressed cores only") {
  Bench b(3);
  b.send_xapic_ipi(0x4500, 1);
  b.send_xapic_ipi(0x4608, 1);
  b.send_xapic_ipi(0x4400, 2);
  b.send_xapic_ipi(0x4200, 2);
  CHECK(b.core(1).inits == 1);
  CHECK(b.core(1).startups == std::vector<u8>{0x08});
  CHECK(b.core(2).nmis == 1);
  CHECK(b.core(2).smis == 1);
  CHECK(b.core(0).inits + b.core(2).inits == 0);
  CHECK(b.core(0).nmis + b.core(1).nmis == 0);
}

TEST_CASE("INIT and start-up broadcast to all but self, as a kernel starts its processors") {
  Bench b(4);
  b.send_xapic_ipi(0x4500 | kAllExcludingSelf, 0);
  b.send_xapic_ipi(0x4699 | kAllExcludingSelf, 0);
  CHECK(b.core(0).inits == 0);
  for (std::size_t i = 1; i < 4; ++i) {
    CHECK(b.core(i).inits == 1);
    CHECK(b.core(i).startups == std::vector<u8>{0x99});
  }
}

TEST_CASE("The INIT level de-assert message does nothing") {
  Bench b(2);
  b.send_xapic_ipi(0x8500, 1);  // level-triggered, de-asserted
  CHECK(b.core(1).inits == 0);
  b.send_xapic_ipi(0xc500, 1);
  CHECK(b.core(1).inits == 1);
}

TEST_CASE("The level bit counts for nothing else: an NMI IPI without it is delivered") {
  Bench b(2);
  b.send_xapic_ipi(0x0400, 1);
  CHECK(b.core(1).nmis == 1);
}

TEST_CASE("The trigger-mode bit of an IPI is ignored: IPIs are edge-triggered") {
  Bench b(2);
  b.enable_all();
  b.send_xapic_ipi(0xc000 | 0x61, 1);
  CHECK(b.holders(0x61) == 0b10);
  CHECK(b.read(kTmrAt + 0x30, 1) == 0);
}

TEST_CASE("Reserved delivery modes of the ICR send nothing") {
  Bench b(2);
  b.enable_all();
  b.send_xapic_ipi(0x4300 | 0x61, 1);
  b.send_xapic_ipi(0x4700 | 0x61, 1);
  CHECK(b.holders(0x61) == 0);
  CHECK_FALSE(b.apic(1).interrupt_pending());
}

TEST_CASE("A write to ICR high sends nothing") {
  Bench b(2);
  b.enable_all();
  b.send_xapic_ipi(kFixed | 0x61, 1);
  REQUIRE(b.apic(1).acknowledge(0) == 0x61);
  b.write(kIcrHighAt, 0x01000000);
  CHECK(b.holders(0x61) == 0);
}

// ---- lowest priority

TEST_CASE("Lowest priority: one of the addressed, the one with the lowest processor priority") {
  Bench b(4);
  b.enable_all();
  set_flat(b);
  b.write(kTprAt, 0x30, 0);
  b.write(kTprAt, 0x20, 1);
  b.write(kTprAt, 0x10, 2);
  b.write(kTprAt, 0x00, 3);
  b.send_xapic_ipi(kLowest | kLogical | 0x71, 0b0111);
  CHECK(b.holders(0x71) == 0b0100);
  b.message(0x91, DeliveryMode::kFixed, 2);
  REQUIRE(b.apic(2).acknowledge(0) == 0x91);
  b.send_xapic_ipi(kLowest | kLogical | 0x72, 0b0111);
  CHECK(b.holders(0x72) == 0b0010);
}

TEST_CASE("Lowest priority: processors that take no interrupts are passed over") {
  Bench b(3);
  b.enable_all();
  set_flat(b);
  b.write(kTprAt, 0x30, 2);
  b.write(kSvrAt, 0xff, 0);
  b.write(kSvrAt, 0xff, 1);
  b.send_xapic_ipi(kLowest | kLogical | 0x71, 0b0111, 2);
  CHECK(b.holders(0x71) == 0b0100);
}

TEST_CASE("Lowest priority: ties go round") {
  Bench b(3);
  b.enable_all();
  set_flat(b);
  InterruptMessage m;
  m.destination = 0b111;
  m.destination_mode = DestinationMode::kLogical;
  m.delivery = DeliveryMode::kLowestPriority;
  std::vector<unsigned> winners;
  for (u8 i = 0; i < 6; ++i) {
    m.vector = static_cast<u8>(0x40 + i);
    b.fabric.deliver(m, 0);
    winners.push_back(b.holders(m.vector));
  }
  CHECK(winners == std::vector<unsigned>{1, 2, 4, 1, 2, 4});
}

TEST_CASE("Redirection hint: a fixed logical message goes to one processor") {
  Bench b(4);
  b.enable_all();
  set_flat(b);
  InterruptMessage m;
  m.destination = 0b1100;
  m.destination_mode = DestinationMode::kLogical;
  m.redirection_hint = true;
  m.vector = 0x55;
  b.fabric.deliver(m, 0);
  CHECK(b.holders(0x55) == 0b0100);
}

TEST_CASE("Lowest priority with nobody to take it is dropped") {
  Bench b(2);
  b.send_xapic_ipi(kLowest | 0x71, 1);
  CHECK(b.holders(0x71) == 0);
}

// ---- MSI

TEST_CASE("MSI: address and data decode as in the manual") {
  const InterruptMessage m = message_from_msi(Hpa(0xfee0300c), 0xc1a5);
  CHECK(m.destination == 3);
  CHECK(m.destination_mode == DestinationMode::kLogical);
  CHECK(m.redirection_hint);
  CHECK(m.vector == 0xa5);
  CHECK(m.delivery == DeliveryMode::kLowestPriority);
  CHECK(m.trigger == TriggerMode::kLevel);
  CHECK(m.level == Level::kAssert);
  CHECK(message_from_msi(Hpa(0xfee00000), 0x8041).level == Level::kDeassert);
  CHECK(message_from_msi(Hpa(0xfee00000), 0x0041).level == Level::kAssert);
  CHECK(message_from_msi(Hpa(0xfee00000), 0x0041).trigger == TriggerMode::kEdge);
  CHECK(is_msi_address(Hpa(0xfeefffff)));
  CHECK_FALSE(is_msi_address(Hpa(0xfef00000)));
  CHECK_FALSE(is_msi_address(Hpa(0x1fee00000)));
}

TEST_CASE("MSI: physical destination 0xFF reaches all, in both modes of the local APICs") {
  for (bool x2apic : {false, true}) {
    Bench b(3);
    b.enable_all();
    if (x2apic) b.x2apic_all();
    b.fabric.deliver(message_from_msi(Hpa(0xfeeff000), 0x0045), 0);
    CHECK(b.holders(0x45) == 0b111);
  }
}

TEST_CASE("MSI: NMI and INIT are edge-triggered whatever trigger mode and level say") {
  Bench b;
  b.fabric.deliver(message_from_msi(Hpa(0xfee00000), 0x8400), 0);
  b.fabric.deliver(message_from_msi(Hpa(0xfee00000), 0x8500), 0);
  CHECK(b.core().nmis == 1);
  CHECK(b.core().inits == 1);
}

TEST_CASE("MSI: a level-triggered de-assertion delivers nothing") {
  Bench b;
  b.enable_all();
  b.fabric.deliver(message_from_msi(Hpa(0xfee00000), 0x8041), 0);
  CHECK(b.holders(0x41) == 0);
}
