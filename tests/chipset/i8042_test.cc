#include "model/chipset/i8042.h"

#include <catch2/catch.hpp>
#include <vector>

using namespace vtsim;
using namespace vtsim::chipset;

namespace {

using Bytes = std::vector<unsigned>;
constexpr u8 kObf = 0x01, kSys = 0x04, kA2 = 0x08, kUnlocked = 0x10, kAux = 0x20;

struct Bench {
  std::vector<ResetKind> resets;
  I8042 kbc{[this](ResetKind kind, Ps) { resets.push_back(kind); }};

  void command(unsigned value) { kbc.write(1, 1, value, 0); }
  void data(unsigned value) { kbc.write(0, 1, value, 0); }
  unsigned status() { return static_cast<unsigned>(kbc.read(1, 1, 0)); }
  unsigned read() { return static_cast<unsigned>(kbc.read(0, 1, 0)); }
  // What comes as long as the output buffer is full.
  Bytes drain() {
    Bytes bytes;
    while (status() & kObf) bytes.push_back(read());
    return bytes;
  }
  unsigned ask(unsigned value) {
    command(value);
    return read();
  }
  void configure(unsigned value) {
    command(0x60);
    data(value);
  }
  Bytes keyboard(unsigned value) {
    data(value);
    return drain();
  }
  Bytes mouse(unsigned value) {
    command(0xD4);
    data(value);
    return drain();
  }
  void key(const std::vector<u8>& code) { kbc.key(code, 0); }
  bool irq1() { return kbc.keyboard_interrupt().level(); }
  bool irq12() { return kbc.mouse_interrupt().level(); }
};

constexpr unsigned kRaw = 0x03;  // both interrupts, no translation

}  // namespace

// --- Controller ---

TEST_CASE("8042: self test and interface tests pass") {
  Bench b;
  CHECK((b.status() & kSys) == 0);
  CHECK(b.ask(0xAA) == 0x55);
  CHECK((b.status() & kSys) == kSys);
  CHECK(b.ask(0xAB) == 0x00);
  CHECK(b.ask(0xA9) == 0x00);
  CHECK(b.ask(0xA4) == 0xF1);
}

TEST_CASE("8042: status tells command from data writes, the lock is open, input never full") {
  Bench b;
  b.command(0xAE);
  CHECK(b.status() == (kA2 | kUnlocked));
  b.configure(0x47);
  CHECK(b.status() == (kSys | kUnlocked));
}

TEST_CASE("8042: the configuration byte is read and written by 20 and 60") {
  Bench b;
  CHECK(b.ask(0x20) == 0x41);
  b.configure(0x65);
  CHECK(b.ask(0x20) == 0x65);
}

TEST_CASE("8042: the other bytes of its RAM hold what is written") {
  Bench b;
  b.command(0x7F);
  b.data(0x5A);
  CHECK(b.ask(0x3F) == 0x5A);
  CHECK(b.ask(0x20) == 0x41);
}

TEST_CASE("8042: AD, AE, A7 and A8 are bits 4 and 5 of the configuration") {
  Bench b;
  b.command(0xAD);
  CHECK((b.ask(0x20) & 0x30) == 0x10);
  b.command(0xA7);
  CHECK((b.ask(0x20) & 0x30) == 0x30);
  b.command(0xAE);
  CHECK((b.ask(0x20) & 0x30) == 0x20);
  b.command(0xA8);
  CHECK((b.ask(0x20) & 0x30) == 0x00);
}

TEST_CASE("8042: an unread output buffer keeps its byte, the controller's answer follows") {
  Bench b;
  b.configure(kRaw);
  b.key({0x1C});
  b.command(0xAA);
  CHECK(b.drain() == Bytes{0x1C, 0x55});
}

TEST_CASE("8042: reading an empty output buffer repeats the last byte") {
  Bench b;
  b.ask(0xAA);
  CHECK((b.status() & kObf) == 0);
  CHECK(b.read() == 0x55);
}

