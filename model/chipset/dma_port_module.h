#pragma once
// A device's way to memory: MemoryPort over a TLM initiator socket, with the device's requester id.
// Bind it to an IOMMU, or to NorthbridgeModule::upstream.

#include <tlm_utils/simple_initiator_socket.h>

#include <systemc>

#include "model/base/device.h"
#include "model/chipset/bus_module.h"

namespace vtsim::chipset {

class DmaPortModule final : public sc_core::sc_module, public MemoryPort {
 public:
  tlm_utils::simple_initiator_socket<DmaPortModule> socket;

  DmaPortModule(sc_core::sc_module_name name, u16 requester_id);

  bool read(Hpa address, std::span<u8> data, Ps now) override;
  bool write(Hpa address, std::span<const u8> data, Ps now) override;

 private:
  BusInfo info_;
};

}  // namespace vtsim::chipset
