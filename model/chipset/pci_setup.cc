#include "model/chipset/pci_setup.h"

#include <bit>
#include <optional>

#include "model/device/pci_registers.h"

namespace vtsim::chipset {
namespace {

using device::PciFunction;
namespace pci = device::pci;

// Hands out naturally aligned pieces of an inclusive range, ascending.
class Pool {
 public:
  Pool(u64 first, u64 last) : next_(first), last_(last) {}

  std::optional<u64> take(u64 bytes) {
    const u64 base = align_up(next_, bytes);
    if (base < next_ || base > last_ || bytes - 1 > last_ - base) return std::nullopt;
    next_ = base + bytes;
    return base;
  }

 private:
  u64 next_;
  u64 last_;
};

struct Pools {
  Pool ports, memory, high;

  std::optional<u64> take(u64 bytes, Reg<pci::Bar> kind) {
    if (kind[pci::Bar::IO]) return ports.take(bytes);
    const auto low = memory.take(bytes);
    return low || kind[pci::Bar::TYPE] == 0 ? low : high.take(bytes);
  }
};

constexpr unsigned offset_of(unsigned bar) { return pci::kBar0 + 4 * bar; }

// PCI 3.0 "Base Addresses": all ones, written, read back as zeros below the size.
u64 size_of(PciFunction& function, unsigned bar, Reg<pci::Bar> kind, Ps now) {
  constexpr u64 kIoType = 0x3, kMemoryType = 0xf;
  const bool wide = !kind[pci::Bar::IO] && kind[pci::Bar::TYPE] != 0;
  function.config_write(offset_of(bar), 4, ~u32{0}, now);
  u64 mask = function.config_read(offset_of(bar), 4, now);
  if (wide) {
    function.config_write(offset_of(bar + 1), 4, ~u32{0}, now);
    mask = Field{63, 32}.put(mask, function.config_read(offset_of(bar + 1), 4, now));
  } else {
    mask = Field{63, 32}.put(mask, ~u32{0});
  }
  mask &= ~(kind[pci::Bar::IO] ? kIoType : kMemoryType);
  return u64{1} << std::countr_zero(mask);
}

// The number of registers that the BAR takes: 1 or 2. `fits` becomes false when it found no room.
unsigned assign_bar(PciFunction& function, unsigned bar, Pools& pools, bool& fits, Ps now) {
  const Reg<pci::Bar> kind(function.config_read(offset_of(bar), 4, now));
  const bool wide = !kind[pci::Bar::IO] && kind[pci::Bar::TYPE] != 0;
  const u64 bytes = size_of(function, bar, kind, now);
  const auto base = pools.take(bytes, kind);
  fits &= base.has_value();
  const u64 value = base.value_or(0);
  function.config_write(offset_of(bar), 4, static_cast<u32>(value), now);
  if (wide) {
    function.config_write(offset_of(bar + 1), 4, static_cast<u32>(bits(value, 63, 32)), now);
  }
  return wide ? 2 : 1;
}

bool is_implemented(PciFunction& function, unsigned bar, Ps now) {
  const u32 old = function.config_read(offset_of(bar), 4, now);
  function.config_write(offset_of(bar), 4, ~u32{0}, now);
  const bool exists = function.config_read(offset_of(bar), 4, now) != 0;
  function.config_write(offset_of(bar), 4, old, now);
  return exists;
}

}  // namespace

bool assign_pci_resources(
    PciBus& bus, const PciWindows& windows,
    const std::function<u8(const device::PciFunction& function)>& line_of, Ps now) {
  Pools pools{.ports = {windows.first_port, windows.last_port},
              .memory = {windows.first_memory, windows.last_memory},
              .high = {windows.first_high_memory, windows.last_high_memory}};
  bool all_fit = true;
  bus.for_each([&](PciFunction& function) {
    Reg<pci::Command> command(function.config_read(pci::kCommand, 2, now));
    const Reg<pci::Command> off =
        command.with(pci::Command::IO, 0).with(pci::Command::MEMORY, 0);
    function.config_write(pci::kCommand, 2, static_cast<u32>(off.value), now);
    bool fits = true;
    for (unsigned bar = 0; bar < PciFunction::kBars;) {
      bar += is_implemented(function, bar, now) ? assign_bar(function, bar, pools, fits, now) : 1;
    }
    all_fit &= fits;
    if (fits) {
      command = command.with(pci::Command::IO, 1).with(pci::Command::MEMORY, 1);
      function.config_write(pci::kCommand, 2, static_cast<u32>(command.value), now);
    }
    if (function.interrupt_pin() != 0) {
      function.config_write(pci::kInterruptLine, 1, line_of(function), now);
    }
  });
  return all_fit;
}

}  // namespace vtsim::chipset
