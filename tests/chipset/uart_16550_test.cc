#include "model/chipset/uart_16550.h"

#include <catch2/catch.hpp>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

using namespace vtsim;
using namespace vtsim::chipset;

namespace {

constexpr u64 kRbr = 0, kThr = 0, kDll = 0, kIer = 1, kDlm = 1, kIir = 2, kFcr = 2, kLcr = 3,
              kMcr = 4, kLsr = 5, kMsr = 6, kScr = 7;
constexpr u8 kErbfi = 1, kEtbei = 2, kElsi = 4, kEdssi = 8;
constexpr u8 kDtr = 1, kRts = 2, kOut1 = 4, kOut2 = 8, kLoop = 16;

using Pacing = UartConfig::Pacing;

struct Bench {
  EventQueue events;
  std::string sent;
  std::vector<Ps> sent_at;
  std::vector<bool> irq;
  Uart16550 uart;
  Ps now = 1000;

  explicit Bench(const UartConfig& config = {})
      : uart(events, config, [this](u8 byte, Ps when) {
          sent += static_cast<char>(byte);
          sent_at.push_back(when);
        }) {
    uart.interrupt().connect([this](bool level, Ps) { irq.push_back(level); });
    out(kMcr, kOut2);
  }
  explicit Bench(Pacing pacing) : Bench(with(pacing)) {}
  static UartConfig with(Pacing pacing) {
    UartConfig config;
    config.pacing = pacing;
    return config;
  }
  void run(Ps time) {
    now += time;
    events.run_until(now);
  }
  void out(u64 offset, unsigned value) { uart.write(offset, 1, value, now); }
  unsigned in(u64 offset) { return static_cast<unsigned>(uart.read(offset, 1, now)); }
  void type(std::string_view text) {
    const std::vector<u8> bytes(text.begin(), text.end());
    uart.receive(bytes, now);
  }
  std::string read_all() {
    std::string text;
    while (in(kLsr)&1) text += static_cast<char>(in(kRbr));
    return text;
  }
  void set_divisor(unsigned divisor) {
    const unsigned lcr = in(kLcr);
    out(kLcr, lcr | 0x80);
    out(kDll, divisor % 256);
    out(kDlm, divisor / 256);
    out(kLcr, lcr);
  }
  bool line() { return uart.interrupt().level(); }
};

// 8 data bits, no parity, 1 stop bit at 115200 baud: 10 bits.
constexpr Ps kCharacter = 10 * kPsPerSecond / 115200 + 1;

void use_8n1_115200(Bench& b) {
  b.out(kLcr, 0x03);
  b.set_divisor(1);
}

std::string letters(unsigned count) {
  std::string text(count, ' ');
  std::iota(text.begin(), text.end(), 'A');
  return text;
}

}  // namespace

// --- Registers ---

TEST_CASE("16550: master reset values") {
  Bench b;
  b.out(kLcr, 0x1B);
  b.out(kIer, 0x0F);
  b.out(kFcr, 0xC1);
  b.out(kScr, 0x5A);
  b.uart.reset(b.now);
  CHECK(b.in(kIer) == 0x00);
  CHECK(b.in(kIir) == 0x01);
  CHECK(b.in(kLcr) == 0x00);
  CHECK(b.in(kMcr) == 0x00);
  CHECK(b.in(kLsr) == 0x60);
  CHECK((b.in(kMsr)&0x0F) == 0x00);
  CHECK_FALSE(b.line());
}

TEST_CASE("16550: DLAB swaps RBR, THR and IER for the divisor") {
  Bench b;
  b.out(kIer, 0x05);
  b.out(kLcr, 0x80);
  b.out(kDll, 0x34);
  b.out(kDlm, 0x12);
  CHECK(b.in(kDll) == 0x34);
  CHECK(b.in(kDlm) == 0x12);
  b.out(kLcr, 0x03);
  CHECK(b.in(kIer) == 0x05);
  CHECK(b.sent.empty());
}

TEST_CASE("16550: unused bits of IER and MCR read as zero") {
  Bench b;
  b.out(kIer, 0xFF);
  CHECK(b.in(kIer) == 0x0F);
  b.out(kMcr, 0xFF);
  CHECK(b.in(kMcr) == 0x1F);
}

