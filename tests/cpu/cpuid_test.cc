// Expected values: SDM 2A "CPUID - CPU Identification", and register dumps of the processors named.

#include "model/cpu/cpuid.h"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace vtsim;
using namespace vtsim::cpu;

namespace {

// A Core i7-6700K: 4 cores with 2 threads, whose IDs leave room for 8 cores.
CpuModel skylake() {
  CpuModel m;
  m.brand = "Intel(R) Core(TM) i7-6700K CPU @ 4.00GHz";
  m.family = 6;
  m.model = 0x5e;
  m.stepping = 3;
  m.physical_address_bits = 39;
  m.max_basic_leaf = 0x16;
  for (const FeatureInfo& row : kFeatures) {
    if (row.location.kind == FeatureLocation::Kind::kCpuid) m.silicon.add(row.feature);
  }
  m.silicon.remove(Feature::kLa57);
  m.caches = {
      {.type = CacheType::kData, .level = 1, .ways = 8, .sets = 64},
      {.type = CacheType::kInstruction, .level = 1, .ways = 8, .sets = 64},
      {.type = CacheType::kUnified, .level = 2, .ways = 4, .sets = 1024},
      {.type = CacheType::kUnified,
       .level = 3,
       .sharing_ids = kSharedByPackage,
       .ways = 16,
       .sets = 8192,
       .inclusive = true,
       .complex_indexing = true},
  };
  m.cache_descriptors = {0x63, 0x03, 0x76, 0xff, 0xb5, 0xf0, 0xc3};
  m.l2_descriptor = 0x01006040;
  m.frequencies = {.tsc_hz = 4'008'000'000,
                   .apic_timer_hz = 24'000'000,
                   .tsc_denominator = 2,
                   .tsc_numerator = 334,
                   .enumerated_crystal_hz = 0,
                   .base_mhz = 4000,
                   .max_mhz = 4200,
                   .bus_mhz = 100};
  m.raw_leaves = {
      {5, 0, 0x40, 0x40, 3, 0x00142120}, {6, 0, 0x27f7, 2, 9, 0}, {0x14, 0, 1, 0xf, 7, 0}};
  return m;
}

constexpr CpuTopology kEightByTwo{1, 8, 2};

struct Fixture {
  CpuModel model = skylake();
  CpuFeatures features = model.silicon;
  CpuTopology topology = kEightByTwo;
  u32 processor = 0;
  CpuidContext context{.mode64 = true};

  CpuidResult operator()(u32 leaf, u32 subleaf = 0) const {
    return Cpuid(model, features, topology, processor).query(leaf, subleaf, context);
  }
};

}  // namespace

TEST_CASE("CPUID 0: highest leaf and GenuineIntel") {
  CHECK(Fixture()(0) == CpuidResult{0x16, 0x756e6547, 0x6c65746e, 0x49656e69});
}

TEST_CASE("CPUID 1: signatures of real processors") {
  struct Row {
    u32 family, model, stepping, signature;
  };
  for (const Row& row : {Row{6, 0x55, 4, 0x00050654},   // Skylake-SP
                         Row{6, 0x17, 10, 0x0001067a},  // Penryn
                         Row{6, 0x1a, 5, 0x000106a5},   // Nehalem
                         Row{6, 0x3f, 2, 0x000306f2},   // Haswell-EP
                         Row{6, 0x6a, 6, 0x000606a6},   // Ice Lake-SP
                         Row{15, 4, 9, 0x00000f49},     // Pentium 4
                         Row{25, 0x61, 2, 0x00a60f12}}) {
    Fixture f;
    f.model.family = row.family;
    f.model.model = row.model;
    f.model.stepping = row.stepping;
    CHECK(f(1).eax == row.signature);
  }
}

TEST_CASE("CPUID 1: EBX holds the initial APIC ID, the IDs of the package and the CLFLUSH line") {
  Fixture f;
  f.processor = 5;
  CHECK(f(1).ebx == 0x05100800);
}

