#include "model/chipset/southbridge.h"

#include <catch2/catch.hpp>
#include <cstring>

using namespace vtsim;
using namespace vtsim::chipset;

namespace {

constexpr Ps kMs = 1'000'000'000;
constexpr u64 kIoApic = 0xfec0'0000, kHpet = 0xfed0'0000, kRcba = 0xfed1'c000;
constexpr u64 kLevel = 0x8000, kActiveLow = 0x2000;

// The interconnect as the southbridge sees it: messages are recorded, memory is 64 KiB.
struct Upstream : MemoryPort {
  std::vector<u8> vectors;
  std::vector<u8> memory = std::vector<u8>(0x1'0000);
  bool read(Hpa address, std::span<u8> data, Ps) override {
    if (address.value + data.size() > memory.size()) return false;
    std::memcpy(data.data(), &memory[address.value], data.size());
    return true;
  }
  bool write(Hpa address, std::span<const u8> data, Ps) override {
    if (is_msi_address(address)) {
      vectors.push_back(data[0]);
      return true;
    }
    if (address.value + data.size() > memory.size()) return false;
    std::memcpy(&memory[address.value], data.data(), data.size());
    return true;
  }
};

struct TestFunction : device::PciFunction {
  explicit TestFunction(u8 pin)
      : PciFunction("test", {.vendor = 1, .device = 2, .class_code = 0, .interrupt_pin = pin}) {}
  void interrupt(bool level, Ps now) { set_interrupt_level(level, now); }
};

struct Machine {
  EventQueue events;
  Upstream upstream;
  AddressMap memory_map, port_map;
  PciBus pci{memory_map, port_map, 1};
  std::vector<bool> intr, a20;
  std::vector<ResetKind> resets;
  int power_offs = 0, suspends = 0;
  std::string serial, console;
  std::vector<u32> exits;
  Southbridge bridge;
  Ps now = 0;

  explicit Machine(const ChipsetConfig& config = {.uarts = 2, .has_pc_testdev = true})
      : bridge(config, events, pci, {.lpc = upstream, .io_apic = upstream, .hpet = upstream},
               sinks()) {}

