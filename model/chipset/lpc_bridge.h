#pragma once
// The LPC bridge of the ICH9 (function 00:1f.0): its configuration registers that place and enable
// the southbridge's blocks and route interrupts.
//
//   0x40 PMBASE     15:7 base of the ACPI and TCO ports (128)
//   0x44 ACPI_CNTL  7 ACPI_EN: decode them   2:0 SCI_IRQ_SEL: 0-2 IRQ 9-11, 4-7 I/O APIC 20-23
//   0x60-63, 68-6b  PIRQA-D, E-H_ROUT: 7 not routed to the 8259s   3:0 the input
//   0xa0 GEN_PMCON_1  4 SMI_LOCK ...      0xf0 RCBA  31:14 base of the chip configuration  0 enable
//
// Source: ICH9 datasheet, "LPC Interface Bridge Registers (D31:F0)".

#include <functional>
#include <optional>

#include "model/chipset/interrupt_router.h"
#include "model/device/pci_function.h"

namespace vtsim::chipset {

class LpcBridge final : public device::PciFunction {
 public:
  static constexpr device::Bdf kBdf{0, 31, 0};
  static constexpr u64 kPmBytes = 128;
  static constexpr u64 kRcbaBytes = 0x4000;

  // `on_change` is called after writes and resets that may have changed what is below.
  explicit LpcBridge(std::function<void(Ps now)> on_change);

  void reset(Ps now) override;

  std::optional<u16> pm_base() const;  // nullopt: not decoded
  std::optional<Hpa> rcba() const;
  InterruptRouter::Routing routing() const;

 private:
  void on_config_write(unsigned offset, unsigned size, Ps now) override;

  std::function<void(Ps)> on_change_;
};

}  // namespace vtsim::chipset
