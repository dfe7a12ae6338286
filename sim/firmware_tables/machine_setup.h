#pragma once
// What firmware does to a Q35 machine before an OS sees it, for the cases where there is no
// firmware (a kernel is loaded directly): accesses that the boot core's initiator performs in
// order, and model-specific registers that every core gets.

#include <vector>

#include "model/base/types.h"

namespace vtsim::firmware_tables {

struct SetupAccess {
  enum class Space : u8 {
    kPciConfig,  // address: ECAM offset (bus 27:20, device 19:15, function 14:12, register 11:0)
    kPort,
    kMemory,
  };
  Space space;
  u64 address;
  unsigned size;
  u64 value;
};

struct MsrValue {
  u32 index;
  u64 value;
};

struct CoreSetup {
  unsigned physical_address_bits = 39;
  bool vmx = false;             // IA32_FEATURE_CONTROL exists and is to be locked with VMX on
  unsigned variable_mtrrs = 0;  // IA32_MTRRCAP.VCNT; 0: no MTRRs at all
};

// Opens the ECAM, the PM block, RCBA, HPET and I/O APIC, makes C0000-FFFFF RAM, routes the PIRQs to
// 8259 inputs 10 and 11 (level), starts the 8259s and the timer tick as a BIOS does, and gives the boot
// core's local APIC its virtual wire.
std::vector<SetupAccess> q35_setup();

// MTRRs (RAM write-back, the PCI hole below 4 GiB and the VGA area uncacheable) and
// IA32_FEATURE_CONTROL. The same on every core: an OS compares them.
std::vector<MsrValue> core_setup(const CoreSetup& core);

}  // namespace vtsim::firmware_tables
