#pragma once
// How the walker reaches the paging structures in host-physical memory. The core's port charges and
// counts; a debugger's port reads and lets cas() succeed without writing.

#include <optional>

#include "model/base/ref_kind.h"
#include "model/base/types.h"

namespace vtsim::mmu {

class EntryPort {
 public:
  virtual ~EntryPort() = default;

  // One entry of `level` (5..1). Where nothing answers, a processor reads all ones; a port that
  // wants a kBus fault instead (a remapping unit) returns nothing.
  virtual std::optional<u32> read32(Hpa address, RefKind kind, unsigned level) = 0;
  virtual std::optional<u64> read64(Hpa address, RefKind kind, unsigned level) = 0;

  // Atomically replaces `expected` with `desired`. False: memory held something else, nothing was
  // written, and the walk begins again.
  virtual bool cas32(Hpa address, u32 expected, u32 desired) = 0;
  virtual bool cas64(Hpa address, u64 expected, u64 desired) = 0;

  // Page-modification logging, called with EptContext::page_modification_logging only: has the log
  // room (asked before any EPT A or D flag is set), and: the D flag of the page at `page` was set.
  virtual bool pml_has_room() { return true; }
  virtual void pml_log([[maybe_unused]] Gpa page) {}
};

}  // namespace vtsim::mmu
