#pragma once
// The northbridge: DRAM, the map of physical addresses and ports, PCI bus 0, and the way of
// interrupt messages. All transactions of cores and devices come through `transport`; what neither
// DRAM nor a PCI function claims goes down to the southbridge. Plain C++: northbridge_module.h puts
// sockets around it.

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "model/base/interrupt_message.h"
#include "model/chipset/address_map.h"
#include "model/chipset/chipset_config.h"
#include "model/chipset/memory.h"
#include "model/chipset/northbridge_host_bridge.h"
#include "model/chipset/pci_bus.h"

namespace vtsim::chipset {

class Northbridge final : public BusLink {
 public:
  Northbridge(const ChipsetConfig& config, InterruptSink& interrupts);
  Northbridge(const Northbridge&) = delete;
  Northbridge& operator=(const Northbridge&) = delete;

  // Wiring, once.
  void connect_below(BusLink& southbridge) { below_ = &southbridge; }
  // The map changed: every host pointer that host_range() gave is void.
  void on_map_change(std::function<void()> listener) { on_map_change_ = std::move(listener); }
  // A transaction wrote memory.
  void on_memory_write(std::function<void(Hpa first, u64 bytes)> listener) {
    on_memory_write_ = std::move(listener);
  }

  bool transport(const BusTransaction& transaction, Ps now) override;

  // The largest range around `address` with one way of access.
  HostRange host_range(Hpa address, View view) const { return map_.host_range(address.value, view); }

  PhysicalMemory& memory() { return memory_; }
  PciBus& pci() { return pci_; }
  const HostBridge& host_bridge() const { return host_bridge_; }

  // Firmware: a read-only memory that ends at 4 GiB (its last 128 KiB also appear at E0000-FFFFF
  // where PAM does not select DRAM). A multiple of 4 KiB, 16 MiB at most; once a machine.
  void install_firmware(std::span<const u8> image);

  // PCI functions and the map as after PLTRST#. Memory keeps its contents.
  void reset(Ps now);

 private:
  // Writes to 0xFEEx_xxxx.
  class InterruptWindow final : public RegisterTarget {
   public:
    explicit InterruptWindow(InterruptSink& sink) : sink_(sink) {}
    u64 read(u64 offset, unsigned size, Ps now) override;
    void write(u64 offset, unsigned size, u64 value, Ps now) override;

   private:
    InterruptSink& sink_;
  };

  bool transport_port(const BusTransaction& transaction, Ps now);
  void add_memory_regions();
  void add_smram_regions();
  void add_pam_regions();
  void apply_host_bridge();
  void apply_pam();
  void apply_smram();
  u8* firmware_alias(u64 address) const;

  PhysicalMemory memory_;
  AddressMap map_;
  AddressMap ports_;
  PciBus pci_;
  HostBridge host_bridge_;
  InterruptWindow interrupt_window_;
  BusLink* below_ = nullptr;
  std::function<void()> on_map_change_;
  std::function<void(Hpa, u64)> on_memory_write_;
  std::vector<HostMapping> firmware_;  // none or one

  AddressMap::Id ecam_ = 0;
  AddressMap::Id smram_ = 0, smram_open_ = 0, smram_high_ = 0, tseg_ = 0, tseg_blocked_ = 0;
  std::vector<AddressMap::Id> pam_;
};

}  // namespace vtsim::chipset