TEST_CASE("CPUID 1: HTT only where the package has several logical processors") {
  Fixture f;
  CHECK(bit(f(1).edx, 28));
  f.topology = {4, 1, 1};
  CHECK_FALSE(bit(f(1).edx, 28));
  f.topology = {1, 1, 2};
  CHECK(bit(f(1).edx, 28));
}

TEST_CASE("CPUID 1: APIC, OSXSAVE and MONITOR follow what software has set") {
  Fixture f;
  CHECK(bit(f(1).edx, 9));
  f.context.apic_enabled = false;
  CHECK_FALSE(bit(f(1).edx, 9));
  CHECK_FALSE(bit(f(1).ecx, 27));
  f.context.osxsave = true;
  CHECK(bit(f(1).ecx, 27));
  CHECK(bit(f(1).ecx, 3));
  f.context.misc_enable &= ~(u64{1} << 18);
  CHECK_FALSE(bit(f(1).ecx, 3));
}

TEST_CASE("CPUID 2: every descriptor appears once; none from 80H up in a register's last byte") {
  const CpuidResult r = Fixture()(2);
  CHECK((r.eax & 0xff) == 1);
  std::vector<u8> seen;
  for (u32 reg : {r.eax & ~u32{0xff}, r.ebx, r.ecx, r.edx}) {
    CHECK_FALSE(bit(reg, 31));
    for (unsigned i = 0; i < 4; ++i) {
      const u8 byte = static_cast<u8>(reg >> i * 8);
      if (byte != 0) seen.push_back(byte);
    }
  }
  std::sort(seen.begin(), seen.end());
  CHECK(seen == std::vector<u8>{0x03, 0x63, 0x76, 0xb5, 0xc3, 0xf0, 0xff});
}

TEST_CASE("CPUID 4: the caches of a Core i7-6700K, then a null entry") {
  Fixture f;
  CHECK(f(4, 0) == CpuidResult{0x1c004121, 0x01c0003f, 0x0000003f, 0});
  CHECK(f(4, 1) == CpuidResult{0x1c004122, 0x01c0003f, 0x0000003f, 0});
  CHECK(f(4, 2) == CpuidResult{0x1c004143, 0x00c0003f, 0x000003ff, 0});
  CHECK(f(4, 3) == CpuidResult{0x1c03c163, 0x03c0003f, 0x00001fff, 6});
  CHECK(f(4, 4) == CpuidResult{});
}

TEST_CASE("CPUID 4: sharing never exceeds the package") {
  Fixture f;
  f.topology = {2, 1, 1};
  f.model.caches[2].sharing_ids = 16;
  CHECK(f(4, 0).eax == 0x00000121);
  CHECK(f(4, 2).eax == 0x00000143);
  CHECK(f(4, 3).eax == 0x00000163);
}

TEST_CASE(
    "CPUID 5: monitor sizes as the model says, the cache line by default, nothing without "
    "MONITOR") {
  Fixture f;
  CHECK(f(5) == CpuidResult{0x40, 0x40, 3, 0x00142120});
  f.model.raw_leaves.clear();
  CHECK(f(5) == CpuidResult{64, 64, 0, 0});
  f.features.remove(Feature::kMonitor);
  CHECK(f(5) == CpuidResult{});
}

TEST_CASE("CPUID 6: only offered features, whatever the silicon's dump") {
  Fixture f;
  f.features = CpuFeatures{Feature::kArat};
  CHECK(f(6) == CpuidResult{4, 2, 0, 0});
}

TEST_CASE("CPUID 7: sub-leaf 0 has the features, others nothing; OSPKE follows CR4.PKE") {
  Fixture f;
  CHECK(f(7).eax == 0);
  CHECK(bit(f(7).ebx, 0));
  CHECK(bit(f(7).ecx, 3));
  CHECK_FALSE(bit(f(7).ecx, 4));
  f.context.pke = true;
  CHECK(bit(f(7).ecx, 4));
  CHECK(f(7, 1) == CpuidResult{});
  f.context.misc_enable = 0;  // fast strings off
  CHECK_FALSE(bit(f(7).ebx, 9));
  CHECK_FALSE(bit(f(7).edx, 4));
}

