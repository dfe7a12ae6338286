#pragma once
// The northbridge on the interconnect.
//
//   CpuBusModule::socket ──> cores          (any number; DMI; snoops and invalidations go back)
//   DmaPortModule::socket ─> upstream       (any number; no DMI: an IOMMU may sit in between)
//                            below ──> SouthbridgeModule::above

#include <tlm_utils/multi_passthrough_target_socket.h>
#include <tlm_utils/simple_initiator_socket.h>

#include <systemc>

#include "model/chipset/bus_module.h"
#include "model/chipset/northbridge.h"

namespace vtsim::chipset {

class NorthbridgeModule final : public sc_core::sc_module {
 public:
  tlm_utils::multi_passthrough_target_socket<NorthbridgeModule> cores;
  tlm_utils::multi_passthrough_target_socket<NorthbridgeModule> upstream;
  tlm_utils::simple_initiator_socket<NorthbridgeModule> below;

  // `interrupts` takes decoded messages to the local APICs.
  NorthbridgeModule(sc_core::sc_module_name name, const ChipsetConfig& config,
                    InterruptSink& interrupts);

  Northbridge& bridge() { return bridge_; }

 private:
  class Below final : public BusLink {
   public:
    explicit Below(NorthbridgeModule& module) : module_(module) {}
    bool transport(const BusTransaction& transaction, Ps now) override;

   private:
    NorthbridgeModule& module_;
    BusPayload payload_;
    bool busy_ = false;
  };

  void from_core(int core, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);
  void from_device(int device, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);
  bool grant(int core, tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi);
  static bool is_elaborated();
  void invalidate_grants();
  void snoop_write(Hpa first, u64 bytes);

  Northbridge bridge_;
  Below below_link_{*this};
};

}  // namespace vtsim::chipset