TEST_CASE("8042: D2 and D3 put a byte in the output buffer as from keyboard and mouse") {
  Bench b;
  b.configure(kRaw);
  b.command(0xD2);
  b.data(0x12);
  CHECK((b.status() & (kObf | kAux)) == kObf);
  CHECK(b.irq1());
  CHECK(b.read() == 0x12);
  b.command(0xD3);
  b.data(0x5A);
  CHECK((b.status() & (kObf | kAux)) == (kObf | kAux));
  CHECK(b.irq12());
  CHECK_FALSE(b.irq1());
  CHECK(b.read() == 0x5A);
}

TEST_CASE("8042: Linux finds a mouse port that is no multiplexer") {
  Bench b;
  for (const unsigned value : {0xF0u, 0x56u, 0xA4u}) {
    b.command(0xD3);
    b.data(value);
    CHECK(b.read() == value);  // a multiplexer answers the last with its version
  }
}

TEST_CASE("8042: IRQ1 and IRQ12 follow the output buffer if the configuration enables them") {
  Bench b;
  std::vector<bool> levels;
  b.kbc.keyboard_interrupt().connect([&](bool level, Ps) { levels.push_back(level); });
  b.configure(0x00);
  b.key({0x1C});
  CHECK(levels.empty());
  b.configure(0x01);
  CHECK(levels == std::vector<bool>{true});
  b.read();
  CHECK(levels == std::vector<bool>{true, false});
}

TEST_CASE("8042: each byte gives an edge") {
  Bench b;
  b.configure(kRaw);
  std::vector<bool> levels;
  b.kbc.keyboard_interrupt().connect([&](bool level, Ps) { levels.push_back(level); });
  b.key({0xE0, 0x75});
  b.read();
  b.read();
  CHECK(levels == std::vector<bool>{true, false, true, false});
}

TEST_CASE("8042: a disabled keyboard's bytes wait; a byte to it enables it") {
  Bench b;
  b.configure(kRaw | 0x10);
  b.key({0x1C});
  CHECK((b.status() & kObf) == 0);
  b.command(0xAE);
  CHECK(b.read() == 0x1C);
  b.command(0xAD);
  CHECK(b.keyboard(0xEE) == Bytes{0xEE});
  CHECK((b.ask(0x20) & 0x10) == 0);
}

TEST_CASE("8042: a disabled mouse's bytes wait") {
  Bench b;
  b.configure(kRaw);
  b.mouse(0xF4);
  b.command(0xA7);
  b.kbc.move_mouse(1, 0, 0, 0, 0);
  CHECK((b.status() & kObf) == 0);
  b.command(0xA8);
  CHECK(b.drain() == Bytes{0x08, 0x01, 0x00});
}

TEST_CASE("8042: A20 is on at reset and follows D1, DD and DF") {
  Bench b;
  CHECK(b.kbc.a20().level());
  b.command(0xDD);
  CHECK_FALSE(b.kbc.a20().level());
  CHECK((b.ask(0xD0) & 0x03) == 0x01);
  b.command(0xDF);
  CHECK(b.kbc.a20().level());
  b.command(0xD1);
  b.data(0xDD);
  CHECK_FALSE(b.kbc.a20().level());
  b.kbc.reset(0);
  CHECK(b.kbc.a20().level());
  CHECK(b.resets.empty());
}

TEST_CASE("8042: pulsing bit 0 of the output port resets the processor, once") {
  Bench b;
  b.command(0xFE);
  CHECK(b.resets.size() == 1);
  b.command(0xFF);
  b.command(0xF1);
  CHECK(b.resets.size() == 1);
  b.command(0xF0);
  CHECK(b.resets.size() == 2);
}

TEST_CASE("8042: writing bit 0 of the output port as zero sends INIT; it reads as one after it") {
  Bench b;
  const unsigned port = b.ask(0xD0);
  CHECK((port & 0xC3) == 0xC3);
  b.command(0xD1);
  b.data(port & ~1u);
  CHECK(b.resets == std::vector<ResetKind>{ResetKind::kInit});
  CHECK((b.ask(0xD0) & 1) == 1);
}

