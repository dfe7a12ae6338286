#pragma once
// QEMU's pci-testdev, by which test suites measure and check accesses to device registers. BAR 0
// (memory) and BAR 1 (ports) each have the registers of the test that was selected last there:
//
//   offset  bytes  access
//   0x00    1      WO  number of the test to start
//   0x01    1      RO  width of the test's writes in bytes; 0: there is no such test
//   0x04    4      RO  offset of the register to write
//   0x08    4      RO  what to write there
//   0x0c    4      RO  writes counted since the test was started
//   0x10    -      RO  the test's name, zero-terminated
//
// Source: QEMU documentation "QEMU PCI test device". Here no test has an event file descriptor
// behind it, so that every write of a test counts.

#include <string_view>

#include "model/device/pci_function.h"

namespace vtsim::device {

class PciTestdev final : public PciFunction {
 public:
  PciTestdev();

  void reset(Ps now) override;

  // Of one BAR's registers.
  struct WindowState {
    u8 test = 0xff;  // the one selected
    u32 count = 0;
  };
  using WindowStates = std::array<WindowState, 2>;
  WindowStates window_states() const { return {memory_.state(), ports_.state()}; }
  void restore_windows(const WindowStates& states) {
    memory_.restore(states[0]);
    ports_.restore(states[1]);
  }

 private:
  class Window final : public RegisterTarget {
   public:
    explicit Window(std::string_view names_prefix, std::string_view names_suffix)
        : prefix_(names_prefix), suffix_(names_suffix) {}
    u64 read(u64 offset, unsigned size, Ps now) override;
    void write(u64 offset, unsigned size, u64 value, Ps now) override;
    void reset() { state_ = {}; }
    const WindowState& state() const { return state_; }
    void restore(const WindowState& state) { state_ = state; }

   private:
    u8 read_byte(u64 offset) const;

    std::string_view prefix_;
    std::string_view suffix_;
    WindowState state_;
  };

  Window memory_{"mmio-", ":pci-mem "};
  Window ports_{"portio-", ":pci-io "};
};

}  // namespace vtsim::device
