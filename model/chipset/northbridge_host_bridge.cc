#include "model/chipset/northbridge_host_bridge.h"

#include "model/base/bits.h"

namespace vtsim::chipset {
namespace {

using device::ConfigRow;

constexpr device::PciIdentity kIdentity{.vendor = 0x8086,
                                        .device = 0x29c0,
                                        .revision = 0x02,
                                        .class_code = 0x06'0000,
                                        .subsystem_vendor = 0x8086,
                                        .subsystem = 0x29c0};

constexpr unsigned kPciexbar = 0x60, kPam0 = 0x90, kSmram = 0x9d, kEsmramc = 0x9e;
constexpr unsigned kTolud = 0xb0, kTom = 0xa0, kTouud = 0xa2, kTsegmb = 0xac;

struct Pciexbar {
  static constexpr Field BASE{35, 26};
  static constexpr Field LENGTH{2, 1};
  static constexpr Flag ENABLE{0};
};
struct Pam {
  static constexpr Field HIGH{5, 4};
  static constexpr Field LOW{1, 0};
  static constexpr u64 kWritable = 0x33;
};
struct PamHalf {
  static constexpr Flag WRITES{1};
  static constexpr Flag READS{0};
};
struct SmramReg {
  static constexpr Flag D_OPEN{6};
  static constexpr Flag D_CLS{5};
  static constexpr Flag D_LCK{4};
  static constexpr Flag G_SMRAME{3};
  static constexpr u64 kReset = 0x02;
};
struct Esmramc {
  static constexpr Flag H_SMRAME{7};
  static constexpr Flag E_SMERR{6};
  static constexpr Field TSEG_SZ{2, 1};
  static constexpr Flag T_EN{0};
  static constexpr u64 kReset = 0x38;  // SMM space is cacheable
};

constexpr u64 kMiB = u64{1} << 20;
constexpr Hpa kFourGiB{0x1'0000'0000};
constexpr u64 kPamBase = 0xc'0000, kPamBytes = 0x4000, kBiosBase = 0xf'0000, kBiosBytes = 0x1'0000;
constexpr unsigned kBiosSegment = HostBridge::kPamSegments - 1;

constexpr ConfigRow kRows[] = {
    {"PXPEPBAR", 0x40, 8, 0, 0xf'ffff'f001},
    {"MCHBAR", 0x48, 8, 0, 0xf'ffff'c001},
    {"DEVEN", 0x54, 4, 0x0000'03db, 0x0000'03da},
    {"PCIEXBAR", kPciexbar, 8, 0xe000'0000, 0xf'fc00'0007},
    {"DMIBAR", 0x68, 8, 0, 0xf'ffff'f001},
    {"PAM0", kPam0, 1, 0, Pam::HIGH.mask()},
    {"PAM1", 0x91, 1, 0, Pam::kWritable},
    {"PAM2", 0x92, 1, 0, Pam::kWritable},
    {"PAM3", 0x93, 1, 0, Pam::kWritable},
    {"PAM4", 0x94, 1, 0, Pam::kWritable},
    {"PAM5", 0x95, 1, 0, Pam::kWritable},
    {"PAM6", 0x96, 1, 0, Pam::kWritable},
    {"LAC", 0x97, 1, 0, 0x81},
    {"SMRAM", kSmram, 1, SmramReg::kReset, 0x78},
    {"ESMRAMC", kEsmramc, 1, Esmramc::kReset, 0x87, Esmramc::E_SMERR.mask()},
    {"ERRSTS", 0xc8, 2, 0, 0, 0x1f83},
    {"ERRCMD", 0xca, 2, 0, 0x1f83},
    {"SKPD", 0xdc, 4, 0, 0xffff'ffff},
};

}  // namespace

HostBridge::HostBridge(u64 low_ram_bytes, u64 high_ram_bytes, std::function<void()> on_change)
    : PciFunction("host-bridge", kIdentity), on_change_(std::move(on_change)) {
  add_rows(kRows);
  const u64 top = high_ram_bytes ? kFourGiB.value + high_ram_bytes : low_ram_bytes;
  const u64 low_end = Field{31, 20}.get(low_ram_bytes);
  const ConfigRow sizes[] = {
      {"TOM", kTom, 2, (low_ram_bytes + high_ram_bytes) / (64 * kMiB), 0x01ff},
      {"TOUUD", kTouud, 2, top / kMiB, 0xffff},
      {"TSEGMB", kTsegmb, 4, Field{31, 20}.put(0, low_end), 0xfff0'0000},
      {"TOLUD", kTolud, 2, Field{15, 4}.put(0, low_end), 0xfff0},
  };
  add_rows(sizes);
}

void HostBridge::reset(Ps now) {
  locked_ = false;
  PciFunction::reset(now);
  if (on_change_) on_change_();
}

// Datasheet "SMRAM - System Management RAM Control": once D_LCK is set, D_OPEN is 0 and it, D_LCK,
// G_SMRAME, and ESMRAMC's H_SMRAME, TSEG_SZ and T_EN are read-only until reset. D_CLS is not.
void HostBridge::on_config_write(unsigned /*offset*/, unsigned /*size*/, Ps /*now*/) {
  Reg<SmramReg> smram(config_get(kSmram, 1));
  Reg<Esmramc> extended(config_get(kEsmramc, 1));
  if (locked_) {
    const bool closed = smram[SmramReg::D_CLS];
    smram = Reg<SmramReg>(locked_smram_).with(SmramReg::D_CLS, closed);
    const bool error = extended[Esmramc::E_SMERR];
    extended = Reg<Esmramc>(locked_esmramc_).with(Esmramc::E_SMERR, error);
  } else if (smram[SmramReg::D_LCK]) {
    smram.set(SmramReg::D_OPEN, 0);
    locked_ = true;
    locked_smram_ = static_cast<u8>(smram.value);
    locked_esmramc_ = static_cast<u8>(extended.value);
  }
  config_set(kSmram, 1, smram.value);
  config_set(kEsmramc, 1, extended.value);
  if (on_change_) on_change_();
}

void HostBridge::on_restore(Ps now) {
  locked_ = false;  // what D_LCK says now counts
  on_config_write(kSmram, 1, now);
}

HostBridge::DramAccess HostBridge::pam(unsigned segment) const {
  const unsigned reg = segment == kBiosSegment ? kPam0 : kPam0 + 1 + segment / 2;
  const bool high = segment == kBiosSegment || segment % 2 == 1;
  const Reg<PamHalf> half((high ? Pam::HIGH : Pam::LOW).get(config_get(reg, 1)));
  return {.reads = half[PamHalf::READS], .writes = half[PamHalf::WRITES]};
}

HostBridge::Window HostBridge::pam_window(unsigned segment) {
  if (segment == kBiosSegment) return {kBiosBase, kBiosBytes};
  return {kPamBase + segment * kPamBytes, kPamBytes};
}

std::optional<HostBridge::Window> HostBridge::ecam() const {
  const Reg<Pciexbar> value(config_get(kPciexbar, 8));
  if (!value[Pciexbar::ENABLE] || value[Pciexbar::LENGTH] == 3) return std::nullopt;
  const unsigned shift = 28 - static_cast<unsigned>(value[Pciexbar::LENGTH]);
  return Window{align_down(value.value & Pciexbar::BASE.mask(), u64{1} << shift), u64{1} << shift};
}

HostBridge::Smram HostBridge::smram() const {
  const Reg<SmramReg> smram(config_get(kSmram, 1));
  const Reg<Esmramc> extended(config_get(kEsmramc, 1));
  static constexpr u64 kTsegBytes[] = {1 * kMiB, 2 * kMiB, 8 * kMiB, 0};  // 3 is reserved
  Smram result;
  result.enabled = smram[SmramReg::G_SMRAME];
  result.open = smram[SmramReg::D_OPEN];
  result.high = result.enabled && extended[Esmramc::H_SMRAME];
  if (result.enabled && extended[Esmramc::T_EN]) {
    result.tseg_bytes = kTsegBytes[extended[Esmramc::TSEG_SZ]];
  }
  return result;
}

}  // namespace vtsim::chipset
