#include "model/chipset/northbridge_module.h"

namespace vtsim::chipset {

NorthbridgeModule::NorthbridgeModule(sc_core::sc_module_name name, const ChipsetConfig& config,
                                     InterruptSink& interrupts)
    : sc_module(name),
      cores("cores"),
      upstream("upstream"),
      below("below"),
      bridge_(config, interrupts) {
  cores.register_b_transport(this, &NorthbridgeModule::from_core);
  cores.register_get_direct_mem_ptr(this, &NorthbridgeModule::grant);
  upstream.register_b_transport(this, &NorthbridgeModule::from_device);
  bridge_.connect_below(below_link_);
  bridge_.on_map_change([this] { invalidate_grants(); });
  bridge_.on_memory_write([this](Hpa first, u64 bytes) { snoop_write(first, bytes); });
}

// One payload, made once, is enough unless a device starts a transaction of its own before it has
// answered, and that one goes down again.
bool NorthbridgeModule::Below::transport(const BusTransaction& transaction, Ps now) {
  if (busy_) {
    BusPayload nested;
    return nested.send(module_.below, transaction, now);
  }
  busy_ = true;
  const bool claimed = payload_.send(module_.below, transaction, now);
  busy_ = false;
  return claimed;
}

void NorthbridgeModule::from_core(int /*core*/, tlm::tlm_generic_payload& payload,
                                  sc_core::sc_time& delay) {
  serve(bridge_, payload, delay);
}

void NorthbridgeModule::from_device(int /*device*/, tlm::tlm_generic_payload& payload,
                                    sc_core::sc_time& delay) {
  serve(bridge_, payload, delay);
}

// TLM-2.0 "Direct memory interface": also when nothing is granted the range tells where that holds.
bool NorthbridgeModule::grant(int /*core*/, tlm::tlm_generic_payload& payload,
                              tlm::tlm_dmi& dmi) {
  const BusTransaction question = transaction_of(payload);
  const HostRange range = bridge_.host_range(Hpa(question.address), view_of(question.info));
  u8* const host = question.is_write() ? range.write : range.read;
  dmi.set_start_address(range.first);
  dmi.set_end_address(range.last);
  dmi.set_dmi_ptr(host);
  if (!host) {
    dmi.allow_none();
  } else if (question.is_write()) {
    dmi.allow_write();
  } else {
    dmi.allow_read();
  }
  return host != nullptr;
}

// Sockets are bound, and may be used, from then on.
bool NorthbridgeModule::is_elaborated() {
  return sc_core::sc_get_status() >= sc_core::SC_END_OF_ELABORATION;
}

void NorthbridgeModule::invalidate_grants() {
  if (!is_elaborated()) return;  // nobody has been granted anything
  for (unsigned core = 0; core < cores.size(); ++core) {
    cores[static_cast<int>(core)]->invalidate_direct_mem_ptr(0, ~sc_dt::uint64{0});
  }
}

void NorthbridgeModule::snoop_write(Hpa first, u64 bytes) {
  if (!is_elaborated()) return;
  BusPayload payload;
  tlm::tlm_generic_payload& snoop =
      payload.fill({.command = BusTransaction::Command::kWrite, .address = first.value, .data = {},
                    .info = {}});
  snoop.set_data_length(static_cast<unsigned>(bytes));
  for (unsigned core = 0; core < cores.size(); ++core) {
    tlm::tlm_phase phase = SNOOP_WRITE;
    sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
    cores[static_cast<int>(core)]->nb_transport_bw(snoop, phase, delay);
  }
}

}  // namespace vtsim::chipset
