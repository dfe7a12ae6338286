#pragma once
// Port 0x92 of the ICH9, the "fast" A20 gate and reset:
//   1 ALT_A20_GATE  1: address line 20 is not forced to zero
//   0 INIT_NOW      0 to 1 sends INIT# to the processors; stays 1, so that software can tell
//
// The processors see A20 masked only while this and the keyboard controller's gate both ask for it:
// A20M# is asserted when neither a20() wire is high. Source: ICH9 data sheet, "PORT92".

#include <array>

#include "model/chipset/reset_control.h"

namespace vtsim::chipset {

class Port92 : public ByteTarget {
 public:
  static constexpr std::array<PortRange, 1> kPorts{{{0x92, 1, 0, "port92"}}};

  struct State {
    u8 value = 0;
  };

  explicit Port92(ResetSink sink) : sink_(std::move(sink)) {}

  Wire& a20() { return a20_; }

  // Hard reset; an INIT leaves the port as it is.
  void reset(Ps now);

  const State& state() const { return state_; }
  void restore(const State& state) { state_ = state; }

 private:
  u8 read_byte(u64 offset, Ps now) override;
  void write_byte(u64 offset, u8 value, Ps now) override;

  ResetSink sink_;
  State state_;
  Wire a20_;
};

}  // namespace vtsim::chipset