TEST_CASE("16550: LSR and MSR are read-only, SCR holds a byte") {
  Bench b;
  b.out(kLsr, 0xFF);
  b.out(kMsr, 0xFF);
  b.out(kScr, 0xA5);
  CHECK(b.in(kLsr) == 0x60);
  CHECK(b.in(kMsr) == 0xB0);
  CHECK(b.in(kScr) == 0xA5);
}

TEST_CASE("16550: Linux's autoconfiguration finds a 16550A and no relative of it") {
  Bench b;
  b.out(kIer, 0);
  CHECK((b.in(kIer)&0x0F) == 0);
  b.out(kIer, 0x0F);
  CHECK((b.in(kIer)&0x0F) == 0x0F);
  b.out(kIer, 0);
  b.out(kMcr, kLoop | kOut2 | kRts);
  CHECK((b.in(kMsr)&0xF0) == 0x90);
  b.out(kMcr, kOut2);
  b.out(kLcr, 0xBF);  // the 16650's and 16850's enhanced registers
  CHECK(b.in(2) != 0);
  b.out(kLcr, 0);
  b.out(kFcr, 0x01);
  CHECK((b.in(kIir) >> 5) == 6);
  b.out(kLcr, 0x80);
  b.out(kFcr, 0x21);  // the 16750's 64-byte FIFO
  CHECK((b.in(kIir) >> 5) == 6);
  b.out(kLcr, 0);
  b.out(kIer, 0x40);  // the XScale's unit enable
  CHECK((b.in(kIer)&0x40) == 0);
}

// --- Transmitter ---

TEST_CASE("16550: instant: each byte written is out at once and the THR is empty again") {
  Bench b;
  b.out(kThr, 'H');
  CHECK(b.sent == "H");
  CHECK(b.sent_at == std::vector<Ps>{1000});
  CHECK((b.in(kLsr)&0x60) == 0x60);
  CHECK(b.events.next() == kNever);
}

TEST_CASE("16550: baud: THR and shift register hold one character each") {
  Bench b(Pacing::kBaud);
  use_8n1_115200(b);
  const Ps begin = b.now;
  b.out(kThr, 'a');
  CHECK((b.in(kLsr)&0x60) == 0x20);
  b.out(kThr, 'b');
  CHECK((b.in(kLsr)&0x60) == 0x00);
  b.run(kCharacter);
  CHECK(b.sent == "a");
  CHECK((b.in(kLsr)&0x60) == 0x20);
  b.run(kCharacter);
  CHECK(b.sent == "ab");
  CHECK((b.in(kLsr)&0x60) == 0x60);
  CHECK(b.sent_at == std::vector<Ps>{begin + kCharacter, begin + 2 * kCharacter});
}

TEST_CASE("16550: baud: a character's time follows word length, parity, stop bits and divisor") {
  struct Case {
    unsigned lcr, divisor, half_bits;
  };
  // 5N1, 5N1.5, 8N1, 8E2, 7O1
  for (const Case& c : {Case{0x00, 1, 14}, Case{0x04, 1, 15}, Case{0x03, 12, 20}, Case{0x1F, 3, 24},
                        Case{0x0A, 384, 20}}) {
    Bench b(Pacing::kBaud);
    b.out(kLcr, c.lcr);
    b.set_divisor(c.divisor);
    const Ps begin = b.now;
    b.out(kThr, 'x');
    b.run(kPsPerSecond);
    REQUIRE(b.sent.size() == 1);
    const u64 clocks = u64{8} * c.divisor * c.half_bits;
    CHECK(b.sent_at[0] - begin == Frequency{1'843'200}.first_ps_of(clocks));
  }
}

TEST_CASE("16550: baud: the FIFO takes 16 characters behind the one on the line") {
  Bench b(Pacing::kBaud);
  use_8n1_115200(b);
  b.out(kFcr, 0x01);
  const std::string text = letters(17);
  for (const char c : text) b.out(kThr, static_cast<u8>(c));
  CHECK((b.in(kLsr)&0x60) == 0x00);
  b.run(16 * kCharacter);
  CHECK(b.sent == text.substr(0, 16));
  CHECK((b.in(kLsr)&0x60) == 0x20);
  b.run(kCharacter);
  CHECK(b.sent == text);
}

