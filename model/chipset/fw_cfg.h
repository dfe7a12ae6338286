#pragma once
// The firmware configuration device: numbered items, some of them named files, which firmware and
// guests read through a byte port or by DMA.
//
//   offset  port   size
//   0       0x510  2  selector (WO): the item to read, from its beginning
//   1       0x511  1  data (RO): the item's next byte, 0 behind its end
//   4       0x514  4  DMA address, high half, big-endian; reads as "QEMU"
//   8       0x518  4  DMA address, low half, big-endian: a write starts the transfer; reads " CFG"
//
//   DMA descriptor, big-endian: 0 control: 31:16 selector, 4 write, 3 select, 2 skip, 1 read, 0 error
//                               4 length   8 address (64 bits)
//
// Source: QEMU documentation "QEMU Firmware Configuration (fw_cfg) Device".

#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "model/chipset/port_range.h"

namespace vtsim::chipset {

class FwCfg final : public RegisterTarget {
 public:
  static constexpr std::array<PortRange, 2> kPorts{{
      {0x510, 2, 0, "fw_cfg"},
      {0x514, 8, 4, "fw_cfg.dma"},
  }};

  // Items with fixed numbers that this device makes itself or that others commonly add.
  static constexpr u16 kSignature = 0x00, kInterfaceVersion = 0x01, kRamSize = 0x03;
  static constexpr u16 kCores = 0x05, kMaxCores = 0x0f, kDirectory = 0x19;
  static constexpr u16 kFirstFile = 0x20, kLastFile = 0x3fff;
  static constexpr std::size_t kMaxName = 55;

  // Called after a guest's write into a writable file, with the file's new contents.
  using WriteListener = std::function<void(std::span<const u8> contents, Ps now)>;

  explicit FwCfg(MemoryPort& memory);

  // Machine building. Names are unique and at most kMaxName characters; files appear in the
  // directory in the order in which they are added.
  void add_item(u16 key, std::vector<u8> bytes);
  u16 add_file(const std::string& name, std::vector<u8> bytes);
  u16 add_writable_file(const std::string& name, std::vector<u8> bytes, WriteListener listener);

  u64 read(u64 offset, unsigned size, Ps now) override;
  void write(u64 offset, unsigned size, u64 value, Ps now) override;

  void reset(Ps now);

  struct State {
    u16 selected = 0;
    u32 position = 0;
    u64 dma_address = 0;
    std::map<u16, std::vector<u8>> writable;  // contents of the files that a guest may change
  };
  State state() const;
  void restore(const State& state);

 private:
  struct Item {
    std::vector<u8> bytes;
    bool writable = false;
    WriteListener listener;
  };

  void rebuild_directory();
  void select(u16 key);
  u8 next_byte();
  void run_dma(Ps now);
  bool transfer(u32 control, u32 length, Hpa address, Ps now);
  bool copy_out(u32 length, Hpa address, Ps now);
  bool copy_in(u32 length, Hpa address, Ps now);

  MemoryPort& memory_;
  std::map<u16, Item> items_;
  std::vector<std::string> file_names_;  // of keys from kFirstFile on
  u16 selected_ = 0;
  u32 position_ = 0;
  u64 dma_address_ = 0;
};

static_assert(disjoint(FwCfg::kPorts));

}  // namespace vtsim::chipset
