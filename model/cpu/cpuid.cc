#include "model/cpu/cpuid.h"

#include <algorithm>
#include <optional>

#include "model/base/check.h"

namespace vtsim::cpu {
namespace {

constexpr u32 kFirstExtendedLeaf = 0x80000000;
// SDM 4 "IA32_MISC_ENABLE > Limit CPUID Maxval".
constexpr u32 kLimitedMaxLeaf = 2;

// Registers, bit by bit.
struct Signature {
  static constexpr Field ExtendedFamily{27, 20};
  static constexpr Field ExtendedModel{19, 16};
  static constexpr Field Type{13, 12};
  static constexpr Field Family{11, 8};
  static constexpr Field Model{7, 4};
  static constexpr Field Stepping{3, 0};
};
struct Leaf1Ebx {
  static constexpr Field InitialApicId{31, 24};
  static constexpr Field MaxLogicalIds{23, 16};
  static constexpr Field ClflushQuadwords{15, 8};
  static constexpr Field BrandIndex{7, 0};
};
struct Leaf4Eax {
  static constexpr Field CoreIdsMinus1{31, 26};
  static constexpr Field SharingIdsMinus1{25, 14};
  static constexpr Flag FullyAssociative{9};
  static constexpr Flag SelfInitializing{8};
  static constexpr Field Level{7, 5};
  static constexpr Field Type{4, 0};
};
struct Leaf4Ebx {
  static constexpr Field WaysMinus1{31, 22};
  static constexpr Field PartitionsMinus1{21, 12};
  static constexpr Field LineMinus1{11, 0};
};
struct Leaf4Edx {
  static constexpr Flag ComplexIndexing{2};
  static constexpr Flag Inclusive{1};
  static constexpr Flag WbinvdLeavesLowerLevels{0};
};
struct LeafBEcx {
  static constexpr Field LevelType{15, 8};
  static constexpr Field LevelNumber{7, 0};
};
constexpr u64 kSmtLevel = 1;
constexpr u64 kCoreLevel = 2;
struct AddressSizes {
  static constexpr Field Linear{15, 8};
  static constexpr Field Physical{7, 0};
};
constexpr Flag kOsxsaveBit{27};
constexpr Flag kOspkeBit{4};

template <class Layout>
constexpr u32 low(Reg<Layout> reg) {
  return static_cast<u32>(reg.value);
}

constexpr u32 first_half(u64 value) { return static_cast<u32>(bits(value, 31, 0)); }
constexpr u32 second_half(u64 value) { return static_cast<u32>(bits(value, 63, 32)); }

// Four characters of a string, the first in the lowest byte; zeros after its end.
u32 characters(const std::string& text, std::size_t from) {
  u64 word = 0;
  for (unsigned i = 0; i < 4; ++i) {
    const std::size_t at = from + i;
    const u8 c = at < text.size() ? static_cast<u8>(text[at]) : u8{0};
    word = Field{i * 8 + 7, i * 8}.put(word, c);
  }
  return static_cast<u32>(word);
}

// Leaves that describe a feature: zero where it is not offered.
struct LeafGate {
  u32 leaf;
  std::optional<Feature> feature;  // none: `implemented` decides
  bool implemented = false;
};
constexpr LeafGate kLeafGates[] = {
    {0x05, Feature::kMonitor}, {0x09, Feature::kDca},
    {0x0f, Feature::kRdtM},    {0x10, Feature::kRdtA},
    {0x12, Feature::kSgx},     {0x14, Feature::kIntelPt},
    {0x1b, Feature::kPconfig}, {0x0a, std::nullopt, kPerfmonImplemented},
};

bool leaf_is_offered(u32 leaf, const CpuFeatures& features) {
  for (const LeafGate& gate : kLeafGates) {
    if (gate.leaf == leaf) return gate.feature ? features[*gate.feature] : gate.implemented;
  }
  return true;
}

}  // namespace

// ---- XSAVE: SDM 1 "Managing State Using the XSAVE Feature Set"

u64 supported_xcr0(const CpuFeatures& features) {
  if (!features[Feature::kXsave]) return 0;
  u64 mask = kXcr0Always;
  for (const XsaveComponent& component : kXsaveComponents) {
    if (features[component.feature]) mask |= Flag{component.index}.mask();
  }
  return mask;
}

u32 xsave_standard_size(u64 mask) {
  u32 size = kXsaveExtendedStart;
  for (const XsaveComponent& component : kXsaveComponents) {
    if (bit(mask, component.index)) size = std::max(size, component.offset + component.size);
  }
  return size;
}

u32 xsave_compacted_size(u64 mask) {
  u32 size = kXsaveExtendedStart;
  for (const XsaveComponent& component : kXsaveComponents) {
    if (bit(mask, component.index)) size += component.size;
  }
  return size;
}

Cpuid::Cpuid(const CpuModel& model, const CpuFeatures& offered, const CpuTopology& topology,
             u32 processor)
    : model_(model),
      features_(offered),
      topology_(topology),
      apic_id_(topology.apic_id(processor)) {
  SIM_CHECK(processor < topology.logical_processors());
  // "A value of 0 for HTT indicates there is only a single logical processor in the package."
  if (topology.threads_per_package() == 1) features_.remove(Feature::kHt);
}

u32 Cpuid::max_basic_leaf(const CpuidContext& context) const {
  const bool limited = (context.misc_enable & MiscEnable::LimitCpuidMaxval.mask()) != 0;
  return limited ? std::min(model_.max_basic_leaf, kLimitedMaxLeaf) : model_.max_basic_leaf;
}

CpuidResult Cpuid::query(u32 leaf, u32 subleaf, const CpuidContext& context) const {
  if (leaf >= kFirstExtendedLeaf && leaf <= model_.max_extended_leaf) {
    return extended(leaf, context);
  }
  // "If a value entered for CPUID.EAX is higher than the maximum input value for basic or extended
  // function for that processor then the data for the highest basic information leaf is returned."
  return basic(std::min(leaf, max_basic_leaf(context)), subleaf, context);
}

CpuidResult Cpuid::basic(u32 leaf, u32 subleaf, const CpuidContext& context) const {
  if (!leaf_is_offered(leaf, features_)) return {};
  const CpuFrequencies& f = model_.frequencies;
  switch (leaf) {
    case 0x00:
      return vendor(context);
    case 0x01:
      return version(context);
    case 0x02:
      return cache_descriptors();
    case 0x04:
      return cache_parameters(subleaf);
    case 0x05:
      return monitor();
    case 0x06:
      return power_management();
    case 0x07:
      return extended_features(subleaf, context);
    case 0x0b:
    case 0x1f:
      return topology_level(subleaf);
    case 0x0d:
      return xsave(subleaf, context);
    case 0x15:
      return {f.tsc_denominator, f.tsc_numerator, f.enumerated_crystal_hz, 0};
    case 0x16:
      return {f.base_mhz, f.max_mhz, f.bus_mhz, 0};
    default:
      return raw(leaf, subleaf);
  }
}

CpuidResult Cpuid::raw(u32 leaf, u32 subleaf) const {
  const auto& rows = leaf == 0x18 ? model_.tlbs : model_.raw_leaves;
  for (const CpuidRow& row : rows) {
    if (row.leaf == leaf && row.subleaf == subleaf) return {row.eax, row.ebx, row.ecx, row.edx};
  }
  return {};
}

CpuidResult Cpuid::vendor(const CpuidContext& context) const {
  return {max_basic_leaf(context), characters(model_.vendor, 0), characters(model_.vendor, 8),
          characters(model_.vendor, 4)};
}

u32 version_signature(const CpuModel& model) {
  constexpr u32 kFamilyEscape = 0xf;
  const u32 family = std::min(model.family, kFamilyEscape);
  return low(Reg<Signature>()
                 .with(Signature::ExtendedFamily, model.family - family)
                 .with(Signature::ExtendedModel, bits(model.model, 7, 4))
                 .with(Signature::Type, model.processor_type)
                 .with(Signature::Family, family)
                 .with(Signature::Model, bits(model.model, 3, 0))
                 .with(Signature::Stepping, model.stepping));
}

CpuidResult Cpuid::version(const CpuidContext& context) const {
  constexpr u32 kQuadword = 8;
  const u64 logical_ids = std::min<u64>(u64{1} << topology_.package_shift(), 255);
  const Reg<Leaf1Ebx> ebx =
      Reg<Leaf1Ebx>()
          .with(Leaf1Ebx::InitialApicId, apic_id_)
          .with(Leaf1Ebx::MaxLogicalIds, logical_ids)
          .with(Leaf1Ebx::ClflushQuadwords, model_.clflush_line_bytes / kQuadword)
          .with(Leaf1Ebx::BrandIndex, model_.brand_index);

  CpuFeatures now = features_;
  if (!context.apic_enabled) now.remove(Feature::kApic);
  if ((context.misc_enable & MiscEnable::Monitor.mask()) == 0) now.remove(Feature::kMonitor);
  u64 ecx = now.cpuid_bits(1, 0, kEcx);
  if (context.osxsave) ecx |= kOsxsaveBit.mask();
  return {version_signature(model_), low(ebx), static_cast<u32>(ecx), now.cpuid_bits(1, 0, kEdx)};
}

// SDM 2A "INPUT EAX = 02H": AL is 01H; a register whose bit 31 is set holds no descriptors, so a
// descriptor from 80H up cannot stand in a register's last byte.
CpuidResult Cpuid::cache_descriptors() const {
  constexpr unsigned kBytes = 16;
  constexpr unsigned kBytesPerRegister = 4;
  std::array<u8, kBytes> slots{1};
  for (const u8 descriptor : model_.cache_descriptors) {
    for (unsigned i = 1; i < kBytes; ++i) {
      const bool last = i % kBytesPerRegister == kBytesPerRegister - 1;
      if (slots[i] != 0 || (last && bit(descriptor, 7))) continue;
      slots[i] = descriptor;
      break;
    }
  }
  const auto word = [&](unsigned n) {
    u64 value = 0;
    for (unsigned i = 0; i < kBytesPerRegister; ++i) {
      value = Field{i * 8 + 7, i * 8}.put(value, slots[n * kBytesPerRegister + i]);
    }
    return static_cast<u32>(value);
  };
  return {word(0), word(1), word(2), word(3)};
}

// SDM 2A "INPUT EAX = 04H: Returns Deterministic Cache Parameters for Each Level".
CpuidResult Cpuid::cache_parameters(u32 subleaf) const {
  if (subleaf >= model_.caches.size()) return {};
  const CacheRow& row = model_.caches[subleaf];
  const u32 package_ids = u32{1} << topology_.package_shift();
  const u32 core_ids = package_ids >> topology_.thread_shift();
  const u32 own_core_ids = u32{1} << topology_.thread_shift();
  const u32 sharing = row.sharing_ids == 0 ? own_core_ids : std::min(row.sharing_ids, package_ids);
  constexpr u32 kMaxCoreIds = 64;
  const Reg<Leaf4Eax> eax = Reg<Leaf4Eax>()
                                .with(Leaf4Eax::CoreIdsMinus1, std::min(core_ids, kMaxCoreIds) - 1)
                                .with(Leaf4Eax::SharingIdsMinus1, sharing - 1)
                                .with(Leaf4Eax::FullyAssociative, row.fully_associative)
                                .with(Leaf4Eax::SelfInitializing, 1)
                                .with(Leaf4Eax::Level, row.level)
                                .with(Leaf4Eax::Type, static_cast<u64>(row.type));
  const Reg<Leaf4Ebx> ebx = Reg<Leaf4Ebx>()
                                .with(Leaf4Ebx::WaysMinus1, row.ways - 1)
                                .with(Leaf4Ebx::PartitionsMinus1, row.partitions - 1)
                                .with(Leaf4Ebx::LineMinus1, row.line_bytes - 1);
  const Reg<Leaf4Edx> edx =
      Reg<Leaf4Edx>()
          .with(Leaf4Edx::ComplexIndexing, row.complex_indexing)
          .with(Leaf4Edx::Inclusive, row.inclusive)
          .with(Leaf4Edx::WbinvdLeavesLowerLevels, row.wbinvd_leaves_lower_levels);
  return {low(eax), low(ebx), row.sets - 1, low(edx)};
}

// The line sizes default to the cache line.
CpuidResult Cpuid::monitor() const {
  CpuidResult result = raw(0x05, 0);
  if (result.eax == 0) result.eax = model_.clflush_line_bytes;
  if (result.ebx == 0) result.ebx = model_.clflush_line_bytes;
  return result;
}

CpuidResult Cpuid::power_management() const {
  CpuidResult result = raw(0x06, 0);
  result.eax = features_.cpuid_bits(6, 0, kEax);
  result.ecx = features_.cpuid_bits(6, 0, kEcx);
  return result;
}

CpuidResult Cpuid::extended_features(u32 subleaf, const CpuidContext& context) const {
  if (subleaf != 0) return {};
  CpuFeatures now = features_;
  // SDM 1 "Fast-String Operation": enhanced REP MOVSB and STOSB go with it.
  if ((context.misc_enable & MiscEnable::FastStrings.mask()) == 0) {
    now.remove(Feature::kErms).remove(Feature::kFsrm);
  }
  u64 ecx = now.cpuid_bits(7, 0, kEcx);
  if (context.pke && now[Feature::kPku]) ecx |= kOspkeBit.mask();
  return {0, now.cpuid_bits(7, 0, kEbx), static_cast<u32>(ecx), now.cpuid_bits(7, 0, kEdx)};
}

// SDM 2A "INPUT EAX = 0BH: Returns Extended Topology Information". Processors before x2APIC have no
// such leaf, whatever the highest one.
CpuidResult Cpuid::topology_level(u32 subleaf) const {
  if (!model_.silicon[Feature::kX2apic]) return {};
  CpuidResult result;
  u64 type = 0;
  if (subleaf == 0) {
    type = kSmtLevel;
    result.eax = topology_.thread_shift();
    result.ebx = topology_.threads_per_core;
  } else if (subleaf == 1) {
    type = kCoreLevel;
    result.eax = topology_.package_shift();
    result.ebx = topology_.threads_per_package();
  }
  result.ecx =
      low(Reg<LeafBEcx>().with(LeafBEcx::LevelType, type).with(LeafBEcx::LevelNumber, subleaf));
  result.edx = apic_id_;
  return result;
}

// SDM 2A "INPUT EAX = 0DH: Returns Processor Extended States Enumeration Information".
CpuidResult Cpuid::xsave(u32 subleaf, const CpuidContext& context) const {
  const u64 supported = supported_xcr0(features_);
  if (supported == 0) return {};
  if (subleaf == 0) {
    return {first_half(supported), xsave_standard_size(context.xcr0),
            xsave_standard_size(supported), second_half(supported)};
  }
  if (subleaf == 1) {
    const bool compacts = features_[Feature::kXsavec] || features_[Feature::kXsaves];
    const u32 size = compacts ? xsave_compacted_size(context.xcr0 | context.xss) : 0;
    return {features_.cpuid_bits(0xd, 1, kEax), size, 0, 0};
  }
  for (const XsaveComponent& component : kXsaveComponents) {
    if (component.index == subleaf && bit(supported, subleaf)) {
      return {component.size, component.offset, 0, 0};
    }
  }
  return {};
}

CpuidResult Cpuid::brand_part(u32 part) const {
  constexpr std::size_t kPartBytes = 16;
  const std::size_t from = part * kPartBytes;
  return {characters(model_.brand, from), characters(model_.brand, from + 4),
          characters(model_.brand, from + 8), characters(model_.brand, from + 12)};
}

CpuidResult Cpuid::extended(u32 leaf, const CpuidContext& context) const {
  switch (leaf - kFirstExtendedLeaf) {
    case 0:
      return {model_.max_extended_leaf, 0, 0, 0};
    case 1: {
      CpuFeatures now = features_;
      if ((context.misc_enable & MiscEnable::XdDisable.mask()) != 0) now.remove(Feature::kNx);
      // "This feature flag is always enumerated as 0 outside 64-bit mode."
      if (!context.mode64) now.remove(Feature::kSyscall);
      return {0, 0, now.cpuid_bits(leaf, 0, kEcx), now.cpuid_bits(leaf, 0, kEdx)};
    }
    case 2:
    case 3:
    case 4:
      return brand_part(leaf - kFirstExtendedLeaf - 2);
    case 6:
      return {0, 0, model_.l2_descriptor, 0};
    case 7:
      return {0, 0, 0, features_.cpuid_bits(leaf, 0, kEdx)};
    case 8: {
      constexpr u32 kFourLevelBits = 48;
      const u32 linear = features_[Feature::kLa57] ? model_.linear_address_bits : kFourLevelBits;
      const Reg<AddressSizes> eax = Reg<AddressSizes>()
                                        .with(AddressSizes::Linear, linear)
                                        .with(AddressSizes::Physical, model_.physical_address_bits);
      return {low(eax), features_.cpuid_bits(leaf, 0, kEbx), 0, 0};
    }
    default:
      return {};
  }
}

}  // namespace vtsim::cpu
