#include "model/chipset/dma_port_module.h"

#include <cstring>

namespace vtsim::chipset {

DmaPortModule::DmaPortModule(sc_core::sc_module_name name, u16 requester_id)
    : sc_module(name), socket("socket") {
  info_.kind = RefKind::kDma;
  info_.address_type = AddressType::kUntranslated;
  info_.requester_id = requester_id;
}

// A payload a call: what a transaction sets off may make the same device send another one (a message
// whose interrupt service writes to the device is not modelled to wait).
bool DmaPortModule::read(Hpa address, std::span<u8> data, Ps now) {
  BusPayload payload;
  const BusTransaction transaction{.command = BusTransaction::Command::kRead,
                                   .address = address.value,
                                   .data = data,
                                   .info = info_};
  const bool done = payload.send(socket, transaction, now);
  if (!done) std::memset(data.data(), 0xff, data.size());
  return done;
}

// TLM's data pointer is not const, whatever the command; targets only read what is written.
bool DmaPortModule::write(Hpa address, std::span<const u8> data, Ps now) {
  BusPayload payload;
  const BusTransaction transaction{.command = BusTransaction::Command::kWrite,
                                   .address = address.value,
                                   .data = {const_cast<u8*>(data.data()), data.size()},
                                   .info = info_};
  return payload.send(socket, transaction, now);
}

}  // namespace vtsim::chipset
