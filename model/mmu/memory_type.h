#pragma once
// Memory types: MTRRs, PAT and EPT to the effective type. Pure functions on values.
// SDM 3A "Memory Cache Control".

#include <array>
#include <optional>

#include "model/base/types.h"

namespace vtsim::mmu {

enum class MemoryType : u8 {  // the encoding of MTRRs, PAT and EPT entries
  kUc = 0,
  kWc = 1,
  kWt = 4,
  kWp = 5,
  kWb = 6,
  kUcMinus = 7,  // PAT only
};

// Encodings that software may write; nothing else (2 and 3, and 7 outside IA32_PAT) is valid.
std::optional<MemoryType> mtrr_encoding(u64 field);  // also EPT leaf entries and EPTP
bool is_valid_pat(u64 pat);                          // all eight bytes of an IA32_PAT value

inline constexpr unsigned kMaxVariableMtrrs = 10;

struct VariableMtrr {
  u64 base = 0;  // IA32_MTRR_PHYSBASEn: type in bits 7:0, PhysBase in bits MAXPHYADDR-1:12
  u64 mask = 0;  // IA32_MTRR_PHYSMASKn: V in bit 11, PhysMask in bits MAXPHYADDR-1:12
};

struct Mtrrs {
  u64 def_type = 0;                // IA32_MTRR_DEF_TYPE: type in 7:0, FE in bit 10, E in bit 11
  std::array<u64, 11> fixed = {};  // FIX64K_00000, FIX16K_80000, _A0000, FIX4K_C0000 .. _F8000
  std::array<VariableMtrr, kMaxVariableMtrrs> variable = {};  // as many as the part has; V = 0
};

// The MTRR type of the 4-KByte page that holds `address`; the same for all its bytes.
MemoryType mtrr_type(const Mtrrs& mtrrs, Hpa address);

// PAT entry `pat_index` (0..7) of IA32_PAT; kNoPatIndex gives WB.
MemoryType pat_type(u64 pat, u8 pat_index);

// SDM 3A Table "Effective Page-Level Memory Types for Pentium III and More Recent Processor
// Families".
MemoryType effective_type(MemoryType mtrr, MemoryType pat);

// SDM 3C "EPT and Memory Typing": what EPT says in place of the MTRRs. `pat` is the guest's.
struct EptMemoryType {
  MemoryType type = MemoryType::kWb;
  bool ignore_pat = false;
};
MemoryType effective_ept_type(EptMemoryType ept, MemoryType pat);

}  // namespace vtsim::mmu
