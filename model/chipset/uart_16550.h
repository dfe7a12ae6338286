#pragma once
// A PC16550D UART with its FIFOs, as COM1-COM4 of a PC.
//
//   offset  DLAB = 0                     DLAB = 1
//   0       RBR (read), THR (write)      DLL
//   1       IER                          DLM
//   2       IIR (read), FCR (write)
//   3       LCR: 7 DLAB, 6 break, 5 stick, 4 even, 3 parity, 2 stop bits, 1:0 word length
//   4       MCR: 4 loop, 3 OUT2, 2 OUT1, 1 RTS, 0 DTR
//   5       LSR: 7 error in FIFO, 6 TEMT, 5 THRE, 4 BI, 3 FE, 2 PE, 1 OE, 0 DR   (read-only)
//   6       MSR: 7 DCD, 6 RI, 5 DSR, 4 CTS, 3:0 their changes, cleared by a read (read-only)
//   7       SCR
//
// Source: National Semiconductor PC16550D data sheet. As on the PC, OUT2 gates the interrupt.
// The other end is the host: what it sends waits in `State::input` until the receiver has room, so
// nothing is ever overrun from there; its CTS, DSR and DCD are asserted.

#include <array>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "model/base/event_queue.h"
#include "model/chipset/port_range.h"

namespace vtsim::chipset {

struct UartConfig {
  // How long a character is on the line. Real time costs a guest that polls more instructions than
  // its work, so the default is none at all; the receiver's time-out always follows the divisor.
  enum class Pacing : u8 { kInstant, kBaud };
  // Whether the host holds its input back while RTS is low.
  enum class FlowControl : u8 { kNone, kRts };

  std::string name = "uart0";  // of its events: unique
  Pacing pacing = Pacing::kInstant;
  FlowControl flow_control = FlowControl::kNone;
};

class Uart16550 : public ByteTarget {
 public:
  static constexpr u64 kClockHz = 1'843'200;
  static constexpr unsigned kFifoDepth = 16;
  // COM1-COM4 and their usual interrupts.
  static constexpr std::array<PortRange, 4> kPorts{{
      {0x3F8, 8, 0, "com1"},
      {0x2F8, 8, 0, "com2"},
      {0x3E8, 8, 0, "com3"},
      {0x2E8, 8, 0, "com4"},
  }};
  static constexpr std::array<u8, 4> kIrqs{4, 3, 4, 3};

  struct Fifo {
    std::array<u8, kFifoDepth> data{};
    std::array<u8, kFifoDepth> errors{};  // PE, FE and BI of each character, at their places in LSR
    u8 head = 0;
    u8 count = 0;

    u8 front() const { return data[head]; }
    u8 front_errors() const { return errors[head]; }
    bool has_errors() const;
    void push(u8 byte, u8 error_bits);
    u8 pop();
  };

  struct State {
    u8 ier = 0;
    u8 fcr = 0;  // FIFO enable and receiver trigger
    u8 lcr = 0;
    u8 mcr = 0;
    bool overrun = false;
    u8 msr_deltas = 0;
    u8 scr = 0;
    u16 divisor = 12;              // 9600 baud
    u8 received = 0;               // what RBR shows when nothing is left
    bool thre_pending = false;     // THR became empty, and nobody has looked
    bool timeout_pending = false;  // characters lie in the FIFO since four character times
    bool shifting = false;         // a character is on the line (with real time only)
    u8 shift_register = 0;
    Fifo rx;
    Fifo tx;                 // without FIFOs its top is the THR
    std::vector<u8> input;   // from the host, not yet received
    u64 input_position = 0;  // the first of them
  };

  using Sink = std::function<void(u8 byte, Ps now)>;

  Uart16550(EventQueue& events, const UartConfig& config, Sink sink);

  Wire& interrupt() { return interrupt_; }

  // Bytes from the host.
  void receive(std::span<const u8> bytes, Ps now);

  // Bytes given to receive() that the receiver has not taken yet.
  u64 backlog() const { return state_.input.size() - state_.input_position; }

  // Master reset. The host's input and the divisor stay.
  void reset(Ps now);

  const State& state() const { return state_; }
  void restore(const State& state) { state_ = state; }

 private:
  u8 read_byte(u64 offset, Ps now) override;
  void write_byte(u64 offset, u8 value, Ps now) override;
  u8 read_register(u64 offset, Ps now);
  u8 read_rbr(Ps now);
  u8 read_iir();
  u8 read_lsr();
  u8 read_msr();
  void write_register(u64 offset, u8 value, Ps now);
  void write_thr(u8 value, Ps now);
  void write_ier(u8 value);
  void write_fcr(u8 value);
  void write_lcr(u8 value, Ps now);
  void write_mcr(u8 value);

  bool fifos() const;
  bool loops() const;
  bool divisor_latch() const;
  unsigned depth() const { return fifos() ? kFifoDepth : 1; }
  bool data_ready() const;
  u8 line_errors() const;
  u8 modem_inputs() const;
  u8 interrupt_id() const;
  Ps character_time() const;

  void transmit(Ps now);
  void shift_out(Ps now);
  void receive_character(u8 byte, u8 errors, Ps now);
  bool may_take_input() const;
  void take_input(Ps now);
  void take_one(Ps now);
  void clear_receiver();
  void restart_timeout(Ps now);
  void drive(Ps now);

  EventQueue& events_;
  UartConfig config_;
  Sink sink_;
  EventQueue::Id shifted_out_;  // with real time: the character on the line is through
  EventQueue::Id shifted_in_;
  EventQueue::Id timeout_;
  State state_;
  Wire interrupt_;
};

static_assert(disjoint(Uart16550::kPorts));

}  // namespace vtsim::chipset
