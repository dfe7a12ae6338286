#pragma once
// The machine's timed events. A device adds its events once, when it is built, and then only moves
// deadlines: so the whole state is an array of numbers that a checkpoint can save, and nothing
// waits on a coroutine's stack.

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "model/base/clock.h"

namespace vtsim {

class EventQueue {
 public:
  using Id = u32;
  // Called with the event's own deadline as `now`; may schedule any event, itself included.
  using Action = std::function<void(Ps now)>;

  // `name` must be unique: it names the deadline in checkpoints and traces.
  Id add(std::string name, Action action);

  // Replaces the event's deadline.
  void schedule(Id event, Ps when);
  void cancel(Id event) { schedule(event, kNever); }
  Ps deadline(Id event) const { return events_[event].deadline; }

  // The earliest deadline, or kNever.
  Ps next() const { return next_; }

  // Called whenever the earliest deadline moves to an earlier time, with the new one: whoever drives
  // the queue sleeps until `next()` and is woken by this. One listener.
  using Listener = std::function<void(Ps next)>;
  void on_earlier(Listener listener) { on_earlier_ = std::move(listener); }

  // Fires everything due at or before `now`, ordered by (deadline, Id).
  void run_until(Ps now);

  std::size_t size() const { return events_.size(); }
  const std::string& name(Id event) const { return events_[event].name; }

 private:
  struct Event {
    std::string name;
    Action action;
    Ps deadline = kNever;
  };

  Id earliest() const;

  std::vector<Event> events_;
  Listener on_earlier_;
  Ps next_ = kNever;
};

}  // namespace vtsim
