#include <catch2/catch.hpp>

#include "model/cpu/cpu_model.h"

using namespace vtsim;
using namespace vtsim::cpu;

namespace {

bool offers(const CpuFeatures& features, std::string_view name) {
  const auto feature = feature_named(name);
  REQUIRE(feature);
  return features[*feature];
}

}  // namespace

TEST_CASE("Features stand at the bits of the manual") {
  // SDM 2A "CPUID - CPU Identification", tables of leaves 1, 7, 0DH, 80000001H.
  struct Row {
    const char* name;
    u32 leaf;
    u32 subleaf;
    CpuidRegister reg;
    u32 value;
  };
  const Row rows[] = {
      {"fpu", 1, 0, kEdx, 0x00000001},
      {"apic", 1, 0, kEdx, 0x00000200},
      {"sse2", 1, 0, kEdx, 0x04000000},
      {"ht", 1, 0, kEdx, 0x10000000},
      {"pni", 1, 0, kEcx, 0x00000001},
      {"vmx", 1, 0, kEcx, 0x00000020},
      {"x2apic", 1, 0, kEcx, 0x00200000},
      {"tsc_deadline_timer", 1, 0, kEcx, 0x01000000},
      {"rdrand", 1, 0, kEcx, 0x40000000},
      {"arat", 6, 0, kEax, 0x00000004},
      {"fsgsbase", 7, 0, kEbx, 0x00000001},
      {"avx2", 7, 0, kEbx, 0x00000020},
      {"sha_ni", 7, 0, kEbx, 0x20000000},
      {"umip", 7, 0, kEcx, 0x00000004},
      {"la57", 7, 0, kEcx, 0x00010000},
      {"md_clear", 7, 0, kEdx, 0x00000400},
      {"spec_ctrl", 7, 0, kEdx, 0x04000000},
      {"ssbd", 7, 0, kEdx, 0x80000000},
      {"xsaves", 0xd, 1, kEax, 0x00000008},
      {"lahf_lm", 0x80000001, 0, kEcx, 0x00000001},
      {"nx", 0x80000001, 0, kEdx, 0x00100000},
      {"lm", 0x80000001, 0, kEdx, 0x20000000},
      {"invtsc", 0x80000007, 0, kEdx, 0x00000100},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const auto feature = feature_named(row.name);
    REQUIRE(feature);
    CHECK(CpuFeatures{*feature}.cpuid_bits(row.leaf, row.subleaf, row.reg) == row.value);
  }
}

TEST_CASE("A feature shows in exactly one bit of CPUID or of IA32_ARCH_CAPABILITIES") {
  for (const FeatureInfo& row : kFeatures) {
    CAPTURE(row.name);
    const CpuFeatures one{row.feature};
    unsigned shown = static_cast<unsigned>(__builtin_popcountll(one.msr_bits(0x10a)));
    for (u32 leaf : {1U, 6U, 7U, 0xdU, 0x80000001U, 0x80000007U, 0x80000008U}) {
      for (u32 subleaf : {0U, 1U}) {
        for (CpuidRegister reg : {kEax, kEbx, kEcx, kEdx}) {
          shown += static_cast<unsigned>(__builtin_popcount(one.cpuid_bits(leaf, subleaf, reg)));
        }
      }
    }
    CHECK(shown == 1);
  }
}

TEST_CASE("IA32_ARCH_CAPABILITIES: bits of the manual") {
  const CpuFeatures features{Feature::kRdclNo, Feature::kSkipL1dflVmentry, Feature::kMdsNo,
                             Feature::kTaaNo, Feature::kFbClear};
  CHECK(features.msr_bits(0x10a) == 0x20129);
}

TEST_CASE("Names and features map one to one") {
  for (const FeatureInfo& row : kFeatures) CHECK(feature_named(row.name) == row.feature);
  CHECK_FALSE(feature_named("sse5"));
  CHECK_FALSE(feature_named(""));
}

TEST_CASE("CpuFeatures is a set: add, remove, and, or, without") {
  const CpuFeatures a{Feature::kFpu, Feature::kAes};
  const CpuFeatures b{Feature::kAes, Feature::kRfdsClear};
  CHECK((a & b) == CpuFeatures{Feature::kAes});
  CHECK((a | b) == CpuFeatures{Feature::kFpu, Feature::kAes, Feature::kRfdsClear});
  CHECK(a.without(b) == CpuFeatures{Feature::kFpu});
  CHECK((a & b).names() == std::vector<std::string_view>{"aes"});
  CHECK(CpuFeatures{}.empty());
  CHECK(CpuFeatures{a}.remove(Feature::kFpu).remove(Feature::kAes).empty());
}

TEST_CASE("What is offered is silicon AND implemented") {
  CpuModel model;
  model.silicon = {Feature::kFxsr, Feature::kSse, Feature::kAvx512f, Feature::kRtm};
  CHECK(offered_features(model) == CpuFeatures{Feature::kFxsr, Feature::kSse});
}

TEST_CASE("Everything of x86-64-v2 is implemented") {
  for (const char* name : {"fpu", "cx8", "cmov", "mmx", "fxsr", "sse", "sse2", "syscall", "lm",
                           "cx16", "lahf_lm", "popcnt", "pni", "sse4_1", "sse4_2", "ssse3"}) {
    CAPTURE(name);
    CHECK(offers(implemented_features(), name));
  }
}

TEST_CASE("A feature whose requirement is missing is not offered") {
  CpuFeatures all;
  for (const FeatureInfo& row : kFeatures) all.add(row.feature);
  CHECK(with_requirements_met(all) == all);

  const CpuFeatures no_xsave = with_requirements_met(CpuFeatures{all}.remove(Feature::kXsave));
  for (const char* name :
       {"xsave", "avx", "avx2", "fma", "f16c", "avx512f", "avx512_bitalg", "pku", "xsaves"}) {
    CAPTURE(name);
    CHECK_FALSE(offers(no_xsave, name));
  }
  CHECK(offers(no_xsave, "sse4_2"));
  CHECK(
      with_requirements_met(CpuFeatures{all}.remove(Feature::kArchCapabilities)).msr_bits(0x10a) ==
      0);
}
