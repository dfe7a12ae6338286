#include "model/chipset/uart_16550.h"

#include <algorithm>
#include <utility>

namespace vtsim::chipset {
namespace {

struct Ier {
  static constexpr Flag ERBFI{0};
  static constexpr Flag ETBEI{1};
  static constexpr Flag ELSI{2};
  static constexpr Flag EDSSI{3};
  static constexpr Field WRITABLE{3, 0};
};
struct Fcr {
  static constexpr Flag ENABLE{0};
  static constexpr Flag CLEAR_RX{1};
  static constexpr Flag CLEAR_TX{2};
  static constexpr Field TRIGGER{7, 6};
};
struct Lcr {
  static constexpr Field WORD{1, 0};
  static constexpr Flag STOP{2};
  static constexpr Flag PARITY{3};
  static constexpr Flag BREAK{6};
  static constexpr Flag DLAB{7};
};
struct Mcr {
  static constexpr Flag DTR{0};
  static constexpr Flag RTS{1};
  static constexpr Flag OUT1{2};
  static constexpr Flag OUT2{3};
  static constexpr Flag LOOP{4};
  static constexpr Field WRITABLE{4, 0};
};
struct Lsr {
  static constexpr Flag DR{0};
  static constexpr Flag OE{1};
  static constexpr Flag BI{4};
  static constexpr Flag THRE{5};
  static constexpr Flag TEMT{6};
  static constexpr Flag FIFO_ERROR{7};
};
struct Msr {
  static constexpr Field INPUTS{7, 4};
  static constexpr Flag CTS{4};
  static constexpr Flag DSR{5};
  static constexpr Flag RI{6};
  static constexpr Flag DCD{7};
};
struct Divisor {
  static constexpr Field DLL{7, 0};
  static constexpr Field DLM{15, 8};
};

// "Interrupt Identification Register": highest priority first.
constexpr u8 kReceiverLineStatus = 0x06;
constexpr u8 kReceivedData = 0x04;
constexpr u8 kCharacterTimeout = 0x0C;
constexpr u8 kThrEmpty = 0x02;
constexpr u8 kModemStatus = 0x00;
constexpr u8 kNoInterrupt = 0x01;
constexpr u8 kFifosEnabled = 0xC0;

constexpr std::array<u8, 4> kTriggers{1, 4, 8, 14};
constexpr unsigned kTimeoutCharacters = 4;

}  // namespace

bool Uart16550::Fifo::has_errors() const {
  for (unsigned i = 0; i < count; ++i) {
    if (errors[(head + i) % kFifoDepth] != 0) return true;
  }
  return false;
}

void Uart16550::Fifo::push(u8 byte, u8 error_bits) {
  const unsigned tail = (head + count) % kFifoDepth;
  data[tail] = byte;
  errors[tail] = error_bits;
  ++count;
}

u8 Uart16550::Fifo::pop() {
  const u8 byte = data[head];
  head = static_cast<u8>((head + 1u) % kFifoDepth);
  --count;
  return byte;
}

Uart16550::Uart16550(EventQueue& events, const UartConfig& config, Sink sink)
    : events_(events),
      config_(config),
      sink_(std::move(sink)),
      shifted_out_(events.add(config.name + ".tx", [this](Ps now) { shift_out(now); })),
      shifted_in_(events.add(config.name + ".rx",
                             [this](Ps now) {
                               take_one(now);
                               take_input(now);
                               drive(now);
                             })),
      timeout_(events.add(config.name + ".timeout", [this](Ps now) {
        state_.timeout_pending = true;
        drive(now);
      })) {}

// --- What the registers say ---

bool Uart16550::fifos() const { return Reg<Fcr>(state_.fcr)[Fcr::ENABLE]; }
bool Uart16550::loops() const { return Reg<Mcr>(state_.mcr)[Mcr::LOOP]; }
bool Uart16550::divisor_latch() const { return Reg<Lcr>(state_.lcr)[Lcr::DLAB]; }

// "FIFO Control Register": the received-data interrupt comes with the trigger level.
bool Uart16550::data_ready() const {
  const u8 trigger = fifos() ? kTriggers[Fcr::TRIGGER.get(state_.fcr)] : u8{1};
  return state_.rx.count >= trigger;
}

// The errors of a character show while it is at the top.
u8 Uart16550::line_errors() const {
  const u64 overrun = Reg<Lsr>().with(Lsr::OE, state_.overrun).value;
  return static_cast<u8>(overrun | (state_.rx.count != 0 ? state_.rx.front_errors() : 0));
}

// "Modem Control Register", bit 4: the loop connects the modem outputs to the inputs.
u8 Uart16550::modem_inputs() const {
  const Reg<Mcr> mcr(state_.mcr);
  const bool loop = mcr[Mcr::LOOP];
  return static_cast<u8>(Reg<Msr>()
                             .with(Msr::CTS, !loop || mcr[Mcr::RTS])
                             .with(Msr::DSR, !loop || mcr[Mcr::DTR])
                             .with(Msr::RI, loop && mcr[Mcr::OUT1])
                             .with(Msr::DCD, !loop || mcr[Mcr::OUT2])
                             .value);
}

u8 Uart16550::interrupt_id() const {
  const Reg<Ier> ier(state_.ier);
  if (ier[Ier::ELSI] && line_errors() != 0) return kReceiverLineStatus;
  if (ier[Ier::ERBFI] && data_ready()) return kReceivedData;
  if (ier[Ier::ERBFI] && state_.timeout_pending) return kCharacterTimeout;
  if (ier[Ier::ETBEI] && state_.thre_pending) return kThrEmpty;
  if (ier[Ier::EDSSI] && state_.msr_deltas != 0) return kModemStatus;
  return kNoInterrupt;
}

// A start bit, 5 to 8 data bits, parity, 1, 1.5 or 2 stop bits; counted in half bits.
Ps Uart16550::character_time() const {
  const Reg<Lcr> lcr(state_.lcr);
  const u64 word = 5 + lcr[Lcr::WORD];
  const u64 stop = !lcr[Lcr::STOP] ? 2 : (word == 5 ? 3 : 4);
  const u64 half_bits = 2 * (1 + word + (lcr[Lcr::PARITY] ? 1 : 0)) + stop;
  const u64 clocks_per_half_bit = 8 * std::max<u64>(state_.divisor, 1);
  return Frequency{kClockHz}.first_ps_of(half_bits * clocks_per_half_bit);
}

// On the PC, OUT2 opens the gate to the interrupt line; the loop holds the modem outputs inactive.
void Uart16550::drive(Ps now) {
  const bool gate = Reg<Mcr>(state_.mcr)[Mcr::OUT2] && !loops();
  interrupt_.set(gate && interrupt_id() != kNoInterrupt, now);
}

// --- Transmitter ---

void Uart16550::write_thr(u8 value, Ps now) {
  state_.thre_pending = false;
  drive(now);  // an edge for each time that the THR runs empty
  if (state_.tx.count == depth()) state_.tx.pop();
  state_.tx.push(value, 0);
  transmit(now);
}

// Moves the THR's or FIFO's next character to the shift register if that is free.
void Uart16550::transmit(Ps now) {
  while (!state_.shifting && state_.tx.count != 0) {
    state_.shift_register = state_.tx.pop();
    state_.shifting = true;
    if (state_.tx.count == 0) state_.thre_pending = true;
    if (config_.pacing == UartConfig::Pacing::kBaud) {
      events_.schedule(shifted_out_, now + character_time());
    } else {
      shift_out(now);
    }
  }
}

void Uart16550::shift_out(Ps now) {
  state_.shifting = false;
  if (loops()) {
    receive_character(state_.shift_register, 0, now);
  } else {
    sink_(state_.shift_register, now);
  }
  if (config_.pacing == UartConfig::Pacing::kBaud) transmit(now);
  drive(now);
}

// --- Receiver ---

void Uart16550::receive(std::span<const u8> bytes, Ps now) {
  state_.input.insert(state_.input.end(), bytes.begin(), bytes.end());
  take_input(now);
  drive(now);
}

void Uart16550::receive_character(u8 byte, u8 errors, Ps now) {
  Fifo& rx = state_.rx;
  if (rx.count == depth()) {
    // "Overrun Error": a full FIFO keeps what it has, RBR holds the newest.
    state_.overrun = true;
    if (fifos()) return;
    rx.pop();
  }
  rx.push(byte, errors);
  if (!state_.timeout_pending) restart_timeout(now);
}

bool Uart16550::may_take_input() const {
  if (backlog() == 0 || loops() || state_.rx.count == depth()) return false;
  return config_.flow_control == UartConfig::FlowControl::kNone || Reg<Mcr>(state_.mcr)[Mcr::RTS];
}

void Uart16550::take_one(Ps now) {
  if (!may_take_input()) return;
  receive_character(state_.input[state_.input_position], 0, now);
  if (++state_.input_position < state_.input.size()) return;
  state_.input.clear();
  state_.input_position = 0;
}

void Uart16550::take_input(Ps now) {
  if (config_.pacing == UartConfig::Pacing::kInstant) {
    while (may_take_input()) take_one(now);
  } else if (may_take_input() && events_.deadline(shifted_in_) == kNever) {
    events_.schedule(shifted_in_, now + character_time());
  }
}

void Uart16550::clear_receiver() {
  state_.rx = {};
  state_.timeout_pending = false;
  events_.cancel(timeout_);
}

// "FIFO Interrupt Mode Operation": counts from the last character received or read.
void Uart16550::restart_timeout(Ps now) {
  const bool runs = fifos() && state_.rx.count != 0;
  events_.schedule(timeout_, runs ? now + kTimeoutCharacters * character_time() : kNever);
}

// --- Registers ---

u8 Uart16550::read_byte(u64 offset, Ps now) {
  const u8 value = read_register(offset, now);
  drive(now);
  return value;
}

u8 Uart16550::read_register(u64 offset, Ps now) {
  switch (offset) {
    case 0:
      return divisor_latch() ? static_cast<u8>(Divisor::DLL.get(state_.divisor)) : read_rbr(now);
    case 1:
      return divisor_latch() ? static_cast<u8>(Divisor::DLM.get(state_.divisor)) : state_.ier;
    case 2:
      return read_iir();
    case 3:
      return state_.lcr;
    case 4:
      return state_.mcr;
    case 5:
      return read_lsr();
    case 6:
      return read_msr();
    default:
      return state_.scr;
  }
}

u8 Uart16550::read_rbr(Ps now) {
  if (state_.rx.count != 0) {
    state_.received = state_.rx.pop();
    state_.timeout_pending = false;
    restart_timeout(now);
    take_input(now);
  }
  return state_.received;
}

// A read that reports the empty THR also takes that interrupt back.
u8 Uart16550::read_iir() {
  const u8 id = interrupt_id();
  if (id == kThrEmpty) state_.thre_pending = false;
  return static_cast<u8>(id | (fifos() ? kFifosEnabled : 0));
}

u8 Uart16550::read_lsr() {
  const bool empty = state_.tx.count == 0;
  const u8 value = static_cast<u8>(Reg<Lsr>(line_errors())
                                       .with(Lsr::DR, state_.rx.count != 0)
                                       .with(Lsr::THRE, empty)
                                       .with(Lsr::TEMT, empty && !state_.shifting)
                                       .with(Lsr::FIFO_ERROR, fifos() && state_.rx.has_errors())
                                       .value);
  state_.overrun = false;
  state_.rx.errors[state_.rx.head] = 0;
  return value;
}

u8 Uart16550::read_msr() {
  return static_cast<u8>(modem_inputs() | std::exchange(state_.msr_deltas, u8{0}));
}

void Uart16550::write_byte(u64 offset, u8 value, Ps now) {
  write_register(offset, value, now);
  take_input(now);
  drive(now);
}

void Uart16550::write_register(u64 offset, u8 value, Ps now) {
  if (offset <= 1 && divisor_latch()) {
    const Field half = offset == 0 ? Divisor::DLL : Divisor::DLM;
    state_.divisor = static_cast<u16>(half.put(state_.divisor, value));
    return;
  }
  switch (offset) {
    case 0:
      write_thr(value, now);
      break;
    case 1:
      write_ier(value);
      break;
    case 2:
      write_fcr(value);
      break;
    case 3:
      write_lcr(value, now);
      break;
    case 4:
      write_mcr(value);
      break;
    case 7:
      state_.scr = value;
      break;
    default:  // LSR, MSR
      break;
  }
}

// Enabling the interrupt while the THR is empty requests it, each time.
void Uart16550::write_ier(u8 value) {
  const bool was_enabled = Reg<Ier>(state_.ier)[Ier::ETBEI];
  state_.ier = static_cast<u8>(Ier::WRITABLE.get(value));
  const bool enabled = Reg<Ier>(state_.ier)[Ier::ETBEI];
  if (enabled && !was_enabled && state_.tx.count == 0) state_.thre_pending = true;
}

void Uart16550::write_fcr(u8 value) {
  const Reg<Fcr> fcr(value);
  const bool toggles = fcr[Fcr::ENABLE] != fifos();
  const bool enables = fcr[Fcr::ENABLE];
  if (toggles || (enables && fcr[Fcr::CLEAR_RX])) clear_receiver();
  if ((toggles || (enables && fcr[Fcr::CLEAR_TX])) && state_.tx.count != 0) {
    state_.tx = {};
    state_.thre_pending = true;
  }
  constexpr u64 kKept = Fcr::ENABLE.mask() | Fcr::TRIGGER.mask();
  state_.fcr = static_cast<u8>(enables ? value & kKept : 0);
}

void Uart16550::write_lcr(u8 value, Ps now) {
  const bool starts_break = Reg<Lcr>(value)[Lcr::BREAK] && !Reg<Lcr>(state_.lcr)[Lcr::BREAK];
  state_.lcr = value;
  if (starts_break && loops()) receive_character(0, static_cast<u8>(Lsr::BI.mask()), now);
}

void Uart16550::write_mcr(u8 value) {
  const u64 before = modem_inputs();
  state_.mcr = static_cast<u8>(Mcr::WRITABLE.get(value));
  const u64 after = modem_inputs();
  // TERI marks only the trailing edge of RI.
  const u64 changed =
      Reg<Msr>(before ^ after).with(Msr::RI, (before & ~after & Msr::RI.mask()) != 0).value;
  // DDCD and TERI stand at bits 3 and 2 as DCD and RI do at 7 and 6.
  state_.msr_deltas |= static_cast<u8>(Msr::INPUTS.get(changed));
}

void Uart16550::reset(Ps now) {
  State fresh;
  fresh.divisor = state_.divisor;
  fresh.input = std::move(state_.input);
  fresh.input_position = state_.input_position;
  state_ = std::move(fresh);
  for (const EventQueue::Id event : {shifted_out_, shifted_in_, timeout_}) events_.cancel(event);
  take_input(now);
  drive(now);
}

}  // namespace vtsim::chipset