  SouthbridgeSinks sinks() {
    SouthbridgeSinks s;
    s.intr = [this](bool level, Ps) { intr.push_back(level); };
    s.a20 = [this](bool level, Ps) { a20.push_back(level); };
    s.reset = [this](ResetKind kind, Ps) { resets.push_back(kind); };
    s.power_off = [this](Ps) { ++power_offs; };
    s.suspend = [this](Ps) { ++suspends; };
    s.debug_exit = [this](u32 value, Ps) { exits.push_back(value); };
    s.debug_console = [this](u8 byte, Ps) { console += static_cast<char>(byte); };
    s.serial[0] = [this](u8 byte, Ps) { serial += static_cast<char>(byte); };
    return s;
  }
  u64 get(BusSpace space, u64 address, unsigned size) {
    u64 value = 0;
    bridge.transport({.address = address, .data = {reinterpret_cast<u8*>(&value), size},
                      .info = {.space = space}}, now);
    return value;
  }
  bool put(BusSpace space, u64 address, unsigned size, u64 value) {
    return bridge.transport({.command = BusTransaction::Command::kWrite, .address = address,
                             .data = {reinterpret_cast<u8*>(&value), size},
                             .info = {.space = space}}, now);
  }
  void out(u16 port, u64 value, unsigned size = 1) { put(BusSpace::kPort, port, size, value); }
  u64 in(u16 port, unsigned size = 1) { return get(BusSpace::kPort, port, size); }
  void store(u64 address, u64 value, unsigned size = 4) {
    put(BusSpace::kMemory, address, size, value);
  }
  u64 load(u64 address, unsigned size = 4) { return get(BusSpace::kMemory, address, size); }
  void lpc(unsigned offset, unsigned size, u32 value) {
    pci.find(LpcBridge::kBdf)->config_write(offset, size, value, now);
  }
  void io_apic_entry(u32 input, u64 entry) {
    store(kIoApic, 0x11 + 2 * input);
    store(kIoApic + 0x10, entry >> 32);
    store(kIoApic, 0x10 + 2 * input);
    store(kIoApic + 0x10, entry & 0xffff'ffff);
  }
  // Both 8259s, vectors 20h and 28h, everything unmasked.
  void initialize_pics() {
    for (const u16 base : {u16{0x20}, u16{0xa0}}) {
      const bool master = base == 0x20;
      out(base, 0x11);
      out(static_cast<u16>(base + 1), master ? 0x20 : 0x28);
      out(static_cast<u16>(base + 1), master ? 4 : 2);
      out(static_cast<u16>(base + 1), 1);
      out(static_cast<u16>(base + 1), 0);
    }
  }
  u8 acknowledge() { return static_cast<u8>(get(BusSpace::kInterruptAcknowledge, 0, 1)); }
  void run_until(Ps time) {
    events.run_until(time);
    now = time;
  }
};

}  // namespace

TEST_CASE("southbridge: ISA IRQ n reaches 8259 input n and I/O APIC input n; IRQ0 input 2") {
  Machine m;
  m.initialize_pics();
  for (u32 input = 0; input < 24; ++input) m.io_apic_entry(input, 0x40 + input);
  m.upstream.vectors.clear();
  const unsigned irq = GENERATE(0u, 1u, 3u, 4u, 5u, 6u, 7u, 8u, 9u, 10u, 11u, 12u, 13u, 14u, 15u);
  CAPTURE(irq);
  m.out(static_cast<u16>(0x2000 + irq), 1);
  const u8 input = irq == 0 ? 2 : static_cast<u8>(irq);
  // The 8259s ask for attention on input 0 at the same time.
  std::sort(m.upstream.vectors.begin(), m.upstream.vectors.end());
  CHECK(m.upstream.vectors == std::vector<u8>{0x40, static_cast<u8>(0x40 + input)});
  CHECK(m.intr.back());
  CHECK(m.acknowledge() == 0x20 + irq);
}

TEST_CASE("southbridge: the 8254 interrupts on IRQ0 until the HPET replaces it") {
  Machine m;
  m.io_apic_entry(2, 0x42);
  m.out(0x43, 0x34);  // counter 0, rate generator
  m.out(0x40, 0xa9);
  m.out(0x40, 0x04);  // 1193 ticks: 1 ms
  m.run_until(10 * kMs);
  CHECK(m.upstream.vectors.size() >= 9);
  m.store(kHpet + 0x10, 3);
  m.upstream.vectors.clear();
  m.run_until(20 * kMs);
  CHECK(m.upstream.vectors.empty());
  m.store(kHpet + 0x100, 4);
  m.store(kHpet + 0x108, 3'000'000);
  m.run_until(100 * kMs);
  CHECK(m.upstream.vectors == std::vector<u8>{0x42});
  m.store(kHpet + 0x10, 0);
  m.upstream.vectors.clear();
  m.run_until(110 * kMs);
  CHECK(m.upstream.vectors.size() >= 9);
}

TEST_CASE("southbridge: an HPET timer reaches the I/O APIC input it names, active low") {
  Machine m;
  m.io_apic_entry(22, 0x66 | kLevel | kActiveLow);
  m.store(kHpet + 0x140, 22 << 9 | 4 | 2);
  m.store(kHpet + 0x148, 100);
  m.store(kHpet + 0x10, 1);
  CHECK(m.upstream.vectors.empty());
  m.run_until(kMs);
  CHECK(m.upstream.vectors == std::vector<u8>{0x66});
}

TEST_CASE("southbridge: PIRQs reach I/O APIC inputs 16-23, and the 8259 input that is routed") {
  Machine m;
  m.initialize_pics();
  TestFunction first(1), second(2);
  m.pci.add(first, {0, 3, 0});    // INTA of device 3: PIRQH
  m.pci.add(second, {0, 2, 0});   // INTB of device 2: PIRQH as well
  m.io_apic_entry(23, 0x77 | kLevel | kActiveLow);
  m.out(0x4d1, 0x08);  // IRQ11 level
  m.intr.clear();
  first.interrupt(true, m.now);
  CHECK(m.upstream.vectors == std::vector<u8>{0x77});
  CHECK(m.intr.empty());  // not routed to the 8259s
  m.lpc(0x6b, 1, 0x0b);
  CHECK(m.intr.back());
  CHECK(m.acknowledge() == 0x2b);
  // Shared: it stays asserted until both are quiet.
  second.interrupt(true, m.now);
  first.interrupt(false, m.now);
  m.store(kIoApic + 0x40, 0x77);
  CHECK(m.upstream.vectors.size() == 2);
  second.interrupt(false, m.now);
  m.store(kIoApic + 0x40, 0x77);
  CHECK(m.upstream.vectors.size() == 2);
}

TEST_CASE("southbridge: DnnIR routes the pins of the southbridge's own devices") {
  Machine m;
  TestFunction function(1);
  m.pci.add(function, {0, 29, 0});
  m.lpc(0xf0, 4, kRcba | 1);
  CHECK(m.load(kRcba + 0x3144, 2) == 0x3210);
  m.io_apic_entry(16, 0x60 | kLevel | kActiveLow);
  m.io_apic_entry(21, 0x65 | kLevel | kActiveLow);
  function.interrupt(true, m.now);
  CHECK(m.upstream.vectors == std::vector<u8>{0x60});
  m.store(kRcba + 0x3144, 0x3215, 2);
  CHECK(m.upstream.vectors == std::vector<u8>{0x60, 0x65});
}

TEST_CASE("southbridge: the PM ports are where PMBASE says while ACPI_EN is set") {
  Machine m;
  CHECK(m.in(0x608, 4) == 0xffff'ffff);
  m.lpc(0x40, 4, 0x601);
  m.lpc(0x44, 1, 0x80);
  m.run_until(kMs);
  CHECK(m.in(0x608, 4) == 3579);  // 3.579545 MHz
  m.lpc(0x40, 4, 0x1001);
  CHECK(m.in(0x608, 4) == 0xffff'ffff);
  CHECK(m.in(0x1008, 4) == 3579);
  m.lpc(0x44, 1, 0);
  CHECK(m.in(0x1008, 4) == 0xffff'ffff);
}

TEST_CASE("southbridge: SLP_EN powers off, or suspends") {
  Machine m;
  m.lpc(0x40, 4, 0x601);
  m.lpc(0x44, 1, 0x80);
  m.out(0x604, 0x2400, 2);  // S3
  CHECK(m.suspends == 1);
  CHECK(m.power_offs == 0);
  Machine n;
  n.lpc(0x40, 4, 0x601);
  n.lpc(0x44, 1, 0x80);
  n.out(0x604, 0x2000, 2);  // S5
  CHECK(n.power_offs == 1);
}

TEST_CASE("southbridge: SCI reaches IRQ 9, or what SCI_IRQ_SEL says") {
  Machine m;
  m.lpc(0x40, 4, 0x601);
  m.lpc(0x44, 1, 0x80);
  m.io_apic_entry(9, 0x49 | kLevel);
  m.io_apic_entry(20, 0x60 | kLevel | kActiveLow);
  m.out(0x604, 1, 2);    // SCI_EN
  m.out(0x602, 0x20, 2);  // GBL_EN
  m.bridge.pm().press_power_button(m.now);
  m.out(0x602, 0x100, 2);  // PWRBTN_EN
  CHECK(m.upstream.vectors == std::vector<u8>{0x49});
  m.lpc(0x44, 1, 0x84);
  CHECK(m.upstream.vectors == std::vector<u8>{0x49, 0x60});
}

TEST_CASE("southbridge: the 8259s' INTR is I/O APIC input 0 and leaves towards LINT0") {
  Machine m;
  m.initialize_pics();
  m.io_apic_entry(0, 0x700);  // ExtINT
  m.out(0x2004, 1);
  CHECK(m.upstream.vectors.size() == 1);
  CHECK(m.intr.back());
  CHECK(m.acknowledge() == 0x24);
}

TEST_CASE("southbridge: A20 is on while one of the two gates lets it through") {
  Machine m;
  CHECK(m.a20.empty());  // on
  m.out(0x64, 0xdd);     // the keyboard controller's gate closes
  CHECK(m.a20 == std::vector<bool>{false});
  m.out(0x92, 2);
  CHECK(m.a20 == std::vector<bool>{false, true});
  m.out(0x64, 0xdf);
  m.out(0x92, 0);
  CHECK(m.a20.size() == 2);
}

TEST_CASE("southbridge: each device answers at its ports") {
  Machine m;
  m.out(0x3f8, 'x');
  CHECK(m.serial == "x");
  CHECK(m.in(0x2fd) == 0x60);
  m.out(0x3fa, 0, 2);  // a word on the byte bus: IIR/FCR and LCR
  m.out(0xe9, 'y');
  m.out(0x402, 'z');
  CHECK(m.console == "yz");
  m.out(0xf4, 5, 4);
  CHECK(m.exits == std::vector<u32>{5});
  for (const char c : std::string("Shutdown")) m.out(0x8900, static_cast<u8>(c));
  CHECK(m.power_offs == 1);
  m.out(0xcf9, 0x06);
  CHECK(m.resets == std::vector<ResetKind>{ResetKind::kHard});
  m.out(0x70, 0x0d);
  CHECK(m.in(0x71) == 0x80);
  CHECK((m.in(0x64) & 0x10) != 0);  // not locked
  CHECK(m.in(0x514, 4) == 0x554d'4551);
  CHECK(m.in(0x1234, 2) == 0xffff);
}

TEST_CASE("southbridge: memory blocks are where the chip configuration puts them") {
  Machine m;
  CHECK(m.load(kHpet) == 0x8086'a201);
  m.store(kIoApic, 1);
  CHECK(m.load(kIoApic + 0x10) == 0x0017'0020);
  CHECK(m.load(kRcba + 0x3404) == 0xffff'ffff);  // RCBA is off
  m.lpc(0xf0, 4, kRcba | 1);
  CHECK(m.load(kRcba + 0x3404) == 0x80);
  m.store(kRcba + 0x3404, 0x82);
  CHECK(m.load(kHpet) == 0xffff'ffff);
  CHECK(m.load(kHpet + 0x2000) == 0x8086'a201);
  m.store(kRcba + 0x31fe, 0, 2);
  CHECK(m.load(kIoApic + 0x10) == 0xffff'ffff);
  m.store(0xff00'0100, 0x1234);
  CHECK(m.load(0xff00'0100) == 0x1234);
}

TEST_CASE("southbridge: what the configuration leaves out does not answer") {
  ChipsetConfig config;
  config.uarts = 0;
  config.has_hpet = config.has_i8042 = config.has_debug_exit = config.has_debug_console = false;
  Machine m(config);
  for (const u16 port : std::array<u16, 6>{0x3fd, 0x64, 0xf4, 0xe9, 0x402, 0xe0}) CHECK(m.in(port) == 0xff);
  CHECK(m.load(kHpet) == 0xffff'ffff);
}

TEST_CASE("southbridge: reset stops what software started") {
  Machine m;
  m.io_apic_entry(2, 0x42);
  m.out(0x43, 0x34);
  m.out(0x40, 0xa9);
  m.out(0x40, 0x04);
  m.run_until(2 * kMs);
  CHECK_FALSE(m.upstream.vectors.empty());
  m.pci.reset(m.now);
  m.bridge.reset(m.now);
  m.upstream.vectors.clear();
  m.run_until(20 * kMs);
  CHECK(m.upstream.vectors.empty());
  m.store(kIoApic, 0x14);
  CHECK(m.load(kIoApic + 0x10) == 0x1'0000);
}

TEST_CASE("SMBus: 8086:2930; no device acknowledges its address") {
  Machine m;
  device::PciFunction& smbus = *m.pci.find(SmbusController::kBdf);
  CHECK(smbus.config_read(0, 4, 0) == 0x2930'8086);
  smbus.config_write(0x20, 4, 0x0701, 0);
  smbus.config_write(0x04, 2, 1, 0);
  smbus.config_write(0x40, 1, 1, 0);
  RegisterTarget& registers = *smbus.bar_target(4);
  registers.write(4, 1, 0xa1, 0);
  registers.write(2, 1, 0x48, 0);  // start, byte data
  CHECK((registers.read(0, 1, 0) & 0x1f) == 0x04);
  CHECK((registers.read(0, 1, 0) & 0x40) != 0);  // in use since the read before
  registers.write(0, 1, 0x44, 0);
  CHECK(registers.read(0, 1, 0) == 0);
  registers.write(2, 1, 0x49, 0);  // with INTREN
  CHECK(smbus.intx().level());
  registers.write(0, 1, 0x04, 0);
  CHECK_FALSE(smbus.intx().level());
}

TEST_CASE("LPC bridge: 8086:2918, an ISA bridge of a device with several functions") {
  Machine m;
  device::PciFunction& lpc = *m.pci.find(LpcBridge::kBdf);
  CHECK(lpc.config_read(0, 4, 0) == 0x2918'8086);
  CHECK(lpc.config_read(0x0a, 2, 0) == 0x0601);
  CHECK(lpc.config_read(0x0e, 1, 0) == 0x80);
  CHECK(lpc.config_read(0x40, 4, 0) == 1);
  CHECK(lpc.config_read(0x60, 4, 0) == 0x8080'8080);
}
