#pragma once
// A machine, completely described: what the builder in sim/machine reads, and nothing else does it
// read. Plain values with their units in their names or comments. Filled by resolve() from platform
// files and options; declarations.cc says for each field its key, default and meaning.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/base/clock.h"
#include "model/base/types.h"
#include "model/cpu/cpu_model.h"

namespace vtsim::config {

// What the guest's clocks and timers follow.
enum class GuestClock {
  kInstructions,  // one cycle an instruction: timing parameters change nothing that a guest
                  // computes
  kCycles,        // the modelled cycles
};

// ---- timing: geometry and costs, in core cycles
// --------------------------------------------------

enum class Replacement { kLru, kPlru, kMruPlus1Mod3Plru4, kRandom };
enum class IndexHash { kLinear, kXor7 };

struct CacheTiming {
  u64 bytes = 0;
  u64 ways = 0;
  u64 line_bytes = 64;
  u64 latency_cycles = 0;
  Replacement replacement = Replacement::kPlru;
};

struct CachesTiming {
  CacheTiming l1i, l1d, l2, l3;  // bytes 0: there is none
  u64 memory_cycles = 0;         // a reference that misses everywhere
};

struct TlbTiming {
  u64 entries = 0;  // 0: there is none
  u64 ways = 0;
  u64 latency_cycles = 0;  // added by a hit here after a miss before
  Replacement replacement = Replacement::kPlru;
  IndexHash hash = IndexHash::kLinear;
};

struct MmuTiming {
  TlbTiming itlb_4k, itlb_2m;
  TlbTiming dtlb_l0;  // in front of dtlb_4k (Penryn)
  TlbTiming dtlb_4k, dtlb_2m, dtlb_1g;
  TlbTiming dtlb_store;  // stores of all page sizes; 0 entries: they use the others
  TlbTiming stlb;        // second level, 4K pages, and 2M where stlb_holds_2m
  bool stlb_holds_2m = false;
  TlbTiming stlb_1g;
  bool stlb_1g_holds_4k = false;

  u64 walkers = 1;            // page walks at a time
  u64 walk_extra_cycles = 0;  // added to each completed walk
  u64 psc_pml5e_entries = 0;  // paging-structure caches
  u64 psc_pml4e_entries = 0;
  u64 psc_pdpte_entries = 0;
  u64 psc_pde_entries = 0;
  u64 psc_cycles = 0;

  TlbTiming nested_4k, nested_2m;  // guest-physical mappings, with EPT
  u64 nested_pde_entries = 0;
};

struct InstructionTiming {
  u64 cpuid_cycles = 0;
  u64 rdtsc_cycles = 0;
  u64 pause_cycles = 0;
};

struct VmxTiming {
  u64 entry_cycles = 0;
  u64 exit_cycles = 0;
  u64 exit_ept_violation_cycles = 0;  // added to exit_cycles
  u64 exit_ept_misconfiguration_cycles = 0;
  u64 exit_external_interrupt_cycles = 0;
  u64 msr_list_entry_cycles = 0;
  u64 vmread_cycles = 0;
  u64 vmwrite_cycles = 0;
  u64 vmptrld_cycles = 0;
  u64 vmclear_cycles = 0;
  u64 invept_cycles = 0;
  u64 invvpid_cycles = 0;
};

struct IommuTiming {
  TlbTiming iotlb;
  u64 context_cache_entries = 0;
  u64 interrupt_cache_entries = 0;
  Ps iotlb_hit = 0;
  Ps walk = 0;
};

// ---- the machine
// ---------------------------------------------------------------------------------

// A feature of the silicon that the guest is not offered.
struct DroppedFeature {
  std::string name;
  std::string reason;
};

// One sub-leaf of CPUID leaf 4, as platform files give it; finish_machine() makes a row of it.
enum class CacheSharing { kCore, kTwoCores, kPackage };
struct CpuidCache {
  cpu::CacheRow row;  // ways 0: there is none
  CacheSharing shared_by = CacheSharing::kCore;
};

struct CoresConfig {
  std::string preset;
  cpu::CpuTopology topology;
  u64 frequency_hz = 0;      // of the core clock: functional mode retires one instruction a cycle
  cpu::CpuModel model;       // the silicon; model.silicon without what the user masked
  cpu::CpuFeatures offered;  // silicon AND implemented
  std::vector<DroppedFeature> dropped;      // in the silicon, not offered
  std::vector<std::string> extra_features;  // of the silicon, by extra_features()'s names
  CpuidCache cpuid_l1d, cpuid_l1i, cpuid_l2, cpuid_l3;
  CachesTiming caches;
  MmuTiming mmu;
  InstructionTiming instructions;
  VmxTiming vmx;
};

struct MemoryConfig {
  u64 bytes = 0;
};

struct ChipsetConfig {
  // RAM below 4 GiB ends here at most, the rest goes above. No parameter: firmware tables rely on
  // it.
  u64 low_memory_limit = 0x8000'0000;
  u64 rtc_start = 0;  // seconds since 1970-01-01 that the RTC shows at power-on
  u64 hpet_hz = 0;
  bool has_hpet = true;
  bool has_i8042 = true;
  bool has_uart1 = false;         // COM2
  bool has_debug_exit = true;     // port 0xf4
  bool has_debug_console = true;  // ports 0xe9 and 0x402
  bool has_pc_testdev = false;    // QEMU's, for kvm-unit-tests
};

struct DeviceConfig {
  std::string kind;
  std::optional<u16> bdf;  // bus << 8 | device << 3 | function; absent: next free
  std::map<std::string, std::string> options;  // as declared by the kind
};

struct MachineConfig {
  std::string name;  // the platform, as given
  CoresConfig cores;
  MemoryConfig memory;
  ChipsetConfig chipset;
  IommuTiming iommu;
  std::vector<DeviceConfig> devices;
  GuestClock guest_clock = GuestClock::kInstructions;
  Ps quantum = 0;       // how far a core runs ahead of the others
  bool host_code = true;  // blocks become the host's instructions where that can be done
  u64 random_seed = 0;  // of everything random: RDRAND, RDSEED, random replacement
};

}  // namespace vtsim::config
