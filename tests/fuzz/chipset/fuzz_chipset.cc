// Random transactions of cores and devices on the whole chipset, without cores: ports, memory-mapped
// registers, PCI configuration space, DMA by fw_cfg and by a device. Nothing crashes, events come to
// an end, and the same accesses give the same answers.

#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <initializer_list>

#include "model/chipset/northbridge.h"
#include "model/chipset/southbridge.h"
#include "model/device/pci_testdev.h"
#include "tests/fuzz/harness/campaign.h"

using namespace vtsim;
using namespace vtsim::chipset;
using namespace vtsim::fuzz;

namespace {

constexpr u64 kMiB = 1 << 20;
constexpr Ps kMs = 1'000'000'000;

// A device's port into the northbridge.
class Upstream final : public MemoryPort {
 public:
  Upstream(Northbridge& bridge, u16 requester) : bridge_(bridge), requester_(requester) {}
  bool read(Hpa address, std::span<u8> data, Ps now) override {
    std::fill(data.begin(), data.end(), u8{0xFF});
    return bridge_.transport({.address = address.value, .data = data, .info = info()}, now);
  }
  bool write(Hpa address, std::span<const u8> data, Ps now) override {
    Bytes copy(data.begin(), data.end());
    return bridge_.transport({.command = BusTransaction::Command::kWrite, .address = address.value,
                              .data = copy, .info = info()},
                             now);
  }

 private:
  BusInfo info() const { return {.kind = RefKind::kDma, .requester_id = requester_}; }
  Northbridge& bridge_;
  u16 requester_;
};

struct Chipset final : private InterruptSink {
  explicit Chipset(const ChipsetConfig& config)
      : north(config, *this), south(config, events, north.pci(), {lpc, io_apic, hpet}, sinks()) {
    north.connect_below(south);
    north.on_map_change([this] { log.add(1); });
    north.on_memory_write([this](Hpa first, u64 bytes) { note({2, first.value, bytes}); });
    testdev.connect_dma(device);
    north.pci().add(testdev, {0, 3, 0});
  }

  void deliver(const InterruptMessage& message, Ps now) override {
    note({3, message.destination, message.vector, static_cast<u64>(message.delivery), now});
    south.io_apic().eoi_broadcast(message.vector, now);
  }
  SouthbridgeSinks sinks() {
    SouthbridgeSinks s;
    const auto level = [this](u64 kind) {
      return [this, kind](bool high, Ps now) { note({kind, high, now}); };
    };
    const auto moment = [this](u64 kind) { return [this, kind](Ps now) { note({kind, now}); }; };
    s.intr = level(4);
    s.a20 = level(5);
    s.smi = level(6);
    s.reset = [this](ResetKind, Ps now) { reset_at = now; };
    s.power_off = moment(7);
    s.suspend = moment(8);
    s.wake = moment(9);
    s.debug_exit = [this](u32 value, Ps) { note({10, value}); };
    s.debug_console = [this](u8 byte, Ps) { note({11, byte}); };
    for (auto& serial : s.serial) serial = [this](u8 byte, Ps) { note({12, byte}); };
    return s;
  }
  void note(std::initializer_list<u64> words) {
    for (const u64 word : words) log.add(word);
  }

  EventQueue events;
  Digest log;
  Northbridge north;
  Upstream lpc{north, Southbridge::kLpcRequester};
  Upstream io_apic{north, Southbridge::kIoApicRequester};
  Upstream hpet{north, Southbridge::kHpetRequester};
  Upstream device{north, 0x18};
  device::PciTestdev testdev;
  Southbridge south;
  Ps reset_at = 0;
};

// Where registers are.
struct Range {
  u64 first;
  u64 bytes;
};
constexpr Range kPorts[] = {
    {0x20, 2},   {0xA0, 2},    {0x4D0, 2},  {0x40, 4},    {0x60, 5},    {0x70, 4},   {0x92, 1},
    {0x3F8, 8},  {0x2F8, 8},   {0x510, 12}, {0xCF8, 8},   {0xCF8, 8},   {0xCF9, 1},  {0xB2, 2},
    {0x600, 128}, {0x660, 32}, {0x402, 1},  {0x80, 16},   {0x2000, 64}, {0xE0, 32},  {0x8900, 1},
    {0x400, 64}, {0xC000, 256}, {0, 0x10000}};
constexpr Range kMemory[] = {{0, kMiB},
                             {0xA0000, 0x60000},
                             {0xFEC00000, 0x100},
                             {0xFED00000, 0x400},
                             {0xFED1C000, 0x4000},
                             {0xFEE00000, 0x1000},
                             {0xB0000000, 0x10000},   // ECAM as firmware places it
                             {0xB00F8000, 0x1000},
                             {0xE0000000, 0x10000},
                             {0xFEB00000, 0x10000},
                             {16 * kMiB - 64, 128},
                             {0xFFFF0000, 0x10000},
                             {0x100000000 - 8, 16},
                             {~u64{0} - 64, 64}};

class Session {
 public:
  explicit Session(Tape& tape)
      : tape_(tape),
        chipset_({.ram_bytes = 16 * kMiB,
                  .cores = 1 + static_cast<unsigned>(tape.below(4)),
                  .uarts = 1 + static_cast<unsigned>(tape.below(2)),
                  .has_hpet = !tape.chance(20),
                  .has_i8042 = !tape.chance(20),
                  .has_debug_exit = !tape.chance(20),
                  .has_debug_console = !tape.chance(20),
                  .has_pc_testdev = tape.chance(40)}) {}

