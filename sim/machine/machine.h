#pragma once
// A whole Q35 machine of SystemC modules, built from its description. One a process (SystemC).
//
//   CoreModule 0..n-1 ──sockets──> NorthbridgeModule ──> SouthbridgeModule
//        ^                                  ^                    │
//        └── InterruptFabric <── messages ──┴───── DMA ports ────┘
//
// run() of sim/machine/runner.h lets it live.

#include <memory>
#include <string>
#include <vector>

#include "model/base/event_queue.h"
#include "model/chipset/clock_module.h"
#include "model/chipset/northbridge_module.h"
#include "model/chipset/southbridge_module.h"
#include "model/device/pci_function.h"
#include "sim/config/machine_config.h"
#include "sim/firmware_tables/guest_memory.h"
#include "sim/firmware_tables/memory_layout.h"
#include "sim/loader/entry_state.h"
#include "sim/machine/core_module.h"

namespace vtsim::machine {

// What the machine tells the outside. Called within a guest's access or an event.
struct MachineSinks {
  std::function<void(u8 byte, Ps now)> console;  // COM1
  std::function<void(u8 byte, Ps now)> debug_console;
  std::function<void(u32 value)> debug_exit;
  std::function<void()> power_off;
  std::function<void()> reset;
  // ACPI S3 begins: suspend() is to be called once the instruction is over; and something ends it:
  // resume() is to be called.
  std::function<void()> suspend;
  std::function<void()> wake;
};

class Machine {
 public:
  Machine(const config::MachineConfig& config, MachineSinks sinks, cpu::CoreObserver& observer,
          QuantumWatcher& watcher);
  ~Machine();

  // What firmware would have done before it starts a kernel on the boot processor: chipset and
  // processor set-up, ACPI and SMBIOS tables. Returns the RSDP's address.
  Hpa prepare_without_firmware(Ps now);
  void start_at(const loader::EntryState& entry);

  // All devices and processors as after power-on; memory keeps its contents.
  void reset(Ps now);

  // ACPI S3: the processors lose their power; memory, the RTC and the power-management block keep theirs.
  void suspend(Ps now);
  bool is_suspended() const;
  // Whether anything still runs that could end it.
  bool can_wake() const;
  // What firmware does at the end of S3: reset and set-up as at power-on, then the OS's waking vector.
  // False: the OS has left none.
  bool resume(Ps now);

  firmware_tables::GuestMemory& memory();
  const config::MachineConfig& config() const { return config_; }
  EventQueue& events() { return events_; }
  unsigned core_count() const { return static_cast<unsigned>(cores_.size()); }
  cpu::Core& core(unsigned n) { return cores_[n]->core(); }
  cpu::SharedEnvironment& shared() { return shared_; }
  void console_input(std::span<const u8> bytes, Ps now);

  u64 instructions() const;  // of all cores
  bool all_asleep() const;
  // No core can ever run again: all are halted with interrupts off, shut down or never started.
  bool is_dead() const;

 private:
  class Memory;
  class Pic;

  void add_devices();
  void set_up_chipset(Ps now);
  void raise_smi(Ps now);

  config::MachineConfig config_;
  EventQueue events_;
  cpu::SharedEnvironment shared_;
  cpu::InterruptFabric fabric_;
  firmware_tables::MemoryLayout layout_;
  std::unique_ptr<Memory> memory_;
  std::unique_ptr<Pic> pic_;
  chipset::ClockModule clock_;
  chipset::NorthbridgeModule northbridge_;
  std::unique_ptr<chipset::SouthbridgeModule> southbridge_;
  std::vector<std::unique_ptr<device::PciFunction>> functions_;  // beyond the chipset's own
  std::vector<std::unique_ptr<CoreModule>> cores_;
};

}  // namespace vtsim::machine
