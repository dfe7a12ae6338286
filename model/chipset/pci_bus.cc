#include "model/chipset/pci_bus.h"

#include <algorithm>

#include "model/base/bits.h"
#include "model/base/check.h"

namespace vtsim::chipset {
namespace {

using device::Bdf;
using device::PciFunction;

struct EcamOffset {
  static constexpr Field REQUESTER{27, 12};
  static constexpr Field REGISTER{11, 0};
};
struct ConfigAddress {
  static constexpr Flag ENABLE{31};
  static constexpr Field REQUESTER{23, 8};
  static constexpr Field REGISTER{7, 2};
  static constexpr u64 kWritable = 0x80ff'fffc;
};
constexpr unsigned kConfigAddress = 0, kConfigData = 4;
constexpr unsigned kDword = 4;

}  // namespace

PciBus::PciBus(AddressMap& memory, AddressMap& ports, int bar_priority)
    : memory_(memory), ports_(ports), bar_priority_(bar_priority) {}

void PciBus::add(PciFunction& function, Bdf where) {
  SIM_CHECK(!find(where), function.name());
  function.attach(*this, where);
  Slot slot{.function = &function, .memory_ids = {}, .port_ids = {}};
  for (unsigned bar = 0; bar < PciFunction::kBars; ++bar) {
    RegisterTarget* const target = function.bar_target(bar);
    if (!target) continue;
    const Region region{.name = function.name() + ".bar" + std::to_string(bar),
                        .priority = bar_priority_,
                        .enabled = false,
                        .target = target};
    slot.memory_ids[bar] = memory_.add(region);
    slot.port_ids[bar] = ports_.add(region);
  }
  slots_.push_back(slot);
  function.intx().connect([this](bool, Ps now) {
    if (on_intx_) on_intx_(now);
  });
}

PciFunction* PciBus::find(Bdf where) const {
  for (const Slot& slot : slots_) {
    if (slot.function->bdf() == where) return slot.function;
  }
  return nullptr;
}

void PciBus::bar_changed(PciFunction& function, unsigned bar) {
  const auto slot = std::find_if(slots_.begin(), slots_.end(),
                                 [&](const Slot& s) { return s.function == &function; });
  if (slot == slots_.end() || !function.bar_target(bar)) return;
  const auto window = function.bar_window(bar);
  const auto map = [&](AddressMap& where, AddressMap::Id id, bool here) {
    if (here) where.place(id, window->base, window->bytes);
    here ? where.enable(id) : where.disable(id);
  };
  map(memory_, slot->memory_ids[bar], window && !window->is_io);
  map(ports_, slot->port_ids[bar], window && window->is_io);
}

void PciBus::reset(Ps now) {
  state_ = {};
  for (const Slot& slot : slots_) slot.function->reset(now);
}

u32 PciBus::config_read(u16 id, unsigned offset, unsigned size, Ps now) {
  PciFunction* const function = find(Bdf::from_id(id));
  if (!function) return static_cast<u32>(low_mask(8 * size));
  return function->config_read(offset, size, now);
}

void PciBus::config_write(u16 id, unsigned offset, unsigned size, u32 value, Ps now) {
  if (PciFunction* const function = find(Bdf::from_id(id))) {
    function->config_write(offset, size, value, now);
  }
}

// A quadword is two configuration accesses.
u64 PciBus::Ecam::read(u64 offset, unsigned size, Ps now) {
  const u16 id = static_cast<u16>(EcamOffset::REQUESTER.get(offset));
  const unsigned reg = static_cast<unsigned>(EcamOffset::REGISTER.get(offset));
  if (size <= kDword) return bus_.config_read(id, reg, size, now);
  const u64 high = bus_.config_read(id, reg + kDword, kDword, now);
  return Field{63, 32}.put(bus_.config_read(id, reg, kDword, now), high);
}

void PciBus::Ecam::write(u64 offset, unsigned size, u64 value, Ps now) {
  const u16 id = static_cast<u16>(EcamOffset::REQUESTER.get(offset));
  const unsigned reg = static_cast<unsigned>(EcamOffset::REGISTER.get(offset));
  bus_.config_write(id, reg, std::min(size, kDword), static_cast<u32>(value), now);
  if (size > kDword) {
    bus_.config_write(id, reg + kDword, kDword, static_cast<u32>(bits(value, 63, 32)), now);
  }
}

u64 PciBus::ConfigPorts::read(u64 offset, unsigned size, Ps now) {
  const Reg<ConfigAddress> address(bus_.state_.config_address);
  if (offset < kConfigData) {
    return offset == kConfigAddress && size == kDword ? address.value : low_mask(8 * size);
  }
  if (!address[ConfigAddress::ENABLE] || size > kDword) return low_mask(8 * size);
  const unsigned reg = static_cast<unsigned>(address[ConfigAddress::REGISTER] * kDword + offset -
                                             kConfigData);
  return bus_.config_read(static_cast<u16>(address[ConfigAddress::REQUESTER]), reg, size, now);
}

void PciBus::ConfigPorts::write(u64 offset, unsigned size, u64 value, Ps now) {
  if (offset < kConfigData) {
    if (offset != kConfigAddress || size != kDword) return;
    bus_.state_.config_address = static_cast<u32>(value & ConfigAddress::kWritable);
    return;
  }
  const Reg<ConfigAddress> address(bus_.state_.config_address);
  if (!address[ConfigAddress::ENABLE] || size > kDword) return;
  const unsigned reg = static_cast<unsigned>(address[ConfigAddress::REGISTER] * kDword + offset -
                                             kConfigData);
  bus_.config_write(static_cast<u16>(address[ConfigAddress::REQUESTER]), reg, size,
                    static_cast<u32>(value), now);
}

}  // namespace vtsim::chipset
