#pragma once
// A PCI Express function with a type-0 configuration header: its registers as rows, base address
// registers, capabilities, INTx, MSI and MSI-X. A device derives from it or holds one.
//
// Source: PCI Local Bus Specification 3.0 "Configuration Space", "Message Signaled Interrupts";
// PCI Express Base Specification "PCI-Compatible Configuration Registers".

#include <array>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/base/device.h"

namespace vtsim::device {

// Bus, device and function: the address of a function and, as a number, its requester id.
struct Bdf {
  u8 bus = 0;
  u8 device = 0;    // 0-31
  u8 function = 0;  // 0-7

  constexpr u16 requester_id() const {
    return static_cast<u16>(bus << 8 | device << 3 | function);
  }
  static constexpr Bdf from_id(u16 id) {
    return {static_cast<u8>(id >> 8), static_cast<u8>(id >> 3 & 31), static_cast<u8>(id & 7)};
  }
  constexpr auto operator<=>(const Bdf&) const = default;
};

// One register of configuration space. Bits in neither mask are read-only.
struct ConfigRow {
  const char* name;
  u16 offset;
  u8 bytes;  // 1, 2, 4 or 8
  u64 reset;
  u64 rw = 0;   // software may write these bits
  u64 w1c = 0;  // writing 1 clears these bits
};

struct PciIdentity {
  u16 vendor;
  u16 device;
  u8 revision = 0;
  u32 class_code;  // 24 bits: class, subclass, programming interface
  u16 subsystem_vendor = 0;
  u16 subsystem = 0;
  u8 interrupt_pin = 0;  // 0 none, 1 INTA ... 4 INTD
  bool multifunction = false;
};

enum class BarKind : u8 { kIo, kMemory32, kMemory64, kPrefetchable64 };

struct BarDeclaration {
  unsigned index;  // 0-5; 64-bit kinds also take the next
  BarKind kind;
  u64 bytes;  // a power of two: 4 at least for ports, 16 for memory
  RegisterTarget* target;
};

// Where a BAR answers; nullopt: nowhere (decoding is off).
struct BarWindow {
  bool is_io;
  u64 base;
  u64 bytes;
};

class PciFunction;

// The bus above a function: maps BARs and takes interrupts away.
class PciFabric {
 public:
  virtual ~PciFabric() = default;
  // The window of one BAR may have changed.
  virtual void bar_changed(PciFunction& function, unsigned bar) = 0;
};

class PciFunction {
 public:
  static constexpr unsigned kConfigBytes = 4096;
  static constexpr unsigned kBars = 6;

  PciFunction(std::string name, const PciIdentity& identity);
  virtual ~PciFunction() = default;
  PciFunction(const PciFunction&) = delete;
  PciFunction& operator=(const PciFunction&) = delete;

  const std::string& name() const { return name_; }

  // Configuration accesses of 1, 2 or 4 bytes within an aligned doubleword.
  u32 config_read(unsigned offset, unsigned size, Ps now);
  void config_write(unsigned offset, unsigned size, u32 value, Ps now);

  // Back to reset values: BARs unmapped, interrupts off. Derived classes reset what is theirs too.
  virtual void reset(Ps now);

  std::optional<BarWindow> bar_window(unsigned bar) const;
  RegisterTarget* bar_target(unsigned bar) const { return bars_[bar].target; }

  // INTA-INTD as the function drives it; `interrupt_pin` tells which one.
  Wire& intx() { return intx_; }
  unsigned interrupt_pin() const { return interrupt_pin_; }

  // Wired once by whoever builds the machine. `dma`: where the function's own transactions go.
  void attach(PciFabric& fabric, Bdf where);
  void connect_dma(MemoryPort& dma) { dma_ = &dma; }
  Bdf bdf() const { return bdf_; }

  // For checkpoints; BARs and wires follow from it. Derived classes have what is theirs besides.
  struct State {
    std::array<u8, kConfigBytes> config{};
    bool interrupt_level = false;  // what set_interrupt_level said last
    std::vector<u8> msix_table;
    std::vector<u8> msix_pending;
  };
  const State& state() const { return state_; }
  void restore(const State& state, Ps now);

 protected:
  struct MsixGeometry {
    unsigned vectors;
    unsigned bar;
    u32 table_offset;  // multiples of 8 within the BAR
    u32 pba_offset;
  };

  // Declarations, in the constructor only.
  void add_rows(std::span<const ConfigRow> rows);
  void add_bar(const BarDeclaration& bar);
  // Appends a capability with `id` at `offset` to the list; its body comes as rows from offset + 2.
  void add_capability(u8 id, u8 offset);
  void add_msi(u8 offset, unsigned vectors);  // 64-bit addresses, per-vector masking
  void add_msix(u8 offset, const MsixGeometry& geometry);

  u64 config_get(unsigned offset, unsigned bytes) const;
  void config_set(unsigned offset, unsigned bytes, u64 value);  // by the hardware: any bits

  bool memory_enabled() const;
  bool io_enabled() const;
  bool bus_master_enabled() const;

  // Interrupts. A level source calls set_interrupt_level on changes; while MSI or MSI-X is enabled
  // rising edges become message 0.
  void set_interrupt_level(bool asserted, Ps now);
  void send_message(unsigned vector, Ps now);
  bool msi_enabled() const;
  bool msix_enabled() const;

  // The MSI-X table and pending bits, for the target of the BAR that holds them.
  u64 msix_read(u32 bar_offset, unsigned size) const;
  void msix_write(u32 bar_offset, unsigned size, u64 value, Ps now);

  MemoryPort* dma() { return dma_; }

  // After software wrote [offset, offset + size).
  virtual void on_config_write(unsigned offset, unsigned size, Ps now);
  // After all registers were replaced. By default as if software had written them.
  virtual void on_restore(Ps now) { on_config_write(0, kConfigBytes, now); }

 private:
  struct Bar {
    RegisterTarget* target = nullptr;
    BarKind kind = BarKind::kMemory32;
    u64 bytes = 0;  // 0: there is none
  };

  void set_row(const ConfigRow& row);
  void bars_changed();
  void update_intx(Ps now);
  void update_pending_messages(Ps now);
  void post(u64 address, u32 data, Ps now);
  void send_msi(unsigned vector, Ps now);
  void send_msix(unsigned vector, Ps now);
  u32 msi_word(unsigned offset) const;
  unsigned msix_entry(unsigned vector) const { return vector * 16; }
  bool msix_vector_masked(unsigned vector) const;
  static bool touches(unsigned offset, unsigned size, unsigned first, unsigned bytes);

  std::string name_;
  std::vector<ConfigRow> rows_;
  State state_;
  std::array<u8, kConfigBytes> rw_{};
  std::array<u8, kConfigBytes> w1c_{};
  std::array<Bar, kBars> bars_{};
  PciFabric* fabric_ = nullptr;
  MemoryPort* dma_ = nullptr;
  Bdf bdf_;
  Wire intx_;
  unsigned interrupt_pin_;

  unsigned last_capability_ = 0;  // offset of the pointer to the next capability
  unsigned msi_ = 0;              // offsets of the capabilities; 0: there is none
  unsigned msix_ = 0;
  MsixGeometry msix_geometry_{};
};

}  // namespace vtsim::device
