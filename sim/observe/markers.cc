#include "sim/observe/markers.h"

#include <fmt/format.h>

#include <algorithm>

namespace vtsim::observe {
namespace {

constexpr MarkerRow kRows[] = {
    {Marker::kRegionBegin, "region_begin", "the region of interest begins"},
    {Marker::kRegionEnd, "region_end", "it ends"},
    {Marker::kTimingMode, "timing_mode", "from here in timing mode"},
    {Marker::kFunctionalMode, "functional_mode", "from here in functional mode"},
    {Marker::kDumpStatistics, "dump_statistics", "a snapshot of the statistics"},
    {Marker::kSaveCheckpoint, "save_checkpoint", "save the machine's state"},
    {Marker::kStop, "stop", "end the run"},
};

}  // namespace

std::span<const MarkerRow> marker_rows() { return kRows; }

std::string list_markers() {
  std::string text;
  for (const MarkerRow& row : kRows) {
    text += fmt::format("{}  {:<16} {}\n", static_cast<u32>(row.code), row.name, row.help);
  }
  return text;
}

MarkerDispatcher::MarkerDispatcher(Probe<MarkerEvent>& probe)
    : probe_(probe),
      subscription_(probe.subscribe([this](const MarkerEvent& event) { dispatch(event); })) {}

MarkerDispatcher::~MarkerDispatcher() { probe_.unsubscribe(subscription_); }

void MarkerDispatcher::on(Marker code, Handler handler) {
  entries_.push_back({code, std::move(handler)});
}

void MarkerDispatcher::dispatch(const MarkerEvent& event) const {
  for (const Entry& entry : entries_) {
    if (static_cast<u32>(entry.code) == event.code) entry.handler(event);
  }
  const bool known = std::any_of(std::begin(kRows), std::end(kRows), [&](const MarkerRow& row) {
    return static_cast<u32>(row.code) == event.code;
  });
  if (!known && unknown_) unknown_(event);
}

}  // namespace vtsim::observe
