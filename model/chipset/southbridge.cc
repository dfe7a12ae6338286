#include "model/chipset/southbridge.h"

#include <string>
#include <utility>

#include "model/base/check.h"

namespace vtsim::chipset {
namespace {

constexpr unsigned kTimerIrq = 0, kKeyboardIrq = 1, kRtcIrq = 8, kMouseIrq = 12;

CmosSetup cmos_setup(const ChipsetConfig& config) {
  CmosSetup setup;
  setup.date = date_of(config.rtc_start_seconds);
  setup.memory_below_4g = std::min(config.ram_bytes, config.low_memory_limit);
  setup.memory_above_4g = config.ram_bytes - setup.memory_below_4g;
  setup.cores = config.cores;
  return setup;
}

template <class Sink, class... Arguments>
void call(const Sink& sink, Arguments... arguments) {
  if (sink) sink(arguments...);
}

}  // namespace

Southbridge::Southbridge(const ChipsetConfig& config, EventQueue& events, PciBus& pci,
                         SouthbridgeDma dma, SouthbridgeSinks sinks)
    : sinks_(std::move(sinks)),
      pci_(pci),
      io_apic_(dma.io_apic, config.io_apic_id),
      router_(pic_, io_apic_),
      pit_(events),
      rtc_(events, cmos_setup(config)),
      pm_(events, {},
          {.sleep = [this](SleepState state, Ps now) { sleep(state, now); },
           .wake = [this](Ps now) { call(sinks_.wake, now); },
           .reset = [this](ResetKind kind, Ps now) { call(sinks_.reset, kind, now); }}),
      port92_([this](ResetKind kind, Ps now) { call(sinks_.reset, kind, now); }),
      reset_control_([this](ResetKind kind, Ps now) { call(sinks_.reset, kind, now); }),
      shutdown_port_([this](Ps now) { call(sinks_.power_off, now); }),
      fw_cfg_(dma.lpc),
      lpc_([this](Ps now) { apply_lpc(now); }),
      root_complex_([this](Ps now) { apply_root_complex(now); }) {
  add_required_devices();
  if (config.has_hpet) {
    const auto fsb = config.hpet_has_fsb ? Hpet::Fsb::kPresent : Hpet::Fsb::kAbsent;
    hpet_.emplace(events, config.hpet_clock, fsb, dma.hpet,
                  [this](unsigned timer, Hpet::Route route, bool level, Ps now) {
                    router_.set_hpet(timer, route, level, now);
                  });
    hpet_region_ = add_memory("hpet", *hpet_, Hpet::kBytes);
  }
  add_optional_devices(config, events);
  pci_.add(lpc_, LpcBridge::kBdf);
  pci_.add(smbus_, SmbusController::kBdf);
  connect_interrupts();
  apply_lpc(0);
  apply_root_complex(0);
  update_a20(0);
}

// ---- decoding ---------------------------------------------------------------------------------

template <std::size_t kRows>
void Southbridge::add_ports(RegisterTarget& target, const std::array<PortRange, kRows>& rows) {
  for (const PortRange& row : rows) add_port_range(target, row);
}

AddressMap::Id Southbridge::add_port_range(RegisterTarget& target, const PortRange& row) {
  return port_map_.add({.name = row.name,
                        .first = row.base,
                        .last = row.last(),
                        .target = &target,
                        .target_offset = row.offset});
}

// Enabled and placed by place().
AddressMap::Id Southbridge::add_memory(const char* name, RegisterTarget& target, u64 bytes) {
  return memory_map_.add(
      {.name = name, .first = 0, .last = bytes - 1, .enabled = false, .target = &target});
}

void Southbridge::place(AddressMap::Id id, std::optional<Hpa> base, u64 bytes) {
  if (!base) return memory_map_.disable(id);
  memory_map_.place(id, base->value, bytes);
  memory_map_.enable(id);
}

void Southbridge::add_required_devices() {
  add_ports(pic_, Pic8259::kPorts);
  add_ports(pit_, Pit8254::kPorts);
  add_ports(rtc_, RtcCmos::kPorts);
  add_ports(port92_, Port92::kPorts);
  add_ports(reset_control_, ResetControl::kPorts);
  add_ports(post_code_, PostCodePort::kPorts);
  add_ports(shutdown_port_, ShutdownPort::kPorts);
  add_ports(fw_cfg_, FwCfg::kPorts);
  for (const PortRange& row : AcpiPm::kPorts) {
    const AddressMap::Id id = add_port_range(pm_, row);
    if (row.base == AcpiPm::kDefaultBase) pm_region_ = id;  // the one that PMBASE moves
  }
  io_apic_region_ = add_memory("ioapic", io_apic_, IoApic::kBytes);
  root_complex_region_ = add_memory("rcba", root_complex_, RootComplex::kBytes);
}

void Southbridge::add_optional_devices(const ChipsetConfig& config, EventQueue& events) {
  if (config.has_i8042) {
    i8042_.emplace([this](ResetKind kind, Ps now) { call(sinks_.reset, kind, now); });
    add_ports(*i8042_, I8042::kPorts);
  }
  if (config.has_debug_exit) {
    debug_exit_.emplace([this](u32 value, Ps now) { call(sinks_.debug_exit, value, now); });
    add_ports(*debug_exit_, DebugExit::kPorts);
  }
  if (config.has_debug_console) {
    debug_console_.emplace([this](u8 byte, Ps now) { call(sinks_.debug_console, byte, now); });
    add_port_range(*debug_console_, DebugConsole::kBochsPort);
    add_port_range(*debug_console_, DebugConsole::kFirmwarePort);
  }
  if (config.has_pc_testdev) {
    pc_testdev_ = std::make_unique<PcTestdev>([this](unsigned line, bool level, Ps now) {
      router_.set_test_line(line, level, now);
    });
    add_ports(*pc_testdev_, PcTestdev::kPorts);
    const AddressMap::Id memory =
        add_memory("pc_testdev.memory", pc_testdev_->memory(), PcTestdev::kMemorySize);
    place(memory, PcTestdev::kMemoryBase, PcTestdev::kMemorySize);
  }
  SIM_CHECK(config.uarts <= sinks_.serial.size());
  for (unsigned i = 0; i < config.uarts; ++i) {
    const UartConfig uart{.name = "uart" + std::to_string(i)};
    uarts_.push_back(std::make_unique<Uart16550>(
        events, uart, [this, i](u8 byte, Ps now) { call(sinks_.serial[i], byte, now); }));
    add_port_range(*uarts_[i], Uart16550::kPorts[i]);
  }
}

void Southbridge::apply_lpc(Ps now) {
  place(root_complex_region_, lpc_.rcba(), RootComplex::kBytes);
  if (const auto base = lpc_.pm_base()) {
    port_map_.place(pm_region_, *base, AcpiPm::kBlockSize);
    port_map_.enable(pm_region_);
  } else {
    port_map_.disable(pm_region_);
  }
  router_.set_routing(lpc_.routing(), now);
}

void Southbridge::apply_root_complex(Ps now) {
  place(io_apic_region_, root_complex_.io_apic(), IoApic::kBytes);
  if (hpet_) place(hpet_region_, root_complex_.hpet(), Hpet::kBytes);
  pm_.tco().set_reboot(root_complex_.no_reboot() ? AcpiTco::Reboot::kForbidden
                                                 : AcpiTco::Reboot::kAllowed);
  update_pirqs(now);
}

bool Southbridge::transport(const BusTransaction& transaction, Ps now) {
  switch (transaction.info.space) {
    case BusSpace::kMemory:
      return access(memory_map_, transaction, nullptr, now);
    case BusSpace::kPort:
      return access(port_map_, transaction, nullptr, now);
    case BusSpace::kInterruptAcknowledge:
      transaction.data[0] = pic_.acknowledge(now);
      return true;
  }
  return false;
}

// ---- wires ------------------------------------------------------------------------------------

void Southbridge::connect_interrupts() {
  const auto irq = [this](Wire& wire, unsigned line) {
    wire.connect([this, line](bool level, Ps now) { router_.set_irq(line, level, now); });
    router_.set_irq(line, wire.level(), 0);
  };
  irq(pit_.out0(), kTimerIrq);
  rtc_.interrupt().connect([this](bool level, Ps now) {
    router_.set_irq(kRtcIrq, level, now);
    pm_.set_rtc_line(level, now);
  });
  pm_.sci().connect([this](bool level, Ps now) { router_.set_sci(level, now); });
  pm_.smi().connect([this](bool level, Ps now) { call(sinks_.smi, level, now); });
  for (std::size_t i = 0; i < uarts_.size(); ++i) irq(uarts_[i]->interrupt(), Uart16550::kIrqs[i]);
  if (i8042_) {
    irq(i8042_->keyboard_interrupt(), kKeyboardIrq);
    irq(i8042_->mouse_interrupt(), kMouseIrq);
    i8042_->a20().connect([this](bool, Ps now) { update_a20(now); });
  }
  port92_.a20().connect([this](bool, Ps now) { update_a20(now); });
  pic_.interrupt().connect([this](bool level, Ps now) {
    router_.set_intr(level, now);
    call(sinks_.intr, level, now);
  });
  if (hpet_) {
    hpet_->on_legacy_change([this](Ps now) {
      router_.set_hpet_replaces_legacy(hpet_->replaces_legacy(), now);
    });
  }
  pci_.on_intx([this](Ps now) { update_pirqs(now); });
}

void Southbridge::update_pirqs(Ps now) {
  u8 levels = 0;
  pci_.for_each([&](device::PciFunction& function) {
    if (!function.intx().level()) return;
    const unsigned pin = function.interrupt_pin() - 1;
    const unsigned pirq = root_complex_.pirq_of(function.bdf().device, pin);
    levels = static_cast<u8>(levels | Flag{pirq}.mask());
  });
  router_.set_pirqs(levels, now);
}

u8 Southbridge::interrupt_line(const device::PciFunction& function) const {
  if (function.interrupt_pin() == 0) return InterruptRouter::kNotRouted;
  const unsigned pin = function.interrupt_pin() - 1;
  return lpc_.routing().pirq[root_complex_.pirq_of(function.bdf().device, pin)];
}

// Either gate lets A20 through. Without keyboard controller there is nothing that holds it low.
void Southbridge::update_a20(Ps now) {
  const bool level = !i8042_ || i8042_->a20().level() || port92_.a20().level();
  if (std::exchange(a20_, level) != level) call(sinks_.a20, level, now);
}

void Southbridge::sleep(SleepState state, Ps now) {
  if (state == SleepState::kS0) return;
  call(state == SleepState::kS3 ? sinks_.suspend : sinks_.power_off, now);
}

void Southbridge::reset(Ps now) {
  pic_.reset(now);
  io_apic_.reset(now);
  pit_.reset(now);
  rtc_.reset(now);
  pm_.reset(now);
  port92_.reset(now);
  reset_control_.reset(now);
  post_code_.reset(now);
  shutdown_port_.reset(now);
  fw_cfg_.reset(now);
  root_complex_.reset(now);
  if (hpet_) hpet_->reset(now);
  if (i8042_) i8042_->reset(now);
  if (pc_testdev_) {
    pc_testdev_->reset(now);
    for (unsigned line = 0; line < IoApic::kInputs; ++line) router_.set_test_line(line, false, now);
  }
  for (const auto& uart : uarts_) uart->reset(now);
}

}  // namespace vtsim::chipset