TEST_CASE("8042: the output port shows the interrupt lines") {
  Bench b;
  b.configure(kRaw);
  b.key({0x1C});
  b.command(0xD0);
  b.read();
  CHECK((b.read() & 0x30) == 0x10);
}

TEST_CASE("8042: a new command drops the parameter of the last") {
  Bench b;
  b.configure(kRaw);
  b.command(0x60);
  b.command(0xAE);
  b.data(0xEE);  // goes to the keyboard
  CHECK(b.drain() == Bytes{0xEE});
  CHECK(b.ask(0x20) == kRaw);
}

// --- Translation ---

TEST_CASE("8042: translation turns set 2 into set 1, F0 becoming bit 7") {
  struct Case {
    std::vector<u8> set_2;
    Bytes set_1;
  };
  const std::vector<Case> cases = {
      {{0x76}, {0x01}},                          // Esc
      {{0x1C}, {0x1E}},                          // A
      {{0xF0, 0x1C}, {0x9E}},                    // A released
      {{0x5A}, {0x1C}},                          // Enter
      {{0x29}, {0x39}},                          // Space
      {{0x12}, {0x2A}},                          // left Shift
      {{0x59}, {0x36}},                          // right Shift
      {{0x05}, {0x3B}},                          // F1
      {{0x83}, {0x41}},                          // F7
      {{0xF0, 0x83}, {0xC1}},                    // F7 released
      {{0x07}, {0x58}},                          // F12
      {{0xE0, 0x75}, {0xE0, 0x48}},              // up
      {{0xE0, 0xF0, 0x75}, {0xE0, 0xC8}},        // up released
      {{0xE0, 0x71}, {0xE0, 0x53}},              // Delete
      {{0xE1, 0x14, 0x77}, {0xE1, 0x1D, 0x45}},  // Pause, its first half
  };
  Bench b;
  b.configure(0x43);
  for (const Case& c : cases) {
    b.key(c.set_2);
    CHECK(b.drain() == c.set_1);
  }
}

TEST_CASE("8042: the translation is one to one on the codes of keys") {
  std::vector<bool> seen(256);
  for (unsigned code = 1; code < 0x80; ++code) {
    ScanCodeTranslator translator;
    u8 byte = static_cast<u8>(code);
    REQUIRE(translator.translate(byte));
    CHECK_FALSE(seen[byte]);
    seen[byte] = true;
  }
}

// --- Keyboard ---

TEST_CASE("keyboard: reset acknowledges, passes its self test, and scans") {
  Bench b;
  b.configure(kRaw);
  b.keyboard(0xF5);
  b.key({0x1C});
  CHECK(b.drain().empty());
  CHECK(b.keyboard(0xFF) == Bytes{0xFA, 0xAA});
  b.key({0x1C});
  CHECK(b.drain() == Bytes{0x1C});
}

TEST_CASE("keyboard: identifies as AB 83, through the translation as AB 41") {
  Bench b;
  b.configure(kRaw);
  CHECK(b.keyboard(0xF2) == Bytes{0xFA, 0xAB, 0x83});
  b.configure(0x43);
  CHECK(b.keyboard(0xF2) == Bytes{0xFA, 0xAB, 0x41});
}

TEST_CASE("keyboard: LEDs and typematic rate take a parameter, each byte is acknowledged") {
  Bench b;
  CHECK(b.keyboard(0xED) == Bytes{0xFA});
  CHECK(b.keyboard(0x02) == Bytes{0xFA});
  CHECK(b.kbc.state().keyboard.leds == 0x02);
  CHECK(b.keyboard(0xF3) == Bytes{0xFA});
  CHECK(b.keyboard(0x20) == Bytes{0xFA});
  CHECK(b.kbc.state().keyboard.typematic == 0x20);
}

