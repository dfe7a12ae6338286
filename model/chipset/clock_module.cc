#include "model/chipset/clock_module.h"

#include "model/chipset/bus_module.h"

namespace vtsim::chipset {

ClockModule::ClockModule(sc_core::sc_module_name name, EventQueue& events)
    : sc_module(name), events_(events), wake_("wake") {
  SC_METHOD(fire);
  sensitive << wake_;
  events_.on_earlier([this](Ps next) { arm(next); });
}

// Runs once at the start of the simulation too, for what was scheduled before it.
void ClockModule::fire() {
  events_.run_until(sc_core::sc_time_stamp().value());
  arm(events_.next());
}

// SystemC keeps the earliest notification of an event: one that has become too early finds nothing
// due, and arms the next.
void ClockModule::arm(Ps next) {
  if (next == kNever) return;
  const Ps now = sc_core::sc_time_stamp().value();
  wake_.notify(to_sc_time(next > now ? next - now : 0));
}

}  // namespace vtsim::chipset
