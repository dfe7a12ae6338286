#pragma once
// A core on a flat memory, without a chipset: what instruction tests run on.

#include <cstring>
#include <vector>

#include "model/cpu/logical_processor.h"

namespace vtsim::cpu::test {

// RAM from 0 to `bytes`; everything else reads as ones. Ports remember what was written.
class FlatBus : public CpuBus {
 public:
  explicit FlatBus(u64 bytes) : ram(bytes + kPageSize) {
    base = ram.data() + (kPageSize - reinterpret_cast<u64>(ram.data()) % kPageSize);
    size_ = bytes;
  }
  u64 read(Hpa, unsigned size, const BusAttributes&, Ps) override { return low_mask(8 * size); }
  void write(Hpa, unsigned, u64, const BusAttributes&, Ps) override {}
  u64 port_in(u16 port, unsigned size, Ps) override { return ports[port] & low_mask(8 * size); }
  void port_out(u16 port, unsigned, u64 value, Ps) override { ports[port] = value; }
  u8 acknowledge_interrupt(Ps) override { return 0xFF; }
  HostPage host_page(Hpa page, bool) override {
    if (page.value >= size_) return {};
    return {base + page.value, base + page.value};
  }

  u8* base;
  u64 ports[65536] = {};

 private:
  std::vector<u8> ram;
  u64 size_;
};

struct NoPic : ExtIntSource {
  u8 interrupt_acknowledge(Ps) override { return 0xFF; }
};

// Lets a test look at events before they are delivered.
struct EventObserver : CoreObserver {
  void on_event(const Core& core, const Event& event) override {
    if (seen) seen(core, event);
  }
  std::function<void(const Core&, const Event&)> seen;
};

// The processor model of the tests: everything that is implemented.
inline CpuModel test_model() {
  CpuModel model;
  model.name = "test";
  model.silicon = implemented_features();
  model.frequencies.tsc_hz = 1'000'000'000;
  model.frequencies.apic_timer_hz = 100'000'000;
  return model;
}

class BareMachine {
 public:
  explicit BareMachine(u64 ram_bytes = 16 << 20, const CpuModel& cpu_model = test_model())
      : model(cpu_model),
        shared(model, offered_features(model)),
        bus(ram_bytes),
        processor({.index = 0, .topology = {}, .frequency = Frequency{1'000'000'000}, .tsc_frequency = Frequency{1'000'000'000}, .seed = 1},
                  {.shared = shared, .bus = bus, .events = events, .fabric = fabric, .pic = pic,
                   .observer = observer},
                  {}) {}

  Core& core() { return processor.core(); }
  CoreState& state() { return processor.core().state; }
  u8* ram(u64 address) { return bus.base + address; }
  void put(u64 address, const void* bytes, std::size_t size) {
    shared.blocks.drop(address, static_cast<unsigned>(size));
    std::memcpy(ram(address), bytes, size);
  }

  // 64-bit mode at CPL 0 (or 3), identity-mapped by 2-MByte pages from tables at 0x1000..0x3fff,
  // with x87, SSE and, where it is offered, AVX usable.
  void enter_long_mode(u8 cpl = 0);

  // Runs `count` instructions at most.
  void run(u64 count) { core().run_until(core().cycle() + count); }

  CpuModel model;
  SharedEnvironment shared;
  EventQueue events;
  InterruptFabric fabric;
  NoPic pic;
  EventObserver observer;
  FlatBus bus;
  LogicalProcessor processor;
};

inline void BareMachine::enter_long_mode(u8 cpl) {
  const auto entry = [&](u64 at, u64 value) { std::memcpy(ram(at), &value, sizeof value); };
  entry(0x1000, 0x2007);
  entry(0x2000, 0x3007);
  for (u64 n = 0; n < 512; ++n) entry(0x3000 + 8 * n, (n << 21) | 0x87);
  CoreState& s = state();
  s.cr0 = Reg<Cr0>(0x80000033);
  s.cr3 = 0x1000;
  s.cr4 = Reg<Cr4>(0x6A0).with(Cr4::OSXSAVE, shared.offered[Feature::kXsave]);
  s.efer = Reg<Efer>(0xD01);
  if (shared.offered[Feature::kAvx]) s.xcr0 = 7;
  s.cpl = cpl;
  const auto flat = [cpl](u64 type, bool code) {
    Reg<SegmentRights> rights(0x90 | type | static_cast<u64>(cpl) << 5 | 0x8000);
    rights.set(SegmentRights::L, code);
    rights.set(SegmentRights::DB, !code);
    return SegmentRegister{.selector = static_cast<u16>((code ? 8 : 16) | cpl),
                           .rights = rights,
                           .limit = 0xFFFFFFFF,
                           .base = 0};
  };
  for (auto& segment : s.seg) segment = flat(3, false);
  s.seg[kCs] = flat(11, true);
  s.seg[kTr] = {.selector = 0x18, .rights = Reg<SegmentRights>(0x8B), .limit = 0x67, .base = 0x4000};
  core().mode_changed();
  core().invalidate_all();
}

}  // namespace vtsim::cpu::test
