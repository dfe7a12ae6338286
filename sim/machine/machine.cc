#include "sim/machine/machine.h"

#include <algorithm>
#include <utility>

#include "model/base/check.h"
#include "model/cpu/apic/local_apic.h"
#include "model/chipset/pci_setup.h"
#include "model/device/pci_testdev.h"
#include "sim/firmware_tables/acpi.h"
#include "sim/firmware_tables/bios_area.h"
#include "sim/firmware_tables/memory_layout.h"
#include "sim/firmware_tables/smbios.h"
#include "sim/loader/entry_points.h"
#include "sim/machine/boot_state.h"

namespace vtsim::machine {

namespace {

chipset::ChipsetConfig chipset_config(const config::MachineConfig& config) {
  const config::ChipsetConfig& from = config.chipset;
  return {.ram_bytes = config.memory.bytes,
          .low_memory_limit = from.low_memory_limit,
          .cores = config.cores.topology.logical_processors(),
          .uarts = from.has_uart1 ? 2u : 1u,
          .rtc_start_seconds = from.rtc_start,
          .hpet_clock = Frequency{from.hpet_hz},
          .has_hpet = from.has_hpet,
          .has_i8042 = from.has_i8042,
          .has_debug_exit = from.has_debug_exit,
          .has_debug_console = from.has_debug_console,
          .has_pc_testdev = from.has_pc_testdev};
}

constexpr unsigned kLint0 = 0;

}  // namespace

// DRAM as loaders and tables see it.
class Machine::Memory final : public firmware_tables::GuestMemory {
 public:
  explicit Memory(chipset::PhysicalMemory& memory) : memory_(memory) {}
  bool write(Hpa address, std::span<const u8> bytes) override {
    return memory_.write(address, bytes);
  }
  bool read(Hpa address, std::span<u8> bytes) const override { return memory_.read(address, bytes); }

 private:
  chipset::PhysicalMemory& memory_;
};

// INTA cycles go to the southbridge over the boot processor's bus.
class Machine::Pic final : public ExtIntSource {
 public:
  explicit Pic(Machine& machine) : machine_(machine) {}
  u8 interrupt_acknowledge(Ps now) override {
    return machine_.cores_[0]->bus().acknowledge_interrupt(now);
  }

