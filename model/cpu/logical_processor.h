#pragma once
// A core and its local APIC, connected: what a machine instantiates for each logical processor.

#include <string>

#include "model/cpu/apic/interrupt_fabric.h"
#include "model/cpu/apic/local_apic.h"
#include "model/cpu/core.h"
#include "model/cpu/environment.h"

namespace vtsim::cpu {

struct LogicalProcessorConfig {
  unsigned index = 0;
  CpuTopology topology;
  Frequency frequency;      // of cycles
  Frequency tsc_frequency;
  u64 seed = 1;
};

class LogicalProcessor final : private CoreSignals, private TscClock {
 public:
  struct Ports {
    SharedEnvironment& shared;
    CpuBus& bus;
    EventQueue& events;
    InterruptFabric& fabric;
    ExtIntSource& pic;
    CoreObserver& observer;
  };
  // Called when the core may have to leave a halt: at the time of the signal.
  using Wake = std::function<void(Ps now)>;

  LogicalProcessor(const LogicalProcessorConfig& config, const Ports& ports, Wake wake);

  // Power-on, and a reset of the platform: the bootstrap processor starts at the reset vector, the
  // others wait for a start-up message.
  void reset(Ps now);

  // The platform takes the processor's power, and its state with it, until it resets it.
  void power_off(Ps now);
  // SMI#
  void smi(Ps now) override;

  Core& core() { return core_; }
  const Core& core() const { return core_; }
  LocalApic& apic() { return apic_; }

 private:
  void nmi(Ps now) override;
  void init(Ps now) override;
  void startup(u8 vector, Ps now) override;
  void interrupt_line_changed(Ps now) override;
  u64 tsc_at(Ps now) const override;
  Ps time_of_tsc(u64 tsc) const override;
  void signal(Ps now);
  void preemption_timer_due(Ps now);

  LogicalProcessorConfig config_;
  Wake wake_;
  LocalApic apic_;
  CoreEnvironment environment_;
  Core core_;
};

}  // namespace vtsim::cpu
