#pragma once
// The high-precision event timers: a 64-bit counter and three comparators.
//
//   0x000 GCAP_ID    63:32 period in fs  31:16 8086  15 LEG_RT_CAP  13 64 bits  12:8 timers - 1  7:0 1
//   0x010 GEN_CONF   1 LEG_RT: timers 0, 1 take IRQ0 (I/O APIC 2), IRQ8   0 ENABLE_CNF
//   0x020 GINTR_STA  n: level interrupt of timer n is active (w1c)
//   0x0f0 MAIN_CNT   writable while halted
//   0x100 + 20h * n  63:32 ROUTE_CAP  15 FSB_CAP  14 FSB_EN  13:9 INT_ROUTE  8 32MODE  6 VAL_SET
//                    5 SIZE_CAP  4 PER_CAP  3 TYPE: periodic  2 INT_ENB  1 INT_TYPE: level
//   0x108 + 20h * n  comparator; + 8: FSB address 63:32, data 31:0
//
// Source: IA-PC HPET specification 1.0a, "Register Definition". All three timers can be periodic and
// are 64 bits wide, as in QEMU. Nothing ticks: the counter follows from the time, and each timer has
// one event at the picosecond at which the counter reaches its comparator.
// An edge-triggered interrupt is a pulse of no length, a level one lasts until GINTR_STA is cleared.

#include <array>
#include <functional>

#include "model/base/clock.h"
#include "model/base/device.h"
#include "model/base/event_queue.h"

namespace vtsim::chipset {

class Hpet final : public RegisterTarget {
 public:
  static constexpr unsigned kTimers = 3;
  static constexpr u64 kBytes = 0x400;

  enum class Fsb : u8 { kAbsent, kPresent };  // message-signalled interrupts

  struct Timer {
    u64 config = 0;      // the writable bits
    u64 comparator = 0;  // of the next match
    u64 period = 0;      // what the last write of a periodic comparator gave
    u64 fsb = 0;
  };
  struct State {
    u64 config = 0;
    u64 status = 0;
    u64 halted_at = 0;     // the counter while it is halted
    u64 counter_base = 0;  // running: counter = ticks at now + counter_base
    std::array<Timer, kTimers> timers;
  };

  // What a timer's output is connected to, as INT_ROUTE and LEG_RT select it. `line` is the I/O APIC
  // input, or with `is_legacy` the ISA interrupt.
  struct Route {
    bool is_legacy = false;
    u8 line = 0;
  };
  using Sink = std::function<void(unsigned timer, Route route, bool level, Ps now)>;

  Hpet(EventQueue& events, Frequency clock, Fsb fsb, MemoryPort& interconnect, Sink sink);

  // True while timer 0 and 1 replace the 8254 and the RTC as sources of IRQ0 and IRQ8.
  bool replaces_legacy() const;
  // Called when that changes.
  void on_legacy_change(std::function<void(Ps now)> listener) { on_legacy_change_ = listener; }

  u64 read(u64 offset, unsigned size, Ps now) override;
  void write(u64 offset, unsigned size, u64 value, Ps now) override;

  void reset(Ps now);

  const State& state() const { return state_; }
  void restore(const State& state) { state_ = state; }

 private:
  u64 read_register(u64 offset, Ps now);
  void write_register(u64 offset, u64 value, Ps now);
  u64 rest_of_write(u64 offset, Ps now);
  void write_config(u64 value, Ps now);
  void write_timer_config(unsigned index, u64 value, Ps now);
  void write_comparator(unsigned index, u64 value, Ps now);
  void write_status(u64 value, Ps now);

  bool runs() const;
  u64 counter(Ps now) const;
  bool is_periodic(const Timer& timer) const;
  bool writes_period(const Timer& timer) const;
  unsigned width(const Timer& timer) const;
  Route route(unsigned index) const;
  void catch_up(Timer& timer, Ps now);
  void schedule(unsigned index, Ps now);
  void match(unsigned index, Ps now);
  void interrupt(unsigned index, Ps now);
  void drive(unsigned index, bool level, Ps now);

  EventQueue& events_;
  Frequency clock_;
  Fsb fsb_;
  MemoryPort& interconnect_;
  Sink sink_;
  std::function<void(Ps)> on_legacy_change_;
  std::array<EventQueue::Id, kTimers> matches_{};
  State state_;
};

}  // namespace vtsim::chipset