TEST_CASE("keyboard: a command in place of a parameter is executed") {
  Bench b;
  b.keyboard(0xED);
  CHECK(b.keyboard(0xF4) == Bytes{0xFA});
  CHECK(b.keyboard(0xEE) == Bytes{0xEE});
}

TEST_CASE("keyboard: scan code sets 1 and 2 can be chosen and asked for, set 3 is refused") {
  Bench b;
  b.configure(kRaw);
  b.keyboard(0xF0);
  CHECK(b.keyboard(0x00) == Bytes{0xFA, 0x02});
  b.keyboard(0xF0);
  CHECK(b.keyboard(0x01) == Bytes{0xFA});
  b.key({0xF0, 0x1C});
  CHECK(b.drain() == Bytes{0x9E});
  b.keyboard(0xF0);
  CHECK(b.keyboard(0x03) == Bytes{0xFE});
  b.keyboard(0xF6);
  b.key({0xF0, 0x1C});
  CHECK(b.drain() == Bytes{0xF0, 0x1C});
}

TEST_CASE("keyboard: F4 and F5 turn scanning on and off") {
  Bench b;
  b.configure(kRaw);
  CHECK(b.keyboard(0xF5) == Bytes{0xFA});
  b.key({0x1C});
  CHECK(b.drain().empty());
  CHECK(b.keyboard(0xF4) == Bytes{0xFA});
  b.key({0x1C});
  CHECK(b.drain() == Bytes{0x1C});
}

TEST_CASE("keyboard: FE repeats the last byte, an unknown command is answered by FE") {
  Bench b;
  b.configure(kRaw);
  b.keyboard(0xEE);
  CHECK(b.keyboard(0xFE) == Bytes{0xEE});
  CHECK(b.keyboard(0x05) == Bytes{0xFE});
}

TEST_CASE("keyboard: a code that does not fit whole is lost whole") {
  Bench b;
  b.configure(kRaw);
  for (int i = 0; i < 20; ++i) b.key({0xF0, 0x1C});
  const Bytes bytes = b.drain();
  CHECK(bytes.size() >= 16);
  CHECK(bytes.size() % 2 == 0);
  for (std::size_t i = 0; i < bytes.size(); ++i) CHECK(bytes[i] == (i % 2 == 0 ? 0xF0 : 0x1C));
}

// --- Mouse ---

TEST_CASE("mouse: reset acknowledges, passes its self test and gives the identity 0") {
  Bench b;
  CHECK(b.mouse(0xFF) == Bytes{0xFA, 0xAA, 0x00});
  CHECK(b.mouse(0xF2) == Bytes{0xFA, 0x00});
}

TEST_CASE("mouse: its bytes are marked in the status and never translated") {
  Bench b;
  b.configure(0x43);
  b.command(0xD4);
  b.data(0xF2);
  CHECK((b.status() & (kObf | kAux)) == (kObf | kAux));
  CHECK(b.irq12());
  CHECK(b.drain() == Bytes{0xFA, 0x00});
  b.mouse(0xE8);
  CHECK(b.mouse(0x01) == Bytes{0xFA});
  CHECK(b.mouse(0xE9) == Bytes{0xFA, 0x00, 0x01, 100});  // 01 would translate to 43
}

TEST_CASE("mouse: sample rates 200, 100, 80 make it a wheel mouse, 200, 200, 80 one of 5 buttons") {
  Bench b;
  const auto knock = [&](std::initializer_list<unsigned> rates) {
    for (const unsigned rate : rates) {
      b.mouse(0xF3);
      b.mouse(rate);
    }
    return b.mouse(0xF2);
  };
  CHECK(knock({200, 100, 80}) == Bytes{0xFA, 0x03});
  CHECK(knock({200, 200, 80}) == Bytes{0xFA, 0x04});
  b.mouse(0xFF);
  CHECK(knock({200, 80, 100}) == Bytes{0xFA, 0x00});
}

