#pragma once
// What a core sees of the interconnect, without SystemC. Implemented over a TLM initiator socket.

#include "model/base/clock.h"
#include "model/base/ref_kind.h"
#include "model/base/types.h"

namespace vtsim {

// Attributes that travel with a transaction.
struct BusAttributes {
  RefKind kind = RefKind::kData;
  bool in_smm = false;
};

// A page of the physical address map as a core may use it directly. A null pointer: accesses of that
// kind must go over the bus (device registers, ROM writes, holes).
struct HostPage {
  u8* read = nullptr;
  u8* write = nullptr;
};

class CpuBus {
 public:
  virtual ~CpuBus() = default;

  // Memory-mapped accesses of 1, 2, 4 or 8 bytes that do not cross a page; unclaimed reads give all
  // ones. `now` is the core's local time.
  virtual u64 read(Hpa address, unsigned size, const BusAttributes& attributes, Ps now) = 0;
  virtual void write(Hpa address, unsigned size, u64 value, const BusAttributes& attributes,
                     Ps now) = 0;

  // Ports, 1, 2 or 4 bytes.
  virtual u64 port_in(u16 port, unsigned size, Ps now) = 0;
  virtual void port_out(u16 port, unsigned size, u64 value, Ps now) = 0;

  // The two INTA cycles towards the 8259s: the vector.
  virtual u8 acknowledge_interrupt(Ps now) = 0;

  // Direct access to a page of memory. Valid until the bus announces a change of the map.
  virtual HostPage host_page(Hpa page, bool in_smm) = 0;
};

}  // namespace vtsim
