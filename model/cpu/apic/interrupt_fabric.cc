#include "model/cpu/apic/interrupt_fabric.h"

#include "model/cpu/apic/local_apic.h"

namespace vtsim::cpu {

void InterruptFabric::deliver(const InterruptMessage& message, Ps now) {
  deliver_where(message, now, [&](const LocalApic& apic) { return apic.is_addressed_by(message); });
}

void InterruptFabric::send_ipi(LocalApic& source, Shorthand shorthand,
                               const InterruptMessage& message, Ps now) {
  switch (shorthand) {
    case Shorthand::kNone:
      return deliver(message, now);
    case Shorthand::kSelf:
      return source.accept(message, now);
    case Shorthand::kAllIncludingSelf:
      return deliver_where(message, now, [](const LocalApic&) { return true; });
    case Shorthand::kAllExcludingSelf:
      return deliver_where(message, now, [&](const LocalApic& apic) { return &apic != &source; });
  }
}

void InterruptFabric::broadcast_eoi(u8 vector, Ps now) {
  for (EoiSink* sink : eoi_sinks_) sink->eoi_broadcast(vector, now);
}

template <class Addressed>
void InterruptFabric::deliver_where(const InterruptMessage& message, Ps now, Addressed addressed) {
  if (message.delivery == DeliveryMode::kLowestPriority || message.redirection_hint) {
    if (LocalApic* winner = arbitrate(addressed)) winner->accept(message, now);
    return;
  }
  for (LocalApic* apic : apics_) {
    if (addressed(*apic)) apic->accept(message, now);
  }
}

// SDM 3A "Lowest Priority Delivery Mode": among the addressed processors the one with the lowest
// priority; how ties are broken is the chipset's business. SDM-NOTE: ties rotate, beginning after
// the last winner, so that equal processors share the load and every run does the same.
template <class Addressed>
LocalApic* InterruptFabric::arbitrate(Addressed addressed) {
  const std::size_t count = apics_.size();
  LocalApic* winner = nullptr;
  std::size_t next_start = arbitration_start_;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t index = (arbitration_start_ + i) % count;
    LocalApic* candidate = apics_[index];
    if (!candidate->takes_interrupts() || !addressed(*candidate)) continue;
    if (winner != nullptr && candidate->processor_priority() >= winner->processor_priority()) {
      continue;
    }
    winner = candidate;
    next_start = (index + 1) % count;
  }
  arbitration_start_ = static_cast<u32>(next_start);
  return winner;
}

}  // namespace vtsim::cpu
