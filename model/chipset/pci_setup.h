#pragma once
// What firmware does to PCI functions before an OS sees them, for machines that start a kernel
// without firmware: gives BARs their addresses, turns decoding on, notes interrupt lines.

#include <functional>

#include "model/chipset/pci_bus.h"

namespace vtsim::chipset {

// Inclusive ranges of addresses that the host bridge forwards to PCI.
struct PciWindows {
  u64 first_port = 0xc000;
  u64 last_port = 0xffff;
  u64 first_memory = 0xc000'0000;
  u64 last_memory = 0xfebf'ffff;
  u64 first_high_memory = 1;  // for 64-bit BARs that the other window has no room for
  u64 last_high_memory = 0;   // empty unless given
};

// `line_of` gives the 8259 input that a function's interrupt pin reaches, 0xff for none. Uses
// configuration accesses only. False: some BAR did not fit, and its function's decoding stays off.
bool assign_pci_resources(
    PciBus& bus, const PciWindows& windows,
    const std::function<u8(const device::PciFunction& function)>& line_of, Ps now);

}  // namespace vtsim::chipset
