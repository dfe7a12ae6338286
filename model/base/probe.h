#pragma once
// Where the model can be watched. A site is one line:
//   if (probes.vm_exit) probes.vm_exit.emit({.stamp = stamp(), .reason = reason});
// With nobody listening it costs one load and one branch, and the record is not even built.

#include <functional>
#include <utility>
#include <vector>

#include "model/base/types.h"

namespace vtsim {

// Subscribers are called in the order in which they subscribed, while the model stands still; they
// must not change the model, nor subscribe or unsubscribe from within a call.
template <class Event>
class Probe {
 public:
  using Subscriber = std::function<void(const Event&)>;
  using Id = u32;

  Id subscribe(Subscriber subscriber) {
    entries_.push_back({next_, std::move(subscriber)});
    return next_++;
  }
  void unsubscribe(Id id) {
    std::erase_if(entries_, [id](const Entry& entry) { return entry.id == id; });
  }

  bool empty() const { return entries_.empty(); }
  explicit operator bool() const { return !entries_.empty(); }

  void emit(const Event& event) const {
    for (const Entry& entry : entries_) entry.call(event);
  }

 private:
  struct Entry {
    Id id;
    Subscriber call;
  };

  std::vector<Entry> entries_;
  Id next_ = 0;
};

}  // namespace vtsim
