#pragma once
// The standard registers of configuration space. PCI 3.0 "Configuration Space Header", "Capabilities".

#include "model/base/bits.h"

namespace vtsim::device::pci {

inline constexpr unsigned kVendorId = 0x00, kDeviceId = 0x02, kCommand = 0x04, kStatus = 0x06;
inline constexpr unsigned kRevision = 0x08, kClassCode = 0x09, kHeaderType = 0x0e, kBar0 = 0x10;
inline constexpr unsigned kSubsystemVendor = 0x2c, kSubsystem = 0x2e, kCapabilities = 0x34;
inline constexpr unsigned kInterruptLine = 0x3c, kInterruptPin = 0x3d;

struct Command {
  static constexpr Flag IO{0};
  static constexpr Flag MEMORY{1};
  static constexpr Flag BUS_MASTER{2};
  static constexpr Flag PARITY{6};
  static constexpr Flag SERR{8};
  static constexpr Flag INTX_DISABLE{10};
};
struct Status {
  static constexpr Flag INTERRUPT{3};
  static constexpr Flag CAPABILITIES{4};
};
struct HeaderType {
  static constexpr Flag MULTIFUNCTION{7};
};
struct Bar {
  static constexpr Flag IO{0};
  static constexpr Field TYPE{2, 1};  // 2: 64 bits
  static constexpr Flag PREFETCHABLE{3};
};

inline constexpr u8 kMsiCapability = 0x05, kMsixCapability = 0x11;

// Offsets within the MSI capability (64-bit addresses, per-vector masking).
namespace msi {
inline constexpr unsigned kControl = 2, kAddress = 4, kData = 12, kMask = 16, kPending = 20;
struct Control {
  static constexpr Flag ENABLE{0};
  static constexpr Field MULTIPLE_CAPABLE{3, 1};
  static constexpr Field MULTIPLE_ENABLE{6, 4};
  static constexpr Flag ADDRESS_64{7};
  static constexpr Flag PER_VECTOR_MASKING{8};
};
}  // namespace msi

namespace msix {
inline constexpr unsigned kControl = 2, kTable = 4, kPba = 8;
inline constexpr unsigned kEntryBytes = 16, kEntryData = 8, kEntryControl = 12;
struct Control {
  static constexpr Field TABLE_SIZE{10, 0};  // entries less one
  static constexpr Flag FUNCTION_MASK{14};
  static constexpr Flag ENABLE{15};
};
struct VectorControl {
  static constexpr Flag MASK{0};
};
}  // namespace msix

}  // namespace vtsim::device::pci
