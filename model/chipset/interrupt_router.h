#pragma once
// How the southbridge's interrupt sources reach the 8259s and the I/O APIC.
//
//   ISA IRQ n ────────────> 8259 input n,  I/O APIC input n (IRQ0: input 2; IRQ2: neither)
//   PIRQA-H ──[PIRQn_ROUT]> 8259 input,    I/O APIC input 16-23 (active low there)
//   SCI ──[SCI_IRQ_SEL]───> 8259 input and I/O APIC input 9-11, or I/O APIC input 20-23
//   HPET timer 0, 1 ──────> IRQ0 and IRQ8 instead of the 8254 and the RTC (LEG_RT), else their
//                           I/O APIC input
//   8259s' INTR ──────────> I/O APIC input 0, and out to LINT0
//
// Inputs that have several sources are high while any of them is. Source: ICH9 datasheet, "Interrupt
// Pins", "PIC/APIC mapping", "ACPI_CNTL", "High Precision Event Timers > Interrupt Mapping".

#include <array>

#include "model/base/clock.h"
#include "model/base/types.h"
#include "model/chipset/hpet.h"
#include "model/chipset/ioapic.h"
#include "model/chipset/pic_8259.h"

namespace vtsim::chipset {

class InterruptRouter {
 public:
  static constexpr unsigned kPirqs = 8;
  static constexpr unsigned kIrqs = 16;

  struct Routing {
    // The 8259 input of each PIRQ; kNotRouted: none.
    std::array<u8, kPirqs> pirq{};
    u8 sci = 9;  // 9-11 or 20-23
  };
  static constexpr u8 kNotRouted = 0xff;

  InterruptRouter(Pic8259& pic, IoApic& io_apic);

  void set_irq(unsigned irq, bool level, Ps now);       // ISA devices: one source each
  void set_test_line(unsigned line, bool level, Ps now);  // pc-testdev: ISA IRQs, then inputs 16-23
  void set_pirqs(u8 levels, Ps now);                    // bit n: PIRQ A + n is asserted
  void set_sci(bool level, Ps now);
  void set_hpet(unsigned timer, Hpet::Route route, bool level, Ps now);
  void set_intr(bool level, Ps now);  // the 8259s' output

  void set_routing(const Routing& routing, Ps now);
  // From IRQ0 and IRQ8 of the 8254 and RTC to the HPET's, and back.
  void set_hpet_replaces_legacy(bool replaces, Ps now);

  struct State {
    u32 irqs = 0;
    u32 test_lines = 0;
    u8 pirqs = 0;
    bool sci = false;
    bool intr = false;
    bool hpet_replaces_legacy = false;
    std::array<Hpet::Route, Hpet::kTimers> hpet_routes{};
    std::array<bool, Hpet::kTimers> hpet_levels{};
    Routing routing;
    u32 pic_inputs = 0;  // as driven last
  };
  const State& state() const { return state_; }
  void restore(const State& state) { state_ = state; }

 private:
  u32 isa_levels() const;
  u32 pic_levels() const;
  u32 io_apic_levels() const;
  void drive(Ps now);

  Pic8259& pic_;
  IoApic& io_apic_;
  State state_;
};

}  // namespace vtsim::chipset
