#include "model/chipset/northbridge.h"

#include <algorithm>
#include <cstring>

#include "model/base/check.h"

namespace vtsim::chipset {
namespace {

// Higher wins. What the host bridge decodes itself beats BARs, which beat DRAM: a BAR that software
// puts over RAM hides it, as real bridges send such cycles to the bus.
enum Priority : int {
  kDram = 0,
  kBus = 1,
  kFirmware = 2,
  kPam = 3,
  kBar = 4,
  kEcam = 5,
  kSmram = 6,
  kInterrupts = 7,
};

constexpr u64 kVideoFirst = 0xa'0000, kVideoLast = 0xb'ffff;
constexpr u64 kHighSmramFirst = 0xfeda'0000;
constexpr u64 kBiosFirst = 0xe'0000, kBiosLast = 0xf'ffff;
constexpr Hpa kInterruptFirst{0xfee0'0000};
constexpr u64 kInterruptLast = 0xfeef'ffff;
constexpr u64 kVideoBytes = kVideoLast - kVideoFirst + 1;

}  // namespace

// Messages are only written.
u64 Northbridge::InterruptWindow::read(u64 /*offset*/, unsigned /*size*/, Ps /*now*/) {
  return ~u64{0};
}

// SDM 3A "Message Data Register Format": a doubleword on its boundary. Others mean nothing.
void Northbridge::InterruptWindow::write(u64 offset, unsigned size, u64 value, Ps now) {
  constexpr unsigned kMessageBytes = 4;
  if (size != kMessageBytes) return;
  sink_.deliver(message_from_msi(kInterruptFirst + offset, static_cast<u32>(value)), now);
}

Northbridge::Northbridge(const ChipsetConfig& config, InterruptSink& interrupts)
    : memory_(config.ram_bytes, config.low_memory_limit),
      pci_(map_, ports_, kBar),
      host_bridge_(memory_.low_bytes(), memory_.high_bytes(), [this] { apply_host_bridge(); }),
      interrupt_window_(interrupts) {
  add_memory_regions();
  add_pam_regions();
  add_smram_regions();
  ports_.add({.name = "bus", .first = 0, .last = 0xffff, .priority = kDram, .forwards = true});
  ports_.add({.name = "pci.config",
              .first = PciBus::kConfigPorts,
              .last = PciBus::kConfigPorts + 7,
              .priority = kEcam,
              .target = &pci_.config_ports()});
  pci_.add(host_bridge_, HostBridge::kBdf);
  apply_host_bridge();
  map_.on_change([this] {
    if (on_map_change_) on_map_change_();
  });
}

void Northbridge::add_memory_regions() {
  u8* const low = memory_.host(Hpa(0));
  map_.add({.name = "ram.low",
            .first = 0,
            .last = memory_.low_bytes() - 1,
            .priority = kDram,
            .read = low,
            .write = low});
  if (memory_.high_bytes() != 0) {
    u8* const high = memory_.host(kFourGiB);
    map_.add({.name = "ram.high",
              .first = kFourGiB.value,
              .last = kFourGiB.value + memory_.high_bytes() - 1,
              .priority = kDram,
              .read = high,
              .write = high});
  }
  map_.add({.name = "bus.video",
            .first = kVideoFirst,
            .last = kVideoLast,
            .priority = kBus,
            .forwards = true});
  if (memory_.low_bytes() < kFourGiB.value) {
    map_.add({.name = "bus.low",
              .first = memory_.low_bytes(),
              .last = kFourGiB.value - 1,
              .priority = kDram,
              .forwards = true});
  }
  map_.add({.name = "interrupts",
            .first = kInterruptFirst.value,
            .last = kInterruptLast,
            .priority = kInterrupts,
            .target = &interrupt_window_});
  ecam_ = map_.add(
      {.name = "ecam", .priority = kEcam, .enabled = false, .target = &pci_.ecam()});
}

void Northbridge::add_pam_regions() {
  for (unsigned segment = 0; segment < HostBridge::kPamSegments; ++segment) {
    const HostBridge::Window window = HostBridge::pam_window(segment);
    pam_.push_back(map_.add({.name = "pam." + std::to_string(segment),
                             .first = window.base,
                             .last = window.base + window.bytes - 1,
                             .priority = kPam,
                             .forwards = true}));
  }
}

void Northbridge::add_smram_regions() {
  u8* const dram = memory_.host(Hpa(kVideoFirst));
  Region region{.name = "smram",
                .first = kVideoFirst,
                .last = kVideoLast,
                .priority = kSmram,
                .seen_by = SeenBy::kSmmOnly,
                .enabled = false,
                .read = dram,
                .write = dram};
  smram_ = map_.add(region);
  region.name = "smram.high";
  region.first = kHighSmramFirst;
  region.last = kHighSmramFirst + kVideoBytes - 1;
  smram_high_ = map_.add(region);
  region.name = "smram.open";
  region.first = kVideoFirst;
  region.last = kVideoLast;
  region.seen_by = SeenBy::kNormalOnly;
  smram_open_ = map_.add(region);
  tseg_ = map_.add({.name = "tseg",
                    .priority = kSmram,
                    .seen_by = SeenBy::kSmmOnly,
                    .enabled = false});
  tseg_blocked_ = map_.add({.name = "tseg.blocked",
                            .priority = kSmram,
                            .seen_by = SeenBy::kNormalOnly,
                            .enabled = false});
}

void Northbridge::apply_host_bridge() {
  if (const auto window = host_bridge_.ecam()) {
    map_.place(ecam_, window->base, window->bytes);
    map_.enable(ecam_);
  } else {
    map_.disable(ecam_);
  }
  apply_pam();
  apply_smram();
}

// Where PAM does not select DRAM, reads give the firmware's last 128 KiB; writes go nowhere.
void Northbridge::apply_pam() {
  for (unsigned segment = 0; segment < pam_.size(); ++segment) {
    const HostBridge::DramAccess access = host_bridge_.pam(segment);
    const u64 base = HostBridge::pam_window(segment).base;
    u8* const dram = memory_.host(Hpa(base));
    map_.set_backing(pam_[segment], access.reads ? dram : firmware_alias(base),
                     access.writes ? dram : nullptr);
  }
}

// Datasheet "SMM and Top of Main Memory". TSEG ends at the top of low RAM.
void Northbridge::apply_smram() {
  const HostBridge::Smram smram = host_bridge_.smram();
  const auto set = [this](AddressMap::Id id, bool on) { on ? map_.enable(id) : map_.disable(id); };
  set(smram_, (smram.enabled || smram.open) && !smram.high);
  set(smram_open_, smram.open && !smram.high);
  set(smram_high_, smram.high);
  const bool has_tseg = smram.tseg_bytes != 0 && smram.tseg_bytes < memory_.low_bytes();
  if (has_tseg) {
    const u64 base = memory_.low_bytes() - smram.tseg_bytes;
    map_.place(tseg_, base, smram.tseg_bytes);
    map_.place(tseg_blocked_, base, smram.tseg_bytes);
    u8* const dram = memory_.host(Hpa(base));
    map_.set_backing(tseg_, dram, dram);
  }
  set(tseg_, has_tseg);
  set(tseg_blocked_, has_tseg);
}

u8* Northbridge::firmware_alias(u64 address) const {
  if (firmware_.empty() || address < kBiosFirst) return nullptr;
  const u64 below_top = kBiosLast + 1 - address;
  const HostMapping& rom = firmware_.front();
  return below_top <= rom.bytes() ? rom.data() + rom.bytes() - below_top : nullptr;
}

void Northbridge::install_firmware(std::span<const u8> image) {
  constexpr u64 kMaxBytes = u64{16} << 20;
  SIM_CHECK(firmware_.empty());
  SIM_CHECK(!image.empty() && image.size() % kPageSize == 0 && image.size() <= kMaxBytes);
  HostMapping& rom = firmware_.emplace_back(image.size());
  std::memcpy(rom.data(), image.data(), image.size());
  map_.add({.name = "firmware",
            .first = kFourGiB.value - image.size(),
            .last = kFourGiB.value - 1,
            .priority = kFirmware,
            .read = rom.data()});
  apply_pam();
}

bool Northbridge::transport(const BusTransaction& transaction, Ps now) {
  switch (transaction.info.space) {
    case BusSpace::kPort:
      return transport_port(transaction, now);
    case BusSpace::kInterruptAcknowledge:
      return below_ && below_->transport(transaction, now);
    case BusSpace::kMemory:
      break;
  }
  const bool claimed = access(map_, transaction, below_, now);
  if (transaction.is_write() && on_memory_write_ && memory_.host(Hpa(transaction.address))) {
    on_memory_write_(Hpa(transaction.address), transaction.data.size());
  }
  return claimed;
}

// PCI 3.0 "Software Generation of Configuration Transactions": CONFIG_ADDRESS takes doublewords
// only; smaller accesses pass on to the bus (the reset control register is at CF9).
bool Northbridge::transport_port(const BusTransaction& transaction, Ps now) {
  constexpr u16 kConfigAddress = PciBus::kConfigPorts, kConfigData = kConfigAddress + 4;
  const bool in_address =
      transaction.address >= kConfigAddress && transaction.address < kConfigData;
  const bool is_dword = transaction.address == kConfigAddress && transaction.data.size() == 4;
  if (in_address && !is_dword && below_) return below_->transport(transaction, now);
  return access(ports_, transaction, below_, now);
}

void Northbridge::reset(Ps now) { pci_.reset(now); }

}  // namespace vtsim::chipset