TEST_CASE("mouse: status request: mode, scaling, buttons, resolution, rate") {
  Bench b;
  b.mouse(0xF4);
  b.mouse(0xE7);
  b.mouse(0xE8);
  b.mouse(0x03);
  b.mouse(0xF3);
  b.mouse(40);
  b.kbc.move_mouse(0, 0, 0, 0x01, 0);  // left
  b.drain();
  CHECK(b.mouse(0xE9) == Bytes{0xFA, 0x34, 0x03, 40});
  b.mouse(0xF0);
  b.mouse(0xE6);
  CHECK(b.mouse(0xE9) == Bytes{0xFA, 0x64, 0x03, 40});
  b.mouse(0xF6);
  CHECK(b.mouse(0xE9) == Bytes{0xFA, 0x04, 0x02, 100});
}

TEST_CASE("mouse: reports movement only after F4, as a packet of three bytes") {
  Bench b;
  b.kbc.move_mouse(5, 5, 0, 0, 0);
  CHECK(b.drain().empty());
  b.mouse(0xF4);
  b.kbc.move_mouse(5, -3, 0, 0x02, 0);
  CHECK(b.drain() == Bytes{0x2A, 0x05, 0xFD});
  b.kbc.move_mouse(0, 0, 0, 0x04, 0);
  CHECK(b.drain() == Bytes{0x0C, 0x00, 0x00});
  b.mouse(0xF5);
  b.kbc.move_mouse(9, 9, 0, 0, 0);
  CHECK(b.drain().empty());
}

TEST_CASE("mouse: a movement larger than a packet holds is reported in parts") {
  Bench b;
  b.mouse(0xF4);
  b.kbc.move_mouse(300, -300, 0, 0, 0);
  CHECK(b.drain() == Bytes{0x28, 0xFF, 0x01, 0x28, 45, 0xD3});
}

TEST_CASE("mouse: the fourth byte is the wheel, with five buttons also buttons 4 and 5") {
  Bench b;
  for (const unsigned value : {0xF3u, 200u, 0xF3u, 100u, 0xF3u, 80u, 0xF4u}) b.mouse(value);
  b.kbc.move_mouse(0, 0, -1, 0, 0);
  CHECK(b.drain() == Bytes{0x08, 0, 0, 0xFF});
  for (const unsigned value : {0xF3u, 200u, 0xF3u, 200u, 0xF3u, 80u}) b.mouse(value);
  b.kbc.move_mouse(0, 0, -1, 0x18, 0);
  CHECK(b.drain() == Bytes{0x08, 0, 0, 0x3F});
}

TEST_CASE("mouse: in remote mode it reports only when asked") {
  Bench b;
  b.mouse(0xF4);
  b.mouse(0xF0);
  b.kbc.move_mouse(1, 2, 0, 0, 0);
  CHECK(b.drain().empty());
  CHECK(b.mouse(0xEB) == Bytes{0xFA, 0x08, 1, 2});
  CHECK(b.mouse(0xEB) == Bytes{0xFA, 0x08, 0, 0});
}

TEST_CASE("mouse: wrap mode echoes all but its end and reset") {
  Bench b;
  b.mouse(0xEE);
  CHECK(b.mouse(0xF4) == Bytes{0xF4});
  CHECK(b.mouse(0x55) == Bytes{0x55});
  CHECK(b.mouse(0xEC) == Bytes{0xFA});
  CHECK(b.mouse(0xEE) == Bytes{0xFA});
  CHECK(b.mouse(0xFF) == Bytes{0xFA, 0xAA, 0x00});
  CHECK(b.mouse(0xF2) == Bytes{0xFA, 0x00});
}

TEST_CASE("mouse: an unknown command is answered by FE") {
  Bench b;
  CHECK(b.mouse(0xE1) == Bytes{0xFE});
}

TEST_CASE("8042: a restored controller holds the same bytes") {
  Bench a;
  a.configure(kRaw);
  a.key({0xE0, 0x75});
  Bench b;
  b.kbc.restore(a.kbc.state());
  CHECK(b.drain() == Bytes{0xE0, 0x75});
}
