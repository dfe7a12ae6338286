#pragma once
// What the cores of a fuzzed program see around them: a little memory between pages that the host
// protects, ROM, SMRAM, and devices that answer: they interrupt, write memory, move the memory map.
// All that they do follows from the accesses and their times.

#include <array>
#include <functional>

#include "model/base/cpu_bus.h"
#include "model/cpu/apic/interrupt_fabric.h"
#include "model/cpu/environment.h"
#include "tests/fuzz/harness/tape.h"

namespace vtsim::fuzz {

inline constexpr u64 kRamBytes = 1 << 20;
inline constexpr u64 kRamPages = kRamBytes / kPageSize;
inline constexpr u64 kDevices = 0xC0000;      // pages of devices within the first MByte
inline constexpr u64 kDevicePages = 16;
inline constexpr u64 kSmram = 0x30000;        // the pages at the default SMBASE's entry and save area
inline constexpr u16 kDevicePort = 0x80;      // eight ports that do what a device page's words do

enum class PageKind : u8 { kRam, kRom, kDevice, kSmram };

// Memory of `bytes` with an inaccessible page on both sides.
class GuardedMemory {
 public:
  explicit GuardedMemory(u64 bytes);
  ~GuardedMemory();
  GuardedMemory(const GuardedMemory&) = delete;
  GuardedMemory& operator=(const GuardedMemory&) = delete;
  u8* data() const { return data_; }

 private:
  u64 bytes_;
  u8* data_;
};

class World {
 public:
  World(cpu::SharedEnvironment& shared, EventQueue& events, cpu::InterruptFabric& fabric);

  u8* ram(u64 address) { return memory_.data() + address; }
  void set_page(u64 number, PageKind kind) { pages_[number] = kind; }
  HostPage host_page(Hpa page, bool in_smm);
  u64 read(Hpa address, unsigned size, const BusAttributes& attributes);
  void write(Hpa address, unsigned size, u64 value, Ps now);
  u64 port_in(u16 port, unsigned size, Ps now);
  void port_out(u16 port, unsigned size, u64 value, Ps now);

  // All that reached the bus, with times.
  const Digest& log() const { return log_; }
  u64 accesses() const { return accesses_; }

 private:
  void note(u64 kind, u64 where, u64 value, Ps now);
  void act(u64 what, u64 value, Ps now);
  void interrupt(DeliveryMode mode, u64 value, Ps now);
  void write_memory(u64 value);

  cpu::SharedEnvironment& shared_;
  EventQueue& events_;
  cpu::InterruptFabric& fabric_;
  EventQueue::Id alarm_;
  u64 alarm_value_ = 0;
  GuardedMemory memory_{kRamBytes};
  std::array<PageKind, kRamPages> pages_{};
  Digest log_;
  u64 accesses_ = 0;
};

class WorldBus final : public CpuBus {
 public:
  explicit WorldBus(World& world) : world_(world) {}
  u64 read(Hpa address, unsigned size, const BusAttributes& attributes, Ps) override {
    return world_.read(address, size, attributes);
  }
  void write(Hpa address, unsigned size, u64 value, const BusAttributes&, Ps now) override {
    world_.write(address, size, value, now);
  }
  u64 port_in(u16 port, unsigned size, Ps now) override { return world_.port_in(port, size, now); }
  void port_out(u16 port, unsigned size, u64 value, Ps now) override {
    world_.port_out(port, size, value, now);
  }
  u8 acknowledge_interrupt(Ps) override { return 0x30; }
  HostPage host_page(Hpa page, bool in_smm) override { return world_.host_page(page, in_smm); }

 private:
  World& world_;
};

}  // namespace vtsim::fuzz
