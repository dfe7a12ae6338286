#include "model/chipset/i8042.h"

#include <utility>

namespace vtsim::chipset {
namespace {

struct Status {
  static constexpr Flag OBF{0};
  static constexpr Flag SYS{2};
  static constexpr Flag A2{3};
  static constexpr Flag NOT_LOCKED{4};
  static constexpr Flag AUX{5};
};
struct Configuration {
  static constexpr Flag INT1{0};
  static constexpr Flag INT12{1};
  static constexpr Flag SYS{2};
  static constexpr Flag NO_KEYBOARD{4};
  static constexpr Flag NO_MOUSE{5};
  static constexpr Flag TRANSLATE{6};
};
struct OutputPort {
  static constexpr Flag NOT_RESET{0};
  static constexpr Flag A20{1};
  static constexpr Flag IRQ1{4};
  static constexpr Flag IRQ12{5};
  static constexpr Field LINES{7, 6};
};
struct RamCommand {
  static constexpr Field INDEX{4, 0};
};

enum Command : u8 {
  kReadRam = 0x20,   // to 0x3F
  kWriteRam = 0x60,  // to 0x7F
  kTestPassword = 0xA4,
  kDisableMouse = 0xA7,
  kEnableMouse = 0xA8,
  kTestMouse = 0xA9,
  kSelfTest = 0xAA,
  kTestKeyboard = 0xAB,
  kDisableKeyboard = 0xAD,
  kEnableKeyboard = 0xAE,
  kReadInputPort = 0xC0,
  kReadOutputPort = 0xD0,
  kWriteOutputPort = 0xD1,
  kWriteKeyboardBuffer = 0xD2,
  kWriteMouseBuffer = 0xD3,
  kWriteMouse = 0xD4,
  kA20Off = 0xDD,
  kA20On = 0xDF,
  kReadTestInputs = 0xE0,
  kPulse = 0xF0,  // to 0xFF: the bits that are zero
};

constexpr u8 kNoPassword = 0xF1;
constexpr u8 kSelfTestPassed = 0x55;
constexpr u8 kInterfacePassed = 0x00;
constexpr u8 kInputPort = 0x80;   // keyboard not inhibited
constexpr u8 kTestInputs = 0x00;  // no clock is high

}  // namespace

I8042::I8042(ResetSink reset) : reset_(std::move(reset)) { this->reset(0); }

void I8042::reset(Ps now) {
  state_ = {};
  configuration() = static_cast<u8>(Configuration::INT1.mask() | Configuration::TRANSLATE.mask());
  state_.output_port = static_cast<u8>(OutputPort::NOT_RESET.mask() | OutputPort::A20.mask() |
                                       OutputPort::LINES.mask());
  a20_.set(true, now);
  drive(now);
}

u8 I8042::status() const {
  const bool aux = state_.output_full && state_.source == Source::kMouse;
  return static_cast<u8>(
      Reg<Status>()
          .with(Status::OBF, state_.output_full)
          .with(Status::SYS, Reg<Configuration>(state_.ram[0])[Configuration::SYS])
          .with(Status::A2, state_.last_was_command)
          .with(Status::NOT_LOCKED, 1)
          .with(Status::AUX, aux)
          .value);
}

u8 I8042::output_port() const {
  return static_cast<u8>(Reg<OutputPort>(state_.output_port)
                             .with(OutputPort::IRQ1, requests(Source::kKeyboard))
                             .with(OutputPort::IRQ12, requests(Source::kMouse))
                             .value);
}

// --- Output buffer ---

void I8042::put(u8 byte, Source source) {
  state_.output_full = true;
  state_.output = byte;
  state_.source = source;
}

void I8042::answer(u8 byte, Source source) {
  state_.answer_waits = true;
  state_.answer = byte;
  state_.answer_source = source;
}

bool I8042::fill_from_keyboard() {
  const Reg<Configuration> configuration(state_.ram[0]);
  if (configuration[Configuration::NO_KEYBOARD]) return false;
  while (!state_.keyboard.out.queue.empty()) {
    u8 byte = state_.keyboard.out.take();
    if (configuration[Configuration::TRANSLATE] && !state_.translator.translate(byte)) continue;
    put(byte, Source::kKeyboard);
    return true;
  }
  return false;
}

bool I8042::fill_from_mouse() {
  const bool disabled = Reg<Configuration>(state_.ram[0])[Configuration::NO_MOUSE];
  if (disabled || state_.mouse.out.queue.empty()) return false;
  put(state_.mouse.out.take(), Source::kMouse);
  return true;
}

// The controller's answers go first, then the keyboard's bytes, then the mouse's.
void I8042::fill() {
  if (state_.output_full) return;
  if (state_.answer_waits) {
    state_.answer_waits = false;
    put(state_.answer, state_.answer_source);
  } else if (!fill_from_keyboard()) {
    fill_from_mouse();
  }
}

bool I8042::requests(Source source) const {
  const Flag enable = source == Source::kMouse ? Configuration::INT12 : Configuration::INT1;
  const bool enabled = Reg<Configuration>(state_.ram[0])[enable];
  return state_.output_full && state_.source == source && enabled;
}

void I8042::drive(Ps now) {
  irq1_.set(requests(Source::kKeyboard), now);
  irq12_.set(requests(Source::kMouse), now);
}

void I8042::key(std::span<const u8> code, Ps now) {
  state_.keyboard.key(code);
  fill();
  drive(now);
}

void I8042::move_mouse(i32 right, i32 up, i32 wheel, u8 buttons, Ps now) {
  state_.mouse.move(right, up, wheel, buttons);
  fill();
  drive(now);
}

// --- Ports ---

u8 I8042::read_byte(u64 offset, Ps now) {
  if (offset == 1) return status();
  const u8 value = state_.output;
  state_.output_full = false;
  drive(now);  // an edge for each byte
  fill();
  drive(now);
  return value;
}

void I8042::write_byte(u64 offset, u8 value, Ps now) {
  state_.last_was_command = offset == 1;
  if (offset == 1) {
    state_.pending = 0;
    write_command(value, now);
  } else if (state_.pending != 0) {
    const u8 command = std::exchange(state_.pending, u8{0});
    write_parameter(command, value, now);
  } else {
    // A byte for the keyboard enables its interface.
    configuration() &= static_cast<u8>(~Configuration::NO_KEYBOARD.mask());
    state_.keyboard.write(value);
  }
  fill();
  drive(now);
}

// The chipset takes a falling RCIN# as a pulse: the line is back high when software looks again.
void I8042::write_output_port(u8 value, Ps now) {
  constexpr u64 kInterrupts = OutputPort::IRQ1.mask() | OutputPort::IRQ12.mask();
  state_.output_port = static_cast<u8>((value & ~kInterrupts) | OutputPort::NOT_RESET.mask());
  a20_.set(Reg<OutputPort>(value)[OutputPort::A20], now);
  if (!Reg<OutputPort>(value)[OutputPort::NOT_RESET]) reset_(ResetKind::kInit, now);
}

void I8042::write_command(u8 command, Ps now) {
  const auto set = [&](Flag flag, bool on) {
    configuration() = static_cast<u8>(Reg<Configuration>(configuration()).with(flag, on).value);
  };
  switch (command) {
    case kTestPassword:
      answer(kNoPassword);
      return;
    case kDisableMouse:
    case kEnableMouse:
      set(Configuration::NO_MOUSE, command == kDisableMouse);
      return;
    case kSelfTest:
      set(Configuration::SYS, true);
      answer(kSelfTestPassed);
      return;
    case kTestMouse:
    case kTestKeyboard:
      answer(kInterfacePassed);
      return;
    case kDisableKeyboard:
    case kEnableKeyboard:
      set(Configuration::NO_KEYBOARD, command == kDisableKeyboard);
      return;
    case kReadInputPort:
      answer(kInputPort);
      return;
    case kReadOutputPort:
      answer(output_port());
      return;
    case kWriteOutputPort:
    case kWriteKeyboardBuffer:
    case kWriteMouseBuffer:
    case kWriteMouse:
      state_.pending = command;
      return;
    case kA20Off:
    case kA20On:
      write_output_port(
          static_cast<u8>(
              Reg<OutputPort>(state_.output_port).with(OutputPort::A20, command == kA20On).value),
          now);
      return;
    case kReadTestInputs:
      answer(kTestInputs);
      return;
    default:
      break;
  }
  const auto index = RamCommand::INDEX.get(command);
  if (command - index == kReadRam) {
    answer(state_.ram[index]);
  } else if (command - index == kWriteRam) {
    state_.pending = command;
  } else if (command >= kPulse && !Reg<OutputPort>(command)[OutputPort::NOT_RESET]) {
    reset_(ResetKind::kInit, now);
  }
}

void I8042::write_parameter(u8 command, u8 value, Ps now) {
  switch (command) {
    case kWriteOutputPort:
      write_output_port(value, now);
      break;
    case kWriteKeyboardBuffer:
      answer(value);
      break;
    case kWriteMouseBuffer:
      answer(value, Source::kMouse);
      break;
    case kWriteMouse:
      configuration() &= static_cast<u8>(~Configuration::NO_MOUSE.mask());
      state_.mouse.write(value);
      break;
    default:
      state_.ram[RamCommand::INDEX.get(command)] = value;
  }
}

}  // namespace vtsim::chipset