TEST_CASE("CPUID 0BH: threads, then cores, then nothing; EDX is the x2APIC ID on every sub-leaf") {
  Fixture f;
  f.processor = 5;
  CHECK(f(0xb, 0) == CpuidResult{1, 2, 0x100, 5});
  CHECK(f(0xb, 1) == CpuidResult{4, 16, 0x201, 5});
  CHECK(f(0xb, 2) == CpuidResult{0, 0, 2, 5});
  CHECK(f(0xb, 0x1ff) == CpuidResult{0, 0, 0xff, 5});
  f.model.silicon.remove(Feature::kX2apic);
  CHECK(f(0xb, 0) == CpuidResult{});
}

TEST_CASE("CPUID 1FH: the same levels where the part has it") {
  Fixture f;
  f.model.max_basic_leaf = 0x1f;
  CHECK(f(0x1f, 0) == CpuidResult{1, 2, 0x100, 0});
  CHECK(f(0x1f, 1) == CpuidResult{4, 16, 0x201, 0});
}

TEST_CASE("APIC IDs: thread, core and package fields are as wide as they must be") {
  const CpuTopology odd{2, 6, 1};
  CHECK(odd.package_shift() == 3);
  CHECK(odd.apic_id(5) == 5);
  CHECK(odd.apic_id(6) == 8);
  CHECK(odd.apic_id(11) == 13);
  const CpuTopology threads{2, 3, 2};
  CHECK(threads.package_shift() == 3);
  CHECK(threads.apic_id(5) == 5);
  CHECK(threads.apic_id(6) == 8);
  CHECK(CpuTopology{}.package_shift() == 0);
}

TEST_CASE("CPUID 0DH: sizes for XCR0 as it is and for all that is supported") {
  Fixture f;
  f.features = CpuFeatures{Feature::kXsave, Feature::kXsavec, Feature::kXsaves, Feature::kAvx,
                           Feature::kMpx};
  f.context.xcr0 = 1;
  CHECK(f(0xd, 0) == CpuidResult{0x1f, 576, 1088, 0});
  f.context.xcr0 = 7;
  CHECK(f(0xd, 0) == CpuidResult{0x1f, 832, 1088, 0});
  f.features = Fixture().features;  // with AVX-512 and PKRU: Skylake-SP
  f.context.xcr0 = 0x2ff;
  CHECK(f(0xd, 0) == CpuidResult{0x2ff, 2696, 2696, 0});
  f.context.xcr0 = 0x203;
  CHECK(f(0xd, 0).ebx == 2696);
}

TEST_CASE("CPUID 0DH.1: the compacted size has no gaps") {
  Fixture f;
  f.context.xcr0 = 0x207;
  CHECK(f(0xd, 1) == CpuidResult{0xf, 576 + 256 + 8, 0, 0});
  f.context.xcr0 = 3;
  CHECK(f(0xd, 1).ebx == 576);
  f.features.remove(Feature::kXsavec).remove(Feature::kXsaves);
  CHECK(f(0xd, 1) == CpuidResult{5, 0, 0, 0});
}

TEST_CASE("CPUID 0DH.n: size and offset of each offered component") {
  Fixture f;
  const std::pair<u32, CpuidResult> rows[] = {
      {2, {256, 576, 0, 0}},
      {3, {64, 960, 0, 0}},
      {4, {64, 1024, 0, 0}},
      {5, {64, 1088, 0, 0}},
      {6, {512, 1152, 0, 0}},
      {7, {1024, 1664, 0, 0}},
      {8, {}},
      {9, {8, 2688, 0, 0}},
      {10, {}},
      {63, {}},
  };
  for (const auto& [subleaf, expected] : rows) {
    CAPTURE(subleaf);
    CHECK(f(0xd, subleaf) == expected);
  }
  f.features.remove(Feature::kAvx);
  CHECK(f(0xd, 2) == CpuidResult{});
}

TEST_CASE("CPUID 0DH without XSAVE is empty") {
  Fixture f;
  f.features.remove(Feature::kXsave);
  CHECK(f(0xd, 0) == CpuidResult{});
  CHECK(f(0xd, 1) == CpuidResult{});
}

