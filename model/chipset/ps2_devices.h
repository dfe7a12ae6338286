#pragma once
// A keyboard and a mouse on the PS/2 ports of the keyboard controller: plain data with the commands
// that they answer, at once. The controller takes bytes from `out` when its output buffer is free.
//
// Source: IBM Personal System/2 Hardware Interface Technical Reference, "Keyboard and Auxiliary
// Device Controller"; Microsoft IntelliMouse extensions (the knock by sample rates). Not modelled:
// scan code set 3, which the keyboard refuses.

#include <array>
#include <span>

#include "model/base/bits.h"

namespace vtsim::chipset {

class Ps2Queue {
 public:
  static constexpr unsigned kCapacity = 16;

  bool empty() const { return count_ == 0; }
  unsigned room() const { return kCapacity - count_; }
  void clear() { count_ = 0; }
  void push(u8 byte);
  u8 pop();

 private:
  std::array<u8, kCapacity> bytes_{};
  u8 head_ = 0;
  u8 count_ = 0;
};

// What a device sends: keeps the last byte for a repetition, and makes room for answers.
struct Ps2Output {
  Ps2Queue queue;
  u8 last = 0;

  u8 take() { return last = queue.pop(); }
  void answer(std::span<const u8> bytes);
  void answer(u8 byte) { answer(std::span(&byte, 1)); }
};

// The 8042's translation of scan code set 2 to set 1, a byte at a time.
struct ScanCodeTranslator {
  bool released = false;  // after 0xF0

  // False: the byte is a prefix that is kept back.
  bool translate(u8& byte);
};

struct Ps2Keyboard {
  Ps2Output out;
  bool scanning = true;
  u8 scan_code_set = 2;
  u8 leds = 0;
  u8 typematic = 0;
  u8 pending = 0;  // the command whose parameter is next, or 0
  ScanCodeTranslator to_set_1;

  // A byte from the controller.
  void write(u8 value);
  // A key's make or break code in set 2; lost if scanning is off or the queue has no room for all.
  void key(std::span<const u8> code);

 private:
  void write_command(u8 command);
  void write_parameter(u8 command, u8 parameter);
  void set_defaults();
};

struct Ps2Mouse {
  Ps2Output out;
  bool reporting = false;
  bool remote = false;
  bool wrap = false;
  bool scaling_2_to_1 = false;
  u8 resolution = 2;  // 4 counts a millimetre
  u8 sample_rate = 100;
  std::array<u8, 3> knock{};  // the last sample rates set
  u8 id = 0;                  // 0: three buttons, 3: with a wheel, 4: with five buttons
  u8 pending = 0;
  i32 dx = 0, dy = 0, dz = 0;  // not yet reported: right, up, towards the user
  u8 buttons = 0;              // 4:0 fifth, fourth, middle, right, left

  void write(u8 value);
  void move(i32 right, i32 up, i32 wheel, u8 pressed);

 private:
  void write_command(u8 command);
  void write_parameter(u8 command, u8 parameter);
  void set_defaults();
  u8 status() const;
  unsigned packet_size() const { return id == 0 ? 3 : 4; }
  void put_packet(std::span<u8, 4> packet);
  void send_packet();
};

}  // namespace vtsim::chipset
