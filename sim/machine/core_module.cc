#include "sim/machine/core_module.h"

#include <algorithm>

#include "model/chipset/bus_module.h"

namespace vtsim::machine {

namespace {

Ps simulated_now() { return chipset::now_of(sc_core::SC_ZERO_TIME); }

}  // namespace

CoreModule::CoreModule(sc_core::sc_module_name name, const cpu::LogicalProcessorConfig& config,
                       const Ports& ports)
    : sc_module(name),
      shared_(ports.shared),
      events_(ports.events),
      watcher_(ports.watcher),
      frequency_(config.frequency),
      bus_("bus", static_cast<u8>(config.index)) {
  const auto wake = [this](Ps now) {
    const Ps here = simulated_now();
    wake_.notify(chipset::to_sc_time(now > here ? now - here : 0));
  };
  processor_ = std::make_unique<cpu::LogicalProcessor>(
      config,
      cpu::LogicalProcessor::Ports{.shared = ports.shared,
                                   .bus = bus_,
                                   .events = ports.events,
                                   .fabric = ports.fabric,
                                   .pic = ports.pic,
                                   .observer = ports.observer},
      wake);
  bus_.listen(*this);
  SC_THREAD(live);
}

void CoreModule::wait_until(Ps time) {
  const Ps here = simulated_now();
  wait(chipset::to_sc_time(time > here ? time - here : 0));
}

void CoreModule::look_again(Ps now) {
  core().set_attention();
  processor_->core().environment().wake(now);
}

// A core that slept lags behind.
void CoreModule::catch_up() {
  const Ps here = simulated_now();
  cpu::Core& core = processor_->core();
  if (here > core.time_of_cycle(core.cycle())) core.skip_to(frequency_.cycles_at(here - 1) + 1);
}

// The boot core looks now and then whether the run is to end, whatever the guest does.
void CoreModule::sleep() {
  constexpr Ps kLook = kPsPerSecond / 10;
  cpu::Core& core = processor_->core();
  const bool looks = core.index() == 0;
  const Ps here = simulated_now();
  watcher_.idle(core, looks ? std::min(events_.next(), here + kLook) : kNever);
  if (core.attention) return;
  if (looks) {
    wait(chipset::to_sc_time(kLook), wake_);
  } else {
    wait(wake_);
  }
}

// No state of the machine lives on this stack: all of it is in the core, the devices and the queue.
void CoreModule::live() {
  cpu::Core& core = processor_->core();
  wait(1, sc_core::SC_PS);  // the machine is prepared at time 0, once its sockets are bound
  while (true) {
    catch_up();
    const u64 quantum = watcher_.next_quantum(core);
    if (quantum == 0) return;
    core.run_until(core.cycle() + quantum);
    wait_until(core.time_of_cycle(core.cycle()));
    if (core.state.activity != cpu::Activity::kActive && !core.attention) sleep();
  }
}

void CoreModule::on_map_change() { core().memory_map_changed(); }

void CoreModule::on_memory_write(Hpa first, u64 bytes) {
  shared_.before_write(first.value, bytes);
}

}  // namespace vtsim::machine