TEST_CASE("16550: FCR bit 2 empties the transmitter's FIFO but not the shift register") {
  Bench b(Pacing::kBaud);
  use_8n1_115200(b);
  b.out(kFcr, 0x01);
  for (const char c : {'a', 'b', 'c'}) b.out(kThr, static_cast<u8>(c));
  b.out(kFcr, 0x05);
  CHECK((b.in(kLsr)&0x60) == 0x20);
  b.run(10 * kCharacter);
  CHECK(b.sent == "a");
}

// --- THRE interrupt ---

TEST_CASE("16550: enabling ETBEI while the THR is empty interrupts, each time") {
  Bench b;
  for (int i = 0; i < 2; ++i) {
    b.out(kIer, kEtbei);
    CHECK(b.line());
    CHECK(b.in(kIir) == 0x02);
    CHECK(b.in(kIir) == 0x01);  // the read took it back
    CHECK_FALSE(b.line());
    b.out(kIer, 0);
  }
}

TEST_CASE("16550: writing THR takes the request back and gives a new edge when it is empty") {
  Bench b;
  b.out(kIer, kEtbei);
  b.irq.clear();
  b.out(kThr, 'x');
  CHECK(b.irq == std::vector<bool>{false, true});
  CHECK(b.in(kIir) == 0x02);
}

TEST_CASE("16550: IIR takes the THRE request back only if it is the one reported") {
  Bench b;
  b.type("k");
  b.out(kIer, kErbfi | kEtbei);
  CHECK(b.in(kIir) == 0x04);
  CHECK(b.in(kIir) == 0x04);
  b.in(kRbr);
  CHECK(b.in(kIir) == 0x02);
  CHECK(b.in(kIir) == 0x01);
}

TEST_CASE("16550: baud: THRE interrupts when the FIFO runs empty") {
  Bench b(Pacing::kBaud);
  use_8n1_115200(b);
  b.out(kFcr, 0x01);
  b.out(kIer, kEtbei);
  b.in(kIir);
  for (const char c : {'a', 'b', 'c'}) b.out(kThr, static_cast<u8>(c));
  CHECK(b.in(kIir) == 0xC1);  // 'a' left an empty FIFO; writing 'b' took the request back
  CHECK_FALSE(b.line());
  b.run(kCharacter);
  CHECK_FALSE(b.line());
  b.run(kCharacter);
  CHECK(b.line());
  CHECK(b.sent == "ab");
}

// --- Receiver ---

TEST_CASE("16550: without FIFOs one character is held, the others wait with the host") {
  Bench b;
  b.out(kIer, kErbfi);
  b.type("abc");
  CHECK(b.uart.backlog() == 2);
  CHECK(b.line());
  CHECK(b.in(kIir) == 0x04);
  CHECK(b.read_all() == "abc");
  CHECK_FALSE(b.line());
  CHECK(b.uart.backlog() == 0);
}

TEST_CASE("16550: a long input passes through the FIFO in order and without overrun") {
  Bench b;
  b.out(kFcr, 0x01);
  std::string text;
  for (int i = 0; i < 1000; ++i) text += static_cast<char>('!' + i % 90);
  b.type(text.substr(0, 500));
  b.type(text.substr(500));
  CHECK(b.uart.backlog() == 1000 - 16);
  CHECK(b.read_all() == text);
  CHECK((b.in(kLsr)&0x02) == 0);
}

TEST_CASE("16550: the received-data interrupt comes at the trigger level and goes below it") {
  struct Case {
    unsigned fcr, level;
  };
  for (const Case& c : {Case{0x01, 1}, Case{0x41, 4}, Case{0x81, 8}, Case{0xC1, 14}}) {
    Bench b;
    b.out(kFcr, c.fcr);
    b.out(kIer, kErbfi);
    b.type(letters(c.level - 1));
    CHECK_FALSE(b.line());
    b.type("x");
    CHECK(b.line());
    CHECK(b.in(kIir) == 0xC4);
    b.in(kRbr);
    CHECK_FALSE(b.line());
    CHECK(b.in(kIir) == 0xC1);
  }
}

