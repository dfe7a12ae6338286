#pragma once
// What resets there are, and the ICH9's reset control register RST_CNT at port 0xCF9:
//   3 FULL_RST  1: a hard reset also cycles the power
//   2 RST_CPU   0 to 1 starts the reset that bits 1 and 3 describe; reads as zero after it
//   1 SYS_RST   1: hard reset (PLTRST#), 0: soft reset (INIT# to the processors)
//
// Source: ICH9 data sheet, "RST_CNT - Reset Control Register".

#include <array>
#include <functional>

#include "model/chipset/port_range.h"

namespace vtsim::chipset {

enum class ResetKind : u8 {
  kInit,        // INIT#: the processors only, caches and chipset keep their state
  kHard,        // PLTRST#: processors and chipset; memory keeps its contents
  kPowerCycle,  // everything
};

// Receives a device's reset request. It is called inside the guest's port write: the machine resets
// once that instruction is over.
using ResetSink = std::function<void(ResetKind kind, Ps now)>;

class ResetControl : public ByteTarget {
 public:
  static constexpr std::array<PortRange, 1> kPorts{{{0xCF9, 1, 0, "rst_cnt"}}};

  struct State {
    u8 rst_cnt = 0;
  };

  explicit ResetControl(ResetSink sink) : sink_(std::move(sink)) {}

  void reset(Ps) { state_ = {}; }

  const State& state() const { return state_; }
  void restore(const State& state) { state_ = state; }

 private:
  u8 read_byte(u64 offset, Ps now) override;
  void write_byte(u64 offset, u8 value, Ps now) override;

  ResetSink sink_;
  State state_;
};

}  // namespace vtsim::chipset
