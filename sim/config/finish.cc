#include "sim/config/finish.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/base/bits.h"
#include "sim/config/declarations.h"
#include "sim/config/device_list.h"
#include "sim/config/resolve.h"

namespace vtsim::config {
namespace {

const Setting& setting(const Resolved& resolved, const std::string& key) {
  const auto& settings = resolved.settings;
  return *std::find_if(settings.begin(), settings.end(),
                       [&](const Setting& s) { return s.parameter.key == key; });
}

[[noreturn]] void fail(const Resolved& resolved, const std::string& key, std::string problem,
                       std::string expected) {
  const Setting& at = setting(resolved, key);
  throw ConfigError({.file = at.origin.file,
                     .line = at.origin.line,
                     .key = key,
                     .problem = std::move(problem),
                     .expected = std::move(expected),
                     .nearest = {}});
}

void check_tlb(const Resolved& resolved, const std::string& key, const TlbTiming& tlb) {
  if (tlb.entries == 0) return;
  if (tlb.entries % tlb.ways != 0) {
    fail(resolved, key + ".entries", fmt::format("{} entries in {} ways", tlb.entries, tlb.ways),
         "a multiple of the number of ways");
  }
}

void check_cache(const Resolved& resolved, const std::string& key, const CacheTiming& cache) {
  if (cache.bytes % (cache.ways * cache.line_bytes) != 0) {
    fail(resolved, key + ".size",
         fmt::format("{} bytes in {} ways of {}-byte lines", cache.bytes, cache.ways,
                     cache.line_bytes),
         "a multiple of ways times line");
  }
}

void check_timing(const Resolved& resolved) {
  const CachesTiming& caches = resolved.machine.cores.caches;
  check_cache(resolved, "cores.caches.l1i", caches.l1i);
  check_cache(resolved, "cores.caches.l1d", caches.l1d);
  check_cache(resolved, "cores.caches.l2", caches.l2);
  check_cache(resolved, "cores.caches.l3", caches.l3);
  const MmuTiming& mmu = resolved.machine.cores.mmu;
  check_tlb(resolved, "cores.mmu.itlb_4k", mmu.itlb_4k);
  check_tlb(resolved, "cores.mmu.itlb_2m", mmu.itlb_2m);
  check_tlb(resolved, "cores.mmu.dtlb_l0", mmu.dtlb_l0);
  check_tlb(resolved, "cores.mmu.dtlb_4k", mmu.dtlb_4k);
  check_tlb(resolved, "cores.mmu.dtlb_2m", mmu.dtlb_2m);
  check_tlb(resolved, "cores.mmu.dtlb_1g", mmu.dtlb_1g);
  check_tlb(resolved, "cores.mmu.dtlb_store", mmu.dtlb_store);
  check_tlb(resolved, "cores.mmu.stlb", mmu.stlb);
  check_tlb(resolved, "cores.mmu.stlb_1g", mmu.stlb_1g);
  check_tlb(resolved, "cores.mmu.nested.tlb_4k", mmu.nested_4k);
  check_tlb(resolved, "cores.mmu.nested.tlb_2m", mmu.nested_2m);
  check_tlb(resolved, "iommu.iotlb", resolved.machine.iommu.iotlb);
}

void check_cores(const Resolved& resolved) {
  const CoresConfig& cores = resolved.machine.cores;
  constexpr u32 kMaxProcessors = 255;  // xAPIC IDs; 255 is the broadcast
  if (cores.topology.logical_processors() > kMaxProcessors) {
    fail(resolved, "cores.count",
         fmt::format("{} logical processors", cores.topology.logical_processors()),
         "packages times cores times threads up to 255");
  }
  constexpr std::size_t kVendorLength = 12;
  if (cores.model.vendor.size() != kVendorLength) {
    fail(resolved, "cores.vendor", fmt::format("{} characters", cores.model.vendor.size()), "12");
  }
  constexpr std::size_t kBrandLength = 47;
  if (cores.model.brand.size() > kBrandLength) {
    fail(resolved, "cores.brand", fmt::format("{} characters", cores.model.brand.size()),
         "at most 47");
  }
  const cpu::CpuFrequencies& f = cores.model.frequencies;
  if (f.tsc_denominator != 0 && f.tsc_numerator == 0) {
    fail(resolved, "cores.tsc.numerator", "0 with a denominator", "the ratio of CPUID.15H");
  }
}

void check_memory(const Resolved& resolved) {
  const MachineConfig& machine = resolved.machine;
  if (machine.memory.bytes % kPageSize != 0) {
    fail(resolved, "memory.size", "not whole pages", "a multiple of 4K");
  }
  constexpr u64 k4G = u64{1} << 32;
  const u64 highest = k4G + machine.memory.bytes;
  if (highest > u64{1} << machine.cores.model.physical_address_bits) {
    fail(resolved, "memory.size", "beyond the processor's physical addresses",
         fmt::format("what fits {} bits", machine.cores.model.physical_address_bits));
  }
}

// Why nothing can be added at this address; empty: it can.
std::string taken(const Resolved& resolved, std::size_t index, u16 bdf) {
  const std::string text = format_bdf(bdf);
  if (!text.starts_with("00:")) return "this platform has bus 00 only";
  if (text.starts_with("00:00.") || text.starts_with("00:1f.")) return "taken by the chipset";
  for (std::size_t i = 0; i < index; ++i) {
    if (resolved.devices[i].device.bdf == bdf) return "taken by " + resolved.devices[i].device.kind;
  }
  return {};
}

void check_devices(const Resolved& resolved) {
  for (std::size_t i = 0; i < resolved.devices.size(); ++i) {
    const ResolvedDevice& entry = resolved.devices[i];
    if (!entry.device.bdf) continue;
    const std::string problem = taken(resolved, i, *entry.device.bdf);
    if (problem.empty()) continue;
    throw ConfigError({.file = entry.origin.file,
                       .line = entry.origin.line,
                       .key = fmt::format("devices[{}].bdf", i),
                       .problem = problem,
                       .expected = "another bus:device.function",
                       .nearest = {}});
  }
}

u32 sharing_ids(CacheSharing sharing) {
  switch (sharing) {
    case CacheSharing::kCore:
      return 0;
    case CacheSharing::kTwoCores:
      return 2;
    case CacheSharing::kPackage:
      return cpu::kSharedByPackage;
  }
  return 0;
}

void add_cpuid_cache(cpu::CpuModel& model, const CpuidCache& cache, cpu::CacheType type, u8 level) {
  if (cache.row.ways == 0) return;
  cpu::CacheRow row = cache.row;
  row.type = type;
  row.level = level;
  row.sharing_ids = sharing_ids(cache.shared_by);
  model.caches.push_back(row);
}

// MSR bits of features that are not offered are not shown either.
void hide_bit(cpu::CpuModel& model, const ExtraFeature& feature) {
  for (cpu::MsrRow& row : model.msrs) {
    if (feature.msr != 0 && row.index == feature.msr) row.reset &= ~Flag{feature.bit}.mask();
  }
}

void drop_features(CoresConfig& cores) {
  cores.offered = cpu::offered_features(cores.model);
  for (const auto name : cores.model.silicon.without(cores.offered).names()) {
    cores.dropped.push_back({std::string(name), "not implemented"});
  }
  for (const ExtraFeature& feature : extra_features()) {
    const auto& has = cores.extra_features;
    const bool is_in_silicon = std::find(has.begin(), has.end(), feature.name) != has.end();
    if (is_in_silicon && feature.implemented) continue;
    if (is_in_silicon) cores.dropped.push_back({std::string(feature.name), "not implemented"});
    hide_bit(cores.model, feature);
  }
  // The capability registers go with the feature.
  if (!cores.offered[cpu::Feature::kVmx]) cores.model.vmx_capabilities.clear();
}

// Leaves that the core model composes from other parameters (model/cpu/cpuid.h).
void check_cpuid_leaves(const Resolved& resolved) {
  static constexpr u32 kComposed[] = {
      0,           1,           2,           4,           7,           0xb,         0xd,
      0x15,        0x16,        0x1f,        0x8000'0000, 0x8000'0001, 0x8000'0002, 0x8000'0003,
      0x8000'0004, 0x8000'0005, 0x8000'0006, 0x8000'0007, 0x8000'0008};
  for (const Setting& at : resolved.settings) {
    constexpr std::string_view kPrefix = "cores.cpuid.leaf.";
    const std::string& key = at.parameter.key;
    if (!key.starts_with(kPrefix)) continue;
    const std::string leaf =
        key.substr(kPrefix.size(), key.find('.', kPrefix.size()) - kPrefix.size());
    const u64 number = parse_quantity(leaf, Quantity::kCount).value_or(0);
    if (std::find(std::begin(kComposed), std::end(kComposed), number) == std::end(kComposed))
      continue;
    fail(resolved, key, "this leaf is composed from other parameters",
         "cores.features, cores.cpuid");
  }
}

}  // namespace

void check_and_finish(Resolved& resolved) {
  check_cores(resolved);
  check_cpuid_leaves(resolved);
  check_memory(resolved);
  check_timing(resolved);
  check_devices(resolved);
  CoresConfig& cores = resolved.machine.cores;
  cores.model.name = cores.preset;
  add_cpuid_cache(cores.model, cores.cpuid_l1d, cpu::CacheType::kData, 1);
  add_cpuid_cache(cores.model, cores.cpuid_l1i, cpu::CacheType::kInstruction, 1);
  add_cpuid_cache(cores.model, cores.cpuid_l2, cpu::CacheType::kUnified, 2);
  add_cpuid_cache(cores.model, cores.cpuid_l3, cpu::CacheType::kUnified, 3);
  drop_features(cores);
}

}  // namespace vtsim::config
