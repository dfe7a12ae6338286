#pragma once
// The chip configuration registers of the ICH9, in the 16 KiB at RCBA: which PIRQ the southbridge's
// own functions use, and where the HPET and the I/O APIC are.
//
//   0x3140-0x3150  DnnIR: 14:12 INTD  10:8 INTC  6:4 INTB  2:0 INTA: PIRQ A-H (0-7) of device nn
//   0x31fe OIC     8 the I/O APIC is decoded   7:0 its base is FEC0_0000h + this * 1000h
//   0x3410 GCS     5 NR: the watchdog does not reset the system (as strapped)
//   0x3404 HPTC    7 the HPET is decoded       1:0 its base is FED0_0000h + this * 1000h
//
// Source: ICH9 datasheet, "Chipset Configuration Registers". OIC and HPTC come up enabled, as QEMU's
// do and as firmware for it expects; on silicon firmware enables them. Registers that have no effect
// here keep what is written.

#include <array>
#include <functional>
#include <optional>

#include "model/base/device.h"

namespace vtsim::chipset {

class RootComplex final : public RegisterTarget {
 public:
  static constexpr u64 kBytes = 0x4000;

  struct State {
    std::array<u8, kBytes> registers{};
  };

  explicit RootComplex(std::function<void(Ps now)> on_change);

  u64 read(u64 offset, unsigned size, Ps now) override;
  void write(u64 offset, unsigned size, u64 value, Ps now) override;
  void reset(Ps now);

  // The PIRQ (0-7) of pin 0-3 (INTA-INTD) of a device on bus 0. Devices below 25 are not the
  // southbridge's own: their pins rotate over PIRQE-H.
  unsigned pirq_of(unsigned device, unsigned pin) const;
  std::optional<Hpa> hpet() const;
  std::optional<Hpa> io_apic() const;
  bool no_reboot() const;

  const State& state() const { return state_; }
  void restore(const State& state, Ps now);

 private:
  u64 get(u64 offset, unsigned bytes) const;
  void load_reset_values();

  std::function<void(Ps)> on_change_;
  State state_;
};

}  // namespace vtsim::chipset
