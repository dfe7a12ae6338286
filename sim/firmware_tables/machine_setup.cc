#include "sim/firmware_tables/machine_setup.h"

#include "model/base/bits.h"
#include "sim/firmware_tables/acpi.h"
#include "sim/firmware_tables/bios_area.h"
#include "sim/firmware_tables/memory_layout.h"

namespace vtsim::firmware_tables {
namespace {

using Space = SetupAccess::Space;

constexpr u64 config_address(unsigned device, u64 offset) {
  return Field{19, 15}.put(offset, device);
}

constexpr unsigned kHostBridge = 0;
constexpr unsigned kLpc = 31;
constexpr u64 kEnable = 1;
constexpr u8 kPamReadWrite = 0x33;   // both halves: reads and writes go to RAM
constexpr u8 kPam0ReadWrite = 0x30;  // PAM0 has F0000-FFFFF in bits 5:4 only
constexpr u8 kIrq10 = 10, kIrq11 = 11;

// Intel 3 Series Express Chipset and ICH9 datasheets, by register name.
constexpr SetupAccess kQ35Rows[] = {
    {Space::kPciConfig, config_address(kHostBridge, 0x64), 4, 0},                      // PCIEXBAR
    {Space::kPciConfig, config_address(kHostBridge, 0x60), 4, kEcam.value | kEnable},  // PCIEXBAR
    {Space::kPciConfig, config_address(kHostBridge, 0x90), 1, kPam0ReadWrite},         // PAM0
    {Space::kPciConfig, config_address(kHostBridge, 0x91), 1, kPamReadWrite},          // PAM1
    {Space::kPciConfig, config_address(kHostBridge, 0x92), 1, kPamReadWrite},          // PAM2
    {Space::kPciConfig, config_address(kHostBridge, 0x93), 1, kPamReadWrite},          // PAM3
    {Space::kPciConfig, config_address(kHostBridge, 0x94), 1, kPamReadWrite},          // PAM4
    {Space::kPciConfig, config_address(kHostBridge, 0x95), 1, kPamReadWrite},          // PAM5
    {Space::kPciConfig, config_address(kHostBridge, 0x96), 1, kPamReadWrite},          // PAM6
    {Space::kPciConfig, config_address(kLpc, 0x40), 4, kPmBase | kEnable},             // PMBASE
    {Space::kPciConfig, config_address(kLpc, 0x44), 1, 0x80},  // ACPI_CNTL: on, SCI on IRQ 9
    {Space::kPciConfig, config_address(kLpc, 0xf0), 4, kRcba.value | kEnable},  // RCBA
    {Space::kPciConfig, config_address(kLpc, 0x60), 1, kIrq10},                 // PIRQA
    {Space::kPciConfig, config_address(kLpc, 0x61), 1, kIrq10},                 // PIRQB
    {Space::kPciConfig, config_address(kLpc, 0x62), 1, kIrq11},                 // PIRQC
    {Space::kPciConfig, config_address(kLpc, 0x63), 1, kIrq11},                 // PIRQD
    {Space::kPciConfig, config_address(kLpc, 0x68), 1, kIrq10},                 // PIRQE
    {Space::kPciConfig, config_address(kLpc, 0x69), 1, kIrq10},                 // PIRQF
    {Space::kPciConfig, config_address(kLpc, 0x6a), 1, kIrq11},                 // PIRQG
    {Space::kPciConfig, config_address(kLpc, 0x6b), 1, kIrq11},                 // PIRQH
    {Space::kMemory, kRcba.value + 0x3404, 4, 0x80},       // HPTC: the HPET at FED00000
    {Space::kMemory, kRcba.value + 0x31fe, 2, 0x0100},     // OIC: the I/O APIC at FEC00000
    {Space::kPort, 0x4d1, 1, 0x0e},                        // ELCR2: IRQ 9, 10, 11 level
    {Space::kPort, 0x20, 1, 0x11},                         // 8259, first: ICW1
    {Space::kPort, 0x21, 1, kBiosIrq0Vector},              // ICW2
    {Space::kPort, 0x21, 1, 0x04},                         // ICW3: the other on input 2
    {Space::kPort, 0x21, 1, 0x01},                         // ICW4: 8086 mode
    {Space::kPort, 0x21, 1, 0xfa},                         // OCW1: timer and cascade only
    {Space::kPort, 0xa0, 1, 0x11},                         // 8259, second: ICW1
    {Space::kPort, 0xa1, 1, kBiosIrq8Vector},              // ICW2
    {Space::kPort, 0xa1, 1, 0x02},                         // ICW3
    {Space::kPort, 0xa1, 1, 0x01},                         // ICW4
    {Space::kPort, 0xa1, 1, 0xff},                         // OCW1: nothing
    {Space::kPort, 0x43, 1, 0x36},                         // 8254: counter 0, mode 3
    {Space::kPort, 0x40, 1, 0x00},                         // 65536: 18.2 Hz
    {Space::kPort, 0x40, 1, 0x00},
    {Space::kMemory, kLocalApic.value + 0x0f0, 4, 0x1ff},  // spurious vector FF, APIC enabled
    {Space::kMemory, kLocalApic.value + 0x350, 4, 0x700},  // LINT0: ExtINT
    {Space::kMemory, kLocalApic.value + 0x360, 4, 0x400},  // LINT1: NMI
};

// SDM 3A "Memory Type Range Registers (MTRRs)".
constexpr u64 repeat_type(u64 type) { return type * 0x0101'0101'0101'0101; }
constexpr u64 kUncacheable = 0, kWriteProtected = 5, kWriteBack = 6;
constexpr u32 kMtrrDefType = 0x2ff;
constexpr u64 kMtrrEnable = Flag{11}.mask(), kFixedEnable = Flag{10}.mask();
constexpr u64 kMaskValid = Flag{11}.mask();

constexpr MsrValue kFixedMtrrs[] = {
    {0x250, repeat_type(kWriteBack)},       // 00000-7FFFF
    {0x258, repeat_type(kWriteBack)},       // 80000-9FFFF
    {0x259, repeat_type(kUncacheable)},     // A0000-BFFFF
    {0x268, repeat_type(kWriteProtected)},  // C0000-C7FFF, and so on to FFFFF
    {0x269, repeat_type(kWriteProtected)}, {0x26a, repeat_type(kWriteProtected)},
    {0x26b, repeat_type(kWriteProtected)}, {0x26c, repeat_type(kWriteProtected)},
    {0x26d, repeat_type(kWriteProtected)}, {0x26e, repeat_type(kWriteProtected)},
    {0x26f, repeat_type(kWriteProtected)},
};

}  // namespace

std::vector<SetupAccess> q35_setup() { return {std::begin(kQ35Rows), std::end(kQ35Rows)}; }

std::vector<MsrValue> core_setup(const CoreSetup& core) {
  std::vector<MsrValue> rows;
  if (core.variable_mtrrs != 0) {
    rows.assign(std::begin(kFixedMtrrs), std::end(kFixedMtrrs));
    // One range takes the whole hole: its base and size are both kLowRamLimit.
    const u64 mask = low_mask(core.physical_address_bits) & ~(kLowRamLimit - 1);
    rows.push_back({0x200, kLowRamLimit | kUncacheable});
    rows.push_back({0x201, mask | kMaskValid});
    rows.push_back({kMtrrDefType, kMtrrEnable | kFixedEnable | kWriteBack});
  }
  constexpr u32 kFeatureControl = 0x3a;
  constexpr u64 kLock = Flag{0}.mask(), kVmxOutsideSmx = Flag{2}.mask();
  if (core.vmx) rows.push_back({kFeatureControl, kLock | kVmxOutsideSmx});
  return rows;
}

}  // namespace vtsim::firmware_tables
