#include "model/chipset/southbridge_module.h"

namespace vtsim::chipset {

SouthbridgeModule::SouthbridgeModule(sc_core::sc_module_name name, const ChipsetConfig& config,
                                     EventQueue& events, NorthbridgeModule& northbridge,
                                     SouthbridgeSinks sinks)
    : sc_module(name),
      above("above"),
      lpc_dma("lpc_dma", Southbridge::kLpcRequester),
      io_apic_dma("io_apic_dma", Southbridge::kIoApicRequester),
      hpet_dma("hpet_dma", Southbridge::kHpetRequester),
      bridge_(config, events, northbridge.bridge().pci(),
              {.lpc = lpc_dma, .io_apic = io_apic_dma, .hpet = hpet_dma}, std::move(sinks)) {
  above.register_b_transport(this, &SouthbridgeModule::from_northbridge);
}

void SouthbridgeModule::connect(NorthbridgeModule& northbridge) {
  northbridge.below.bind(above);
  lpc_dma.socket.bind(northbridge.upstream);
  io_apic_dma.socket.bind(northbridge.upstream);
  hpet_dma.socket.bind(northbridge.upstream);
}

void SouthbridgeModule::from_northbridge(tlm::tlm_generic_payload& payload,
                                         sc_core::sc_time& delay) {
  serve(bridge_, payload, delay);
}

}  // namespace vtsim::chipset