 private:
  Machine& machine_;
};

Machine::Machine(const config::MachineConfig& config, MachineSinks sinks,
                 cpu::CoreObserver& observer, QuantumWatcher& watcher)
    : config_(config),
      shared_(config_.cores.model, config_.cores.offered),
      layout_(firmware_tables::q35_memory_layout(config_.memory.bytes)),
      pic_(std::make_unique<Pic>(*this)),
      clock_("clock", events_),
      northbridge_("northbridge", chipset_config(config_), fabric_) {
  shared_.host_code = shared_.host_code && config_.host_code;
  memory_ = std::make_unique<Memory>(northbridge_.bridge().memory());

  chipset::SouthbridgeSinks below;
  below.intr = [this](bool level, Ps now) {
    cores_[0]->processor().apic().set_lint(kLint0, level ? Level::kAssert : Level::kDeassert, now);
  };
  below.a20 = [this](bool level, Ps) {
    for (auto& core : cores_) core->bus().set_a20(level);
  };
  below.reset = [reset = sinks.reset](chipset::ResetKind, Ps) { reset(); };
  below.smi = [this](bool level, Ps now) {
    if (level) raise_smi(now);
  };
  below.suspend = [suspend = sinks.suspend](Ps) { suspend(); };
  below.wake = [this, wake = sinks.wake](Ps now) {
    wake();
    cores_[0]->look_again(now);
  };
  below.power_off = [power_off = sinks.power_off](Ps) { power_off(); };
  below.debug_exit = [exit = sinks.debug_exit](u32 value, Ps) { exit(value); };
  below.debug_console = sinks.debug_console;
  below.serial[0] = sinks.console;
  southbridge_ = std::make_unique<chipset::SouthbridgeModule>(
      "southbridge", chipset_config(config_), events_, northbridge_, std::move(below));
  southbridge_->connect(northbridge_);
  add_devices();
  fabric_.add(southbridge_->bridge().io_apic());

  const cpu::CpuTopology& topology = config_.cores.topology;
  for (unsigned n = 0; n < topology.logical_processors(); ++n) {
    const cpu::LogicalProcessorConfig processor{
        .index = n,
        .topology = topology,
        .frequency = Frequency{config_.cores.frequency_hz},
        .tsc_frequency = Frequency{config_.cores.model.frequencies.tsc_hz},
        .seed = config_.random_seed + n};
    cores_.push_back(std::make_unique<CoreModule>(
        ("core" + std::to_string(n)).c_str(), processor,
        CoreModule::Ports{.shared = shared_, .events = events_, .fabric = fabric_, .pic = *pic_,
                          .observer = observer, .watcher = watcher}));
    cores_.back()->bus().socket.bind(northbridge_.cores);
  }
}

Machine::~Machine() = default;

namespace {

std::unique_ptr<device::PciFunction> make_function(const std::string& kind) {
  if (kind == "pci-testdev") return std::make_unique<device::PciTestdev>();
  return nullptr;  // configurations with kinds that are not available are refused before
}

}  // namespace

void Machine::add_devices() {
  u16 next_free = device::Bdf{.bus = 0, .device = 1, .function = 0}.requester_id();
  for (const config::DeviceConfig& device : config_.devices) {
    functions_.push_back(make_function(device.kind));
    SIM_CHECK(functions_.back() != nullptr, device.kind);
    const u16 bdf = device.bdf.value_or(next_free);
    next_free = static_cast<u16>(std::max<u16>(next_free, bdf) + 8);
    northbridge_.bridge().pci().add(*functions_.back(), device::Bdf::from_id(bdf));
  }
}

firmware_tables::GuestMemory& Machine::memory() { return *memory_; }

Hpa Machine::prepare_without_firmware(Ps now) {
  set_up_chipset(now);
  firmware_tables::TablesConfig tables{
      .apic_ids = {}, .physical_address_bits = config_.cores.model.physical_address_bits};
  for (unsigned n = 0; n < core_count(); ++n)
    tables.apic_ids.push_back(config_.cores.topology.apic_id(n));
  const Hpa rsdp = firmware_tables::place_acpi(tables, layout_, *memory_);
  firmware_tables::place_smbios({}, layout_, *memory_);
  firmware_tables::place_bios_area(*memory_);
  return rsdp;
}

void Machine::set_up_chipset(Ps now) {
  apply_setup_accesses(core(0), firmware_tables::q35_setup(), now);
  const chipset::Southbridge& southbridge = southbridge_->bridge();
  chipset::assign_pci_resources(
      northbridge_.bridge().pci(), {},
      [&](const device::PciFunction& function) { return southbridge.interrupt_line(function); },
      now);
  const firmware_tables::CoreSetup setup{
      .physical_address_bits = config_.cores.model.physical_address_bits,
      .vmx = config_.cores.offered[cpu::Feature::kVmx],
      .variable_mtrrs = config_.cores.offered[cpu::Feature::kMtrr] ? 10u : 0u};
  const auto msrs = firmware_tables::core_setup(setup);
  for (auto& core : cores_) apply_core_setup(core->core(), msrs);
}

void Machine::start_at(const loader::EntryState& entry) { apply_entry_state(core(0), entry); }

void Machine::reset(Ps now) {
  northbridge_.bridge().reset(now);
  southbridge_->bridge().reset(now);
  for (auto& core : cores_) core->processor().reset(now);
  shared_.blocks.clear();  // images are loaded behind its back
}

// ---- sleep

void Machine::raise_smi(Ps now) {
  for (auto& core : cores_) core->processor().smi(now);
}

void Machine::suspend(Ps now) {
  for (auto& core : cores_) core->processor().power_off(now);
}

bool Machine::is_suspended() const { return southbridge_->bridge().pm().is_suspended(); }

bool Machine::can_wake() const { return southbridge_->bridge().can_wake(); }

bool Machine::resume(Ps now) {
  reset(now);
  set_up_chipset(now);
  const auto vectors = firmware_tables::read_waking_vectors(layout_, *memory_);
  if (vectors.protected_mode != Hpa(0)) {
    start_at(loader::protected_mode_wake_entry(vectors.protected_mode));
  } else if (vectors.real_mode != Hpa(0)) {
    start_at(loader::real_mode_wake_entry(vectors.real_mode));
  } else {
    return false;
  }
  return true;
}

void Machine::console_input(std::span<const u8> bytes, Ps now) {
  southbridge_->bridge().uart(0).receive(bytes, now);
}

u64 Machine::instructions() const {
  u64 sum = 0;
  for (const auto& core : cores_) sum += core->core().instructions();
  return sum;
}

bool Machine::all_asleep() const {
  return std::none_of(cores_.begin(), cores_.end(), [](const auto& module) {
    const cpu::Core& core = module->core();
    return core.state.activity == cpu::Activity::kActive || core.attention;
  });
}

bool Machine::is_dead() const {
  return std::all_of(cores_.begin(), cores_.end(), [this](const auto& module) {
    const cpu::Core& core = module->core();
    return core.state.activity == cpu::Activity::kOff ? !can_wake() : !core.can_wake();
  });
}

}  // namespace vtsim::machine
