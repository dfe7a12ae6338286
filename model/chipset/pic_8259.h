#pragma once
// The two cascaded 8259A interrupt controllers of the ICH9, with its edge/level control registers.
//
//   offset  port   write                       read
//   0       0x20   ICW1, OCW2, OCW3 (master)   IRR or ISR (OCW3), or the poll word
//   1       0x21   ICW2-4, OCW1                IMR
//   2, 3    0xA0   the same of the slave, which sits on the master's IR2
//   4, 5    0x4D0  ELCR1, ELCR2                1: the input is level-triggered
//
// Source: Intel 8259A data sheet; ICH9 data sheet, "8259 Interrupt Controllers (PIC)". As in the
// ICH9 the LTIM bit of ICW1 does nothing (ELCR decides) and an input that falls before it is
// acknowledged withdraws its request: the acknowledgement then gives the spurious IR7. But a pulse
// of no length (Wire::pulse) requests as one of a sufficient length does. Not modelled: the MCS-80
// mode (ICW4 uPM = 0), whose CALL no x86 understands.

#include <array>

#include "model/chipset/port_range.h"

namespace vtsim::chipset {

class Pic8259 : public ByteTarget {
 public:
  static constexpr std::array<PortRange, 3> kPorts{{
      {0x20, 2, 0, "pic.master"},
      {0xA0, 2, 2, "pic.slave"},
      {0x4D0, 2, 4, "pic.elcr"},
  }};
  static constexpr unsigned kCascadeInput = 2;

  // What the next write with A0 = 1 is.
  enum class Expects : u8 { kIcw2, kIcw3, kIcw4, kOcw1 };

  struct Chip {
    u8 lines = 0;  // the inputs' levels
    u8 edges = 0;  // requests of edge-triggered inputs, not yet acknowledged or withdrawn
    u8 elcr = 0;   // level-triggered inputs
    u8 in_service = 0;
    u8 mask = 0;
    u8 vector_base = 0;
    u8 cascade = 0;  // ICW3: master: inputs with a slave; slave: its number
    u8 lowest_priority = 7;
    Expects expects = Expects::kOcw1;
    bool initialized = false;  // ICW1-4 are complete: before, the chip requests nothing
    bool single = false;
    bool wants_icw4 = false;
    bool auto_eoi = false;
    bool rotate_on_auto_eoi = false;
    bool special_mask = false;
    bool special_fully_nested = false;
    bool reads_in_service = false;
    bool polled = false;  // the next read is a poll
    std::array<Ps, 8> rose_at{};

    u8 requests() const { return static_cast<u8>((edges & ~elcr) | (lines & elcr)); }
  };
  struct State {
    std::array<Chip, 2> chips;  // master, slave
  };

  // INTR towards the processor, and to the ExtINT pin of an I/O APIC: drops for
  // an instant at each acknowledgement, so that an edge marks each new request.
  Wire& interrupt() { return interrupt_; }

  // IRQ 0-15 in the PC's numbering; IRQ2 has no pin and is ignored.
  void set_line(unsigned irq, bool level, Ps now);

  // The two INTA cycles: the vector; a spurious IR7 if no request is left.
  u8 acknowledge(Ps now);

  // PLTRST#: the chips wait for ICW1, all inputs edge-triggered. Inputs keep their levels.
  void reset(Ps now);

  const State& state() const { return state_; }
  void restore(const State& state) { state_ = state; }

 private:
  u8 read_byte(u64 offset, Ps now) override;
  void write_byte(u64 offset, u8 value, Ps now) override;
  void write_command(Chip& chip, u8 value);
  void write_data(Chip& chip, u8 value);
  u8 poll(Chip& chip, Ps now);
  void settle(Ps now);

  Chip& master() { return state_.chips[0]; }
  Chip& slave() { return state_.chips[1]; }

  State state_;
  Wire interrupt_;
};

static_assert(disjoint(Pic8259::kPorts));

}  // namespace vtsim::chipset
