#pragma once
// The southbridge on the interconnect.
//
//   NorthbridgeModule::below ──> above
//   lpc_dma, io_apic_dma, hpet_dma ──> NorthbridgeModule::upstream (an IOMMU may sit in between)

#include <tlm_utils/simple_target_socket.h>

#include <systemc>

#include "model/chipset/bus_module.h"
#include "model/chipset/dma_port_module.h"
#include "model/chipset/northbridge_module.h"
#include "model/chipset/southbridge.h"

namespace vtsim::chipset {

class SouthbridgeModule final : public sc_core::sc_module {
 public:
  tlm_utils::simple_target_socket<SouthbridgeModule> above;
  DmaPortModule lpc_dma;
  DmaPortModule io_apic_dma;
  DmaPortModule hpet_dma;

  // The southbridge's PCI functions appear on `northbridge`'s bus. The sockets are still to be bound:
  // all of them with connect(), or one by one.
  SouthbridgeModule(sc_core::sc_module_name name, const ChipsetConfig& config, EventQueue& events,
                    NorthbridgeModule& northbridge, SouthbridgeSinks sinks);

  // Binds all sockets directly to the northbridge.
  void connect(NorthbridgeModule& northbridge);

  Southbridge& bridge() { return bridge_; }

 private:
  void from_northbridge(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);

  Southbridge bridge_;
};

}  // namespace vtsim::chipset