TEST_CASE("16550: a character left in the FIFO for four character times interrupts with 0C") {
  Bench b;
  use_8n1_115200(b);
  b.out(kFcr, 0x81);
  b.out(kIer, kErbfi);
  b.type("k");
  b.run(4 * kCharacter - 4);
  CHECK_FALSE(b.line());
  b.run(4);
  CHECK(b.line());
  CHECK(b.in(kIir) == 0xCC);
  CHECK(b.in(kIir) == 0xCC);
  CHECK(b.in(kRbr) == 'k');
  CHECK(b.in(kIir) == 0xC1);
  CHECK(b.events.next() == kNever);
}

TEST_CASE("16550: each character received or read restarts the time-out") {
  Bench b;
  use_8n1_115200(b);
  b.out(kFcr, 0x81);
  b.out(kIer, kErbfi);
  b.type("a");
  b.run(3 * kCharacter);
  b.type("b");
  b.run(3 * kCharacter);
  CHECK(b.in(kRbr) == 'a');
  b.run(3 * kCharacter);
  CHECK_FALSE(b.line());
  b.run(kCharacter);
  CHECK(b.in(kIir) == 0xCC);
}

TEST_CASE("16550: without FIFOs there is no time-out") {
  Bench b;
  b.type("a");
  CHECK(b.events.next() == kNever);
}

TEST_CASE("16550: FCR bit 1 empties the receiver's FIFO; what the host still holds follows") {
  Bench b;
  b.out(kFcr, 0x01);
  b.type(letters(20));
  b.out(kFcr, 0x03);
  CHECK(b.read_all() == "QRST");
}

TEST_CASE("16550: changing the FIFO enable empties both FIFOs; bit 0 clear ignores the others") {
  Bench b;
  b.out(kFcr, 0xC1);
  b.type("abc");
  b.out(kFcr, 0xC0);
  CHECK((b.in(kLsr)&1) == 0);
  CHECK(b.in(kIir) == 0x01);
  CHECK(b.uart.state().fcr == 0x00);
}

TEST_CASE("16550: baud: input arrives a character at a time") {
  Bench b(Pacing::kBaud);
  use_8n1_115200(b);
  b.out(kFcr, 0x01);
  b.type("ab");
  CHECK((b.in(kLsr)&1) == 0);
  b.run(kCharacter);
  CHECK(b.in(kRbr) == 'a');
  CHECK((b.in(kLsr)&1) == 0);
  b.run(kCharacter);
  CHECK(b.in(kRbr) == 'b');
}

TEST_CASE("16550: with RTS flow control the host waits for RTS") {
  UartConfig config;
  config.flow_control = UartConfig::FlowControl::kRts;
  Bench b(config);
  b.type("x");
  CHECK((b.in(kLsr)&1) == 0);
  b.out(kMcr, kOut2 | kRts);
  CHECK(b.in(kRbr) == 'x');
}

TEST_CASE("16550: RBR without new data repeats the last character") {
  Bench b;
  b.type("z");
  CHECK(b.in(kRbr) == 'z');
  CHECK(b.in(kRbr) == 'z');
}

// --- Loop ---

TEST_CASE("16550 loop: what is transmitted is received and does not leave") {
  Bench b;
  b.out(kMcr, kLoop);
  b.out(kFcr, 0x01);
  for (const char c : {'a', 'b'}) b.out(kThr, static_cast<u8>(c));
  CHECK(b.read_all() == "ab");
  CHECK(b.sent.empty());
}

TEST_CASE("16550 loop: modem outputs appear at the inputs, crosswise") {
  Bench b;
  const auto inputs = [&](unsigned mcr) {
    b.out(kMcr, kLoop | mcr);
    return b.in(kMsr)&0xF0;
  };
  CHECK(inputs(0) == 0x00);
  CHECK(inputs(kRts) == 0x10);
  CHECK(inputs(kDtr) == 0x20);
  CHECK(inputs(kOut1) == 0x40);
  CHECK(inputs(kOut2) == 0x80);
}

