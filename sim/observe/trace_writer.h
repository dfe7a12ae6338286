#pragma once
// --trace: probe events as lines of text, JSON lines, or a file for ui.perfetto.dev.

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/base/events.h"
#include "sim/observe/output_file.h"

namespace vtsim::observe {

enum class TraceFormat { kLog, kJsonLines, kPerfetto };

// By the path's end: .log, .jsonl, .perfetto.json.
std::optional<TraceFormat> trace_format_of(const std::string& path);

// Names of categories, sorted, each once; "all" stands for all of them.
std::vector<std::string> trace_categories();

// One line an event and a field.
std::string list_events();

// What is written: events from `from` on and before `to`. Instructions are those of the event's
// core.
struct TraceWindow {
  struct Bound {
    bool is_time = false;  // picoseconds, otherwise instructions
    u64 value = 0;
  };
  std::optional<Bound> from;
  std::optional<Bound> to;

  bool contains(const Stamp& stamp) const;
};

class TraceWriter {
 public:
  // Subscribes to the categories' probes, which must outlive it. Throws OutputError.
  TraceWriter(Probes& probes, const std::vector<std::string>& categories, const std::string& path,
              const TraceWindow& window);
  TraceWriter(const TraceWriter&) = delete;
  TraceWriter& operator=(const TraceWriter&) = delete;
  ~TraceWriter();

  void close() { file_.close(); }
  const std::string& error() const { return file_.error(); }

 private:
  template <class Event>
  void subscribe(Probe<Event>& probe);

  TraceFormat format_;
  TraceWindow window_;
  OutputFile file_;
  std::string record_;  // reused
  std::vector<std::function<void()>> unsubscribe_;
};

}  // namespace vtsim::observe
