#pragma once
// What a processor can have, as data: one row a feature. A preset names what the silicon has; what a
// machine offers is silicon AND implemented. Everything that depends on a capability asks a
// CpuFeatures value, never a model number.
//
// Sources: SDM 2A "CPUID - CPU Identification", SDM 4 "IA-32 Architectural MSRs"
// (IA32_ARCH_CAPABILITIES). Names are those of Linux's /proc/cpuinfo where it has one.

#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include "model/base/bits.h"

namespace vtsim::cpu {

enum class CpuidRegister : u8 { kEax, kEbx, kEcx, kEdx };
using enum CpuidRegister;

// Where software sees the feature.
struct FeatureLocation {
  enum class Kind : u8 { kCpuid, kMsr };
  Kind kind;
  u32 index;    // CPUID leaf or MSR
  u32 subleaf;  // CPUID only
  CpuidRegister reg;
  u8 bit;
  constexpr bool operator==(const FeatureLocation&) const = default;
};

constexpr FeatureLocation cpuid_bit(u32 leaf, u32 subleaf, CpuidRegister reg, u8 bit) {
  return {FeatureLocation::Kind::kCpuid, leaf, subleaf, reg, bit};
}
constexpr FeatureLocation msr_bit(u32 index, u8 bit) {
  return {FeatureLocation::Kind::kMsr, index, 0, kEax, bit};
}
constexpr FeatureLocation leaf1_edx(u8 bit) { return cpuid_bit(1, 0, kEdx, bit); }
constexpr FeatureLocation leaf1_ecx(u8 bit) { return cpuid_bit(1, 0, kEcx, bit); }
constexpr FeatureLocation leaf7_ebx(u8 bit) { return cpuid_bit(7, 0, kEbx, bit); }
constexpr FeatureLocation leaf7_ecx(u8 bit) { return cpuid_bit(7, 0, kEcx, bit); }
constexpr FeatureLocation leaf7_edx(u8 bit) { return cpuid_bit(7, 0, kEdx, bit); }
constexpr FeatureLocation arch_capability(u8 bit) { return msr_bit(0x10a, bit); }

inline constexpr bool kImplemented = true;
inline constexpr bool kMissing = false;
// One switch for all that needs the upper halves of YMM registers and VEX encodings.
inline constexpr bool kVexImplemented = true;
// VMX operation and what only exists with it.
inline constexpr bool kVmxImplemented = true;
// Architectural performance monitoring: CPUID leaf 0AH, which has no feature bit.
inline constexpr bool kPerfmonImplemented = false;

// clang-format off
//  enumerator            name                  location                       implemented
#define VTSIM_CPU_FEATURES(ROW)                                                               \
  ROW(Fpu,                "fpu",                leaf1_edx(0),                  kImplemented)  \
  ROW(Vme,                "vme",                leaf1_edx(1),                  kImplemented)  \
  ROW(De,                 "de",                 leaf1_edx(2),                  kImplemented)  \
  ROW(Pse,                "pse",                leaf1_edx(3),                  kImplemented)  \
  ROW(Tsc,                "tsc",                leaf1_edx(4),                  kImplemented)  \
  ROW(Msr,                "msr",                leaf1_edx(5),                  kImplemented)  \
  ROW(Pae,                "pae",                leaf1_edx(6),                  kImplemented)  \
  ROW(Mce,                "mce",                leaf1_edx(7),                  kImplemented)  \
  ROW(Cx8,                "cx8",                leaf1_edx(8),                  kImplemented)  \
  ROW(Apic,               "apic",               leaf1_edx(9),                  kImplemented)  \
  ROW(Sep,                "sep",                leaf1_edx(11),                 kImplemented)  \
  ROW(Mtrr,               "mtrr",               leaf1_edx(12),                 kImplemented)  \
  ROW(Pge,                "pge",                leaf1_edx(13),                 kImplemented)  \
  ROW(Mca,                "mca",                leaf1_edx(14),                 kImplemented)  \
  ROW(Cmov,               "cmov",               leaf1_edx(15),                 kImplemented)  \
  ROW(Pat,                "pat",                leaf1_edx(16),                 kImplemented)  \
  ROW(Pse36,              "pse36",              leaf1_edx(17),                 kImplemented)  \
  ROW(Clflush,            "clflush",            leaf1_edx(19),                 kImplemented)  \
  ROW(Dts,                "dts",                leaf1_edx(21),                 kMissing)      \
  ROW(Acpi,               "acpi",               leaf1_edx(22),                 kImplemented)  \
  ROW(Mmx,                "mmx",                leaf1_edx(23),                 kImplemented)  \
  ROW(Fxsr,               "fxsr",               leaf1_edx(24),                 kImplemented)  \
  ROW(Sse,                "sse",                leaf1_edx(25),                 kImplemented)  \
  ROW(Sse2,               "sse2",               leaf1_edx(26),                 kImplemented)  \
  ROW(Ss,                 "ss",                 leaf1_edx(27),                 kImplemented)  \
  ROW(Ht,                 "ht",                 leaf1_edx(28),                 kImplemented)  \
  ROW(Tm,                 "tm",                 leaf1_edx(29),                 kImplemented)  \
  ROW(Pbe,                "pbe",                leaf1_edx(31),                 kMissing)      \
  ROW(Sse3,               "pni",                leaf1_ecx(0),                  kImplemented)  \
  ROW(Pclmulqdq,          "pclmulqdq",          leaf1_ecx(1),                  kImplemented)  \
  ROW(Dtes64,             "dtes64",             leaf1_ecx(2),                  kMissing)      \
  ROW(Monitor,            "monitor",            leaf1_ecx(3),                  kImplemented)  \
  ROW(DsCpl,              "ds_cpl",             leaf1_ecx(4),                  kMissing)      \
  ROW(Vmx,                "vmx",                leaf1_ecx(5),                  kVmxImplemented) \
  ROW(Smx,                "smx",                leaf1_ecx(6),                  kMissing)      \
  ROW(Est,                "est",                leaf1_ecx(7),                  kMissing)      \
  ROW(Tm2,                "tm2",                leaf1_ecx(8),                  kMissing)      \
  ROW(Ssse3,              "ssse3",              leaf1_ecx(9),                  kImplemented)  \
  ROW(Sdbg,               "sdbg",               leaf1_ecx(11),                 kMissing)      \
  ROW(Fma,                "fma",                leaf1_ecx(12),                 kVexImplemented) \
  ROW(Cx16,               "cx16",               leaf1_ecx(13),                 kImplemented)  \
  ROW(Xtpr,               "xtpr",               leaf1_ecx(14),                 kMissing)      \
  ROW(Pdcm,               "pdcm",               leaf1_ecx(15),                 kMissing)      \
  ROW(Pcid,               "pcid",               leaf1_ecx(17),                 kImplemented)  \
  ROW(Dca,                "dca",                leaf1_ecx(18),                 kMissing)      \
  ROW(Sse41,              "sse4_1",             leaf1_ecx(19),                 kImplemented)  \
  ROW(Sse42,              "sse4_2",             leaf1_ecx(20),                 kImplemented)  \
  ROW(X2apic,             "x2apic",             leaf1_ecx(21),                 kImplemented)  \
  ROW(Movbe,              "movbe",              leaf1_ecx(22),                 kImplemented)  \
  ROW(Popcnt,             "popcnt",             leaf1_ecx(23),                 kImplemented)  \
  ROW(TscDeadline,        "tsc_deadline_timer", leaf1_ecx(24),                 kImplemented)  \
  ROW(Aes,                "aes",                leaf1_ecx(25),                 kImplemented)  \
  ROW(Xsave,              "xsave",              leaf1_ecx(26),                 kImplemented)  \
  ROW(Avx,                "avx",                leaf1_ecx(28),                 kVexImplemented) \
  ROW(F16c,               "f16c",               leaf1_ecx(29),                 kVexImplemented) \
  ROW(Rdrand,             "rdrand",             leaf1_ecx(30),                 kImplemented)  \
  ROW(Dtherm,             "dtherm",             cpuid_bit(6, 0, kEax, 0),      kMissing)      \
  ROW(Ida,                "ida",                cpuid_bit(6, 0, kEax, 1),      kMissing)      \
  ROW(Arat,               "arat",               cpuid_bit(6, 0, kEax, 2),      kImplemented)  \
  ROW(Pln,                "pln",                cpuid_bit(6, 0, kEax, 4),      kMissing)      \
  ROW(Ecmd,               "ecmd",               cpuid_bit(6, 0, kEax, 5),      kMissing)      \
  ROW(Pts,                "pts",                cpuid_bit(6, 0, kEax, 6),      kMissing)      \
  ROW(Hwp,                "hwp",                cpuid_bit(6, 0, kEax, 7),      kMissing)      \
  ROW(HwpNotify,          "hwp_notify",         cpuid_bit(6, 0, kEax, 8),      kMissing)      \
  ROW(HwpActWindow,       "hwp_act_window",     cpuid_bit(6, 0, kEax, 9),      kMissing)      \
  ROW(HwpEpp,             "hwp_epp",            cpuid_bit(6, 0, kEax, 10),     kMissing)      \
  ROW(HwpPkgReq,          "hwp_pkg_req",        cpuid_bit(6, 0, kEax, 11),     kMissing)      \
  ROW(Aperfmperf,         "aperfmperf",         cpuid_bit(6, 0, kEcx, 0),      kMissing)      \
  ROW(Epb,                "epb",                cpuid_bit(6, 0, kEcx, 3),      kMissing)      \
  ROW(Fsgsbase,           "fsgsbase",           leaf7_ebx(0),                  kImplemented)  \
  ROW(TscAdjust,          "tsc_adjust",         leaf7_ebx(1),                  kImplemented)  \
  ROW(Sgx,                "sgx",                leaf7_ebx(2),                  kMissing)      \
  ROW(Bmi1,               "bmi1",               leaf7_ebx(3),                  kImplemented)  \
  ROW(Hle,                "hle",                leaf7_ebx(4),                  kMissing)      \
  ROW(Avx2,               "avx2",               leaf7_ebx(5),                  kVexImplemented) \
  ROW(FdpExcptnOnly,      "fdp_excptn_only",    leaf7_ebx(6),                  kImplemented)  \
  ROW(Smep,               "smep",               leaf7_ebx(7),                  kImplemented)  \
  ROW(Bmi2,               "bmi2",               leaf7_ebx(8),                  kImplemented)  \
  ROW(Erms,               "erms",               leaf7_ebx(9),                  kImplemented)  \
  ROW(Invpcid,            "invpcid",            leaf7_ebx(10),                 kImplemented)  \
  ROW(Rtm,                "rtm",                leaf7_ebx(11),                 kMissing)      \
  ROW(RdtM,               "cqm",                leaf7_ebx(12),                 kMissing)      \
  ROW(ZeroFcsFds,         "zero_fcs_fds",       leaf7_ebx(13),                 kImplemented)  \
  ROW(Mpx,                "mpx",                leaf7_ebx(14),                 kMissing)      \
  ROW(RdtA,               "rdt_a",              leaf7_ebx(15),                 kMissing)      \
  ROW(Avx512f,            "avx512f",            leaf7_ebx(16),                 kMissing)      \
  ROW(Avx512dq,           "avx512dq",           leaf7_ebx(17),                 kMissing)      \
  ROW(Rdseed,             "rdseed",             leaf7_ebx(18),                 kImplemented)  \
  ROW(Adx,                "adx",                leaf7_ebx(19),                 kImplemented)  \
  ROW(Smap,               "smap",               leaf7_ebx(20),                 kImplemented)  \
  ROW(Avx512ifma,         "avx512ifma",         leaf7_ebx(21),                 kMissing)      \
  ROW(Clflushopt,         "clflushopt",         leaf7_ebx(23),                 kImplemented)  \
  ROW(Clwb,               "clwb",               leaf7_ebx(24),                 kImplemented)  \
  ROW(IntelPt,            "intel_pt",           leaf7_ebx(25),                 kMissing)      \
  ROW(Avx512cd,           "avx512cd",           leaf7_ebx(28),                 kMissing)      \
  ROW(Sha,                "sha_ni",             leaf7_ebx(29),                 kImplemented)  \
  ROW(Avx512bw,           "avx512bw",           leaf7_ebx(30),                 kMissing)      \
  ROW(Avx512vl,           "avx512vl",           leaf7_ebx(31),                 kMissing)      \
  ROW(Avx512vbmi,         "avx512vbmi",         leaf7_ecx(1),                  kMissing)      \
  ROW(Umip,               "umip",               leaf7_ecx(2),                  kImplemented)  \
  ROW(Pku,                "pku",                leaf7_ecx(3),                  kImplemented)  \
  ROW(Avx512vbmi2,        "avx512_vbmi2",       leaf7_ecx(6),                  kMissing)      \
  ROW(Gfni,               "gfni",               leaf7_ecx(8),                  kMissing)      \
  ROW(Vaes,               "vaes",               leaf7_ecx(9),                  kMissing)      \
  ROW(Vpclmulqdq,         "vpclmulqdq",         leaf7_ecx(10),                 kMissing)      \
  ROW(Avx512vnni,         "avx512_vnni",        leaf7_ecx(11),                 kMissing)      \
  ROW(Avx512bitalg,       "avx512_bitalg",      leaf7_ecx(12),                 kMissing)      \
  ROW(Tme,                "tme",                leaf7_ecx(13),                 kMissing)      \
  ROW(Avx512vpopcntdq,    "avx512_vpopcntdq",   leaf7_ecx(14),                 kMissing)      \
  ROW(La57,               "la57",               leaf7_ecx(16),                 kImplemented)  \
  ROW(Rdpid,              "rdpid",              leaf7_ecx(22),                 kImplemented)  \
  ROW(SgxLc,              "sgx_lc",             leaf7_ecx(30),                 kMissing)      \
  ROW(Fsrm,               "fsrm",               leaf7_edx(4),                  kImplemented)  \
  ROW(MdClear,            "md_clear",           leaf7_edx(10),                 kImplemented)  \
  ROW(RtmAlwaysAbort,     "rtm_always_abort",   leaf7_edx(11),                 kMissing)      \
  ROW(TsxForceAbort,      "tsx_force_abort",    leaf7_edx(13),                 kMissing)      \
  ROW(Pconfig,            "pconfig",            leaf7_edx(18),                 kMissing)      \
  ROW(SpecCtrl,           "spec_ctrl",          leaf7_edx(26),                 kImplemented)  \
  ROW(Stibp,              "intel_stibp",        leaf7_edx(27),                 kImplemented)  \
  ROW(FlushL1d,           "flush_l1d",          leaf7_edx(28),                 kImplemented)  \
  ROW(ArchCapabilities,   "arch_capabilities",  leaf7_edx(29),                 kImplemented)  \
  ROW(CoreCapabilities,   "core_capabilities",  leaf7_edx(30),                 kMissing)      \
  ROW(Ssbd,               "ssbd",               leaf7_edx(31),                 kImplemented)  \
  ROW(Xsaveopt,           "xsaveopt",           cpuid_bit(0xd, 1, kEax, 0),    kImplemented)  \
  ROW(Xsavec,             "xsavec",             cpuid_bit(0xd, 1, kEax, 1),    kImplemented)  \
  ROW(Xgetbv1,            "xgetbv1",            cpuid_bit(0xd, 1, kEax, 2),    kImplemented)  \
  ROW(Xsaves,             "xsaves",             cpuid_bit(0xd, 1, kEax, 3),    kImplemented)  \
  ROW(LahfLm,             "lahf_lm",            cpuid_bit(0x80000001, 0, kEcx, 0),  kImplemented) \
  ROW(Lzcnt,              "abm",                cpuid_bit(0x80000001, 0, kEcx, 5),  kImplemented) \
  ROW(Prefetchw,          "3dnowprefetch",      cpuid_bit(0x80000001, 0, kEcx, 8),  kImplemented) \
  ROW(Syscall,            "syscall",            cpuid_bit(0x80000001, 0, kEdx, 11), kImplemented) \
  ROW(Nx,                 "nx",                 cpuid_bit(0x80000001, 0, kEdx, 20), kImplemented) \
  ROW(Pdpe1gb,            "pdpe1gb",            cpuid_bit(0x80000001, 0, kEdx, 26), kImplemented) \
  ROW(Rdtscp,             "rdtscp",             cpuid_bit(0x80000001, 0, kEdx, 27), kImplemented) \
  ROW(Lm,                 "lm",                 cpuid_bit(0x80000001, 0, kEdx, 29), kImplemented) \
  ROW(InvariantTsc,       "invtsc",             cpuid_bit(0x80000007, 0, kEdx, 8),  kImplemented) \
  ROW(Wbnoinvd,           "wbnoinvd",           cpuid_bit(0x80000008, 0, kEbx, 9),  kMissing)     \
  ROW(RdclNo,             "rdcl_no",            arch_capability(0),            kImplemented)  \
  ROW(IbrsAll,            "ibrs_all",           arch_capability(1),            kImplemented)  \
  ROW(Rsba,               "rsba",               arch_capability(2),            kImplemented)  \
  ROW(SkipL1dflVmentry,   "skip_l1dfl_vmentry", arch_capability(3),            kImplemented)  \
  ROW(SsbNo,              "ssb_no",             arch_capability(4),            kImplemented)  \
  ROW(MdsNo,              "mds_no",             arch_capability(5),            kImplemented)  \
  ROW(IfPschangeMcNo,     "if_pschange_mc_no",  arch_capability(6),            kImplemented)  \
  ROW(TsxCtrl,            "tsx_ctrl",           arch_capability(7),            kMissing)      \
  ROW(TaaNo,              "taa_no",             arch_capability(8),            kImplemented)  \
  ROW(McuControl,         "mcu_control",        arch_capability(9),            kMissing)      \
  ROW(MiscPackageCtls,    "misc_package_ctls",  arch_capability(10),           kMissing)      \
  ROW(EnergyFilteringCtl, "energy_filtering_ctl", arch_capability(11),         kMissing)      \
  ROW(Doitm,              "doitm",              arch_capability(12),           kMissing)      \
  ROW(SbdrSsdpNo,         "sbdr_ssdp_no",       arch_capability(13),           kImplemented)  \
  ROW(FbsdpNo,            "fbsdp_no",           arch_capability(14),           kImplemented)  \
  ROW(PsdpNo,             "psdp_no",            arch_capability(15),           kImplemented)  \
  ROW(FbClear,            "fb_clear",           arch_capability(17),           kImplemented)  \
  ROW(FbClearCtrl,        "fb_clear_ctrl",      arch_capability(18),           kMissing)      \
  ROW(Rrsba,              "rrsba",              arch_capability(19),           kImplemented)  \
  ROW(BhiNo,              "bhi_no",             arch_capability(20),           kImplemented)  \
  ROW(XapicDisableStatus, "xapic_disable_status", arch_capability(21),         kMissing)      \
  ROW(PbrsbNo,            "pbrsb_no",           arch_capability(24),           kImplemented)  \
  ROW(GdsCtrl,            "gds_ctrl",           arch_capability(25),           kImplemented)  \
  ROW(GdsNo,              "gds_no",             arch_capability(26),           kImplemented)  \
  ROW(RfdsNo,             "rfds_no",            arch_capability(27),           kImplemented)  \
  ROW(RfdsClear,          "rfds_clear",         arch_capability(28),           kImplemented)
// clang-format on

enum class Feature : u8 {
#define VTSIM_ROW(enumerator, name, location, implemented) k##enumerator,
  VTSIM_CPU_FEATURES(VTSIM_ROW)
#undef VTSIM_ROW
};

struct FeatureInfo {
  Feature feature;
  std::string_view name;
  FeatureLocation location;
  bool implemented;
};

inline constexpr FeatureInfo kFeatures[] = {
#define VTSIM_ROW(enumerator, name, location, implemented) \
  {Feature::k##enumerator, name, location, implemented},
    VTSIM_CPU_FEATURES(VTSIM_ROW)
#undef VTSIM_ROW
};

inline constexpr std::size_t kFeatureCount = std::size(kFeatures);

constexpr const FeatureInfo& info(Feature feature) {
  return kFeatures[static_cast<std::size_t>(feature)];
}

// A set of features: a plain value.
class CpuFeatures {
 public:
  constexpr CpuFeatures() = default;
  constexpr CpuFeatures(std::initializer_list<Feature> features) {
    for (const Feature feature : features) add(feature);
  }

  constexpr bool operator[](Feature feature) const {
    return bit(words_[word(feature)], position(feature));
  }
  constexpr CpuFeatures& add(Feature feature) {
    words_[word(feature)] |= Flag{position(feature)}.mask();
    return *this;
  }
  constexpr CpuFeatures& remove(Feature feature) {
    words_[word(feature)] &= ~Flag{position(feature)}.mask();
    return *this;
  }
  constexpr CpuFeatures operator&(const CpuFeatures& other) const {
    CpuFeatures result;
    for (std::size_t i = 0; i < words_.size(); ++i) result.words_[i] = words_[i] & other.words_[i];
    return result;
  }
  constexpr CpuFeatures operator|(const CpuFeatures& other) const {
    CpuFeatures result;
    for (std::size_t i = 0; i < words_.size(); ++i) result.words_[i] = words_[i] | other.words_[i];
    return result;
  }
  // What is here and not in `other`.
  constexpr CpuFeatures without(const CpuFeatures& other) const {
    CpuFeatures result;
    for (std::size_t i = 0; i < words_.size(); ++i) result.words_[i] = words_[i] & ~other.words_[i];
    return result;
  }
  constexpr bool operator==(const CpuFeatures&) const = default;
  constexpr bool empty() const { return *this == CpuFeatures(); }

  // The bits of one CPUID register that these features set.
  u32 cpuid_bits(u32 leaf, u32 subleaf, CpuidRegister reg) const;
  // The bits of one MSR (IA32_ARCH_CAPABILITIES, 0x10a) that these features set.
  u64 msr_bits(u32 index) const;
  // In the order of the table.
  std::vector<std::string_view> names() const;

 private:
  static constexpr unsigned kWordBits = 64;
  static constexpr std::size_t word(Feature f) { return static_cast<std::size_t>(f) / kWordBits; }
  static constexpr unsigned position(Feature f) { return static_cast<unsigned>(f) % kWordBits; }

  std::array<u64, (kFeatureCount + kWordBits - 1) / kWordBits> words_{};
};

std::optional<Feature> feature_named(std::string_view name);

// Leaves out what cannot be without something that is not there: AVX without XSAVE, say. So masking
// one feature never offers a processor that cannot exist.
CpuFeatures with_requirements_met(const CpuFeatures& features);

// Everything this simulator implements.
constexpr CpuFeatures implemented_features() {
  CpuFeatures result;
  for (const FeatureInfo& row : kFeatures) {
    if (row.implemented) result.add(row.feature);
  }
  return result;
}

}  // namespace vtsim::cpu
