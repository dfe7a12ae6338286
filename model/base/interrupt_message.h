#pragma once
// An interrupt on its way to local APICs: what an ICR write, an I/O APIC or a message-signalled
// interrupt carries on the interconnect. The northbridge decodes writes to 0xFEEx_xxxx with
// `message_from_msi` and hands them to the machine's InterruptSink; end-of-interrupt broadcasts
// come back through EoiSink, and the local APIC asks the 8259 for a vector through ExtIntSource.

#include "model/base/bits.h"
#include "model/base/clock.h"

namespace vtsim {

// SDM 3A "Interrupt Command Register (ICR)", "Message Data Register Format": bits 10:8.
enum class DeliveryMode : u8 {
  kFixed = 0,
  kLowestPriority = 1,
  kSmi = 2,
  kReserved = 3,
  kNmi = 4,
  kInit = 5,
  kStartup = 6,
  kExtInt = 7,
};

enum class DestinationMode : u8 { kPhysical = 0, kLogical = 1 };
enum class TriggerMode : u8 { kEdge = 0, kLevel = 1 };
enum class Level : u8 { kDeassert = 0, kAssert = 1 };

// A physical destination that every local APIC takes, whatever its mode.
inline constexpr u32 kBroadcastDestination = 0xffff'ffff;

struct InterruptMessage {
  // Physical: an APIC ID or kBroadcastDestination. Logical: the message destination address.
  u32 destination = 0;
  u8 vector = 0;
  DeliveryMode delivery = DeliveryMode::kFixed;
  DestinationMode destination_mode = DestinationMode::kPhysical;
  TriggerMode trigger = TriggerMode::kEdge;
  Level level = Level::kAssert;
  // Deliver to one of the addressed processors only (bit 3 of an MSI address).
  bool redirection_hint = false;

  bool operator==(const InterruptMessage&) const = default;
};

// SDM 3A "Message Address Register Format".
struct MsiAddress {
  static constexpr Field Fixed{31, 20};
  static constexpr Field DestinationId{19, 12};
  static constexpr Flag RedirectionHint{3};
  static constexpr Flag Logical{2};
  static constexpr u64 kFixedValue = 0xfee;
};

// SDM 3A "Message Data Register Format".
struct MsiData {
  static constexpr Flag LevelTriggered{15};
  static constexpr Flag Assert{14};
  static constexpr Field Delivery{10, 8};
  static constexpr Field Vector{7, 0};
};

constexpr bool is_msi_address(Hpa address) {
  return bits(address.value, 63, 20) == MsiAddress::kFixedValue;
}

// An MSI write that no remapping unit translates. Physical destination 0xFF addresses all processors.
constexpr InterruptMessage message_from_msi(Hpa address, u32 data) {
  const Reg<MsiAddress> to(address.value);
  const Reg<MsiData> what(data);
  InterruptMessage message;
  message.destination = static_cast<u32>(to[MsiAddress::DestinationId]);
  message.destination_mode =
      to[MsiAddress::Logical] ? DestinationMode::kLogical : DestinationMode::kPhysical;
  if (message.destination_mode == DestinationMode::kPhysical && message.destination == 0xff) {
    message.destination = kBroadcastDestination;
  }
  message.redirection_hint = to[MsiAddress::RedirectionHint];
  message.vector = static_cast<u8>(what[MsiData::Vector]);
  message.delivery = static_cast<DeliveryMode>(what[MsiData::Delivery]);
  message.trigger = what[MsiData::LevelTriggered] ? TriggerMode::kLevel : TriggerMode::kEdge;
  // The level bit counts for level-triggered messages only; an edge is always an assertion.
  message.level = what[MsiData::LevelTriggered] && !what[MsiData::Assert] ? Level::kDeassert
                                                                           : Level::kAssert;
  return message;
}

// Takes messages to the local APICs; the machine's interrupt fabric implements it.
class InterruptSink {
 public:
  virtual ~InterruptSink() = default;
  virtual void deliver(const InterruptMessage& message, Ps now) = 0;
};

// Hears the EOI of level-triggered interrupts: each I/O APIC.
class EoiSink {
 public:
  virtual ~EoiSink() = default;
  virtual void eoi_broadcast(u8 vector, Ps now) = 0;
};

// Answers an interrupt-acknowledge cycle with a vector: the pair of 8259s.
class ExtIntSource {
 public:
  virtual ~ExtIntSource() = default;
  virtual u8 interrupt_acknowledge(Ps now) = 0;
};

}  // namespace vtsim
