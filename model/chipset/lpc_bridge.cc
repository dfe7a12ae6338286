#include "model/chipset/lpc_bridge.h"

#include "model/base/bits.h"

namespace vtsim::chipset {
namespace {

constexpr device::PciIdentity kIdentity{.vendor = 0x8086,
                                        .device = 0x2918,
                                        .revision = 0x02,
                                        .class_code = 0x06'0100,
                                        .subsystem_vendor = 0x8086,
                                        .subsystem = 0x2918,
                                        .multifunction = true};

constexpr unsigned kPmbase = 0x40, kAcpiCntl = 0x44, kPirqA = 0x60, kPirqE = 0x68, kRcba = 0xf0;

struct Pmbase {
  static constexpr Field BASE{15, 7};
  static constexpr u64 kPortSpace = 1;
};
struct AcpiCntl {
  static constexpr Flag ACPI_EN{7};
  static constexpr Field SCI_IRQ_SEL{2, 0};
};
struct PirqRout {
  static constexpr Flag IRQEN{7};  // 1: not routed
  static constexpr Field IRQ{3, 0};
  static constexpr u64 kReset = 0x80, kWritable = 0x8f;
};
struct Rcba {
  static constexpr Field BASE{31, 14};
  static constexpr Flag ENABLE{0};
};

constexpr device::ConfigRow kRows[] = {
    {"PMBASE", kPmbase, 4, Pmbase::kPortSpace, Pmbase::BASE.mask()},
    {"ACPI_CNTL", kAcpiCntl, 1, 0, 0x87},
    {"GPIOBASE", 0x48, 4, 1, 0xff80},
    {"GC", 0x4c, 1, 0, 0x11},
    {"PIRQA_ROUT", kPirqA, 1, PirqRout::kReset, PirqRout::kWritable},
    {"PIRQB_ROUT", kPirqA + 1, 1, PirqRout::kReset, PirqRout::kWritable},
    {"PIRQC_ROUT", kPirqA + 2, 1, PirqRout::kReset, PirqRout::kWritable},
    {"PIRQD_ROUT", kPirqA + 3, 1, PirqRout::kReset, PirqRout::kWritable},
    {"SIRQ_CNTL", 0x64, 1, 0x10, 0xff},
    {"PIRQE_ROUT", kPirqE, 1, PirqRout::kReset, PirqRout::kWritable},
    {"PIRQF_ROUT", kPirqE + 1, 1, PirqRout::kReset, PirqRout::kWritable},
    {"PIRQG_ROUT", kPirqE + 2, 1, PirqRout::kReset, PirqRout::kWritable},
    {"PIRQH_ROUT", kPirqE + 3, 1, PirqRout::kReset, PirqRout::kWritable},
    {"LPC_IBDF", 0x6c, 2, 0x00f8, 0xffff},
    {"LPC_I/O_DEC", 0x80, 2, 0, 0x1377},
    {"LPC_EN", 0x82, 2, 0, 0x3fff},
    {"GEN1_DEC", 0x84, 4, 0, 0x00fc'fffd},
    {"GEN2_DEC", 0x88, 4, 0, 0x00fc'fffd},
    {"GEN3_DEC", 0x8c, 4, 0, 0x00fc'fffd},
    {"GEN4_DEC", 0x90, 4, 0, 0x00fc'fffd},
    {"GEN_PMCON_1", 0xa0, 2, 0, 0x06ff},
    {"GEN_PMCON_2", 0xa2, 1, 0, 0x80, 0x1d},
    {"GEN_PMCON_3", 0xa4, 1, 0, 0xf9, 0x06},
    {"GEN_PMCON_LOCK", 0xa6, 1, 0, 0x06},
    {"BM_BREAK_EN", 0xab, 1, 0, 0xff},
    {"PMIR", 0xac, 4, 0, 0x0030'0000},
    {"GPI_ROUT", 0xb8, 4, 0, 0xffff'ffff},
    {"FWH_SEL1", 0xd0, 4, 0x0011'2233, 0xffff'fff0},
    {"FWH_SEL2", 0xd4, 2, 0x4567, 0xffff},
    {"FWH_DEC_EN1", 0xd8, 2, 0xffcf, 0xffff},
    {"BIOS_CNTL", 0xdc, 1, 0, 0x0d},
    {"RCBA", kRcba, 4, 0, Rcba::BASE.mask() | Rcba::ENABLE.mask()},
};

}  // namespace

LpcBridge::LpcBridge(std::function<void(Ps)> on_change)
    : PciFunction("lpc-bridge", kIdentity), on_change_(std::move(on_change)) {
  add_rows(kRows);
}

void LpcBridge::reset(Ps now) {
  PciFunction::reset(now);
  on_change_(now);
}

void LpcBridge::on_config_write(unsigned /*offset*/, unsigned /*size*/, Ps now) { on_change_(now); }

std::optional<u16> LpcBridge::pm_base() const {
  const bool decoded = Reg<AcpiCntl>(config_get(kAcpiCntl, 1))[AcpiCntl::ACPI_EN];
  const u64 base = config_get(kPmbase, 4) & Pmbase::BASE.mask();
  if (!decoded || base == 0) return std::nullopt;
  return static_cast<u16>(base);
}

std::optional<Hpa> LpcBridge::rcba() const {
  const Reg<Rcba> value(config_get(kRcba, 4));
  if (!value[Rcba::ENABLE]) return std::nullopt;
  return Hpa(value.value & Rcba::BASE.mask());
}

InterruptRouter::Routing LpcBridge::routing() const {
  InterruptRouter::Routing routing;
  for (unsigned pirq = 0; pirq < InterruptRouter::kPirqs; ++pirq) {
    const Reg<PirqRout> rout(config_get(pirq < 4 ? kPirqA + pirq : kPirqE + pirq - 4, 1));
    routing.pirq[pirq] = rout[PirqRout::IRQEN] ? InterruptRouter::kNotRouted
                                               : static_cast<u8>(rout[PirqRout::IRQ]);
  }
  // "SCI_IRQ_SEL": 3 is reserved.
  static constexpr u8 kSci[] = {9, 10, 11, 9, 20, 21, 22, 23};
  routing.sci = kSci[Reg<AcpiCntl>(config_get(kAcpiCntl, 1))[AcpiCntl::SCI_IRQ_SEL]];
  return routing;
}

}  // namespace vtsim::chipset
