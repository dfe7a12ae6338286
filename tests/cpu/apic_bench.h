#pragma once
// A few local APICs on one fabric, with everything around them recorded.

#include <memory>
#include <vector>

#include "model/cpu/apic/interrupt_fabric.h"
#include "model/cpu/apic/local_apic.h"

namespace vtsim::cpu::test {

// Offsets on the xAPIC page, from SDM 3A "Local APIC Register Address Map".
enum XapicOffset : u64 {
  kIdAt = 0x20,
  kVersionAt = 0x30,
  kTprAt = 0x80,
  kAprAt = 0x90,
  kPprAt = 0xa0,
  kEoiAt = 0xb0,
  kLdrAt = 0xd0,
  kDfrAt = 0xe0,
  kSvrAt = 0xf0,
  kIsrAt = 0x100,
  kTmrAt = 0x180,
  kIrrAt = 0x200,
  kEsrAt = 0x280,
  kLvtCmciAt = 0x2f0,
  kIcrLowAt = 0x300,
  kIcrHighAt = 0x310,
  kLvtTimerAt = 0x320,
  kLvtThermalAt = 0x330,
  kLvtPerformanceAt = 0x340,
  kLvtLint0At = 0x350,
  kLvtLint1At = 0x360,
  kLvtErrorAt = 0x370,
  kInitialCountAt = 0x380,
  kCurrentCountAt = 0x390,
  kDivideAt = 0x3e0,
};

class RecordingCore : public CoreSignals {
 public:
  void nmi(Ps) override { ++nmis; }
  void smi(Ps) override { ++smis; }
  void init(Ps) override { ++inits; }
  void startup(u8 vector, Ps) override { startups.push_back(vector); }
  void interrupt_line_changed(Ps) override { ++line_changes; }

  int nmis = 0;
  int smis = 0;
  int inits = 0;
  int line_changes = 0;
  std::vector<u8> startups;
};

class FixedPic : public ExtIntSource {
 public:
  u8 interrupt_acknowledge(Ps) override {
    ++acknowledges;
    return vector;
  }
  u8 vector = 0x31;
  int acknowledges = 0;
};

class RecordingIoApic : public EoiSink {
 public:
  void eoi_broadcast(u8 vector, Ps) override { vectors.push_back(vector); }
  std::vector<u8> vectors;
};

// 2 GHz, with an offset that tests may change: 500 ps a tick.
class OffsetTsc : public TscClock {
 public:
  static constexpr Ps kTick = 500;
  u64 tsc_at(Ps now) const override { return now / kTick + offset; }
  Ps time_of_tsc(u64 tsc) const override {
    if (tsc <= offset) return 0;
    const u64 ticks = tsc - offset;
    return ticks > kNever / kTick ? kNever : ticks * kTick;
  }
  u64 offset = 0;
};

// The timer's clock: 25 MHz, 40 ns a tick.
inline constexpr Ps kTimerTick = 40'000;

class Bench {
 public:
  explicit Bench(std::vector<LocalApicConfig> configs) {
    fabric.add(io_apic);
    cores.resize(configs.size());
    for (std::size_t i = 0; i < configs.size(); ++i) {
      cores[i] = std::make_unique<RecordingCore>();
      const LocalApic::Ports ports{*cores[i], fabric, pic, tsc, events};
      apics.push_back(std::make_unique<LocalApic>(configs[i], ports,
                                                  "cpu" + std::to_string(i) + ".apic.timer"));
    }
  }

  static std::vector<LocalApicConfig> plain(u32 count) {
    std::vector<LocalApicConfig> configs(count);
    for (u32 i = 0; i < count; ++i) {
      configs[i].apic_id = i;
      configs[i].bootstrap_processor = i == 0;
    }
    return configs;
  }
  explicit Bench(u32 count = 1) : Bench(plain(count)) {}

  LocalApic& apic(std::size_t i = 0) { return *apics[i]; }
  RecordingCore& core(std::size_t i = 0) { return *cores[i]; }

  u64 read(u64 offset, std::size_t i = 0) { return apic(i).read(offset, 4, now); }
  void write(u64 offset, u64 value, std::size_t i = 0) { apic(i).write(offset, 4, value, now); }

  void enable_all() {
    for (std::size_t i = 0; i < apics.size(); ++i) write(kSvrAt, 0x1ff, i);
  }
  void enter_x2apic(std::size_t i = 0) {
    if (apic(i).write_apic_base(apic(i).apic_base() | 0xc00, now) != MsrStatus::kOk) throw 0;
  }
  void x2apic_all() {
    for (std::size_t i = 0; i < apics.size(); ++i) {
      enter_x2apic(i);
      if (wrmsr(0x80f, 0x1ff, i) != MsrStatus::kOk) throw 0;
    }
  }
  std::optional<u64> rdmsr(u32 msr, std::size_t i = 0) { return apic(i).read_msr(msr, now); }
  MsrStatus wrmsr(u32 msr, u64 value, std::size_t i = 0) {
    return apic(i).write_msr(msr, value, now);
  }

  void send_xapic_ipi(u64 low, u64 destination, std::size_t from = 0) {
    write(kIcrHighAt, destination << 24, from);
    write(kIcrLowAt, low, from);
  }
  void message(u8 vector, DeliveryMode delivery = DeliveryMode::kFixed, u32 destination = 0) {
    InterruptMessage m;
    m.vector = vector;
    m.delivery = delivery;
    m.destination = destination;
    fabric.deliver(m, now);
  }
  void level_message(u8 vector) {
    InterruptMessage m;
    m.vector = vector;
    m.trigger = TriggerMode::kLevel;
    fabric.deliver(m, now);
  }

  void run_until(Ps when) {
    events.run_until(when);
    now = when;
  }

  // The processors in whose IRR `vector` stands, as a bit map.
  unsigned holders(u8 vector) const {
    unsigned map = 0;
    for (std::size_t i = 0; i < apics.size(); ++i) {
      if (apics[i]->state().irr.contains(vector)) map |= 1U << i;
    }
    return map;
  }

  Ps now = 0;
  EventQueue events;
  OffsetTsc tsc;
  FixedPic pic;
  InterruptFabric fabric;
  RecordingIoApic io_apic;
  std::vector<std::unique_ptr<RecordingCore>> cores;
  std::vector<std::unique_ptr<LocalApic>> apics;
};

}  // namespace vtsim::cpu::test
