#include "model/chipset/interrupt_router.h"

#include "model/base/bits.h"

namespace vtsim::chipset {
namespace {

constexpr unsigned kTimerIrq = 0, kCascade = 2, kRtcIrq = 8;
constexpr unsigned kIntrInput = 0, kTimerInput = 2;
constexpr Field kIsaLines{15, 0}, kPirqInputs{23, 16};

constexpr u32 line(unsigned n) { return static_cast<u32>(Flag{n}.mask()); }

u32 with(u32 lines, unsigned n, bool level) { return level ? lines | line(n) : lines & ~line(n); }

}  // namespace

InterruptRouter::InterruptRouter(Pic8259& pic, IoApic& io_apic) : pic_(pic), io_apic_(io_apic) {
  state_.routing.pirq.fill(kNotRouted);
  drive(0);
}

void InterruptRouter::set_irq(unsigned irq, bool level, Ps now) {
  state_.irqs = with(state_.irqs, irq, level);
  drive(now);
}

void InterruptRouter::set_test_line(unsigned test_line, bool level, Ps now) {
  state_.test_lines = with(state_.test_lines, test_line, level);
  drive(now);
}

void InterruptRouter::set_pirqs(u8 levels, Ps now) {
  state_.pirqs = levels;
  drive(now);
}

void InterruptRouter::set_sci(bool level, Ps now) {
  state_.sci = level;
  drive(now);
}

void InterruptRouter::set_hpet(unsigned timer, Hpet::Route route, bool level, Ps now) {
  state_.hpet_routes[timer] = route;
  state_.hpet_levels[timer] = level;
  drive(now);
}

void InterruptRouter::set_intr(bool level, Ps now) {
  state_.intr = level;
  io_apic_.set_input(kIntrInput, level, now);
}

void InterruptRouter::set_routing(const Routing& routing, Ps now) {
  state_.routing = routing;
  drive(now);
}

void InterruptRouter::set_hpet_replaces_legacy(bool replaces, Ps now) {
  state_.hpet_replaces_legacy = replaces;
  drive(now);
}

// ISA IRQs, before what is shared with PCI joins them.
u32 InterruptRouter::isa_levels() const {
  u32 levels = state_.irqs;
  if (state_.hpet_replaces_legacy) levels &= ~(line(kTimerIrq) | line(kRtcIrq));
  for (unsigned timer = 0; timer < Hpet::kTimers; ++timer) {
    const Hpet::Route route = state_.hpet_routes[timer];
    if (route.is_legacy && state_.hpet_levels[timer]) levels |= line(route.line);
  }
  levels |= static_cast<u32>(kIsaLines.get(state_.test_lines));
  if (state_.sci && state_.routing.sci < kIrqs) levels |= line(state_.routing.sci);
  return levels & ~line(kCascade);
}

u32 InterruptRouter::pic_levels() const {
  u32 levels = isa_levels();
  for (unsigned pirq = 0; pirq < kPirqs; ++pirq) {
    const u8 input = state_.routing.pirq[pirq];
    if (bit(state_.pirqs, pirq) && input != kNotRouted) levels |= line(input);
  }
  return levels;
}

// Inputs 16-23 carry open-drain PCI wires: low while asserted.
u32 InterruptRouter::io_apic_levels() const {
  const u32 isa = isa_levels();
  u32 levels = with(isa & ~line(kTimerIrq), kTimerInput, bit(isa, kTimerIrq));
  u64 shared = state_.pirqs | kPirqInputs.get(state_.test_lines);
  if (state_.sci && state_.routing.sci >= kIrqs) {
    shared |= line(state_.routing.sci - kPirqInputs.lo);
  }
  for (unsigned timer = 0; timer < Hpet::kTimers; ++timer) {
    const Hpet::Route route = state_.hpet_routes[timer];
    if (route.is_legacy || !state_.hpet_levels[timer]) continue;
    if (route.line >= kPirqInputs.lo && route.line <= kPirqInputs.hi) {
      shared |= line(route.line - kPirqInputs.lo);
    }
  }
  levels = static_cast<u32>(kPirqInputs.put(levels, ~shared));
  return with(levels, kIntrInput, state_.intr);
}

void InterruptRouter::drive(Ps now) {
  const u32 pic = pic_levels();
  const u32 changed = pic ^ state_.pic_inputs;
  state_.pic_inputs = pic;
  for (unsigned irq = 0; irq < kIrqs; ++irq) {
    if (bit(changed, irq)) pic_.set_line(irq, bit(pic, irq), now);
  }
  const u32 io_apic = io_apic_levels() & ~line(kIntrInput);
  for (unsigned input = kIntrInput + 1; input < IoApic::kInputs; ++input) {
    io_apic_.set_input(input, bit(io_apic, input), now);
  }
}

}  // namespace vtsim::chipset
