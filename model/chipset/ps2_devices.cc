#include "model/chipset/ps2_devices.h"

#include <algorithm>

namespace vtsim::chipset {
namespace {

constexpr u8 kAck = 0xFA;
constexpr u8 kResend = 0xFE;
constexpr u8 kSelfTestPassed = 0xAA;

// Commands of both devices.
constexpr u8 kReadId = 0xF2;
constexpr u8 kSetRate = 0xF3;
constexpr u8 kEnable = 0xF4;
constexpr u8 kDisable = 0xF5;
constexpr u8 kSetDefaults = 0xF6;
constexpr u8 kRepeat = 0xFE;
constexpr u8 kReset = 0xFF;

namespace keyboard {
constexpr u8 kSetLeds = 0xED;
constexpr u8 kEcho = 0xEE;
constexpr u8 kScanCodeSet = 0xF0;
constexpr u8 kFirstSetAllKeys = 0xF7;  // to 0xFA: typematic, make and break for all keys of set 3
constexpr u8 kLastSetAllKeys = 0xFA;
constexpr std::array<u8, 3> kIdentity{kAck, 0xAB, 0x83};
}  // namespace keyboard

namespace mouse {
constexpr u8 kScaling1To1 = 0xE6;
constexpr u8 kScaling2To1 = 0xE7;
constexpr u8 kSetResolution = 0xE8;
constexpr u8 kStatusRequest = 0xE9;
constexpr u8 kStreamMode = 0xEA;
constexpr u8 kReadData = 0xEB;
constexpr u8 kResetWrap = 0xEC;
constexpr u8 kSetWrap = 0xEE;
constexpr u8 kRemoteMode = 0xF0;

constexpr std::array<u8, 3> kWheelKnock{200, 100, 80};
constexpr std::array<u8, 3> kFiveButtonKnock{200, 200, 80};
constexpr u8 kWheelId = 3;
constexpr u8 kFiveButtonId = 4;

struct Status {
  static constexpr Flag RIGHT{0};
  static constexpr Flag MIDDLE{1};
  static constexpr Flag LEFT{2};
  static constexpr Flag SCALING{4};
  static constexpr Flag ENABLED{5};
  static constexpr Flag REMOTE{6};
};
struct Buttons {
  static constexpr Flag LEFT{0};
  static constexpr Flag RIGHT{1};
  static constexpr Flag MIDDLE{2};
  static constexpr Field FIRST_THREE{2, 0};
  static constexpr Field EXTRA{4, 3};
};
struct Packet {  // its first byte
  static constexpr Field BUTTONS{2, 0};
  static constexpr Flag ALWAYS_1{3};
  static constexpr Flag X_SIGN{4};
  static constexpr Flag Y_SIGN{5};
};
struct WheelByte {  // the fourth byte with five buttons
  static constexpr Field WHEEL{3, 0};
  static constexpr Field BUTTONS{5, 4};
};
}  // namespace mouse

constexpr u8 kReleasePrefix = 0xF0;
constexpr Flag kReleased{7};

// Set 1 make codes by set 2 make codes. Beyond the table only 0x83 (F7) and 0x84 (SysRq) change.
constexpr std::array<u8, 128> kSet1{
    0xFF, 0x43, 0x41, 0x3F, 0x3D, 0x3B, 0x3C, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3E, 0x0F, 0x29, 0x59,
    0x65, 0x38, 0x2A, 0x70, 0x1D, 0x10, 0x02, 0x5A, 0x66, 0x71, 0x2C, 0x1F, 0x1E, 0x11, 0x03, 0x5B,
    0x67, 0x2E, 0x2D, 0x20, 0x12, 0x05, 0x04, 0x5C, 0x68, 0x39, 0x2F, 0x21, 0x14, 0x13, 0x06, 0x5D,
    0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5E, 0x6A, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5F,
    0x6B, 0x33, 0x25, 0x17, 0x18, 0x0B, 0x0A, 0x60, 0x6C, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0C, 0x61,
    0x6D, 0x73, 0x28, 0x74, 0x1A, 0x0D, 0x62, 0x6E, 0x3A, 0x36, 0x1C, 0x1B, 0x75, 0x2B, 0x63, 0x76,
    0x55, 0x56, 0x77, 0x78, 0x79, 0x7A, 0x0E, 0x7B, 0x7C, 0x4F, 0x7D, 0x4B, 0x47, 0x7E, 0x7F, 0x6F,
    0x52, 0x53, 0x50, 0x4C, 0x4D, 0x48, 0x01, 0x45, 0x57, 0x4E, 0x51, 0x4A, 0x37, 0x49, 0x46, 0x54};

u8 to_set_1(u8 set_2) {
  if (set_2 < kSet1.size()) return kSet1[set_2];
  if (set_2 == 0x83) return 0x41;
  if (set_2 == 0x84) return 0x54;
  return set_2;
}

}  // namespace

void Ps2Queue::push(u8 byte) {
  if (count_ == kCapacity) return;
  bytes_[(head_ + count_) % kCapacity] = byte;
  ++count_;
}

u8 Ps2Queue::pop() {
  const u8 byte = bytes_[head_];
  head_ = static_cast<u8>((head_ + 1u) % kCapacity);
  --count_;
  return byte;
}

void Ps2Output::answer(std::span<const u8> bytes) {
  if (queue.room() < bytes.size()) queue.clear();
  for (const u8 byte : bytes) queue.push(byte);
}

bool ScanCodeTranslator::translate(u8& byte) {
  if (byte == kReleasePrefix) {
    released = true;
    return false;
  }
  byte = to_set_1(byte);
  if (released) byte = static_cast<u8>(byte | kReleased.mask());
  released = false;
  return true;
}

// --- Keyboard ---

void Ps2Keyboard::set_defaults() {
  scan_code_set = 2;
  typematic = 0x2B;  // 10.9 characters a second after half a second
  to_set_1 = {};
}

void Ps2Keyboard::write(u8 value) {
  const u8 command = pending;
  pending = 0;
  // A command instead of the parameter takes its place.
  if (command == 0 || value >= keyboard::kSetLeds) {
    write_command(value);
  } else {
    write_parameter(command, value);
  }
}

void Ps2Keyboard::write_parameter(u8 command, u8 parameter) {
  if (command == keyboard::kSetLeds) {
    leds = parameter;
  } else if (command == kSetRate) {
    typematic = parameter;
  } else if (parameter == 0) {
    out.answer(std::array<u8, 2>{kAck, scan_code_set});
    return;
  } else if (parameter <= 2) {
    scan_code_set = parameter;
  } else {
    out.answer(kResend);
    return;
  }
  out.answer(kAck);
}

void Ps2Keyboard::write_command(u8 command) {
  switch (command) {
    case keyboard::kSetLeds:
    case keyboard::kScanCodeSet:
    case kSetRate:
      pending = command;
      break;
    case keyboard::kEcho:
      out.answer(keyboard::kEcho);
      return;
    case kReadId:
      out.answer(keyboard::kIdentity);
      return;
    case kEnable:
      out.queue.clear();
      scanning = true;
      break;
    case kDisable:
    case kSetDefaults:
      out.queue.clear();
      set_defaults();
      scanning = command == kSetDefaults;
      break;
    case kRepeat:
      out.answer(out.last);
      return;
    case kReset:
      out.queue.clear();
      set_defaults();
      leds = 0;
      scanning = true;
      out.answer(std::array<u8, 2>{kAck, kSelfTestPassed});
      return;
    default:
      if (command >= keyboard::kFirstSetAllKeys && command <= keyboard::kLastSetAllKeys) break;
      out.answer(kResend);
      return;
  }
  out.answer(kAck);
}

void Ps2Keyboard::key(std::span<const u8> code) {
  if (!scanning || out.queue.room() < code.size()) return;
  for (u8 byte : code) {
    if (scan_code_set == 2 || to_set_1.translate(byte)) out.queue.push(byte);
  }
}

// --- Mouse ---

void Ps2Mouse::set_defaults() {
  reporting = false;
  remote = false;
  scaling_2_to_1 = false;
  resolution = 2;
  sample_rate = 100;
  dx = dy = dz = 0;
}

u8 Ps2Mouse::status() const {
  using mouse::Status;
  const Reg<mouse::Buttons> pressed(buttons);
  return static_cast<u8>(Reg<Status>()
                             .with(Status::RIGHT, pressed[mouse::Buttons::RIGHT])
                             .with(Status::MIDDLE, pressed[mouse::Buttons::MIDDLE])
                             .with(Status::LEFT, pressed[mouse::Buttons::LEFT])
                             .with(Status::SCALING, scaling_2_to_1)
                             .with(Status::ENABLED, reporting)
                             .with(Status::REMOTE, remote)
                             .value);
}

void Ps2Mouse::write(u8 value) {
  if (wrap && value != mouse::kResetWrap && value != kReset) {
    out.answer(value);
    return;
  }
  const u8 command = pending;
  pending = 0;
  if (command == 0) {
    write_command(value);
  } else {
    write_parameter(command, value);
  }
}

void Ps2Mouse::write_parameter(u8 command, u8 parameter) {
  if (command == mouse::kSetResolution) {
    resolution = parameter;
  } else {
    sample_rate = parameter;
    knock = {knock[1], knock[2], parameter};
    if (knock == mouse::kWheelKnock) id = mouse::kWheelId;
    if (knock == mouse::kFiveButtonKnock) id = mouse::kFiveButtonId;
  }
  out.answer(kAck);
}

void Ps2Mouse::write_command(u8 command) {
  switch (command) {
    case mouse::kScaling1To1:
    case mouse::kScaling2To1:
      scaling_2_to_1 = command == mouse::kScaling2To1;
      break;
    case mouse::kSetResolution:
    case kSetRate:
      pending = command;
      break;
    case mouse::kStatusRequest:
      out.answer(std::array<u8, 4>{kAck, status(), resolution, sample_rate});
      return;
    case mouse::kStreamMode:
    case mouse::kRemoteMode:
      remote = command == mouse::kRemoteMode;
      break;
    case mouse::kReadData: {
      std::array<u8, 4> packet{};
      put_packet(packet);
      out.answer(kAck);
      out.answer(std::span(packet).first(packet_size()));
      return;
    }
    case mouse::kResetWrap:
    case mouse::kSetWrap:
      wrap = command == mouse::kSetWrap;
      break;
    case kReadId:
      out.answer(std::array<u8, 2>{kAck, id});
      return;
    case kEnable:
    case kDisable:
      reporting = command == kEnable;
      break;
    case kSetDefaults:
      set_defaults();
      break;
    case kRepeat:
      out.answer(out.last);
      return;
    case kReset:
      out.queue.clear();
      set_defaults();
      wrap = false;
      knock = {};
      id = 0;
      out.answer(std::array<u8, 3>{kAck, kSelfTestPassed, id});
      return;
    default:
      out.answer(kResend);
      return;
  }
  out.answer(kAck);
}

// The movement since the last packet, as much of it as a packet holds.
void Ps2Mouse::put_packet(std::span<u8, 4> packet) {
  using mouse::Buttons;
  using mouse::Packet;
  constexpr i32 kStep = 255;
  constexpr i32 kWheelStep = 7;
  const i32 x = std::clamp(dx, -kStep, kStep);
  const i32 y = std::clamp(dy, -kStep, kStep);
  const i32 z = std::clamp(dz, -kWheelStep, kWheelStep);
  dx -= x;
  dy -= y;
  dz -= id == 0 ? dz : z;  // without a wheel there is none to report
  packet[0] = static_cast<u8>(Reg<Packet>()
                                  .with(Packet::BUTTONS, Buttons::FIRST_THREE.get(buttons))
                                  .with(Packet::ALWAYS_1, 1)
                                  .with(Packet::X_SIGN, x < 0)
                                  .with(Packet::Y_SIGN, y < 0)
                                  .value);
  packet[1] = static_cast<u8>(x);
  packet[2] = static_cast<u8>(y);
  packet[3] = static_cast<u8>(z);
  if (id != mouse::kFiveButtonId) return;
  packet[3] = static_cast<u8>(Reg<mouse::WheelByte>()
                                  .with(mouse::WheelByte::WHEEL, packet[3])
                                  .with(mouse::WheelByte::BUTTONS, Buttons::EXTRA.get(buttons))
                                  .value);
}

void Ps2Mouse::send_packet() {
  std::array<u8, 4> packet{};
  put_packet(packet);
  out.answer(std::span(packet).first(packet_size()));
}

void Ps2Mouse::move(i32 right, i32 up, i32 wheel, u8 pressed) {
  const bool clicks = pressed != buttons;
  buttons = pressed;
  if (!reporting) return;
  dx += right;
  dy += up;
  dz += wheel;
  if (remote) return;
  if (clicks && out.queue.room() >= packet_size()) send_packet();
  while ((dx != 0 || dy != 0 || dz != 0) && out.queue.room() >= packet_size()) send_packet();
}

}  // namespace vtsim::chipset
