#pragma once
// What tells the mappings of one address space from another's.

#include "model/base/types.h"

namespace vtsim::mmu {

inline constexpr u64 kNoEpt = ~u64{0};

struct Tag {
  u16 vpid = 0;         // 0 outside VMX non-root operation, and without "enable VPID"
  u16 pcid = 0;         // 0 without CR4.PCIDE
  u64 eptrta = kNoEpt;  // EPTP bits 51:12 in place (the SDM's EP4TA/EP5TA)

  constexpr bool operator==(const Tag&) const = default;
};

}  // namespace vtsim::mmu
