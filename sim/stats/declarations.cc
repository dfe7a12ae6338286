#include "sim/stats/declarations.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace vtsim::stats {
namespace {

constexpr Declaration kDeclarations[] = {
    {"time", "ps", "simulated time"},
    {"instructions", "instructions", "retired, all cores together"},
    {"state_hash", "hash", "rolling hash of the cores' registers at the ends of quanta"},
    {"markers", "events", "markers that the guest executed"},
    {"cpu{}.instructions", "instructions", "retired"},
    {"cpu{}.cycles", "cycles", "of the core's clock, halted ones included"},
    {"cpu{}.exceptions", "events", "exceptions delivered, all vectors together"},
    {"cpu{}.exception.{}", "events", "exceptions delivered, by vector"},
    {"cpu{}.interrupts", "events", "interrupts delivered: external, NMI and software"},
    {"cpu{}.halts", "events", "times the core went to sleep"},
    {"cpu{}.port_accesses", "events", "IN, OUT, INS and OUTS accesses"},
    {"cpu{}.mmio_accesses", "events", "accesses to memory-mapped registers"},
    {"cpu{}.msr_accesses", "events", "RDMSR and WRMSR"},
    {"cpu{}.cpuids", "events", "CPUID"},
    {"cpu{}.walk.walks", "events", "page walks"},
    {"cpu{}.walk.references", "events", "paging-structure entries that walks read"},
    {"cpu{}.walk.faults", "events", "page walks that ended in a fault"},
    {"cpu{}.tlb.flushes", "events", "invalidations of translations by instructions"},
    {"cpu{}.vm_entries", "events", "VM entries that reached the guest"},
    {"cpu{}.vm_entry_failures", "events", "VM entries that failed a check"},
    {"cpu{}.vm_exits", "events", "VM exits, those of failed entries included"},
    {"cpu{}.vm_exit.{}", "events", "VM exits by basic reason"},
    {"blocks.built", "events", "blocks of code that were decoded"},
    {"blocks.dropped", "events", "blocks dropped because their code was written to"},
};

constexpr bool names_are_unique() {
  for (std::size_t i = 0; i < std::size(kDeclarations); ++i) {
    for (std::size_t j = i + 1; j < std::size(kDeclarations); ++j) {
      if (kDeclarations[i].name == kDeclarations[j].name) return false;
    }
  }
  return true;
}
static_assert(names_are_unique());

}  // namespace

std::span<const Declaration> declarations() { return kDeclarations; }

std::string list_statistics() {
  std::string text = fmt::format("{:<26} {:<13} {}\n", "STATISTIC", "UNIT", "MEANING");
  for (const Declaration& row : kDeclarations) {
    text += fmt::format("{:<26} {:<13} {}\n", row.name, row.unit, row.help);
  }
  return text;
}

}  // namespace vtsim::stats
