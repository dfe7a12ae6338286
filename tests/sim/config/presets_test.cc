// The presets against what the parts are known to report (Intel's documentation, dumps of
// InstLatx64, results of vmlatency).

#include <catch2/catch.hpp>

#include "sim/config/resolve.h"

using namespace vtsim;
using namespace vtsim::config;
using cpu::Feature;

namespace {

Resolved preset(const std::string& name) {
  return resolve({"q35-" + name, {}, {}}, PlatformFiles({VTSIM_TEST_PLATFORMS}));
}

// As given, whether or not the machine offers it.
u64 given_msr(const Resolved& resolved, const std::string& key) {
  for (const Setting& setting : resolved.settings) {
    if (setting.parameter.key == key) return std::get<std::vector<u64>>(*setting.value).front();
  }
  FAIL("no " << key);
  return 0;
}

const char* const kPresets[] = {"penryn", "nehalem", "haswell", "skylake-sp", "icelake-sp"};

}  // namespace

TEST_CASE("presets: family, model and stepping of the parts") {
  struct Row {
    const char* name;
    u32 model;
    u32 stepping;
    u64 tsc_hz;
  };
  const Row rows[] = {{"penryn", 0x17, 6, 3'000'000'000},
                      {"nehalem", 0x1e, 5, 2'800'000'000},
                      {"haswell", 0x3f, 2, 2'600'000'000},
                      {"skylake-sp", 0x55, 4, 2'100'000'000},
                      {"icelake-sp", 0x6a, 6, 2'400'000'000}};
  for (const Row& row : rows) {
    INFO(row.name);
    const cpu::CpuModel& model = preset(row.name).machine.cores.model;
    CHECK(model.vendor == "GenuineIntel");
    CHECK(model.family == 6);
    CHECK(model.model == row.model);
    CHECK(model.stepping == row.stepping);
    CHECK(model.frequencies.tsc_hz == row.tsc_hz);
    CHECK(model.brand.starts_with("Intel(R)"));
  }
}

TEST_CASE("presets: the crystal's ratio gives the TSC's rate, 25 MHz times it") {
  for (const char* name : {"skylake-sp", "icelake-sp"}) {
    const cpu::CpuFrequencies f = preset(name).machine.cores.model.frequencies;
    CHECK(u64{25'000'000} * f.tsc_numerator / f.tsc_denominator == f.tsc_hz);
    CHECK(u64{f.base_mhz} * 1'000'000 == f.tsc_hz);
  }
}

TEST_CASE("presets: what each generation brought") {
  struct Row {
    Feature feature;
    const char* first;  // the oldest preset that has it
  };
  const Row rows[] = {{Feature::kSse41, "penryn"},       {Feature::kVmx, "penryn"},
                      {Feature::kSse42, "nehalem"},      {Feature::kPopcnt, "nehalem"},
                      {Feature::kRdtscp, "nehalem"},     {Feature::kInvariantTsc, "nehalem"},
                      {Feature::kAvx2, "haswell"},       {Feature::kPcid, "haswell"},
                      {Feature::kInvpcid, "haswell"},    {Feature::kSmep, "haswell"},
                      {Feature::kX2apic, "haswell"},     {Feature::kMovbe, "haswell"},
                      {Feature::kSmap, "skylake-sp"},    {Feature::kPku, "skylake-sp"},
                      {Feature::kAvx512f, "skylake-sp"}, {Feature::kXsaves, "skylake-sp"},
                      {Feature::kLa57, "icelake-sp"},    {Feature::kSha, "icelake-sp"},
                      {Feature::kUmip, "icelake-sp"},    {Feature::kRdpid, "icelake-sp"}};
  for (const Row& row : rows) {
    bool has_it = false;
    for (const char* name : kPresets) {
      INFO(name << " " << cpu::info(row.feature).name);
      has_it = has_it || std::string(name) == row.first;
      CHECK(preset(name).machine.cores.model.silicon[row.feature] == has_it);
    }
  }
}

TEST_CASE("presets: VMX capability registers as vmlatency read them") {
  struct Row {
    const char* name;
    u64 basic;
    u64 misc;
    u64 secondary;
    u64 ept_vpid;  // 0: none
  };
  const Row rows[] = {
      {"penryn", 0x005a'0800'0000'000d, 0x000403c0, 0x0000'0041'0000'0000, 0},
      {"nehalem", 0x00da'0400'0000'000e, 0x000401c5, 0x0000'007f'0000'0000, 0x0f01'0611'4141},
      {"haswell", 0x00da'0400'0000'0012, 0x300481e5, 0x0000'7fff'0000'0000, 0x0f01'0633'4141},
      {"skylake-sp", 0x00da'0400'0000'0004, 0x7004c1e7, 0x025f'7fff'0000'0000, 0x0f01'0673'4141},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    const Resolved resolved = preset(row.name);
    const std::string prefix = "cores.vmx.capabilities.IA32_VMX_";
    CHECK(given_msr(resolved, prefix + "BASIC") == row.basic);
    CHECK(given_msr(resolved, prefix + "MISC") == row.misc);
    CHECK(given_msr(resolved, prefix + "PROCBASED_CTLS2") == row.secondary);
    if (row.ept_vpid != 0) CHECK(given_msr(resolved, prefix + "EPT_VPID_CAP") == row.ept_vpid);
  }
}

TEST_CASE("presets: VMX controls that must be 1 may be 1, and TRUE controls allow no less") {
  for (const char* name : kPresets) {
    const Resolved resolved = preset(name);
    const std::string prefix = "cores.vmx.capabilities.IA32_VMX_";
    for (const char* control : {"PINBASED_CTLS", "PROCBASED_CTLS", "EXIT_CTLS", "ENTRY_CTLS"}) {
      INFO(name << " " << control);
      const u64 value = given_msr(resolved, prefix + control);
      CHECK((bits(value, 31, 0) & ~bits(value, 63, 32)) == 0);
      constexpr Flag kTrueControls{55};  // of IA32_VMX_BASIC
      if ((given_msr(resolved, prefix + "BASIC") & kTrueControls.mask()) == 0) continue;
      const u64 value_true = given_msr(resolved, prefix + "TRUE_" + control);
      CHECK(bits(value_true, 63, 32) == bits(value, 63, 32));
      CHECK((bits(value_true, 31, 0) & ~bits(value, 31, 0)) == 0);
    }
  }
}

TEST_CASE("presets: geometry of the translation caches as published") {
  const MmuTiming skylake = preset("skylake-sp").machine.cores.mmu;
  CHECK(skylake.stlb.entries == 1536);
  CHECK(skylake.stlb.ways == 12);
  CHECK(skylake.stlb.latency_cycles == 9);
  CHECK(skylake.stlb.hash == IndexHash::kXor7);
  CHECK(skylake.stlb.replacement == Replacement::kMruPlus1Mod3Plru4);
  CHECK(skylake.stlb_holds_2m);
  CHECK(skylake.walkers == 2);
  const MmuTiming haswell = preset("haswell").machine.cores.mmu;
  CHECK(haswell.stlb.entries == 1024);
  CHECK(haswell.stlb.latency_cycles == 8);
  const MmuTiming nehalem = preset("nehalem").machine.cores.mmu;
  CHECK(nehalem.stlb.entries == 512);
  CHECK_FALSE(nehalem.stlb_holds_2m);
  const MmuTiming penryn = preset("penryn").machine.cores.mmu;
  CHECK(penryn.stlb.entries == 0);
  CHECK(penryn.dtlb_l0.entries == 16);
  const MmuTiming icelake = preset("icelake-sp").machine.cores.mmu;
  CHECK(icelake.dtlb_store.entries == 16);
  CHECK(icelake.stlb_1g.entries == 1024);
}

TEST_CASE("presets: caches of CPUID.04H and of the timing model have the same sizes") {
  for (const char* name : kPresets) {
    const CoresConfig cores = preset(name).machine.cores;
    const CacheTiming* timing[] = {&cores.caches.l1d, &cores.caches.l1i, &cores.caches.l2,
                                   &cores.caches.l3};
    for (std::size_t i = 0; i < cores.model.caches.size(); ++i) {
      INFO(name << " " << i);
      const cpu::CacheRow& row = cores.model.caches[i];
      CHECK(u64{row.ways} * row.sets * row.line_bytes * row.partitions == timing[i]->bytes);
      CHECK(row.ways == timing[i]->ways);
    }
  }
}

TEST_CASE("presets: every timing value tells its source") {
  for (const char* name : kPresets) {
    for (const Setting& setting : preset(name).settings) {
      const bool is_timing =
          setting.parameter.spec.use == Use::kTiming && !setting.origin.is_default();
      INFO(name << " " << setting.parameter.key);
      if (is_timing) CHECK_FALSE(setting.origin.source.empty());
    }
  }
}
