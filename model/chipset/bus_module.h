#pragma once
// BusInfo as a TLM-2.0 payload extension, and the way between generic payloads and BusTransaction.
// b_transport is loosely timed: its delay carries the initiator's local time, so that every target
// knows `now` = sc_time_stamp() + delay. Targets add nothing to it.

#include <tlm>

#include "model/chipset/bus_info.h"

namespace vtsim::chipset {

// The one extension of the machine's interconnect. Payloads without it are device memory accesses.
struct BusExtension final : tlm::tlm_extension<BusExtension> {
  BusInfo info;

  tlm::tlm_extension_base* clone() const override;
  void copy_from(const tlm::tlm_extension_base& other) override;
};

// A snoop, sent backwards (nb_transport_bw) to each core socket: the memory at the payload's address
// and of its length was written.
DECLARE_EXTENDED_PHASE(SNOOP_WRITE);

sc_core::sc_time to_sc_time(Ps time);
Ps now_of(const sc_core::sc_time& delay);

BusTransaction transaction_of(tlm::tlm_generic_payload& payload);

// A reusable payload with its extension, for one outstanding transaction.
class BusPayload {
 public:
  BusPayload();
  ~BusPayload();
  BusPayload(const BusPayload&) = delete;
  BusPayload& operator=(const BusPayload&) = delete;

  // Sends through `socket`; false when no one answered.
  template <class Socket>
  bool send(Socket& socket, const BusTransaction& transaction, Ps now) {
    fill(transaction);
    sc_core::sc_time delay = delay_to(now);
    socket->b_transport(payload_, delay);
    return payload_.is_response_ok();
  }

  tlm::tlm_generic_payload& fill(const BusTransaction& transaction);

 private:
  static sc_core::sc_time delay_to(Ps now);

  tlm::tlm_generic_payload payload_;
  BusExtension extension_;
};

// Target side: performs the payload on `target` and sets its response.
void serve(BusLink& target, tlm::tlm_generic_payload& payload, const sc_core::sc_time& delay);

}  // namespace vtsim::chipset
