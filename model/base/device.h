#pragma once
// How a device is seen from the interconnect, without SystemC: a block of registers that is read
// and written, wires out of it, and memory that it may reach as an initiator. The *_module.cc files
// put TLM sockets around this.

#include <functional>
#include <span>
#include <utility>

#include "model/base/clock.h"
#include "model/base/types.h"

namespace vtsim {

// Registers in a memory or port range. `offset` counts from the range's base; `size` is 1, 2, 4 or
// 8 bytes; accesses never cross the range's end. What the device does not decode reads as all ones
// and drops writes. `now` is the local time of the initiator; a device brings itself up to it.
class RegisterTarget {
 public:
  virtual ~RegisterTarget() = default;
  virtual u64 read(u64 offset, unsigned size, Ps now) = 0;
  virtual void write(u64 offset, unsigned size, u64 value, Ps now) = 0;
};

// A level-sensitive signal from one device to one sink; the sink is called on changes only.
class Wire {
 public:
  using Sink = std::function<void(bool level, Ps now)>;

  void connect(Sink sink) { sink_ = std::move(sink); }
  bool level() const { return level_; }
  void set(bool level, Ps now) {
    if (level == level_) return;
    level_ = level;
    if (sink_) sink_(level, now);
  }
  void pulse(Ps now) {
    set(true, now);
    set(false, now);
  }

 private:
  Sink sink_;
  bool level_ = false;
};

// Memory as a device reaches it: each access is an ordinary transaction on the interconnect (a
// write to 0xFEEx_xxxx is a message-signalled interrupt). False: nothing answers there, or the
// access was blocked; a failed read leaves the buffer as all ones.
class MemoryPort {
 public:
  virtual ~MemoryPort() = default;
  virtual bool read(Hpa address, std::span<u8> data, Ps now) = 0;
  virtual bool write(Hpa address, std::span<const u8> data, Ps now) = 0;
};

}  // namespace vtsim
