#include "sim/stats/event_counters.h"

#include <iterator>
#include <numeric>

namespace vtsim::stats {
namespace {

constexpr std::string_view kExceptionNames[] = {"divide_error",
                                                "debug",
                                                "",
                                                "breakpoint",
                                                "overflow",
                                                "bound_range",
                                                "invalid_opcode",
                                                "no_math",
                                                "double_fault",
                                                "",
                                                "invalid_tss",
                                                "segment_not_present",
                                                "stack_fault",
                                                "general_protection",
                                                "page_fault",
                                                "",
                                                "x87_fault",
                                                "alignment_check",
                                                "machine_check",
                                                "simd_fault",
                                                "virtualization",
                                                "control_protection"};

template <class Event, class Count>
std::function<void()> count(Probe<Event>& probe, Count action) {
  const auto id = probe.subscribe(std::move(action));
  return [&probe, id] { probe.unsubscribe(id); };
}

}  // namespace

std::string exception_name(u8 vector) {
  if (vector < std::size(kExceptionNames) && !kExceptionNames[vector].empty()) {
    return std::string(kExceptionNames[vector]);
  }
  return "vector_" + std::to_string(vector);
}

EventCounters::EventCounters(Probes& probes, u32 cores) : probes_(probes), cores_(cores) {
  const auto of = [this](const Stamp& stamp) -> CoreCounts& { return cores_.at(stamp.core); };
  unsubscribe_ = {
      count(probes_.exception,
            [of](const ExceptionEvent& e) { ++of(e.stamp).exceptions[e.vector % kVectors]; }),
      count(probes_.interrupt, [of](const InterruptEvent& e) { ++of(e.stamp).interrupts; }),
      count(probes_.core_state,
            [of](const CoreStateEvent& e) {
              if (e.state == "halt") ++of(e.stamp).halts;
            }),
      count(probes_.bus_access,
            [of](const BusAccessEvent& e) {
              ++(e.space == "port" ? of(e.stamp).port_accesses : of(e.stamp).mmio_accesses);
            }),
      count(probes_.msr_access, [of](const MsrAccessEvent& e) { ++of(e.stamp).msr_accesses; }),
      count(probes_.cpuid, [of](const CpuidEvent& e) { ++of(e.stamp).cpuids; }),
      count(probes_.walk,
            [of](const WalkEvent& e) {
              CoreCounts& counts = of(e.stamp);
              ++counts.walks;
              counts.walk_references += e.references;
              if (e.faulted) ++counts.walk_faults;
            }),
      count(probes_.tlb_flush, [of](const TlbFlushEvent& e) { ++of(e.stamp).tlb_flushes; }),
      count(probes_.vm_entry, [of](const VmEntryEvent& e) { ++of(e.stamp).vm_entries; }),
      count(probes_.vm_entry_failure,
            [of](const VmEntryFailureEvent& e) { ++of(e.stamp).vm_entry_failures; }),
      count(probes_.vm_exit,
            [of](const VmExitEvent& e) { ++of(e.stamp).vm_exits[e.number % vmx::kExitReasons]; }),
      count(probes_.marker, [this](const MarkerEvent&) { ++markers_; }),
  };
}

EventCounters::~EventCounters() {
  for (const auto& unsubscribe : unsubscribe_) unsubscribe();
}

void EventCounters::add_core(Registry& registry, const CoreCounts& counts,
                             const std::string& core) const {
  registry.add("cpu{}.exceptions", {core}, [&counts] {
    return std::accumulate(counts.exceptions.begin(), counts.exceptions.end(), u64{0});
  });
  for (std::size_t vector = 0; vector < std::size(kExceptionNames); ++vector) {
    if (kExceptionNames[vector].empty()) continue;
    registry.add("cpu{}.exception.{}", {core, std::string(kExceptionNames[vector])},
                 [&counts, vector] { return counts.exceptions[vector]; });
  }
  registry.add("cpu{}.vm_exits", {core}, [&counts] {
    return std::accumulate(counts.vm_exits.begin(), counts.vm_exits.end(), u64{0});
  });
  for (unsigned number = 0; number < vmx::kExitReasons; ++number) {
    const std::string_view reason = vmx::name_of(static_cast<vmx::ExitReason>(number));
    if (reason.empty()) continue;
    registry.add("cpu{}.vm_exit.{}", {core, std::string(reason)},
                 [&counts, number] { return counts.vm_exits[number]; });
  }
  struct Row {
    std::string_view name;
    const u64& count;
  };
  const Row rows[] = {
      {"cpu{}.interrupts", counts.interrupts},
      {"cpu{}.halts", counts.halts},
      {"cpu{}.port_accesses", counts.port_accesses},
      {"cpu{}.mmio_accesses", counts.mmio_accesses},
      {"cpu{}.msr_accesses", counts.msr_accesses},
      {"cpu{}.cpuids", counts.cpuids},
      {"cpu{}.walk.walks", counts.walks},
      {"cpu{}.walk.references", counts.walk_references},
      {"cpu{}.walk.faults", counts.walk_faults},
      {"cpu{}.tlb.flushes", counts.tlb_flushes},
      {"cpu{}.vm_entries", counts.vm_entries},
      {"cpu{}.vm_entry_failures", counts.vm_entry_failures},
  };
  for (const Row& row : rows) {
    registry.add(row.name, {core}, [&value = row.count] { return value; });
  }
}

void EventCounters::add_to(Registry& registry) const {
  registry.add("markers", {}, [this] { return markers_; });
  for (std::size_t core = 0; core < cores_.size(); ++core) {
    add_core(registry, cores_[core], std::to_string(core));
  }
}

}  // namespace vtsim::stats
