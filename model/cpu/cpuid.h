#pragma once
// CPUID: composed from a CpuModel, the features that are offered and the place of the processor in
// the machine. SDM 2A "CPUID - CPU Identification".
//
// Composed leaves: 0, 1, 2, 4, 7, 0BH, 0DH, 15H, 16H, 18H, 1FH and 80000000H to 80000008H. Leaves 5
// and 6 take sizes and counts from CpuModel::raw_leaves, their feature bits from the features. All
// others are raw, or zero where the feature that they describe is not offered.

#include <array>

#include "model/cpu/cpu_model.h"

namespace vtsim::cpu {

struct CpuidResult {
  u32 eax = 0;
  u32 ebx = 0;
  u32 ecx = 0;
  u32 edx = 0;
  bool operator==(const CpuidResult&) const = default;
};

// IA32_MISC_ENABLE, as far as CPUID shows it. A preset's reset value must have FastStrings and
// Monitor set where the silicon has ERMS and MONITOR.
struct MiscEnable {
  static constexpr u32 kMsr = 0x1a0;
  static constexpr Flag FastStrings{0};
  static constexpr Flag Monitor{18};
  static constexpr Flag LimitCpuidMaxval{22};
  static constexpr Flag XdDisable{34};
};

// What software changes while it runs.
struct CpuidContext {
  u64 xcr0 = 1;
  u64 xss = 0;
  u64 misc_enable = MiscEnable::FastStrings.mask() | MiscEnable::Monitor.mask();
  bool apic_enabled = true;  // IA32_APIC_BASE[11]
  bool osxsave = false;      // CR4.OSXSAVE
  bool pke = false;          // CR4.PKE
  bool mode64 = false;       // CS.L in IA-32e mode
};

// A component of the XSAVE area beyond the legacy region and the header.
struct XsaveComponent {
  unsigned index;  // bit of XCR0
  Feature feature;
  u32 offset;  // in the standard format
  u32 size;
};

// SDM 1 "Managing State Using the XSAVE Feature Set > XSAVE Area".
inline constexpr u32 kXsaveLegacyBytes = 512;
inline constexpr u32 kXsaveHeaderBytes = 64;
inline constexpr u32 kXsaveExtendedStart = kXsaveLegacyBytes + kXsaveHeaderBytes;
inline constexpr u64 kXcr0Always = 0b11;  // x87 and SSE, where there is XSAVE

// Offsets and sizes of Intel's processors. None asks for 64-byte alignment in the compacted format,
// none is a supervisor component.
inline constexpr XsaveComponent kXsaveComponents[] = {
    {2, Feature::kAvx, 576, 256},      {3, Feature::kMpx, 960, 64},
    {4, Feature::kMpx, 1024, 64},      {5, Feature::kAvx512f, 1088, 64},
    {6, Feature::kAvx512f, 1152, 512}, {7, Feature::kAvx512f, 1664, 1024},
    {9, Feature::kPku, 2688, 8},
};

// The bits of XCR0 that can be set.
u64 supported_xcr0(const CpuFeatures& features);
// Bytes of an XSAVE area that holds the components of `mask`.
u32 xsave_standard_size(u64 mask);
u32 xsave_compacted_size(u64 mask);

// CPUID.01H:EAX, and DX after reset.
u32 version_signature(const CpuModel& model);

class Cpuid {
 public:
  // `processor`: 0 ... topology.logical_processors() - 1. The model must outlive this.
  Cpuid(const CpuModel& model, const CpuFeatures& offered, const CpuTopology& topology,
        u32 processor);

  CpuidResult query(u32 leaf, u32 subleaf, const CpuidContext& context) const;

  u32 apic_id() const { return apic_id_; }
  const CpuFeatures& features() const { return features_; }

 private:
  CpuidResult basic(u32 leaf, u32 subleaf, const CpuidContext& context) const;
  CpuidResult extended(u32 leaf, const CpuidContext& context) const;
  CpuidResult raw(u32 leaf, u32 subleaf) const;
  u32 max_basic_leaf(const CpuidContext& context) const;

  CpuidResult vendor(const CpuidContext& context) const;
  CpuidResult version(const CpuidContext& context) const;
  CpuidResult cache_descriptors() const;
  CpuidResult cache_parameters(u32 subleaf) const;
  CpuidResult monitor() const;
  CpuidResult power_management() const;
  CpuidResult extended_features(u32 subleaf, const CpuidContext& context) const;
  CpuidResult topology_level(u32 subleaf) const;
  CpuidResult xsave(u32 subleaf, const CpuidContext& context) const;
  CpuidResult brand_part(u32 part) const;

  const CpuModel& model_;
  CpuFeatures features_;  // offered, and what follows from the topology
  CpuTopology topology_;
  u32 apic_id_;
};

}  // namespace vtsim::cpu
