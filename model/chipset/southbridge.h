#pragma once
// The southbridge (ICH9): owns the devices below the northbridge, decodes their ports and memory,
// and routes their interrupts. Plain C++: southbridge_module.h puts sockets around it.

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "model/base/event_queue.h"
#include "model/chipset/acpi_pm.h"
#include "model/chipset/address_map.h"
#include "model/chipset/chipset_config.h"
#include "model/chipset/debug_ports.h"
#include "model/chipset/fw_cfg.h"
#include "model/chipset/hpet.h"
#include "model/chipset/i8042.h"
#include "model/chipset/interrupt_router.h"
#include "model/chipset/ioapic.h"
#include "model/chipset/lpc_bridge.h"
#include "model/chipset/lpc_root_complex.h"
#include "model/chipset/pc_testdev.h"
#include "model/chipset/pci_bus.h"
#include "model/chipset/pic_8259.h"
#include "model/chipset/pit_8254.h"
#include "model/chipset/port92.h"
#include "model/chipset/reset_control.h"
#include "model/chipset/rtc_cmos.h"
#include "model/chipset/smbus.h"
#include "model/chipset/uart_16550.h"

namespace vtsim::chipset {

// What the southbridge drives outside of the chipset. Any may be empty. They are called inside a
// guest's access or an event; a machine acts on resets and exits once that instruction is over.
struct SouthbridgeSinks {
  Wire::Sink intr;  // INTR of the 8259s: LINT0 of the boot core
  Wire::Sink a20;   // A20M#: high lets bit 20 of addresses through
  Wire::Sink smi;   // a pulse for each SMI, to every processor
  ResetSink reset;
  std::function<void(Ps now)> power_off;  // S4, S5, or the string at port 8900h
  std::function<void(Ps now)> suspend;    // S3
  std::function<void(Ps now)> wake;       // the end of S3: processors start at the reset vector
  DebugExit::Sink debug_exit;
  DebugConsole::Sink debug_console;
  std::array<Uart16550::Sink, 2> serial;
};

// Where the southbridge's own transactions go, one port a requester id.
struct SouthbridgeDma {
  MemoryPort& lpc;      // fw_cfg, 00:1f.0
  MemoryPort& io_apic;  // f0:1f.0
  MemoryPort& hpet;     // f0:0f.0
};

class Southbridge final : public BusLink {
 public:
  static constexpr u16 kLpcRequester = 0x00f8;  // 00:1f.0
  static constexpr u16 kIoApicRequester = 0xf0f8;
  static constexpr u16 kHpetRequester = 0xf078;

  // `pci`, `dma` and `events` outlive this; its functions are added to `pci`.
  Southbridge(const ChipsetConfig& config, EventQueue& events, PciBus& pci, SouthbridgeDma dma,
              SouthbridgeSinks sinks);
  Southbridge(const Southbridge&) = delete;
  Southbridge& operator=(const Southbridge&) = delete;

  // What the northbridge passes down.
  bool transport(const BusTransaction& transaction, Ps now) override;

  // PLTRST#: all devices; a power cycle is the same here, since the RTC's battery stays.
  void reset(Ps now);

  // In S3: does anything here still run that would end it? Without a front panel that is the RTC.
  bool can_wake() const { return pm_.wakes_on_rtc() && rtc_.may_interrupt(); }

  IoApic& io_apic() { return io_apic_; }  // register it with the interrupt fabric for EOIs
  FwCfg& fw_cfg() { return fw_cfg_; }
  Uart16550& uart(unsigned index) { return *uarts_[index]; }  // index < config.uarts
  RtcCmos& rtc() { return rtc_; }
  Pic8259& pic() { return pic_; }
  AcpiPm& pm() { return pm_; }

  // The 8259 input that a function's interrupt pin reaches as the PIRQs are routed now; 0xff: none.
  u8 interrupt_line(const device::PciFunction& function) const;
  I8042* i8042() { return i8042_ ? &*i8042_ : nullptr; }

 private:
  template <std::size_t kRows>
  void add_ports(RegisterTarget& target, const std::array<PortRange, kRows>& rows);
  AddressMap::Id add_port_range(RegisterTarget& target, const PortRange& row);
  AddressMap::Id add_memory(const char* name, RegisterTarget& target, u64 bytes);
  void place(AddressMap::Id id, std::optional<Hpa> base, u64 bytes);

  void add_required_devices();
  void add_optional_devices(const ChipsetConfig& config, EventQueue& events);
  void connect_interrupts();
  void apply_lpc(Ps now);           // after writes to the LPC bridge's registers
  void apply_root_complex(Ps now);  // after writes to the chip configuration registers
  void update_pirqs(Ps now);
  void update_a20(Ps now);
  void sleep(SleepState state, Ps now);

  SouthbridgeSinks sinks_;
  PciBus& pci_;
  AddressMap memory_map_;
  AddressMap port_map_;

  Pic8259 pic_;
  IoApic io_apic_;
  InterruptRouter router_;
  Pit8254 pit_;
  RtcCmos rtc_;
  AcpiPm pm_;
  Port92 port92_;
  ResetControl reset_control_;
  PostCodePort post_code_;
  ShutdownPort shutdown_port_;
  FwCfg fw_cfg_;
  LpcBridge lpc_;
  RootComplex root_complex_;
  SmbusController smbus_;
  std::optional<Hpet> hpet_;
  std::optional<I8042> i8042_;
  std::optional<DebugExit> debug_exit_;
  std::optional<DebugConsole> debug_console_;
  std::unique_ptr<PcTestdev> pc_testdev_;
  std::vector<std::unique_ptr<Uart16550>> uarts_;

  AddressMap::Id io_apic_region_ = 0, hpet_region_ = 0, root_complex_region_ = 0;
  AddressMap::Id pm_region_ = 0;  // of the ports
  bool a20_ = true;  // as sinks_.a20 was told last
};

}  // namespace vtsim::chipset