TEST_CASE("CPUID 15H and 16H: ratios and frequencies") {
  Fixture f;
  CHECK(f(0x15) == CpuidResult{2, 334, 0, 0});
  CHECK(f(0x16) == CpuidResult{4000, 4200, 100, 0});
}

TEST_CASE("CPUID 18H: rows of translation caches") {
  Fixture f;
  f.model.max_basic_leaf = 0x1b;
  f.model.tlbs = {{0x18, 0, 7, 0, 0, 0}, {0x18, 1, 0, 0x00080001, 0x10, 0x4122}};
  CHECK(f(0x18, 0) == CpuidResult{7, 0, 0, 0});
  CHECK(f(0x18, 1) == CpuidResult{0, 0x00080001, 0x10, 0x4122});
  CHECK(f(0x18, 2) == CpuidResult{});
}

TEST_CASE("Leaves of features that are not offered are zero") {
  Fixture f;
  CHECK(f(0x14).ebx == 0xf);
  f.features.remove(Feature::kIntelPt);
  CHECK(f(0x14) == CpuidResult{});
  const CpuidResult perfmon{0x07300404, 0, 0, 0x603};
  f.model.raw_leaves.push_back({0xa, 0, perfmon.eax, perfmon.ebx, perfmon.ecx, perfmon.edx});
  CHECK(f(0xa) == (kPerfmonImplemented ? perfmon : CpuidResult{}));
}

TEST_CASE("Leaves above the highest give the data of the highest basic leaf") {
  Fixture f;
  const CpuidResult highest = f(0x16);
  for (u32 leaf : {0x17U, 0x1fU, 0x40000000U, 0x7fffffffU, 0x80000009U, 0xffffffffU}) {
    CAPTURE(leaf);
    CHECK(f(leaf) == highest);
  }
  f.model.max_basic_leaf = 0xd;
  f.context.xcr0 = 3;
  CHECK(f(0x40000000, 9) == f(0xd, 9));
}

TEST_CASE("IA32_MISC_ENABLE: limiting CPUID leaves basic leaves 0 to 2") {
  Fixture f;
  f.context.misc_enable |= u64{1} << 22;
  CHECK(f(0).eax == 2);
  CHECK(f(7) == f(2));
  CHECK(f(0x80000000).eax == 0x80000008);
}

TEST_CASE("CPUID 80000001H: NX follows IA32_MISC_ENABLE, SYSCALL shows in 64-bit mode only") {
  Fixture f;
  CHECK(f(0x80000001) == CpuidResult{0, 0, 0x121, 0x2c100800});
  f.context.mode64 = false;
  CHECK(f(0x80000001).edx == 0x2c100000);
  f.context.misc_enable |= u64{1} << 34;
  CHECK(f(0x80000001).edx == 0x2c000000);
}

TEST_CASE("CPUID 80000002H to 4H: the brand, padded with zeros") {
  Fixture f;
  std::string text;
  for (u32 leaf : {0x80000002U, 0x80000003U, 0x80000004U}) {
    const CpuidResult r = f(leaf);
    for (u32 reg : {r.eax, r.ebx, r.ecx, r.edx}) {
      for (unsigned i = 0; i < 4; ++i) text.push_back(static_cast<char>(reg >> i * 8));
    }
  }
  CHECK(text.size() == 48);
  CHECK(text.c_str() == f.model.brand);
  CHECK(text.find_first_not_of('\0', f.model.brand.size()) == std::string::npos);
}

TEST_CASE("CPUID 80000006H to 8H: second-level cache, invariant TSC, address widths") {
  Fixture f;
  CHECK(f(0x80000005) == CpuidResult{});
  CHECK(f(0x80000006) == CpuidResult{0, 0, 0x01006040, 0});
  CHECK(f(0x80000007) == CpuidResult{0, 0, 0, 0x100});
  CHECK(f(0x80000008).eax == 0x3027);
  f.model.linear_address_bits = 57;
  f.features.remove(Feature::kLa57);
  CHECK(f(0x80000008).eax == 0x3027);
  f.features.add(Feature::kLa57);
  CHECK(f(0x80000008).eax == 0x3927);
}
