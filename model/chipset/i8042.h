#pragma once
// The 8042 keyboard controller of a PC with PS/2 mouse, a keyboard and a mouse attached.
//
//   offset  port   read            write
//   0       0x60   output buffer   parameter of the last command, or a byte to the keyboard
//   1       0x64   status          command
//
//   Status         7 parity  6 time-out  5 data from the mouse  4 not locked  3 last write: command
//                  2 system flag  1 input buffer full  0 output buffer full
//   Configuration  6 translate to set 1  5 mouse disabled  4 keyboard disabled  2 system flag
//                  1 IRQ12 enabled  0 IRQ1 enabled
//   Output port    7:6 keyboard clock, data  5 IRQ12  4 IRQ1  1 A20  0 not reset
//
// Source: IBM Personal System/2 Hardware Interface Technical Reference, "Keyboard and Auxiliary
// Device Controller". The controller and its devices answer at once: the input buffer is never
// full.

#include <array>

#include "model/chipset/ps2_devices.h"
#include "model/chipset/reset_control.h"

namespace vtsim::chipset {

class I8042 : public ByteTarget {
 public:
  static constexpr std::array<PortRange, 2> kPorts{{
      {0x60, 1, 0, "i8042.data"},
      {0x64, 1, 1, "i8042.command"},
  }};

  enum class Source : u8 { kKeyboard, kMouse };

  struct State {
    std::array<u8, 32> ram{};  // the first byte is the configuration
    u8 output_port = 0;        // without the interrupts' bits
    u8 pending = 0;            // the command whose parameter is next, or 0
    bool last_was_command = false;
    bool output_full = false;
    u8 output = 0;
    Source source = Source::kKeyboard;
    // The controller's own answer, while the output buffer is occupied.
    bool answer_waits = false;
    u8 answer = 0;
    Source answer_source = Source::kKeyboard;
    ScanCodeTranslator translator;
    Ps2Keyboard keyboard;
    Ps2Mouse mouse;
  };

  explicit I8042(ResetSink reset);

  Wire& keyboard_interrupt() { return irq1_; }
  Wire& mouse_interrupt() { return irq12_; }
  // High: this gate lets A20 through; see Port92.
  Wire& a20() { return a20_; }

  // A key's make or break code in scan code set 2.
  void key(std::span<const u8> code, Ps now);
  // Movement in counts: right, up, wheel towards the user; buttons as in Ps2Mouse.
  void move_mouse(i32 right, i32 up, i32 wheel, u8 buttons, Ps now);

  // Power-on and hard reset: A20 on, translation and IRQ1 enabled.
  void reset(Ps now);

  const State& state() const { return state_; }
  void restore(const State& state) { state_ = state; }

 private:
  u8 read_byte(u64 offset, Ps now) override;
  void write_byte(u64 offset, u8 value, Ps now) override;
  u8 status() const;
  u8 output_port() const;
  bool requests(Source source) const;
  u8& configuration() { return state_.ram[0]; }
  void write_command(u8 command, Ps now);
  void write_parameter(u8 command, u8 value, Ps now);
  void write_output_port(u8 value, Ps now);
  void answer(u8 byte, Source source = Source::kKeyboard);
  void put(u8 byte, Source source);
  bool fill_from_keyboard();
  bool fill_from_mouse();
  void fill();
  void drive(Ps now);

  ResetSink reset_;
  State state_;
  Wire irq1_;
  Wire irq12_;
  Wire a20_;
};

static_assert(disjoint(I8042::kPorts));

}  // namespace vtsim::chipset
