#pragma once
// What a guest can tell the simulator, by executing 0F 1F 80 disp32 (a long NOP on silicon) with
// disp32 = 5654_0000H | code.

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/base/events.h"

namespace vtsim::observe {

enum class Marker : u32 {
  kRegionBegin = 1,
  kRegionEnd = 2,
  kTimingMode = 3,
  kFunctionalMode = 4,
  kDumpStatistics = 5,
  kSaveCheckpoint = 6,
  kStop = 7,
};

struct MarkerRow {
  Marker code;
  std::string_view name;
  std::string_view help;
};
std::span<const MarkerRow> marker_rows();
std::string list_markers();

// Hands each marker to the handlers of its code, in the order in which they were added.
class MarkerDispatcher {
 public:
  using Handler = std::function<void(const MarkerEvent&)>;

  explicit MarkerDispatcher(Probe<MarkerEvent>& probe);
  MarkerDispatcher(const MarkerDispatcher&) = delete;
  MarkerDispatcher& operator=(const MarkerDispatcher&) = delete;
  ~MarkerDispatcher();

  void on(Marker code, Handler handler);
  // Markers with codes that mean nothing.
  void on_unknown(Handler handler) { unknown_ = std::move(handler); }

 private:
  struct Entry {
    Marker code;
    Handler handler;
  };

  void dispatch(const MarkerEvent& event) const;

  Probe<MarkerEvent>& probe_;
  Probe<MarkerEvent>::Id subscription_;
  std::vector<Entry> entries_;
  Handler unknown_;
};

}  // namespace vtsim::observe
