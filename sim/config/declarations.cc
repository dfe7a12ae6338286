#include "sim/config/declarations.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "sim/config/nearest_name.h"

namespace vtsim::config {
namespace {

constexpr Choice<GuestClock> kGuestClocks[] = {{"instructions", GuestClock::kInstructions},
                                               {"cycles", GuestClock::kCycles}};
constexpr Choice<Replacement> kReplacements[] = {
    {"lru", Replacement::kLru},
    {"plru", Replacement::kPlru},
    {"mru_plus_1_mod_3_plru4", Replacement::kMruPlus1Mod3Plru4},
    {"random", Replacement::kRandom}};
constexpr Choice<IndexHash> kHashes[] = {{"linear", IndexHash::kLinear},
                                         {"xor7", IndexHash::kXor7}};
constexpr Choice<CacheSharing> kSharings[] = {{"core", CacheSharing::kCore},
                                              {"two_cores", CacheSharing::kTwoCores},
                                              {"package", CacheSharing::kPackage}};

constexpr ExtraFeature kExtraFeatures[] = {
    {"cpuid_fault", "CPUID faulting: MSR_PLATFORM_INFO[31], MSR_MISC_FEATURES_ENABLES", true, 0xce,
     31},
    {"flexmigration_v1", "CPUID masking by MSR 478H (45 nm Core 2)"},
    {"flexmigration_v2", "CPUID masking by MSRs 130H, 131H (Nehalem, Westmere)"},
    {"flexmigration_v3", "CPUID masking by MSRs 132H-134H (Sandy Bridge and later)"},
    {"sgx_keys", "CPUID.07H:EDX[1]"},
    {"split_lock_detect", "IA32_CORE_CAPABILITIES[5]", false, 0xcf, 5},
};

constexpr NamedMsr kMsrs[] = {
    {"MSR_EBL_CR_POWERON", 0x2a, "bus and APIC cluster straps"},
    {"MSR_CORE_THREAD_COUNT", 0x35, "numbers of threads and cores of the package"},
    {"MSR_FSB_FREQ", 0xcd, "scalable bus speed (Core 2)"},
    {"MSR_PLATFORM_INFO", 0xce, "ratios, CPUID faulting"},
    {"IA32_CORE_CAPABILITIES", 0xcf, "split-lock detection"},
    {"MSR_PKG_CST_CONFIG_CONTROL", 0xe2, "C-state limits"},
    {"MSR_PMG_IO_CAPTURE_BASE", 0xe4, "C-states entered by I/O reads"},
    {"IA32_MTRRCAP", 0xfe, "variable ranges, fixed ranges, WC, SMRR"},
    {"MSR_BBL_CR_CTL3", 0x11e, "second-level cache (Core 2)"},
    {"MSR_MISC_FEATURES_ENABLES", 0x140, "CPUID faulting"},
    {"MSR_ERROR_CONTROL", 0x17f, "log of memory errors (servers)"},
    {"MSR_FLEX_RATIO", 0x194, "overclocking lock"},
    {"IA32_PERF_STATUS", 0x198, "current ratio"},
    {"IA32_MISC_ENABLE", 0x1a0, "enabled features"},
    {"MSR_TEMPERATURE_TARGET", 0x1a2, "thermal throttling target"},
    {"MSR_PREFETCH_CONTROL", 0x1a4, "prefetchers that are off"},
    {"MSR_MISC_PWR_MGMT", 0x1aa, "power management"},
    {"MSR_TURBO_POWER_CURRENT_LIMIT", 0x1ac, "turbo power limits (Nehalem)"},
    {"MSR_TURBO_RATIO_LIMIT", 0x1ad, "turbo ratios by active cores"},
    {"MSR_TURBO_RATIO_LIMIT1", 0x1ae, "turbo ratios by active cores"},
    {"MSR_TURBO_RATIO_LIMIT2", 0x1af, "turbo ratios by active cores"},
    {"MSR_POWER_CTL", 0x1fc, "C1E"},
    {"MSR_RAPL_POWER_UNIT", 0x606, "units of power, energy and time"},
    {"MSR_UNCORE_RATIO_LIMIT", 0x620, "uncore ratios"},
    {"MSR_CONFIG_TDP_NOMINAL", 0x648, "nominal ratio"},
};

// SDM 3D "VMX Capability Reporting Facility".
constexpr NamedMsr kVmxMsrs[] = {
    {"IA32_VMX_BASIC", 0x480, "revision, region size, memory type, TRUE controls"},
    {"IA32_VMX_PINBASED_CTLS", 0x481, "pin-based controls: must be 1, may be 1"},
    {"IA32_VMX_PROCBASED_CTLS", 0x482, "primary processor-based controls"},
    {"IA32_VMX_EXIT_CTLS", 0x483, "exit controls"},
    {"IA32_VMX_ENTRY_CTLS", 0x484, "entry controls"},
    {"IA32_VMX_MISC", 0x485, "preemption-timer rate, CR3 targets, activity states"},
    {"IA32_VMX_CR0_FIXED0", 0x486, "bits of CR0 that must be 1"},
    {"IA32_VMX_CR0_FIXED1", 0x487, "bits of CR0 that may be 1"},
    {"IA32_VMX_CR4_FIXED0", 0x488, "bits of CR4 that must be 1"},
    {"IA32_VMX_CR4_FIXED1", 0x489, "bits of CR4 that may be 1"},
    {"IA32_VMX_VMCS_ENUM", 0x48a, "highest index of a VMCS field"},
    {"IA32_VMX_PROCBASED_CTLS2", 0x48b, "secondary processor-based controls"},
    {"IA32_VMX_EPT_VPID_CAP", 0x48c, "EPT and VPID capabilities"},
    {"IA32_VMX_TRUE_PINBASED_CTLS", 0x48d, "pin-based controls without the default1 class"},
    {"IA32_VMX_TRUE_PROCBASED_CTLS", 0x48e, "primary controls without the default1 class"},
    {"IA32_VMX_TRUE_EXIT_CTLS", 0x48f, "exit controls without the default1 class"},
    {"IA32_VMX_TRUE_ENTRY_CTLS", 0x490, "entry controls without the default1 class"},
    {"IA32_VMX_VMFUNC", 0x491, "VM functions"},
};

// ---- the processor ----------------------------------------------------------------------------

std::string where(const cpu::FeatureInfo& feature) {
  const cpu::FeatureLocation& at = feature.location;
  static constexpr std::string_view kRegisters[] = {"EAX", "EBX", "ECX", "EDX"};
  if (at.kind == cpu::FeatureLocation::Kind::kMsr) {
    return fmt::format("MSR {:X}H[{}]", at.index, at.bit);
  }
  const std::string leaf = at.subleaf == 0 ? fmt::format("{:02X}H", at.index)
                                           : fmt::format("{:02X}H.{}", at.index, at.subleaf);
  return fmt::format("CPUID.{}:{}[{}]", leaf, kRegisters[static_cast<std::size_t>(at.reg)], at.bit);
}

void declare_features(Schema& schema, CoresConfig& cores) {
  for (const cpu::FeatureInfo& row : cpu::kFeatures) {
    const cpu::Feature feature = row.feature;
    schema.add_flag("cores.features." + std::string(row.name),
                    [&cores, feature](bool on) {
                      on ? cores.model.silicon.add(feature) : cores.model.silicon.remove(feature);
                    },
                    {.help = where(row), .fallback = "false"});
  }
  for (const ExtraFeature& row : kExtraFeatures) {
    const std::string name(row.name);
    schema.add_flag("cores.features." + name,
                    [&cores, name](bool on) {
                      std::erase(cores.extra_features, name);
                      if (on) cores.extra_features.push_back(name);
                    },
                    {.help = std::string(row.help), .fallback = "false"});
  }
}

void declare_identity(Schema& schema, CoresConfig& cores) {
  cpu::CpuModel& m = cores.model;
  schema.add("cores.vendor", m.vendor,
             {.help = "CPUID.00H vendor string, 12 characters", .fallback = "GenuineIntel"});
  schema.add("cores.brand", m.brand,
             {.help = "CPUID.80000002H-4H brand string, up to 47 characters"});
  schema.add("cores.family", m.family,
             {.help = "family, extended family added", .fallback = "6", .max = 270});
  schema.add("cores.model", m.model,
             {.help = "model, extended model included", .fallback = "0", .max = 255, .hex = true});
  schema.add("cores.stepping", m.stepping, {.help = "stepping", .fallback = "0", .max = 15});
  schema.add("cores.platform_id", m.platform_id,
             {.help = "IA32_PLATFORM_ID", .fallback = "0", .hex = true});
  schema.add(
      "cores.microcode", m.microcode_revision,
      {.help = "microcode revision: IA32_BIOS_SIGN_ID[63:32]", .fallback = "0", .hex = true});
  schema.add("cores.physical_address_bits", m.physical_address_bits,
             {.help = "width of physical addresses",
              .fallback = "46",
              .unit = "bits",
              .min = 36,
              .max = 52});
  schema.add("cores.linear_address_bits", m.linear_address_bits,
             {.help = "width of linear addresses: 57 with five-level paging",
              .fallback = "48",
              .unit = "bits",
              .min = 48,
              .max = 57});
}

void declare_clocks(Schema& schema, CoresConfig& cores) {
  cpu::CpuFrequencies& f = cores.model.frequencies;
  constexpr u64 kMaxHz = 100'000'000'000;
  schema.add("cores.frequency", cores.frequency_hz,
             {.help = "core clock; functional mode retires one instruction a cycle",
              .fallback = "2.1GHz",
              .quantity = Quantity::kFrequency,
              .min = 1'000'000,
              .max = kMaxHz});
  schema.add("cores.tsc.frequency", f.tsc_hz,
             {.help = "time-stamp counter",
              .fallback = "2.1GHz",
              .quantity = Quantity::kFrequency,
              .min = 1'000'000,
              .max = kMaxHz});
  schema.add("cores.tsc.denominator", f.tsc_denominator,
             {.help = "CPUID.15H:EAX, TSC/crystal ratio; 0: no leaf 15H", .fallback = "0"});
  schema.add("cores.tsc.numerator", f.tsc_numerator,
             {.help = "CPUID.15H:EBX, TSC/crystal ratio", .fallback = "0"});
  schema.add("cores.tsc.crystal", f.enumerated_crystal_hz,
             {.help = "CPUID.15H:ECX as the part enumerates it; 0 where it does not",
              .fallback = "0",
              .quantity = Quantity::kFrequency});
  schema.add("cores.apic.timer_frequency", f.apic_timer_hz,
             {.help = "local APIC timer before its divider",
              .fallback = "25MHz",
              .quantity = Quantity::kFrequency,
              .min = 1'000'000,
              .max = kMaxHz});
  schema.add("cores.apic.version", cores.model.apic_version,
             {.help = "local APIC version register, bits 7:0", .fallback = "0x15", .hex = true});
  schema.add("cores.apic.max_lvt", cores.model.apic_max_lvt,
             {.help = "LVT entries less one: 6 with CMCI", .fallback = "6", .min = 3, .max = 6});
  schema.add("cores.apic.eoi_broadcast_suppression", cores.model.apic_eoi_broadcast_suppression,
             {.help = "SVR[12] can be set", .fallback = "true"});
}

void declare_cpuid_cache(Schema& schema, const std::string& key, CpuidCache& cache) {
  cpu::CacheRow& row = cache.row;
  schema.add(key + ".ways", row.ways,
             {.help = "EBX[31:22] + 1; 0: there is no such cache",
              .fallback = "0",
              .unit = "ways",
              .max = 1024});
  schema.add(key + ".sets", row.sets,
             {.help = "ECX + 1", .fallback = "64", .unit = "sets", .min = 1});
  schema.add(key + ".line", row.line_bytes,
             {.help = "EBX[11:0] + 1",
              .fallback = "64",
              .quantity = Quantity::kSize,
              .min = 1,
              .max = 4096});
  schema.add(key + ".partitions", row.partitions,
             {.help = "EBX[21:12] + 1", .fallback = "1", .min = 1, .max = 1024});
  schema.add(key + ".shared_by", cache.shared_by, kSharings,
             {.help = "EAX[25:14]", .fallback = "core"});
  schema.add(key + ".inclusive", row.inclusive, {.help = "EDX[1]", .fallback = "false"});
  schema.add(key + ".complex_indexing", row.complex_indexing,
             {.help = "EDX[2]", .fallback = "false"});
  schema.add(key + ".wbinvd_leaves_lower_levels", row.wbinvd_leaves_lower_levels,
             {.help = "EDX[0]", .fallback = "false"});
}

std::optional<u32> parse_u32(std::string_view text) {
  const auto value = parse_quantity(text, Quantity::kCount);
  if (!value || *value > std::numeric_limits<u32>::max()) return std::nullopt;
  return static_cast<u32>(*value);
}

// cores.cpuid.leaf.0x6 and cores.cpuid.leaf.0x18.2: EAX, EBX, ECX, EDX.
std::optional<Parameter> cpuid_leaf(cpu::CpuModel& model, const std::string& rest) {
  const auto dot = rest.find('.');
  const auto leaf = parse_u32(rest.substr(0, dot));
  const auto subleaf = dot == std::string::npos ? 0 : parse_u32(rest.substr(dot + 1));
  if (!leaf || !subleaf) return std::nullopt;
  Parameter parameter;
  parameter.type = Type::kList;
  parameter.spec = {.help = "EAX, EBX, ECX, EDX of a leaf in which nothing is dynamic",
                    .max = std::numeric_limits<u32>::max(),
                    .hex = true,
                    .min_items = 4,
                    .max_items = 4};
  parameter.assign = [&model, leaf = *leaf, subleaf = *subleaf](const Value& value) {
    const auto& r = std::get<std::vector<u64>>(value);
    auto& rows = leaf == 0x18 ? model.tlbs : model.raw_leaves;
    std::erase_if(rows,
                  [&](const auto& row) { return row.leaf == leaf && row.subleaf == subleaf; });
    rows.push_back({leaf, subleaf, static_cast<u32>(r[0]), static_cast<u32>(r[1]),
                    static_cast<u32>(r[2]), static_cast<u32>(r[3])});
  };
  return parameter;
}

void declare_cpuid(Schema& schema, CoresConfig& cores) {
  cpu::CpuModel& m = cores.model;
  schema.add("cores.cpuid.max_basic_leaf", m.max_basic_leaf,
             {.help = "CPUID.00H:EAX", .fallback = "0x16", .max = 0xff, .hex = true});
  schema.add("cores.cpuid.max_extended_leaf", m.max_extended_leaf,
             {.help = "CPUID.80000000H:EAX",
              .fallback = "0x80000008",
              .min = 0x80000000,
              .max = 0x800000ff,
              .hex = true});
  schema.add_list(
      "cores.cpuid.cache_descriptors",
      [&m](const std::vector<u64>& bytes) {
        m.cache_descriptors.clear();
        for (const u64 byte : bytes) m.cache_descriptors.push_back(static_cast<u8>(byte));
      },
      {.help = "descriptor bytes of leaf 02H", .max = 0xff, .hex = true, .max_items = 15});
  schema.add("cores.cpuid.l2_descriptor", m.l2_descriptor,
             {.help = "CPUID.80000006H:ECX", .fallback = "0", .hex = true});
  schema.add("cores.cpuid.base_mhz", m.frequencies.base_mhz,
             {.help = "CPUID.16H:EAX; 0: no leaf 16H", .fallback = "0", .unit = "MHz"});
  schema.add("cores.cpuid.max_mhz", m.frequencies.max_mhz,
             {.help = "CPUID.16H:EBX", .fallback = "0", .unit = "MHz"});
  schema.add("cores.cpuid.bus_mhz", m.frequencies.bus_mhz,
             {.help = "CPUID.16H:ECX", .fallback = "0", .unit = "MHz"});
  declare_cpuid_cache(schema, "cores.cpuid.l1d", cores.cpuid_l1d);
  declare_cpuid_cache(schema, "cores.cpuid.l1i", cores.cpuid_l1i);
  declare_cpuid_cache(schema, "cores.cpuid.l2", cores.cpuid_l2);
  declare_cpuid_cache(schema, "cores.cpuid.l3", cores.cpuid_l3);
  schema.add_family({.prefix = "cores.cpuid.leaf.",
                     .placeholder = "<leaf>[.<subleaf>]",
                     .pattern = *cpuid_leaf(m, "0"),
                     .member = [&m](const std::string& rest) { return cpuid_leaf(m, rest); },
                     .known = {},
                     .is_nested = true});
}

// ---- model-specific registers
// --------------------------------------------------------------------

std::optional<NamedMsr> msr_called(std::span<const NamedMsr> names, const std::string& name) {
  for (const NamedMsr& row : names) {
    if (row.name == name) return row;
  }
  return std::nullopt;
}

void set_msr(std::vector<cpu::MsrRow>& rows, cpu::MsrRow row) {
  std::erase_if(rows, [&](const cpu::MsrRow& other) { return other.index == row.index; });
  const auto after = std::find_if(
      rows.begin(), rows.end(), [&](const cpu::MsrRow& other) { return other.index > row.index; });
  rows.insert(after, row);
}

Parameter msr_parameter(std::vector<cpu::MsrRow>& rows, u32 index, std::string help) {
  Parameter parameter;
  parameter.type = Type::kList;
  parameter.spec = {.help = std::move(help), .hex = true, .min_items = 1, .max_items = 2};
  parameter.assign = [&rows, index](const Value& value) {
    const auto& list = std::get<std::vector<u64>>(value);
    set_msr(rows, {index, list[0], list.size() > 1 ? list[1] : 0});
  };
  return parameter;
}

std::optional<Parameter> msr(std::vector<cpu::MsrRow>& rows, const std::string& name) {
  if (const auto row = msr_called(kMsrs, name)) {
    return msr_parameter(rows, row->index, std::string(row->help));
  }
  if (!name.starts_with("0x")) return std::nullopt;
  const auto index = parse_u32(name);
  if (!index) return std::nullopt;
  return msr_parameter(rows, *index, "a model-specific register");
}

std::optional<Parameter> vmx_msr(std::vector<cpu::MsrRow>& rows, const std::string& name) {
  const auto row = msr_called(kVmxMsrs, name);
  if (!row) return std::nullopt;
  Parameter parameter = msr_parameter(rows, row->index, std::string(row->help));
  parameter.spec.max_items = 1;
  parameter.spec.use = Use::kVmx;
  return parameter;
}

std::vector<std::string> names_of(std::span<const NamedMsr> rows) {
  std::vector<std::string> names;
  for (const NamedMsr& row : rows) names.emplace_back(row.name);
  return names;
}

void declare_msrs(Schema& schema, CoresConfig& cores) {
  auto& msrs = cores.model.msrs;
  Parameter pattern = msr_parameter(msrs, 0, "value after reset, or [value, writable bits]");
  schema.add_family({.prefix = "cores.msr.",
                     .placeholder = "<name or number>",
                     .pattern = pattern,
                     .member = [&msrs](const std::string& rest) { return msr(msrs, rest); },
                     .known = names_of(kMsrs)});
  auto& capabilities = cores.model.vmx_capabilities;
  pattern.spec.help = "a VMX capability register";
  pattern.spec.use = Use::kVmx;
  schema.add_family(
      {.prefix = "cores.vmx.capabilities.",
       .placeholder = "<name>",
       .pattern = pattern,
       .member = [&capabilities](const std::string& rest) { return vmx_msr(capabilities, rest); },
       .known = names_of(kVmxMsrs)});
}

// ---- timing
// --------------------------------------------------------------------------------------

Spec cycles(std::string help) {
  return {.help = std::move(help),
          .fallback = "0",
          .unit = "cycles",
          .max = 1'000'000,
          .use = Use::kTiming};
}

Spec entries(std::string help) {
  return {.help = std::move(help),
          .fallback = "0",
          .unit = "entries",
          .max = 1 << 20,
          .use = Use::kTiming};
}

void declare_cache(Schema& schema, const std::string& key, CacheTiming& cache) {
  schema.add(key + ".size", cache.bytes,
             {.help = "0: there is none",
              .fallback = "0",
              .quantity = Quantity::kSize,
              .max = u64{1} << 32,
              .use = Use::kTiming});
  schema.add(key + ".ways", cache.ways,
             {.help = "associativity",
              .fallback = "8",
              .unit = "ways",
              .min = 1,
              .max = 64,
              .use = Use::kTiming});
  schema.add(key + ".line", cache.line_bytes,
             {.help = "line",
              .fallback = "64",
              .quantity = Quantity::kSize,
              .min = 16,
              .max = 256,
              .power_of_two = true,
              .use = Use::kTiming});
  schema.add(key + ".latency_cycles", cache.latency_cycles, cycles("load to use"));
  schema.add(key + ".replacement", cache.replacement, kReplacements,
             {.help = "which way is replaced", .fallback = "plru", .use = Use::kTiming});
}

void declare_tlb(Schema& schema, const std::string& key, TlbTiming& tlb, const std::string& help) {
  schema.add(key + ".entries", tlb.entries, entries(help + "; 0: there is none"));
  schema.add(key + ".ways", tlb.ways,
             {.help = "associativity; as many as entries: fully associative",
              .fallback = "4",
              .unit = "ways",
              .min = 1,
              .max = 1 << 20,
              .use = Use::kTiming});
  schema.add(key + ".latency_cycles", tlb.latency_cycles,
             cycles("added by a hit here after a miss before"));
  schema.add(key + ".replacement", tlb.replacement, kReplacements,
             {.help = "which way is replaced", .fallback = "plru", .use = Use::kTiming});
  schema.add(key + ".hash", tlb.hash, kHashes,
             {.help = "how page numbers choose a set", .fallback = "linear", .use = Use::kTiming});
}

void declare_caches(Schema& schema, CachesTiming& caches) {
  declare_cache(schema, "cores.caches.l1i", caches.l1i);
  declare_cache(schema, "cores.caches.l1d", caches.l1d);
  declare_cache(schema, "cores.caches.l2", caches.l2);
  declare_cache(schema, "cores.caches.l3", caches.l3);
  schema.add("cores.caches.memory_cycles", caches.memory_cycles,
             cycles("a reference that misses every cache"));
}

void declare_mmu(Schema& schema, MmuTiming& mmu) {
  declare_tlb(schema, "cores.mmu.itlb_4k", mmu.itlb_4k, "instruction TLB, 4K pages");
  declare_tlb(schema, "cores.mmu.itlb_2m", mmu.itlb_2m, "instruction TLB, 2M and 4M pages");
  declare_tlb(schema, "cores.mmu.dtlb_l0", mmu.dtlb_l0, "small data TLB in front of dtlb_4k");
  declare_tlb(schema, "cores.mmu.dtlb_4k", mmu.dtlb_4k, "data TLB, 4K pages");
  declare_tlb(schema, "cores.mmu.dtlb_2m", mmu.dtlb_2m, "data TLB, 2M and 4M pages");
  declare_tlb(schema, "cores.mmu.dtlb_1g", mmu.dtlb_1g, "data TLB, 1G pages");
  declare_tlb(schema, "cores.mmu.dtlb_store", mmu.dtlb_store, "data TLB of stores, all page sizes");
  declare_tlb(schema, "cores.mmu.stlb", mmu.stlb, "second-level TLB");
  schema.add("cores.mmu.stlb.holds_2m", mmu.stlb_holds_2m,
             {.help = "2M and 4M pages too", .fallback = "false", .use = Use::kTiming});
  declare_tlb(schema, "cores.mmu.stlb_1g", mmu.stlb_1g, "second-level TLB of 1G pages");
  schema.add("cores.mmu.stlb_1g.holds_4k", mmu.stlb_1g_holds_4k,
             {.help = "4K pages too", .fallback = "false", .use = Use::kTiming});
  schema.add(
      "cores.mmu.walk.walkers", mmu.walkers,
      {.help = "page walks at a time", .fallback = "1", .min = 1, .max = 16, .use = Use::kTiming});
  schema.add("cores.mmu.walk.extra_cycles", mmu.walk_extra_cycles,
             cycles("added to each completed walk"));
  schema.add("cores.mmu.psc.pml5e_entries", mmu.psc_pml5e_entries, entries("PML5E cache"));
  schema.add("cores.mmu.psc.pml4e_entries", mmu.psc_pml4e_entries, entries("PML4E cache"));
  schema.add("cores.mmu.psc.pdpte_entries", mmu.psc_pdpte_entries, entries("PDPTE cache"));
  schema.add("cores.mmu.psc.pde_entries", mmu.psc_pde_entries, entries("PDE cache"));
  schema.add("cores.mmu.psc.latency_cycles", mmu.psc_cycles, cycles("a look-up"));
  declare_tlb(schema, "cores.mmu.nested.tlb_4k", mmu.nested_4k,
              "guest-physical mappings, 4K pages");
  declare_tlb(schema, "cores.mmu.nested.tlb_2m", mmu.nested_2m,
              "guest-physical mappings, 2M pages");
  schema.add("cores.mmu.nested.pde_entries", mmu.nested_pde_entries,
             entries("cache of EPT page-directory entries"));
}

void declare_costs(Schema& schema, CoresConfig& cores) {
  InstructionTiming& cost = cores.instructions;
  schema.add("cores.instructions.cpuid_cycles", cost.cpuid_cycles, cycles("CPUID"));
  schema.add("cores.instructions.rdtsc_cycles", cost.rdtsc_cycles, cycles("RDTSC"));
  schema.add("cores.instructions.pause_cycles", cost.pause_cycles, cycles("PAUSE"));
  VmxTiming& vmx = cores.vmx;
  schema.add("cores.vmx.entry_cycles", vmx.entry_cycles, cycles("VM entry"));
  schema.add("cores.vmx.exit_cycles", vmx.exit_cycles, cycles("VM exit"));
  schema.add("cores.vmx.exit_ept_violation_cycles", vmx.exit_ept_violation_cycles,
             cycles("more for an EPT violation"));
  schema.add("cores.vmx.exit_ept_misconfiguration_cycles", vmx.exit_ept_misconfiguration_cycles,
             cycles("more for an EPT misconfiguration"));
  schema.add("cores.vmx.exit_external_interrupt_cycles", vmx.exit_external_interrupt_cycles,
             cycles("more for an external interrupt that is acknowledged"));
  schema.add("cores.vmx.msr_list_entry_cycles", vmx.msr_list_entry_cycles,
             cycles("each entry of an MSR load or store list"));
  schema.add("cores.vmx.vmread_cycles", vmx.vmread_cycles, cycles("VMREAD"));
  schema.add("cores.vmx.vmwrite_cycles", vmx.vmwrite_cycles, cycles("VMWRITE"));
  schema.add("cores.vmx.vmptrld_cycles", vmx.vmptrld_cycles, cycles("VMPTRLD"));
  schema.add("cores.vmx.vmclear_cycles", vmx.vmclear_cycles, cycles("VMCLEAR"));
  schema.add("cores.vmx.invept_cycles", vmx.invept_cycles, cycles("INVEPT"));
  schema.add("cores.vmx.invvpid_cycles", vmx.invvpid_cycles, cycles("INVVPID"));
}

void declare_iommu(Schema& schema, IommuTiming& iommu) {
  const auto declare_size = [&](const std::string& key, u64& field, std::string help) {
    Spec spec = entries(std::move(help));
    spec.use = Use::kIommu;
    schema.add(key, field, spec);
  };
  declare_size("iommu.iotlb.entries", iommu.iotlb.entries, "IOTLB");
  schema.add("iommu.iotlb.ways", iommu.iotlb.ways,
             {.help = "associativity",
              .fallback = "4",
              .unit = "ways",
              .min = 1,
              .max = 1 << 20,
              .use = Use::kIommu});
  schema.add("iommu.iotlb.latency", iommu.iotlb_hit,
             {.help = "a hit", .fallback = "0ps", .quantity = Quantity::kTime, .use = Use::kIommu});
  declare_size("iommu.context_cache.entries", iommu.context_cache_entries,
               "root and context entries");
  declare_size("iommu.interrupt_cache.entries", iommu.interrupt_cache_entries,
               "interrupt-remapping entries");
  schema.add("iommu.walk.latency", iommu.walk,
             {.help = "an IOTLB miss",
              .fallback = "0ps",
              .quantity = Quantity::kTime,
              .use = Use::kIommu});
}

// ---- the platform
// --------------------------------------------------------------------------------

void declare_cores(Schema& schema, CoresConfig& cores) {
  schema.add(
      "cores.preset", cores.preset,
      {.help = "a file of platforms/cores/: the processor's silicon", .fallback = "skylake-sp"});
  schema.add("cores.count", cores.topology.cores_per_package,
             {.help = "cores of each package", .fallback = "1", .min = 1, .max = 64});
  schema.add("cores.threads", cores.topology.threads_per_core,
             {.help = "logical processors of each core", .fallback = "1", .min = 1, .max = 2});
  schema.add("cores.packages", cores.topology.packages,
             {.help = "packages", .fallback = "1", .min = 1, .max = 8});
  declare_identity(schema, cores);
  declare_clocks(schema, cores);
  declare_features(schema, cores);
  declare_cpuid(schema, cores);
  declare_msrs(schema, cores);
  declare_caches(schema, cores.caches);
  declare_mmu(schema, cores.mmu);
  declare_costs(schema, cores);
}

void declare_chipset(Schema& schema, ChipsetConfig& chipset) {
  schema.add("chipset.rtc.start", chipset.rtc_start,
             {.help = "seconds since 1970-01-01 that the clock shows at power-on",
              .fallback = "1704067200",
              .unit = "s",
              .max = 4'102'444'800});
  schema.add("chipset.hpet.present", chipset.has_hpet, {.help = "HPET", .fallback = "true"});
  schema.add("chipset.hpet.frequency", chipset.hpet_hz,
             {.help = "HPET main counter",
              .fallback = "100MHz",
              .quantity = Quantity::kFrequency,
              .min = 10'000'000,
              .max = 1'000'000'000});
  schema.add("chipset.i8042", chipset.has_i8042,
             {.help = "keyboard controller", .fallback = "true"});
  schema.add("chipset.uart1", chipset.has_uart1,
             {.help = "second serial port", .fallback = "false"});
  schema.add("chipset.debug_exit", chipset.has_debug_exit,
             {.help = "port 0xf4 ends the run with an odd exit status", .fallback = "true"});
  schema.add("chipset.debug_console", chipset.has_debug_console,
             {.help = "ports 0xe9 and 0x402 print", .fallback = "true"});
  schema.add("chipset.pc_testdev", chipset.has_pc_testdev,
             {.help = "QEMU's test device of kvm-unit-tests", .fallback = "false"});
}

}  // namespace

void declare_parameters(Schema& schema, MachineConfig& machine) {
  declare_cores(schema, machine.cores);
  schema.add("memory.size", machine.memory.bytes,
             {.help = "RAM",
              .fallback = "1G",
              .quantity = Quantity::kSize,
              .min = u64{4} << 20,
              .max = u64{1} << 40});
  schema.add("guest_clock", machine.guest_clock, kGuestClocks,
             {.help = "what the guest's clocks and timers follow",
              .fallback = "instructions",
              .use = Use::kTiming});
  schema.add("quantum", machine.quantum,
             {.help = "how far a core runs ahead of the others",
              .fallback = "20us",
              .quantity = Quantity::kTime,
              .min = 1'000,
              .max = 1'000'000'000'000});
  schema.add("host_code", machine.host_code,
             {.help = "translate blocks of 64-bit code to the host's; changes nothing but the speed",
              .fallback = "true"});
  schema.add("random_seed", machine.random_seed,
             {.help = "seed of RDRAND, RDSEED and random replacement", .fallback = "1"});
  declare_chipset(schema, machine.chipset);
  declare_iommu(schema, machine.iommu);
}

std::span<const ExtraFeature> extra_features() { return kExtraFeatures; }
std::span<const NamedMsr> named_msrs() { return kMsrs; }
std::span<const NamedMsr> vmx_capability_msrs() { return kVmxMsrs; }

const std::vector<DeviceKind>& device_kinds() {
  static const std::vector<DeviceKind> kinds = {
      {"pci-testdev", "QEMU's PCI test device of kvm-unit-tests", true, {}},
      {"nvme", "NVMe controller", false, {{"image", "its disk"}}},
      {"ahci", "AHCI controller", false, {{"image", "its disk"}}},
      {"virtio-blk", "virtio block device", false, {{"image", "its disk"}}},
      {"virtio-net", "virtio network device", false, {}},
      {"virtio-console", "virtio console", false, {}},
      {"igb", "network controller with VMDq queues and SR-IOV", false, {}},
      {"edu", "QEMU's educational device", false, {}},
      {"dma-engine", "programmable DMA engine", false, {}},
  };
  return kinds;
}

}  // namespace vtsim::config
