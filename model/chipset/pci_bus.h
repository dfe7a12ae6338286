#pragma once
// PCI bus 0: which functions are there, configuration accesses to them through ports CF8/CFC and
// through the memory-mapped window (ECAM), their BARs in the address maps, and their INTx levels.
//
// Source: PCI 3.0 "Software Generation of Configuration Transactions"; PCI Express Base
// Specification "PCI Express Enhanced Configuration Access Mechanism (ECAM)".

#include <array>
#include <functional>
#include <vector>

#include "model/chipset/address_map.h"
#include "model/device/pci_function.h"

namespace vtsim::chipset {

class PciBus final : public device::PciFabric {
 public:
  static constexpr u16 kConfigPorts = 0xcf8;

  // BARs are mapped with priority `bar_priority`.
  PciBus(AddressMap& memory, AddressMap& ports, int bar_priority);

  // Machine building: the function must live as long as the bus is used, and its place be free.
  void add(device::PciFunction& function, device::Bdf where);
  device::PciFunction* find(device::Bdf where) const;

  // In the order in which they were added.
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (const Slot& slot : slots_) visit(*slot.function);
  }

  // Called after any function's INTx changed its level.
  void on_intx(std::function<void(Ps now)> listener) { on_intx_ = std::move(listener); }

  // The window's registers: bits 27:20 bus, 19:15 device, 14:12 function, 11:0 register.
  RegisterTarget& ecam() { return ecam_; }
  // CONFIG_ADDRESS at 0-3 (doublewords only), CONFIG_DATA at 4-7.
  RegisterTarget& config_ports() { return config_ports_; }

  // All functions, and CONFIG_ADDRESS, to reset values.
  void reset(Ps now);

  struct State {
    u32 config_address = 0;
  };
  const State& state() const { return state_; }
  void restore(const State& state) { state_ = state; }

 private:
  struct Slot {
    device::PciFunction* function;
    std::array<AddressMap::Id, device::PciFunction::kBars> memory_ids;
    std::array<AddressMap::Id, device::PciFunction::kBars> port_ids;
  };

  class Ecam final : public RegisterTarget {
   public:
    explicit Ecam(PciBus& bus) : bus_(bus) {}
    u64 read(u64 offset, unsigned size, Ps now) override;
    void write(u64 offset, unsigned size, u64 value, Ps now) override;

   private:
    PciBus& bus_;
  };
  class ConfigPorts final : public RegisterTarget {
   public:
    explicit ConfigPorts(PciBus& bus) : bus_(bus) {}
    u64 read(u64 offset, unsigned size, Ps now) override;
    void write(u64 offset, unsigned size, u64 value, Ps now) override;

   private:
    PciBus& bus_;
  };

  void bar_changed(device::PciFunction& function, unsigned bar) override;
  u32 config_read(u16 id, unsigned offset, unsigned size, Ps now);
  void config_write(u16 id, unsigned offset, unsigned size, u32 value, Ps now);

  AddressMap& memory_;
  AddressMap& ports_;
  int bar_priority_;
  std::vector<Slot> slots_;
  std::function<void(Ps)> on_intx_;
  Ecam ecam_{*this};
  ConfigPorts config_ports_{*this};
  State state_;
};

}  // namespace vtsim::chipset
