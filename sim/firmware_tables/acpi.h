#pragma once
// The ACPI tables of the Q35 machine. They are built once as a relocatable image, which is either
// linked at an address in guest memory (direct kernel boot) or handed to firmware through fw_cfg
// with the commands that link it (fw_cfg_files.h).

#include <string_view>
#include <vector>

#include "model/base/types.h"
#include "sim/firmware_tables/guest_memory.h"
#include "sim/firmware_tables/memory_layout.h"

namespace vtsim::firmware_tables {

// The PM block and interrupts of the ICH9 as firmware programs them: see also machine_setup.h.
inline constexpr u16 kPmBase = 0x600;
inline constexpr u16 kPm1aEvent = kPmBase + 0x00;
inline constexpr u16 kPm1aControl = kPmBase + 0x04;
inline constexpr u16 kPmTimer = kPmBase + 0x08;
inline constexpr u16 kGpe0 = kPmBase + 0x20;
inline constexpr u16 kSmiCommandPort = 0xb2;
inline constexpr u8 kAcpiEnable = 0x02;  // written to the SMI command port
inline constexpr u8 kAcpiDisable = 0x03;
inline constexpr u8 kSciIrq = 9;
inline constexpr u16 kResetPort = 0xcf9;
inline constexpr u8 kResetValue = 0x06;  // full reset: ICH9 "RST_CNT - Reset Control Register"

struct TablesConfig {
  std::vector<u32> apic_ids = {0};  // one a core, the boot core's first
  unsigned physical_address_bits = 39;
  u8 io_apic_id = 0;
  u32 hpet_block_id = 0x8086'a201;  // the low half of the HPET's GCAP_ID
};

// Relocatable ACPI tables. In `tables` and `rsdp` each Pointer's field holds an offset into
// `tables` and each Checksum's byte is 0, until link() resolves them.
struct AcpiImage {
  enum class Part : u8 { kTables, kRsdp };
  struct Pointer {
    Part in;
    u32 offset;
    u8 bytes;
  };
  struct Checksum {
    Part in;
    u32 offset;
    u32 start;
    u32 length;
  };
  struct Table {
    std::string_view signature;
    u32 offset;
    u32 length;
  };

  std::vector<u8> tables;  // the FACS fills the first page, which belongs in NVS
  std::vector<u8> rsdp;
  std::vector<Pointer> pointers;
  std::vector<Checksum> checksums;
  std::vector<Table> contents;

  // Resolves pointers for tables at `base`, then the checksums. Once only.
  void link(Hpa base);
};

AcpiImage build_acpi(const TablesConfig& config, const MemoryLayout& layout);

// Links the tables in the layout's ACPI area and writes them and the RSDP. Returns the RSDP's
// address. SIM_CHECKs that they fit: kAcpiAreaBytes holds the tables of 254 cores and more.
Hpa place_acpi(const TablesConfig& config, const MemoryLayout& layout, GuestMemory& memory);

// Where an OS wants to go on after S3, from the FACS in memory: ACPI "Firmware ACPI Control
// Structure (FACS)". A zero is no vector.
struct WakingVectors {
  Hpa real_mode;       // Firmware_Waking_Vector
  Hpa protected_mode;  // X_Firmware_Waking_Vector: flat 32-bit; has precedence
};
WakingVectors read_waking_vectors(const MemoryLayout& layout, const GuestMemory& memory);

// The PIRQ (0 = A ... 7 = H) of interrupt pin 0-3 (INTA-INTD) of a device on bus 0. In APIC mode
// PIRQ n is input 16 + n of the I/O APIC. Devices 25-31 are the southbridge's own, routed by their
// DnnIR registers' reset values; all others rotate over PIRQE-H.
constexpr unsigned pirq_of(unsigned device, unsigned pin) {
  constexpr unsigned kFirstSouthbridgeDevice = 25;
  return device >= kFirstSouthbridgeDevice ? pin : 4 + (device + pin) % 4;
}
inline constexpr unsigned kFirstPirqGsi = 16;

}  // namespace vtsim::firmware_tables
