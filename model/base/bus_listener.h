#pragma once
// What the interconnect tells a core that uses host pointers (CpuBus::host_page) and keeps decoded
// code. Called while no core executes, or from within a bus access of the core that caused it.

#include "model/base/types.h"

namespace vtsim {

class BusListener {
 public:
  virtual ~BusListener() = default;

  // The map of physical addresses changed (PAM, SMRAM, a BAR, A20): no HostPage is valid any more.
  virtual void on_map_change() = 0;

  // Memory was written by a transaction on the bus, of whatever initiator: a device's DMA, or a
  // core's own write that did not go through a host pointer. Decoded code there is stale.
  virtual void on_memory_write(Hpa first, u64 bytes) = 0;
};

}  // namespace vtsim
