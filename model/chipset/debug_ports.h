#pragma once
// Ports that hypervisors and emulators offer to firmware and test programs, and the POST code
// latch.
//
//   0xF4         exit: a write ends the run with the value written (QEMU's isa-debug-exit)
//   0xE9, 0x402  console: each byte written is a character; a read gives 0xE9 where one is present
//   0x8900       power-off: the string "Shutdown" written byte by byte (Bochs)
//   0x80         POST codes: an eight-bit latch

#include <array>
#include <functional>

#include "model/chipset/port_range.h"

namespace vtsim::chipset {

class DebugExit : public RegisterTarget {
 public:
  static constexpr std::array<PortRange, 1> kPorts{{{0xF4, 4, 0, "debug_exit"}}};
  using Sink = std::function<void(u32 value, Ps now)>;

  explicit DebugExit(Sink sink) : sink_(std::move(sink)) {}

  u64 read(u64 offset, unsigned size, Ps now) override;
  void write(u64 offset, unsigned size, u64 value, Ps now) override;

 private:
  Sink sink_;
};

class DebugConsole : public ByteTarget {
 public:
  // Each an instance of its own.
  static constexpr PortRange kBochsPort{0xE9, 1, 0, "debug_console.e9"};
  static constexpr PortRange kFirmwarePort{0x402, 1, 0, "debug_console.402"};
  using Sink = std::function<void(u8 byte, Ps now)>;

  explicit DebugConsole(Sink sink) : sink_(std::move(sink)) {}

 private:
  u8 read_byte(u64 offset, Ps now) override;
  void write_byte(u64 offset, u8 value, Ps now) override;

  Sink sink_;
};

class ShutdownPort : public ByteTarget {
 public:
  static constexpr std::array<PortRange, 1> kPorts{{{0x8900, 1, 0, "shutdown"}}};
  using Sink = std::function<void(Ps now)>;

  struct State {
    u8 matched = 0;  // bytes of the string seen so far
  };

  explicit ShutdownPort(Sink sink) : sink_(std::move(sink)) {}

  void reset(Ps) { state_ = {}; }

  const State& state() const { return state_; }
  void restore(const State& state) { state_ = state; }

 private:
  u8 read_byte(u64 offset, Ps now) override;
  void write_byte(u64 offset, u8 value, Ps now) override;

  Sink sink_;
  State state_;
};

class PostCodePort : public ByteTarget {
 public:
  static constexpr std::array<PortRange, 1> kPorts{{{0x80, 1, 0, "post_code"}}};

  struct State {
    u8 code = 0;
  };

  void reset(Ps) { state_ = {}; }

  const State& state() const { return state_; }
  void restore(const State& state) { state_ = state; }

 private:
  u8 read_byte(u64 offset, Ps now) override;
  void write_byte(u64 offset, u8 value, Ps now) override;

  State state_;
};

}  // namespace vtsim::chipset
