#pragma once
// Statistics that are counts of probe events.

#include <array>
#include <vector>

#include "model/base/events.h"
#include "model/vmx/exit_reason.h"
#include "sim/stats/registry.h"

namespace vtsim::stats {

// Subscribes for as long as it lives; probes must outlive it.
class EventCounters {
 public:
  EventCounters(Probes& probes, u32 cores);
  EventCounters(const EventCounters&) = delete;
  EventCounters& operator=(const EventCounters&) = delete;
  ~EventCounters();

  // Adds its statistics; it must outlive the registry's use.
  void add_to(Registry& registry) const;

 private:
  static constexpr std::size_t kVectors = 32;

  // Plain numbers, so that they can be saved.
  struct CoreCounts {
    std::array<u64, kVectors> exceptions{};
    u64 interrupts = 0;
    u64 halts = 0;
    u64 port_accesses = 0;
    u64 mmio_accesses = 0;
    u64 msr_accesses = 0;
    u64 cpuids = 0;
    u64 walks = 0;
    u64 walk_references = 0;
    u64 walk_faults = 0;
    u64 tlb_flushes = 0;
    u64 vm_entries = 0;
    u64 vm_entry_failures = 0;
    std::array<u64, vmx::kExitReasons> vm_exits{};
  };

  void add_core(Registry& registry, const CoreCounts& counts, const std::string& core) const;

  Probes& probes_;
  std::vector<CoreCounts> cores_;
  u64 markers_ = 0;
  std::vector<std::function<void()>> unsubscribe_;
};

// SDM 3A "Exception and Interrupt Reference": "page_fault" for 14; "vector_9" where there is none.
std::string exception_name(u8 vector);

}  // namespace vtsim::stats
