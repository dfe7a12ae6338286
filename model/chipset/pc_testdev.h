#pragma once
// QEMU's pc-testdev, which kvm-unit-tests use to try port, memory and interrupt accesses.
//
//   offset  port           use
//   0-3     0xE0           a latch of 32 bits, byte-addressable
//   4-7     0xE4           write: the host forgets its mapping of the page; nothing to do here
//   8-31    0x2000-0x2017  write n: drives global interrupt n high (nonzero) or low
//   memory  0xFF000000     64 KiB of plain memory that is reached as a device, never directly
//
// The second way to the latch, which QEMU has at 0xE8, is left out: no test uses it and it would
// hide the debug console at 0xE9.

#include <array>
#include <functional>

#include "model/chipset/port_range.h"

namespace vtsim::chipset {

class PcTestdev : public RegisterTarget {
 public:
  static constexpr std::array<PortRange, 2> kPorts{{
      {0xE0, 8, 0, "pc_testdev"},
      {0x2000, 24, 8, "pc_testdev.irq"},
  }};
  static constexpr Hpa kMemoryBase{0xFF00'0000};
  static constexpr u64 kMemorySize = 0x1'0000;

  using LineSink = std::function<void(unsigned line, bool level, Ps now)>;

  struct State {
    u32 latch = 0;
    std::array<u8, kMemorySize> memory{};
  };

  // `lines` drives the inputs of interrupt controllers as a device's wire would.
  explicit PcTestdev(LineSink lines) : lines_(std::move(lines)), memory_(state_.memory) {}
  PcTestdev(const PcTestdev&) = delete;
  PcTestdev& operator=(const PcTestdev&) = delete;

  u64 read(u64 offset, unsigned size, Ps now) override;
  void write(u64 offset, unsigned size, u64 value, Ps now) override;

  // The registers at kMemoryBase.
  RegisterTarget& memory() { return memory_; }

  void reset(Ps) { state_ = {}; }

  const State& state() const { return state_; }
  void restore(const State& state) { state_ = state; }

 private:
  class Memory : public RegisterTarget {
   public:
    explicit Memory(std::array<u8, kMemorySize>& bytes) : bytes_(bytes) {}
    u64 read(u64 offset, unsigned size, Ps now) override;
    void write(u64 offset, unsigned size, u64 value, Ps now) override;

   private:
    std::array<u8, kMemorySize>& bytes_;
  };

  LineSink lines_;
  State state_;
  Memory memory_;
};

static_assert(disjoint(PcTestdev::kPorts));

}  // namespace vtsim::chipset
