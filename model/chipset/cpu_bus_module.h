#pragma once
// A core's way onto the interconnect: CpuBus over a TLM initiator socket. Host pointers come by
// get_direct_mem_ptr and are kept until invalidate_direct_mem_ptr. The A20M# pin acts here, so that
// every physical address of the core passes it.

#include <tlm_utils/simple_initiator_socket.h>

#include <array>
#include <systemc>
#include <vector>

#include "model/base/bus_listener.h"
#include "model/base/cpu_bus.h"
#include "model/chipset/address_map.h"
#include "model/chipset/bus_module.h"

namespace vtsim::chipset {

class CpuBusModule final : public sc_core::sc_module, public CpuBus {
 public:
  tlm_utils::simple_initiator_socket<CpuBusModule> socket;  // to NorthbridgeModule::cores

  // `core` is the index that the core's transactions carry.
  CpuBusModule(sc_core::sc_module_name name, u8 core);

  // The core that is told of changes. It must outlive this.
  void listen(BusListener& listener) { listener_ = &listener; }

  // The A20M# pin: high leaves addresses alone (as at construction), low forces bit 20 to zero.
  void set_a20(bool level);

  u64 read(Hpa address, unsigned size, const BusAttributes& attributes, Ps now) override;
  void write(Hpa address, unsigned size, u64 value, const BusAttributes& attributes,
             Ps now) override;
  u64 port_in(u16 port, unsigned size, Ps now) override;
  void port_out(u16 port, unsigned size, u64 value, Ps now) override;
  u8 acknowledge_interrupt(Ps now) override;
  HostPage host_page(Hpa page, bool in_smm) override;

 private:
  // What DMI granted, of one view. Emptied when the map changes.
  struct Grants {
    std::vector<HostRange> ranges;
    std::size_t last_hit = 0;
  };

  u64 masked(Hpa address) const;
  u64 transfer(BusTransaction::Command command, u64 address, unsigned size, u64 value,
               const BusInfo& info, Ps now);
  const HostRange& granted(u64 page, View view);
  HostRange ask_for_grant(u64 page, View view);
  void narrow(HostRange& range, BusTransaction::Command command, u64 page, View view);
  void invalidate(sc_dt::uint64 first, sc_dt::uint64 last);
  tlm::tlm_sync_enum snoop(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                           sc_core::sc_time& delay);

  u8 core_;
  u64 address_mask_ = ~u64{0};
  BusListener* listener_ = nullptr;
  BusPayload payload_;  // a core has one transaction at a time
  BusPayload dmi_payload_;
  std::array<Grants, 2> grants_;
};

}  // namespace vtsim::chipset
