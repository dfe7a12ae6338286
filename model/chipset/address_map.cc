#include "model/chipset/address_map.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "model/base/bits.h"
#include "model/base/check.h"

namespace vtsim::chipset {

AddressMap::AddressMap() = default;

AddressMap::Id AddressMap::add(Region region) {
  SIM_CHECK(region.first <= region.last, region.name);
  regions_.push_back(std::move(region));
  changed();
  return static_cast<Id>(regions_.size() - 1);
}

void AddressMap::changed() {
  stale_ = true;
  if (on_change_) on_change_();
}

void AddressMap::enable(Id id) {
  if (std::exchange(regions_[id].enabled, true)) return;
  changed();
}

void AddressMap::disable(Id id) {
  if (!std::exchange(regions_[id].enabled, false)) return;
  changed();
}

void AddressMap::place(Id id, u64 first, u64 bytes) {
  Region& region = regions_[id];
  const u64 last = first + bytes - 1;
  SIM_CHECK(bytes != 0 && last >= first, region.name);
  if (region.first == first && region.last == last) return;
  region.first = first;
  region.last = last;
  if (region.enabled) changed();
}

void AddressMap::set_backing(Id id, u8* read, u8* write) {
  Region& region = regions_[id];
  if (region.read == read && region.write == write) return;
  region.read = read;
  region.write = write;
  if (region.enabled) changed();
}

bool AddressMap::visible(const Region& region, View view) const {
  if (!region.enabled) return false;
  if (region.seen_by == SeenBy::kAll) return true;
  return (region.seen_by == SeenBy::kSmmOnly) == (view == View::kSmm);
}

const Region* AddressMap::winner(u64 address, View view) const {
  const Region* best = nullptr;
  for (const Region& region : regions_) {
    if (!visible(region, view) || address < region.first || address > region.last) continue;
    if (!best || region.priority >= best->priority) best = &region;
  }
  return best;
}

// Between two neighbouring borders of regions the winner is the same everywhere. Some dozens of
// regions, and a handful of changes during a boot: simple beats fast.
void AddressMap::flatten(View view) const {
  std::vector<u64> starts{0};
  for (const Region& region : regions_) {
    if (!visible(region, view)) continue;
    starts.push_back(region.first);
    if (region.last != ~u64{0}) starts.push_back(region.last + 1);
  }
  std::sort(starts.begin(), starts.end());
  starts.erase(std::unique(starts.begin(), starts.end()), starts.end());

  Flat& flat = flat_[static_cast<std::size_t>(view)];
  flat.ranges.clear();
  flat.last_hit = 0;
  const Region* previous = nullptr;
  for (std::size_t i = 0; i < starts.size(); ++i) {
    const u64 first = starts[i];
    const u64 last = i + 1 < starts.size() ? starts[i + 1] - 1 : ~u64{0};
    const Region* region = winner(first, view);
    if (region == previous && !flat.ranges.empty()) {
      flat.ranges.back().last = last;
      continue;
    }
    previous = region;
    Range range{.first = first, .last = last};
    if (region) {
      const u64 inside = first - region->first;
      range.read = region->read ? region->read + inside : nullptr;
      range.write = region->write ? region->write + inside : nullptr;
      range.target = region->target;
      range.target_offset = region->target_offset + inside;
      range.forwards = region->forwards;
      range.gap = false;
    }
    flat.ranges.push_back(range);
  }
}

const AddressMap::Range& AddressMap::find(u64 address, View view) const {
  if (stale_) {
    flatten(View::kNormal);
    flatten(View::kSmm);
    stale_ = false;
  }
  const Flat& flat = flat_[static_cast<std::size_t>(view)];
  const Range& recent = flat.ranges[flat.last_hit];
  if (address >= recent.first && address <= recent.last) return recent;
  const auto after = std::upper_bound(flat.ranges.begin(), flat.ranges.end(), address,
                                      [](u64 a, const Range& range) { return a < range.first; });
  flat.last_hit = static_cast<std::size_t>(after - flat.ranges.begin()) - 1;
  return flat.ranges[flat.last_hit];
}

HostRange AddressMap::host_range(u64 address, View view) const {
  const Range& range = find(address, view);
  return {.first = range.first, .last = range.last, .read = range.read, .write = range.write};
}

namespace {

u64 load(std::span<const u8> bytes) {
  u64 value = 0;
  std::memcpy(&value, bytes.data(), bytes.size());
  return value;
}

void store(std::span<u8> bytes, u64 value) { std::memcpy(bytes.data(), &value, bytes.size()); }

// The largest naturally aligned power of two, 8 at most, that starts at `address`.
std::size_t aligned_piece(u64 address, std::size_t left) {
  const unsigned alignment = address == 0 ? 3 : std::min(3, std::countr_zero(address));
  return std::min(std::size_t{1} << alignment, std::bit_floor(left));
}

void access_registers(const AddressMap::Range& range, const BusTransaction& part, Ps now) {
  for (std::size_t done = 0; done < part.data.size();) {
    const u64 offset = range.target_offset + (part.address + done - range.first);
    const std::size_t size = aligned_piece(part.address + done, part.data.size() - done);
    const std::span<u8> piece = part.data.subspan(done, size);
    if (part.is_write()) {
      range.target->write(offset, static_cast<unsigned>(size), load(piece), now);
    } else {
      store(piece, range.target->read(offset, static_cast<unsigned>(size), now));
    }
    done += size;
  }
}

void fill_with_ones(const BusTransaction& part) {
  if (!part.is_write()) std::memset(part.data.data(), 0xff, part.data.size());
}

// `part` lies within `range`, which is a copy: what it reaches may change the map.
bool access_range(const AddressMap::Range range, const BusTransaction& part, BusLink* below,
                  Ps now) {
  u8* const host = part.is_write() ? range.write : range.read;
  if (host) {
    u8* const at = host + (part.address - range.first);
    if (part.is_write()) {
      std::memcpy(at, part.data.data(), part.data.size());
    } else {
      std::memcpy(part.data.data(), at, part.data.size());
    }
    return true;
  }
  if (range.target) {
    access_registers(range, part, now);
    return true;
  }
  if (range.forwards && below) return below->transport(part, now);
  fill_with_ones(part);
  return !range.gap && !range.forwards;
}

}  // namespace

bool access(const AddressMap& map, const BusTransaction& transaction, BusLink* below, Ps now) {
  bool claimed = true;
  const View view = view_of(transaction.info);
  for (std::size_t done = 0; done < transaction.data.size();) {
    const u64 address = transaction.address + done;
    const AddressMap::Range& range = map.find(address, view);
    const std::size_t left = transaction.data.size() - done;
    const u64 room = range.last - address;  // bytes after this one
    const std::size_t size = room >= left ? left : static_cast<std::size_t>(room) + 1;
    BusTransaction part = transaction;
    part.address = address;
    part.data = transaction.data.subspan(done, size);
    claimed &= access_range(range, part, below, now);
    done += size;
  }
  return claimed;
}

}  // namespace vtsim::chipset