TEST_CASE("16550 loop: MSR marks changes until it is read; RI only its trailing edge") {
  Bench b;
  b.out(kMcr, kLoop);
  b.in(kMsr);
  b.out(kMcr, kLoop | kRts | kOut1);
  CHECK(b.in(kMsr) == 0x51);
  CHECK(b.in(kMsr) == 0x50);
  b.out(kMcr, kLoop | kDtr | kOut2);
  CHECK(b.in(kMsr) == 0xAF);
}

TEST_CASE("16550 loop: changes of the modem inputs interrupt by EDSSI") {
  Bench b;
  b.out(kMcr, kLoop);
  b.in(kMsr);
  b.out(kIer, kEdssi);
  CHECK(b.in(kIir) == 0x01);
  b.out(kMcr, kLoop | kRts);
  CHECK(b.in(kIir) == 0x00);
  b.in(kMsr);
  CHECK(b.in(kIir) == 0x01);
}

TEST_CASE("16550 loop: overrun keeps the newest in RBR, the oldest in the FIFO") {
  Bench b;
  b.out(kMcr, kLoop);
  b.out(kIer, kElsi | kErbfi);
  b.out(kThr, 'a');
  b.out(kThr, 'b');
  CHECK(b.in(kIir) == 0x06);
  CHECK((b.in(kLsr)&0x03) == 0x03);
  CHECK(b.in(kIir) == 0x04);
  CHECK(b.in(kRbr) == 'b');
  b.out(kFcr, 0x01);
  for (const char c : letters(17)) b.out(kThr, static_cast<u8>(c));
  CHECK((b.in(kLsr)&0x02) == 0x02);
  CHECK((b.in(kLsr)&0x02) == 0x00);
  CHECK(b.read_all() == letters(16));
}

TEST_CASE("16550 loop: a break is a zero with BI, shown when it is at the top of the FIFO") {
  Bench b;
  b.out(kMcr, kLoop);
  b.out(kFcr, 0x01);
  b.out(kThr, 'a');
  b.out(kLcr, 0x43);
  CHECK((b.in(kLsr)&0x91) == 0x81);  // an error in the FIFO, not at its top
  CHECK(b.in(kRbr) == 'a');
  CHECK((b.in(kLsr)&0x91) == 0x91);
  CHECK((b.in(kLsr)&0x91) == 0x01);
  CHECK(b.in(kRbr) == 0x00);
}

TEST_CASE("16550 loop: the host's input waits") {
  Bench b;
  b.out(kMcr, kLoop);
  b.type("x");
  CHECK((b.in(kLsr)&1) == 0);
  b.out(kMcr, 0);
  CHECK(b.in(kRbr) == 'x');
}

// --- Interrupt line ---

TEST_CASE("16550: OUT2 gates the interrupt line, the loop closes the gate") {
  Bench b;
  b.out(kMcr, 0);
  b.out(kIer, kEtbei);
  CHECK_FALSE(b.line());
  b.out(kMcr, kOut2);
  CHECK(b.line());
  b.out(kMcr, kOut2 | kLoop);
  CHECK_FALSE(b.line());
}

TEST_CASE("16550: priority: line status, data, THRE, modem status") {
  Bench b;
  b.out(kMcr, kLoop);
  b.out(kThr, 'a');
  b.out(kThr, 'b');
  b.out(kMcr, kLoop | kRts);
  b.out(kIer, 0x0F);
  CHECK(b.in(kIir) == 0x06);
  b.in(kLsr);
  CHECK(b.in(kIir) == 0x04);
  b.in(kRbr);
  CHECK(b.in(kIir) == 0x02);
  CHECK(b.in(kIir) == 0x00);
  b.in(kMsr);
  CHECK(b.in(kIir) == 0x01);
}

TEST_CASE("16550: a restored UART holds the same characters") {
  Bench a;
  a.out(kFcr, 0x01);
  a.type(letters(20));
  a.in(kRbr);
  Bench b;
  b.uart.restore(a.uart.state());
  CHECK(b.read_all() == letters(20).substr(1));
}

TEST_CASE("16550: reset keeps what the host has still to send") {
  Bench b;
  b.type("abc");
  b.uart.reset(b.now);
  CHECK(b.read_all() == "bc");
}