  std::string run() {
    chipset_.south.fw_cfg().add_file("opt/file", Bytes(300, 7));
    while (!tape_.at_end()) {
      step();
      if (chipset_.reset_at != 0) {
        chipset_.reset_at = 0;
        chipset_.north.reset(now_);
        chipset_.south.reset(now_);
      }
    }
    return {};
  }
  u64 digest() {
    for (u64 at = 0; at < kMiB; at += kPageSize / 8)
      chipset_.log.add(*chipset_.north.memory().host(Hpa(at)));
    return chipset_.log.value();
  }

 private:
  void access(BusSpace space, u64 address, unsigned size, bool is_write, u64 value) {
    u8 bytes[64];
    for (unsigned n = 0; n < sizeof bytes; ++n) bytes[n] = static_cast<u8>(value >> (8 * (n % 8)));
    const bool claimed = chipset_.north.transport(
        {.command = is_write ? BusTransaction::Command::kWrite : BusTransaction::Command::kRead,
         .address = address,
         .data = {bytes, size},
         .info = {.space = space, .core = 0, .in_smm = tape_.chance(20)}},
        now_);
    chipset_.log.add(claimed);
    if (!is_write) chipset_.log.add(std::span<const u8>(bytes, size));
  }
  u64 value() { return tape_.chance(128) ? tape_.number(1) : tape_.number(tape_.chance(128) ? 4 : 8); }
  // Naturally aligned, as cores split what is not.
  void at_range(BusSpace space, const Range& range, unsigned largest) {
    const unsigned size = 1u << tape_.below(largest);
    const u64 address = (range.first + tape_.below(range.bytes)) & ~u64{size - 1};
    access(space, address, size, tape_.chance(150), value());
  }
  // Configuration mechanism #1, the devices that exist more often.
  void configuration() {
    constexpr u32 kFunctions[] = {0x0000, 0xF800, 0xF800, 0xFB00, 0x1800, 0x1800};
    const u64 function = tape_.chance(230) ? tape_.one_of(kFunctions) : tape_.number(2);
    const u64 offset = tape_.below(256);
    access(BusSpace::kPort, 0xCF8, 4, true, u64{1} << 31 | function | (offset & 0xFC));
    const unsigned size = 1u << tape_.below(3);
    access(BusSpace::kPort, 0xCFC + (offset & 3 & ~(size - 1)), size, tape_.chance(180), value());
  }
  // A descriptor for fw_cfg in memory, and its start.
  void fw_cfg_dma() {
    const u64 at = tape_.chance(200) ? 0x1000 + tape_.below(256) : value();
    const u64 control = u64{tape_.chance(40) ? tape_.number(2) : 0x19 + tape_.below(16)} << 16 |
                        tape_.below(32);
    const u64 target = tape_.chance(160) ? tape_.below(kMiB) : value();
    const u64 length = tape_.chance(230) ? tape_.number(1) : tape_.number(4);
    const u64 words[2] = {__builtin_bswap64(control << 32 | length), __builtin_bswap64(target)};
    u8 bytes[16];
    std::memcpy(bytes, words, sizeof bytes);
    chipset_.lpc.write(Hpa(at), bytes, now_);
    access(BusSpace::kPort, 0x514, 4, true, __builtin_bswap32(static_cast<u32>(at >> 32)));
    access(BusSpace::kPort, 0x518, 4, true, __builtin_bswap32(static_cast<u32>(at)));
  }
  void wait() {
    now_ += tape_.chance(200) ? tape_.number(4) : tape_.below(50) * kMs;
    chipset_.events.run_until(now_);
  }
  void device_access() {
    Bytes bytes(1 + tape_.below(32), tape_.byte());
    const Range& range = tape_.one_of(kMemory);
    const Hpa address(range.first + tape_.below(range.bytes));
    if (tape_.chance(128)) {
      chipset_.log.add(chipset_.device.write(address, bytes, now_));
    } else {
      chipset_.log.add(chipset_.device.read(address, bytes, now_));
      chipset_.log.add(bytes);
    }
  }
  void host_range() {
    const HostRange range = chipset_.north.host_range(
        Hpa(tape_.one_of(kMemory).first + tape_.number(2)), View::kNormal);
    chipset_.note({range.first, range.last, range.read != nullptr, range.write != nullptr});
    // The ends of what a core may touch belong to the process.
    if (range.write != nullptr) range.write[0] = range.write[range.last - range.first] = 0x5A;
  }
  void step() {
    switch (tape_.below(12)) {
      case 0:
      case 1:
      case 2:
      case 3: return at_range(BusSpace::kPort, tape_.one_of(kPorts), 3);
      case 4:
      case 5: return at_range(BusSpace::kMemory, tape_.one_of(kMemory), 4);
      case 6:
      case 7: return configuration();
      case 8: return fw_cfg_dma();
      case 9: return device_access();
      case 10: return tape_.chance(200) ? wait() : host_range();
      default: return access(BusSpace::kInterruptAcknowledge, 0, 1, false, 0);
    }
  }

  Tape& tape_;
  Chipset chipset_;
  Ps now_ = 0;
};

std::string judge(Tape& tape) {
  Tape again = tape;
  Session first(tape), second(again);
  first.run();
  second.run();
  return first.digest() == second.digest() ? "" : "two runs differ";
}

}  // namespace

int main(int argc, char** argv) {
  const Fuzzer fuzzer{
      .name = "chipset", .longest_tape = 4000, .iterations = 2000, .case_seconds = 30, .judge = judge};
  return run_fuzzer(fuzzer, argc, argv);
}
