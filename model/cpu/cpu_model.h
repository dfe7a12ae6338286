#pragma once
// A processor as data: what a preset (platforms/cores/*.yaml) says about the silicon. The YAML
// reader fills it; CPUID, the MSRs and the local APIC are composed from it. It holds no state of a
// machine.

#include <string>
#include <vector>

#include "model/cpu/features.h"
#include "model/vmx/capabilities.h"

namespace vtsim::cpu {

// One sub-leaf of CPUID, as it stands in a register dump.
struct CpuidRow {
  u32 leaf = 0;
  u32 subleaf = 0;
  u32 eax = 0;
  u32 ebx = 0;
  u32 ecx = 0;
  u32 edx = 0;
  bool operator==(const CpuidRow&) const = default;
};

enum class CacheType : u8 { kData = 1, kInstruction = 2, kUnified = 3 };

// One sub-leaf of CPUID leaf 4. Size in bytes: line_bytes * partitions * ways * sets.
struct CacheRow {
  CacheType type = CacheType::kUnified;
  u8 level = 1;
  // Maximum number of addressable IDs for logical processors that share this cache (EAX[25:14] +
  // 1). 0: those of one core (private caches); kSharedByPackage: those of the package.
  u32 sharing_ids = 0;
  u32 line_bytes = 64;
  u32 partitions = 1;
  u32 ways = 8;
  u32 sets = 64;
  bool fully_associative = false;
  bool wbinvd_leaves_lower_levels = false;  // EDX[0]
  bool inclusive = false;                   // EDX[1]
  bool complex_indexing = false;            // EDX[2]
};
inline constexpr u32 kSharedByPackage = ~u32{0};

// Rates of the processor's clocks. Hz unless the name says otherwise.
struct CpuFrequencies {
  u64 tsc_hz = 0;
  u64 apic_timer_hz = 0;  // before the divide configuration: bus clock or core crystal clock
  // CPUID leaf 15H: TSC = crystal * numerator / denominator. A zero denominator: no leaf 15H.
  u32 tsc_denominator = 0;        // EAX
  u32 tsc_numerator = 0;          // EBX
  u32 enumerated_crystal_hz = 0;  // ECX; 0 where the part does not tell
  // CPUID leaf 16H, in MHz. A zero base: no leaf 16H.
  u32 base_mhz = 0;
  u32 max_mhz = 0;
  u32 bus_mhz = 0;
};

// A model-specific register's value after reset and the bits that software may change. A write that
// changes any other bit raises #GP.
struct MsrRow {
  u32 index = 0;
  u64 reset = 0;
  u64 writable = 0;
  bool operator==(const MsrRow&) const = default;
};

struct CpuModel {
  std::string name;                     // the preset's
  std::string vendor = "GenuineIntel";  // 12 characters
  std::string brand;                    // at most 47 characters

  // As software displays them: extended fields folded in (CPUID.01H:EAX).
  u32 family = 6;
  u32 model = 0;
  u32 stepping = 0;
  u32 processor_type = 0;
  u32 brand_index = 0;

  CpuFeatures silicon;

  u32 max_basic_leaf = 0x16;
  u32 max_extended_leaf = 0x80000008;
  u32 physical_address_bits = 46;
  u32 linear_address_bits = 48;  // 57 with 5-level paging
  u32 clflush_line_bytes = 64;

  CpuFrequencies frequencies;

  std::vector<CacheRow> caches;       // leaf 4, in sub-leaf order
  std::vector<u8> cache_descriptors;  // leaf 2: bytes after AL = 01H, in any order
  u32 l2_descriptor = 0;              // 80000006H:ECX
  std::vector<CpuidRow> tlbs;         // leaf 18H, sub-leaves 0...
  // Leaves with nothing dynamic in them, verbatim: 3, 5, 6, 9, 0AH and others that are not composed
  // (cpuid.h lists the composed ones, for which a row here is an error). Feature bits that the
  // table of features.h locates in one of these leaves are cleared here and set from the features
  // offered.
  std::vector<CpuidRow> raw_leaves;

  u32 microcode_revision = 0;  // IA32_BIOS_SIGN_ID[63:32]
  u64 platform_id = 0;         // IA32_PLATFORM_ID
  std::vector<MsrRow> msrs;    // model-specific ones, and reset values that differ from the default
  // IA32_VMX_BASIC (480H) and the following; `writable` is 0. Empty without VMX.
  std::vector<MsrRow> vmx_capabilities;

  // The local APIC's version register.
  u8 apic_version = 0x15;
  u8 apic_max_lvt = 6;  // entries - 1: 5 without LVT CMCI, 6 with it
  bool apic_eoi_broadcast_suppression = true;
};

// Numbers of threads, cores and packages; IDs are assigned thread first.
struct CpuTopology {
  u32 packages = 1;
  u32 cores_per_package = 1;
  u32 threads_per_core = 1;

  constexpr u32 threads_per_package() const { return cores_per_package * threads_per_core; }
  constexpr u32 logical_processors() const { return packages * threads_per_package(); }
  // Bits of the x2APIC ID to shift out to get the core's ID, and the package's.
  constexpr u32 thread_shift() const { return ceil_log2(threads_per_core); }
  constexpr u32 package_shift() const { return thread_shift() + ceil_log2(cores_per_package); }
  // The initial APIC ID of logical processor `index`, 0...logical_processors() - 1.
  constexpr u32 apic_id(u32 index) const {
    const u32 thread = index % threads_per_core;
    const u32 core = index / threads_per_core % cores_per_package;
    const u32 package = index / threads_per_package();
    return package << package_shift() | core << thread_shift() | thread;
  }

 private:
  static constexpr u32 ceil_log2(u32 count) {
    u32 shift = 0;
    while ((u32{1} << shift) < count) ++shift;
    return shift;
  }
};

// SDM 3A "Control Registers": the bits of CR4 that a processor with these features has.
u64 supported_cr4(const CpuFeatures& features);

// The VMX capabilities of the silicon, as far as they are implemented; none without VMX.
vmx::Capabilities offered_vmx(const CpuModel& model, const CpuFeatures& offered);

// What the guest is offered: silicon AND implemented, minus what the user masks.
inline CpuFeatures offered_features(const CpuModel& model) {
  return with_requirements_met(model.silicon & implemented_features());
}

}  // namespace vtsim::cpu
