#include "model/chipset/smbus.h"

#include "model/base/bits.h"

namespace vtsim::chipset {
namespace {

constexpr device::PciIdentity kIdentity{.vendor = 0x8086,
                                        .device = 0x2930,
                                        .revision = 0x02,
                                        .class_code = 0x0c'0500,
                                        .subsystem_vendor = 0x8086,
                                        .subsystem = 0x2930,
                                        .interrupt_pin = 2,
                                        .multifunction = true};

constexpr unsigned kHostConfig = 0x40;
struct HostConfig {
  static constexpr Flag HST_EN{0};
  static constexpr Flag I2C_EN{2};
};
constexpr device::ConfigRow kRows[] = {
    {"HOSTC", kHostConfig, 1, 0, 0x07},
};

constexpr u64 kStatus = 0x00, kControl = 0x02, kAuxStatus = 0x0c;
struct HostStatus {
  static constexpr Flag INUSE{6};
  static constexpr Flag DEV_ERR{2};
  static constexpr u8 kW1c = 0xfe;
  static constexpr u8 kInterrupts = 0x9e;  // those that raise the interrupt, INTREN set
};
struct HostControl {
  static constexpr Flag START{6};
  static constexpr Flag INTREN{0};
  static constexpr u8 kStored = 0x9f;
};
constexpr u8 kAuxW1c = 0x03;

}  // namespace

SmbusController::SmbusController() : PciFunction("smbus", kIdentity) {
  add_rows(kRows);
  add_bar({.index = 4, .kind = device::BarKind::kIo, .bytes = kBytes, .target = &registers_});
}

void SmbusController::reset(Ps now) {
  host_ = {};
  PciFunction::reset(now);
}

u64 SmbusController::Registers::read(u64 offset, unsigned size, Ps /*now*/) {
  u64 value = 0;
  for (unsigned i = 0; i < size; ++i) {
    value = Field{8 * i + 7, 8 * i}.put(value, controller_.read_byte(offset + i));
  }
  return value;
}

void SmbusController::Registers::write(u64 offset, unsigned size, u64 value, Ps now) {
  for (unsigned i = 0; i < size; ++i) {
    controller_.write_byte(offset + i, static_cast<u8>(bits(value, 8 * i + 7, 8 * i)), now);
  }
}

u8 SmbusController::read_byte(u64 offset) {
  const u8 value = host_.registers[offset];
  if (offset == kStatus) status() = static_cast<u8>(value | HostStatus::INUSE.mask());
  return value;
}

void SmbusController::write_byte(u64 offset, u8 value, Ps now) {
  u8& stored = host_.registers[offset];
  if (offset == kStatus) {
    stored = static_cast<u8>(stored & ~(value & HostStatus::kW1c));
  } else if (offset == kAuxStatus) {
    stored = static_cast<u8>(stored & ~(value & kAuxW1c));
  } else if (offset == kControl) {
    stored = value & HostControl::kStored;
    if (bit(value, HostControl::START.position)) start(now);
  } else {
    stored = value;
  }
  update_interrupt(now);
}

void SmbusController::start(Ps /*now*/) {
  const bool enabled = Reg<HostConfig>(config_get(kHostConfig, 1))[HostConfig::HST_EN];
  if (enabled) status() = static_cast<u8>(status() | HostStatus::DEV_ERR.mask());
}

void SmbusController::update_interrupt(Ps now) {
  const bool enabled = bit(host_.registers[kControl], HostControl::INTREN.position);
  set_interrupt_level(enabled && (status() & HostStatus::kInterrupts) != 0, now);
}

}  // namespace vtsim::chipset
