#include "model/chipset/ioapic.h"

#include <cstring>

#include "model/base/bits.h"

namespace vtsim::chipset {
namespace {

constexpr u64 kIoRegSel = 0x00, kIoWin = 0x10, kEoi = 0x40;
constexpr unsigned kId = 0x00, kVersion = 0x01, kArbitration = 0x02, kFirstEntry = 0x10;
constexpr u32 kVersionValue = (IoApic::kInputs - 1) << 16 | 0x20;

struct Id {
  static constexpr Field APIC_ID{27, 24};
};

struct Entry {
  static constexpr Field ADDRESS_19_4{63, 48};  // where these bits go in the message's address
  static constexpr Flag MASK{16};
  static constexpr Flag LEVEL{15};
  static constexpr Flag REMOTE_IRR{14};
  static constexpr Flag ACTIVE_LOW{13};
  static constexpr Flag LOGICAL{11};
  static constexpr Field DELIVERY{10, 8};
  static constexpr Field VECTOR{7, 0};
  static constexpr u64 kReset = Flag{16}.mask();
  static constexpr u64 kWritable = 0xffff'0000'0001'afff;
};
constexpr Field kAddress19_4{19, 4};
constexpr Field kLow{31, 0}, kHigh{63, 32};

using EntryReg = Reg<Entry>;

// 82093AA "Remote IRR": defined for level-triggered interrupts of fixed and lowest-priority mode.
bool uses_remote_irr(EntryReg entry) {
  const auto mode = static_cast<DeliveryMode>(entry[Entry::DELIVERY]);
  return entry[Entry::LEVEL] &&
         (mode == DeliveryMode::kFixed || mode == DeliveryMode::kLowestPriority);
}

}  // namespace

IoApic::IoApic(MemoryPort& interconnect, u8 id) : interconnect_(interconnect), reset_id_(id) {
  reset(0);
}

void IoApic::reset(Ps now) {
  state_.index = 0;
  state_.id = reset_id_;
  state_.entries.fill(Entry::kReset);
  for (unsigned input = 0; input < kInputs; ++input) update(input, now);
}

void IoApic::set_input(unsigned input, bool high, Ps now) {
  const u32 mask = static_cast<u32>(Flag{input}.mask());
  if (high == ((state_.levels & mask) != 0)) return;
  state_.levels ^= mask;
  update(input, now);
}

// Applies the polarity to the input's level, and acts on what the entry then sees.
void IoApic::update(unsigned input, Ps now) {
  const EntryReg entry(state_.entries[input]);
  const u32 mask = static_cast<u32>(Flag{input}.mask());
  const bool was = (state_.asserted & mask) != 0;
  const bool is = bit(state_.levels, input) != entry[Entry::ACTIVE_LOW];
  if (is != was) state_.asserted ^= mask;
  if (entry[Entry::LEVEL]) {
    deliver_level(input, now);
  } else if (is && !was && !entry[Entry::MASK]) {
    send(input, now);
  }
}

void IoApic::deliver_level(unsigned input, Ps now) {
  EntryReg entry(state_.entries[input]);
  if (!bit(state_.asserted, input) || entry[Entry::MASK] || entry[Entry::REMOTE_IRR]) return;
  if (uses_remote_irr(entry)) {
    entry.set(Entry::REMOTE_IRR, 1);
    state_.entries[input] = entry.value;
  }
  send(input, now);
}

// VT-d "I/OxAPIC Programming": bits 63:48 become bits 19:4 of the address, bit 11 its bit 2; in
// compatibility format that is the destination and its mode.
void IoApic::send(unsigned input, Ps now) {
  const EntryReg entry(state_.entries[input]);
  Reg<MsiAddress> address;
  address.set(MsiAddress::Fixed, MsiAddress::kFixedValue);
  address.set(kAddress19_4, entry[Entry::ADDRESS_19_4]);
  address.set(MsiAddress::Logical, entry[Entry::LOGICAL]);
  Reg<MsiData> data;
  data.set(MsiData::Vector, entry[Entry::VECTOR]);
  data.set(MsiData::Delivery, entry[Entry::DELIVERY]);
  data.set(MsiData::LevelTriggered, entry[Entry::LEVEL]);
  data.set(MsiData::Assert, 1);
  const u32 message = static_cast<u32>(data.value);
  std::array<u8, sizeof message> bytes;
  std::memcpy(bytes.data(), &message, bytes.size());
  interconnect_.write(Hpa(address.value), bytes, now);
}

u64 IoApic::read(u64 offset, unsigned /*size*/, Ps /*now*/) {
  if (offset == kIoRegSel) return state_.index;
  if (offset == kIoWin) return read_register(state_.index);
  return 0;
}

void IoApic::write(u64 offset, unsigned /*size*/, u64 value, Ps now) {
  if (offset == kIoRegSel) state_.index = static_cast<u8>(value);
  if (offset == kIoWin) write_register(state_.index, static_cast<u32>(value), now);
  if (offset == kEoi) eoi_broadcast(static_cast<u8>(value), now);
}

u32 IoApic::read_register(unsigned index) const {
  const u32 id = static_cast<u32>(Id::APIC_ID.put(0, state_.id));
  if (index == kId || index == kArbitration) return id;
  if (index == kVersion) return kVersionValue;
  if (index < kFirstEntry || index >= kFirstEntry + 2 * kInputs) return 0;
  const unsigned half = index - kFirstEntry;
  return static_cast<u32>((half % 2 ? kHigh : kLow).get(state_.entries[half / 2]));
}

void IoApic::write_register(unsigned index, u32 value, Ps now) {
  if (index == kId) state_.id = static_cast<u8>(Id::APIC_ID.get(value));
  if (index < kFirstEntry || index >= kFirstEntry + 2 * kInputs) return;
  const unsigned half = index - kFirstEntry;
  const u64 old = state_.entries[half / 2];
  write_entry(half / 2, (half % 2 ? kHigh : kLow).put(old, value), now);
}

// An input that becomes edge-triggered forgets that a level was in service; software without the EOI
// register relies on it.
void IoApic::write_entry(unsigned input, u64 value, Ps now) {
  const EntryReg old(state_.entries[input]);
  EntryReg entry(value & Entry::kWritable);
  entry.set(Entry::REMOTE_IRR, old[Entry::REMOTE_IRR] && entry[Entry::LEVEL]);
  state_.entries[input] = entry.value;
  update(input, now);
}

void IoApic::eoi_broadcast(u8 vector, Ps now) {
  for (unsigned input = 0; input < kInputs; ++input) {
    EntryReg entry(state_.entries[input]);
    if (!entry[Entry::REMOTE_IRR] || entry[Entry::VECTOR] != vector) continue;
    entry.set(Entry::REMOTE_IRR, 0);
    state_.entries[input] = entry.value;
    deliver_level(input, now);
  }
}

}  // namespace vtsim::chipset
