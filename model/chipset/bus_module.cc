#include "model/chipset/bus_module.h"

namespace vtsim::chipset {

tlm::tlm_extension_base* BusExtension::clone() const { return new BusExtension(*this); }

void BusExtension::copy_from(const tlm::tlm_extension_base& other) {
  info = static_cast<const BusExtension&>(other).info;
}

// The simulation's resolution is SystemC's default, 1 ps: a Ps is a number of ticks.
sc_core::sc_time to_sc_time(Ps time) { return sc_core::sc_time::from_value(time); }

Ps now_of(const sc_core::sc_time& delay) { return sc_core::sc_time_stamp().value() + delay.value(); }

BusTransaction transaction_of(tlm::tlm_generic_payload& payload) {
  BusTransaction transaction;
  transaction.command =
      payload.is_write() ? BusTransaction::Command::kWrite : BusTransaction::Command::kRead;
  transaction.address = payload.get_address();
  transaction.data = {payload.get_data_ptr(), payload.get_data_length()};
  if (const BusExtension* const extension = payload.get_extension<BusExtension>()) {
    transaction.info = extension->info;
  } else {
    transaction.info.kind = RefKind::kDma;
  }
  return transaction;
}

BusPayload::BusPayload() { payload_.set_extension(&extension_); }

BusPayload::~BusPayload() { payload_.clear_extension(&extension_); }

tlm::tlm_generic_payload& BusPayload::fill(const BusTransaction& transaction) {
  payload_.set_command(transaction.is_write() ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND);
  payload_.set_address(transaction.address);
  payload_.set_data_ptr(transaction.data.data());
  payload_.set_data_length(static_cast<unsigned>(transaction.data.size()));
  payload_.set_streaming_width(static_cast<unsigned>(transaction.data.size()));
  payload_.set_byte_enable_ptr(nullptr);
  payload_.set_dmi_allowed(false);
  payload_.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
  extension_.info = transaction.info;
  return payload_;
}

sc_core::sc_time BusPayload::delay_to(Ps now) {
  const Ps kernel = sc_core::sc_time_stamp().value();
  return to_sc_time(now > kernel ? now - kernel : 0);
}

void serve(BusLink& target, tlm::tlm_generic_payload& payload, const sc_core::sc_time& delay) {
  const bool claimed = target.transport(transaction_of(payload), now_of(delay));
  payload.set_response_status(claimed ? tlm::TLM_OK_RESPONSE : tlm::TLM_ADDRESS_ERROR_RESPONSE);
}

}  // namespace vtsim::chipset
