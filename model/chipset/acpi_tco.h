#pragma once
// The ICH9's TCO watchdog, 32 bytes of ports at PMBASE + 0x60. It counts down in steps of 0.6 s; at
// zero it sets TIMEOUT and begins again, and at zero with TIMEOUT still set it resets the system.
//
// Source: ICH9 data sheet, "System Management TCO Registers". At reset the timer is halted, as
// firmware leaves it: a machine that starts a kernel directly has nobody else to do that.

#include <functional>

#include "model/base/event_queue.h"
#include "model/chipset/register_image.h"
#include "model/chipset/reset_control.h"

namespace vtsim::chipset {

class AcpiTco : public RegisterTarget {
 public:
  static constexpr u64 kSize = 0x20;
  static constexpr Ps kTick = 600 * kPsPerSecond / 1000;

  // The strap, and the GCS.NR bit of the chipset's configuration, that forbid the reset.
  enum class Reboot : u8 { kAllowed, kForbidden };

  struct State {
    RegisterImage<kSize> registers;
    u64 left = 0;  // ticks, while halted
    Reboot reboot = Reboot::kForbidden;
  };

  // `on_event` is called when a bit of TCO1_STS that raises an SMI is set.
  using EventSink = std::function<void(Ps now)>;

  AcpiTco(EventQueue& events, ResetSink reset, EventSink on_event);
  AcpiTco(const AcpiTco&) = delete;
  AcpiTco& operator=(const AcpiTco&) = delete;

  u64 read(u64 offset, unsigned size, Ps now) override;
  void write(u64 offset, unsigned size, u64 value, Ps now) override;

  void set_reboot(Reboot reboot) { state_.reboot = reboot; }
  void reset();

  const State& state() const { return state_; }
  void restore(const State& state) { state_ = state; }

 private:
  bool halted() const;
  u64 ticks_left(Ps now) const;
  void start(u64 ticks, Ps now);
  void expire(Ps now);
  void control_written(bool was_halted, Ps now);

  EventQueue& events_;
  EventQueue::Id expires_;
  ResetSink reset_sink_;
  EventSink on_event_;
  State state_;
};

}  // namespace vtsim::chipset
