#pragma once
// A logical processor as a SystemC process: runs its core a quantum at a time, ahead of simulated
// time, and lets the others and the devices catch up in between.

#include <functional>
#include <memory>
#include <systemc>

#include "model/base/bus_listener.h"
#include "model/chipset/cpu_bus_module.h"
#include "model/cpu/logical_processor.h"

namespace vtsim::machine {

// Looked at whenever a core ends a quantum; may end the run.
class QuantumWatcher {
 public:
  virtual ~QuantumWatcher() = default;
  // How many cycles the core may run next; 0 ends its process for good.
  virtual u64 next_quantum(const cpu::Core& core) = 0;
  // The core sleeps; it is looked at again at `until` (kNever: when something happens to it).
  virtual void idle(const cpu::Core& core, Ps until) = 0;
};

class CoreModule final : public sc_core::sc_module, private BusListener {
 public:
  struct Ports {
    cpu::SharedEnvironment& shared;
    EventQueue& events;
    cpu::InterruptFabric& fabric;
    ExtIntSource& pic;
    cpu::CoreObserver& observer;
    QuantumWatcher& watcher;
  };

  CoreModule(sc_core::sc_module_name name, const cpu::LogicalProcessorConfig& config,
             const Ports& ports);

  // The watcher has something to do with this core although it sleeps.
  void look_again(Ps now);

  chipset::CpuBusModule& bus() { return bus_; }
  cpu::LogicalProcessor& processor() { return *processor_; }
  cpu::Core& core() { return processor_->core(); }

 private:
  SC_HAS_PROCESS(CoreModule);

  void live();
  void catch_up();
  void sleep();
  void wait_until(Ps time);
  void on_map_change() override;
  void on_memory_write(Hpa first, u64 bytes) override;

  cpu::SharedEnvironment& shared_;
  EventQueue& events_;
  QuantumWatcher& watcher_;
  Frequency frequency_;
  chipset::CpuBusModule bus_;
  sc_core::sc_event wake_;
  std::unique_ptr<cpu::LogicalProcessor> processor_;
};

}  // namespace vtsim::machine
