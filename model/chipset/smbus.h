#pragma once
// The SMBus controller of the ICH9 (function 00:1f.3) on a bus without devices: every transfer ends
// at once with "device error", since no one acknowledges its address.
//
//   0x00 HST_STS  7 BYTE_DONE  6 INUSE (a read sets it, a 1 clears it)  5 SMBALERT  4 FAILED
//                 3 BUS_ERR    2 DEV_ERR  1 INTR (w1c)  0 HOST_BUSY (RO)
//   0x02 HST_CNT  6 START (WO)  4:2 command  1 KILL  0 INTREN
//   0x03-0x08 HST_CMD, XMIT_SLVA, HST_D0, HST_D1, HOST_BLOCK_DB, PEC     0x0c AUX_STS   0x0d AUX_CTL
//
// Source: ICH9 datasheet, "SMBus Controller Registers (D31:F3)". The slave's side is not modelled.

#include <array>

#include "model/device/pci_function.h"

namespace vtsim::chipset {

class SmbusController final : public device::PciFunction {
 public:
  static constexpr device::Bdf kBdf{0, 31, 3};
  static constexpr u64 kBytes = 32;

  SmbusController();

  void reset(Ps now) override;

  struct HostState {
    std::array<u8, kBytes> registers{};
  };
  const HostState& host_state() const { return host_; }
  void restore_host(const HostState& state) { host_ = state; }

 private:
  class Registers final : public RegisterTarget {
   public:
    explicit Registers(SmbusController& controller) : controller_(controller) {}
    u64 read(u64 offset, unsigned size, Ps now) override;
    void write(u64 offset, unsigned size, u64 value, Ps now) override;

   private:
    SmbusController& controller_;
  };

  u8 read_byte(u64 offset);
  void write_byte(u64 offset, u8 value, Ps now);
  void start(Ps now);
  void update_interrupt(Ps now);
  u8& status() { return host_.registers[0]; }

  Registers registers_{*this};
  HostState host_;
};

}  // namespace vtsim::chipset
