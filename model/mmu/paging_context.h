#pragma once
// All that paging depends on besides memory: a value that the core fills from its registers (and,
// in VMX non-root operation, from the VMCS) whenever one of them changes, and hands to every call.

#include <array>

#include "model/base/types.h"

namespace vtsim::mmu {

enum class PagingMode : u8 {
  kNone,    // CR0.PG = 0
  k32Bit,   // CR4.PAE = 0
  kPae,     // CR4.PAE = 1, IA32_EFER.LMA = 0
  k4Level,  // IA32_EFER.LMA = 1, CR4.LA57 = 0
  k5Level,  // IA32_EFER.LMA = 1, CR4.LA57 = 1
};

using Pdptes = std::array<u64, 4>;

// The second stage. `enabled` is false in VMX root operation and when the control "enable EPT" is
// 0.
struct EptContext {
  bool enabled = false;
  Hpa root = {};                            // EPTP bits 51:12
  u8 levels = 4;                            // EPTP bits 5:3 plus 1: 4 or 5
  bool accessed_dirty = false;              // EPTP bit 6
  bool mode_based_execute_control = false;  // secondary control: bit 10 is execute for user mode
  bool page_modification_logging = false;   // secondary control "enable PML"
  bool execute_only_supported = false;      // IA32_VMX_EPT_VPID_CAP bit 0
  bool pages_2m_supported = true;           // IA32_VMX_EPT_VPID_CAP bit 16
  bool pages_1g_supported = true;           // IA32_VMX_EPT_VPID_CAP bit 17
  u8 physical_width = 46;                   // MAXPHYADDR
};

struct PagingContext {
  PagingMode mode = PagingMode::kNone;
  u64 cr3 = 0;         // the register; the walker takes the bits that the mode uses
  Pdptes pdptes = {};  // kPae: the PDPTE registers, as load_pdptes() returned them
  bool wp = false;     // CR0.WP
  bool pse = false;    // CR4.PSE: 4-MByte pages in 32-bit paging
  bool pge = false;    // CR4.PGE
  bool smep = false;   // CR4.SMEP
  bool smap = false;   // CR4.SMAP
  bool pke = false;    // CR4.PKE
  bool pks = false;    // CR4.PKS
  bool nxe = false;    // IA32_EFER.NXE
  u32 pkru = 0;
  u32 pkrs = 0;                     // IA32_PKRS
  u8 physical_width = 46;           // MAXPHYADDR
  bool pse36_supported = true;      // CPUID.01H:EDX bit 17
  bool pages_1g_supported = false;  // CPUID.80000001H:EDX bit 26
  EptContext ept = {};
};

}  // namespace vtsim::mmu
