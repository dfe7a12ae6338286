#include "model/base/event_queue.h"

#include <algorithm>
#include <utility>

#include "model/base/check.h"

namespace vtsim {

EventQueue::Id EventQueue::add(std::string name, Action action) {
  for (const Event& event : events_) SIM_CHECK(event.name != name, name);
  events_.push_back({std::move(name), std::move(action), kNever});
  return static_cast<Id>(events_.size() - 1);
}

// A machine has some dozens of events, so that a scan is as fast as a heap and needs no state.
EventQueue::Id EventQueue::earliest() const {
  const auto by_deadline = [](const Event& a, const Event& b) { return a.deadline < b.deadline; };
  return static_cast<Id>(std::min_element(events_.begin(), events_.end(), by_deadline) -
                         events_.begin());
}

void EventQueue::schedule(Id event, Ps when) {
  Event& changed = events_[event];
  const bool was_first = changed.deadline == next_;
  changed.deadline = when;
  if (when < next_) {
    next_ = when;
    if (on_earlier_) on_earlier_(when);
  } else if (was_first && when > next_) {
    next_ = events_[earliest()].deadline;
  }
}

void EventQueue::run_until(Ps now) {
  while (next_ <= now && next_ != kNever) {
    const Id due = earliest();
    const Ps when = events_[due].deadline;
    schedule(due, kNever);
    events_[due].action(when);
  }
}

}  // namespace vtsim
