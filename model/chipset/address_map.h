#pragma once
// What answers at each address: of memory, or of the ports. Regions may overlap; the one of highest
// priority wins, the later one among equals. A region is seen by all transactions or only by those
// in (or out of) system-management mode. The regions are flattened into one sorted list for each
// of the two views, rebuilt at the first look-up after a change.

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "model/base/device.h"
#include "model/chipset/bus_info.h"

namespace vtsim::chipset {

// Which transactions look.
enum class View : u8 { kNormal = 0, kSmm = 1 };

constexpr View view_of(const BusInfo& info) { return info.in_smm ? View::kSmm : View::kNormal; }

enum class SeenBy : u8 { kAll, kNormalOnly, kSmmOnly };

struct Region {
  std::string name;
  u64 first = 0;
  u64 last = 0;  // inclusive
  int priority = 0;
  SeenBy seen_by = SeenBy::kAll;
  bool enabled = true;

  // Reads go to the host memory at `read` if there is any, else to `target`; writes likewise. With
  // neither, the region forwards to the bus below if `forwards`, else it swallows the access:
  // ones are read.
  u8* read = nullptr;
  u8* write = nullptr;
  RegisterTarget* target = nullptr;
  u64 target_offset = 0;  // what `first` is to the target
  bool forwards = false;
};

class AddressMap {
 public:
  using Id = u32;

  // A piece of the flat list. Without region (`gap`) nothing answers.
  struct Range {
    u64 first = 0;
    u64 last = 0;
    u8* read = nullptr;
    u8* write = nullptr;
    RegisterTarget* target = nullptr;
    u64 target_offset = 0;
    bool forwards = false;
    bool gap = true;
  };

  AddressMap();

  Id add(Region region);
  const Region& region(Id id) const { return regions_[id]; }

  // Changes of a region; nothing happens, and no one is told, when it is so already.
  void enable(Id id);
  void disable(Id id);
  void place(Id id, u64 first, u64 bytes);
  void set_backing(Id id, u8* read, u8* write);

  // The range that contains `address`. The reference lasts until the next change of the map.
  const Range& find(u64 address, View view) const;

  // The host memory around `address` that may be used without further asking.
  HostRange host_range(u64 address, View view) const;

  // Called after each change. One listener.
  void on_change(std::function<void()> listener) { on_change_ = std::move(listener); }

 private:
  struct Flat {
    std::vector<Range> ranges;
    mutable std::size_t last_hit = 0;
  };

  bool visible(const Region& region, View view) const;
  const Region* winner(u64 address, View view) const;
  void flatten(View view) const;
  void changed();

  std::vector<Region> regions_;
  std::function<void()> on_change_;
  mutable std::array<Flat, 2> flat_;
  mutable bool stale_ = true;
};

// Performs a transaction on a map: host memory is copied; registers are accessed in naturally
// aligned pieces of 1, 2, 4 or 8 bytes, ascending; forwarding pieces go to `below` (null: nothing
// is there). False when any byte met a gap; those are read as ones.
bool access(const AddressMap& map, const BusTransaction& transaction, BusLink* below, Ps now);

}  // namespace vtsim::chipset
