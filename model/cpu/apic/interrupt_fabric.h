#pragma once
// The part of the system bus that carries interrupt messages: all local APICs of a machine, and the
// I/O APICs that hear their EOIs. SDM 3A "System and APIC Bus Arbitration", "IPI Delivery and
// Acceptance".

#include <vector>

#include "model/base/interrupt_message.h"
#include "model/cpu/apic/apic_registers.h"

namespace vtsim::cpu {

class LocalApic;

class InterruptFabric final : public InterruptSink {
 public:
  // The order of the calls is the order of delivery and the tie-break of arbitration.
  void add(LocalApic& apic) { apics_.push_back(&apic); }
  void add(EoiSink& io_apic) { eoi_sinks_.push_back(&io_apic); }

  // From an I/O APIC or a device: all that the destination addresses, or one of them for
  // lowest-priority messages and those with the redirection hint.
  void deliver(const InterruptMessage& message, Ps now) override;

  // From `source`'s ICR.
  void send_ipi(LocalApic& source, Shorthand shorthand, const InterruptMessage& message, Ps now);

  void broadcast_eoi(u8 vector, Ps now);

  // What arbitration remembers, for checkpoints: the index after the last winner.
  u32 arbitration_start() const { return arbitration_start_; }
  void set_arbitration_start(u32 index) { arbitration_start_ = index; }

 private:
  template <class Addressed>
  void deliver_where(const InterruptMessage& message, Ps now, Addressed addressed);
  template <class Addressed>
  LocalApic* arbitrate(Addressed addressed);

  std::vector<LocalApic*> apics_;
  std::vector<EoiSink*> eoi_sinks_;
  u32 arbitration_start_ = 0;
};

}  // namespace vtsim::cpu
