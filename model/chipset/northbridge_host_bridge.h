#pragma once
// The host bridge (device 0) of the Q35: the registers that shape the memory map.
//
//   0x60 PCIEXBAR   63:36 -  35:28 base  2:1 length (0 256 MiB, 1 128 MiB, 2 64 MiB)  0 enable
//   0x90 PAM0       5:4 F0000-FFFFF        (1 writes, 0 reads go to DRAM; of each pair of bits)
//   0x91-0x96 PAMn  1:0 C0000 + (n-1) * 8000h, 16 KiB   5:4 the next 16 KiB
//   0x9d SMRAM      6 D_OPEN  5 D_CLS (stored only)  4 D_LCK  3 G_SMRAME  2:0 C_BASE_SEG (RO 010: A0000-BFFFF)
//   0x9e ESMRAMC    7 H_SMRAME  6 E_SMERR (w1c)  2:1 TSEG_SZ (1, 2, 8 MiB)  0 T_EN
//   0xb0 TOLUD      15:4 the end of low RAM in MiB
//
// Source: Intel 3 Series Express Chipset Family datasheet, "Host Bridge Registers (D0:F0)".

#include <functional>
#include <optional>

#include "model/device/pci_function.h"

namespace vtsim::chipset {

class HostBridge final : public device::PciFunction {
 public:
  static constexpr device::Bdf kBdf{0, 0, 0};
  static constexpr unsigned kPamSegments = 13;  // 0-11: C0000 on, 16 KiB each; 12: F0000-FFFFF

  struct DramAccess {
    bool reads = false;   // reads go to DRAM, else to the bus
    bool writes = false;  // writes likewise
  };
  struct Window {
    u64 base;
    u64 bytes;
  };
  struct Smram {
    bool enabled = false;  // A0000-BFFFF is DRAM in SMM
    bool open = false;     // and outside of it
    bool high = false;     // seen at FEDA0000-FEDBFFFF instead
    u64 tseg_bytes = 0;    // 0: no TSEG
  };

  // Sizes in bytes. `on_change` is called after each write that may have changed the map.
  HostBridge(u64 low_ram_bytes, u64 high_ram_bytes, std::function<void()> on_change);

  void reset(Ps now) override;

  DramAccess pam(unsigned segment) const;
  static Window pam_window(unsigned segment);
  std::optional<Window> ecam() const;
  Smram smram() const;

 private:
  void on_config_write(unsigned offset, unsigned size, Ps now) override;
  void on_restore(Ps now) override;

  std::function<void()> on_change_;
  u8 locked_smram_ = 0;  // the values that D_LCK froze
  u8 locked_esmramc_ = 0;
  bool locked_ = false;
};

}  // namespace vtsim::chipset
