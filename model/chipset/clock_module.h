#pragma once
// Drives the machine's EventQueue by SystemC time: each event fires at its exact picosecond. Cores
// that run ahead end their quantum at EventQueue::next(), which may move earlier whenever they
// access a device: they look again after each bus access.

#include <systemc>

#include "model/base/event_queue.h"

namespace vtsim::chipset {

class ClockModule final : public sc_core::sc_module {
 public:
  // The queue must outlive the module, which takes its listener.
  ClockModule(sc_core::sc_module_name name, EventQueue& events);

 private:
  SC_HAS_PROCESS(ClockModule);

  void fire();
  void arm(Ps next);

  EventQueue& events_;
  sc_core::sc_event wake_;
};

}  // namespace vtsim::chipset
