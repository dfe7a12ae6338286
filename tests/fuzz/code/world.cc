#include "tests/fuzz/code/world.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "model/base/bits.h"
#include "model/cpu/core.h"

namespace vtsim::fuzz {

GuardedMemory::GuardedMemory(u64 bytes) : bytes_(bytes) {
  void* whole = mmap(nullptr, bytes + 2 * kPageSize, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (whole == MAP_FAILED) throw std::bad_alloc();
  data_ = static_cast<u8*>(whole) + kPageSize;
  if (mprotect(data_, bytes, PROT_READ | PROT_WRITE) != 0) throw std::bad_alloc();
}

GuardedMemory::~GuardedMemory() { munmap(data_ - kPageSize, bytes_ + 2 * kPageSize); }

World::World(cpu::SharedEnvironment& shared, EventQueue& events, cpu::InterruptFabric& fabric)
    : shared_(shared),
      events_(events),
      fabric_(fabric),
      alarm_(events.add("alarm", [this](Ps now) { act(alarm_value_ & 15, alarm_value_, now); })) {}

HostPage World::host_page(Hpa page, bool in_smm) {
  if (page.page_number() >= kRamPages) return {};
  u8* const host = memory_.data() + page.value;
  switch (pages_[page.page_number()]) {
    case PageKind::kRam: return {host, host};
    case PageKind::kRom: return {host, nullptr};
    case PageKind::kSmram: return in_smm ? HostPage{host, host} : HostPage{};
    default: return {};
  }
}

void World::note(u64 kind, u64 where, u64 value, Ps now) {
  for (const u64 word : {kind, where, value, now}) log_.add(word);
  ++accesses_;
}

// The time of a memory access is not noted: what a processor itself reads and writes in a device's memory
// (stacks of far transfers, tables) bears the time of its block's start. Code and paging structures in a device's memory do not change: how often a processor reads them is
// nobody's business.
u64 World::read(Hpa address, unsigned size, const BusAttributes& attributes) {
  const bool is_data = attributes.kind == RefKind::kData;
  if (is_data) note(1, address.value, size, 0);
  Digest value;
  value.add(align_down(address.value, 8));
  if (is_data) value.add(accesses_);
  return value.value() >> (8 * (address.value & 7)) & low_mask(8 * size);
}

void World::write(Hpa address, unsigned size, u64 value, Ps now) {
  note(2, address.value, value ^ u64{size} << 56, 0);
  if (align_down(address.value, kDevicePages * kPageSize) == kDevices)
    act(bits(address.value, 6, 3), value, now);
}

u64 World::port_in(u16 port, unsigned size, Ps now) {
  note(3, port, size, now);
  return log_.value() & low_mask(8 * size);
}

void World::port_out(u16 port, unsigned size, u64 value, Ps now) {
  note(4, port, value ^ u64{size} << 56, now);
  if (align_down(port, 8) == kDevicePort) act(port & 7, value << 4, now);
}

void World::interrupt(DeliveryMode mode, u64 value, Ps now) {
  fabric_.deliver({.destination = static_cast<u32>(bits(value, 4, 4)),
                   .vector = static_cast<u8>(value >> 8),
                   .delivery = mode},
                  now);
}

// As a device does it: everybody hears of it first.
void World::write_memory(u64 value) {
  const u64 address = value * 0x9E37'79B9 % (kRamBytes - 8);
  const unsigned size = 1 + static_cast<unsigned>(value & 7);
  shared_.before_write(address, size);
  std::memcpy(ram(address), &value, size);
}

void World::act(u64 what, u64 value, Ps now) {
  switch (what) {
    case 1: return interrupt(DeliveryMode::kFixed, value, now);
    case 2: return interrupt(DeliveryMode::kNmi, value, now);
    case 3: return interrupt(DeliveryMode::kSmi, value, now);
    case 4:
      alarm_value_ = value >> 4;
      return events_.schedule(alarm_, now + bits(value, 11, 4) * 777);
    case 5: return write_memory(value);
    case 6:
      pages_[value >> 4 & 0xFF] = static_cast<PageKind>(bits(value, 13, 12));
      for (cpu::Core* core : shared_.cores) core->memory_map_changed();
      return;
    case 7: return interrupt(DeliveryMode::kInit, value, now);
    case 8: return interrupt(DeliveryMode::kStartup, value, now);
    case 9: return interrupt(DeliveryMode::kExtInt, value, now);
    case 10: return interrupt(DeliveryMode::kLowestPriority, value, now);
    default: return;
  }
}

}  // namespace vtsim::fuzz
