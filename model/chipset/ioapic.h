#pragma once
// The I/O APIC of the ICH9: 24 inputs, each with a redirection entry, whose messages go out as
// writes to 0xFEEx_xxxx on the interconnect.
//
//   0x00 IOREGSEL  7:0 index                0x00 ID       27:24 APIC ID
//   0x10 IOWIN     the register at it       0x01 VERSION  23:16 last entry (23), 7:0 20h (RO)
//   0x40 EOI       7:0 vector (WO)          0x02 ARB      27:24 (RO)
//                                           0x10 + 2n, + 1: redirection entry n, low and high half
//
//   63:56 destination   55:48 extended destination   16 mask   15 level-triggered   14 remote IRR (RO)
//   13 active low   12 delivery status (RO 0)   11 logical   10:8 delivery mode   7:0 vector
//
// Source: Intel 82093AA datasheet; ICH9 datasheet, "I/O APIC (D31:F0)"; VT-d specification,
// "Interrupt Requests in Remappable Format > I/OxAPIC Programming" for how entries become writes.
// Edges that arrive while an input is masked are lost, as the 82093AA says.

#include <array>

#include "model/base/device.h"
#include "model/base/interrupt_message.h"

namespace vtsim::chipset {

class IoApic final : public RegisterTarget, public EoiSink {
 public:
  static constexpr unsigned kInputs = 24;
  static constexpr u64 kBytes = 0x1000;

  struct State {
    u8 index = 0;
    u8 id = 0;
    u32 levels = 0;  // electrical levels of the inputs
    u32 asserted = 0;  // the same as their entries' polarity sees them
    std::array<u64, kInputs> entries{};
  };

  IoApic(MemoryPort& interconnect, u8 id);

  // The electrical level of an input. PCI's inputs idle high: see InterruptRouter.
  void set_input(unsigned input, bool high, Ps now);

  u64 read(u64 offset, unsigned size, Ps now) override;
  void write(u64 offset, unsigned size, u64 value, Ps now) override;
  void eoi_broadcast(u8 vector, Ps now) override;

  // All entries masked. Inputs keep their levels.
  void reset(Ps now);

  const State& state() const { return state_; }
  void restore(const State& state) { state_ = state; }

 private:
  u32 read_register(unsigned index) const;
  void write_register(unsigned index, u32 value, Ps now);
  void write_entry(unsigned input, u64 entry, Ps now);
  void update(unsigned input, Ps now);
  void deliver_level(unsigned input, Ps now);
  void send(unsigned input, Ps now);

  MemoryPort& interconnect_;
  u8 reset_id_;
  State state_;
};

}  // namespace vtsim::chipset
