#pragma once
// A transaction on the machine's interconnect, and what travels with it besides address and data.
// In TLM payloads BusInfo is the extension BusExtension (bus_module.h); routing is plain C++.

#include <span>

#include "model/base/clock.h"
#include "model/base/cpu_bus.h"
#include "model/base/ref_kind.h"
#include "model/base/types.h"

namespace vtsim::chipset {

// Which of the processor bus's cycles it is.
enum class BusSpace : u8 { kMemory, kPort, kInterruptAcknowledge };

// PCI Express "Address Type (AT) Field": what a device says of its address. A core's addresses and
// those that an IOMMU emits are kTranslated.
enum class AddressType : u8 { kUntranslated = 0, kTranslationRequest = 1, kTranslated = 2 };

inline constexpr u32 kNoPasid = ~u32{0};
inline constexpr u8 kNoCore = 0xff;

struct BusInfo {
  BusSpace space = BusSpace::kMemory;
  RefKind kind = RefKind::kData;
  AddressType address_type = AddressType::kTranslated;
  u16 requester_id = 0;  // bus 15:8, device 7:3, function 2:0; of devices only
  u32 pasid = kNoPasid;
  u8 core = kNoCore;    // index of the initiating core
  bool in_smm = false;  // the core is in system-management mode: SMRAM is visible
  bool locked = false;  // part of a locked read-modify-write
};

struct BusTransaction {
  enum class Command : u8 { kRead, kWrite };

  Command command = Command::kRead;
  u64 address = 0;  // memory address or port
  std::span<u8> data;
  BusInfo info;

  bool is_write() const { return command == Command::kWrite; }
};

// A range of addresses with one way of access, as TLM's DMI describes it. `read` and `write` point
// at the host memory of `first`, or are null.
struct HostRange {
  u64 first = 0;
  u64 last = ~u64{0};
  u8* read = nullptr;
  u8* write = nullptr;
};

// Where transactions go: a bridge, seen from the bus above it.
class BusLink {
 public:
  virtual ~BusLink() = default;
  // False: no one claims (all of) it; bytes that nobody drives read as ones.
  virtual bool transport(const BusTransaction& transaction, Ps now) = 0;
};

}  // namespace vtsim::chipset
