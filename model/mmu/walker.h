#pragma once
// The one page walker: every paging mode of IA-32, EPT, and both together. walk_loop.h holds the
// loop, formats.h the formats; this header is what a core calls.
//
// A walk reads entries, checks them, checks the access, then sets A and D flags by
// compare-and-swap (starting over when memory changed in between), and returns a record. It keeps
// no state, allocates nothing and knows no time.

#include <variant>

#include "model/mmu/entry_port.h"
#include "model/mmu/paging_context.h"
#include "model/mmu/rights.h"
#include "model/mmu/translation.h"

namespace vtsim::mmu {

// Translates `linear` (canonical: the core's check) for `access`. With context.ept.enabled every
// guest-physical address on the way goes through EPT. With PagingMode::kNone linear addresses are
// (guest-)physical ones.
WalkResult walk(const PagingContext& context, Lin linear, Access access, EntryPort& port);

// A guest-physical access that comes from no linear address.
struct GuestPhysicalAccess {
  Gpa address;
  AccessKind kind = AccessKind::kRead;
};

// The second stage alone. The Translation is the guest-physical mapping: rights stay open, stage2,
// frame, memory type and dirty are EPT's. Faults have linear_valid = false.
WalkResult walk_ept(const EptContext& context, GuestPhysicalAccess access, EntryPort& port);

// MOV to CR with PAE paging, and VM entry: reads the four PDPTEs at `cr3`.
struct PdpteReserved {  // #GP(0): a present PDPTE with a reserved bit
  u8 index;
  u64 value;
};
using PdpteResult = std::variant<Pdptes, PdpteReserved, WalkFault>;
PdpteResult load_pdptes(const PagingContext& context, u64 cr3, EntryPort& port);

// The bits that a present PDPTE register must not have (VM entry checks the VMCS fields by it).
u64 pdpte_reserved_bits(u8 physical_width);

}  // namespace vtsim::mmu
