#include "sim/observe/trace_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>

namespace vtsim::observe {
namespace {

using Out = std::back_insert_iterator<std::string>;

// Nanoseconds with three digits after the point: exact.
void append_ns(std::string& out, Ps time) {
  fmt::format_to(Out(out), "{}.{:03}", time / kPsPerNs, time % kPsPerNs);
}

// Microseconds, the unit of the Chrome trace format.
void append_us(std::string& out, Ps time) {
  constexpr u64 kPsPerUs = 1000 * kPsPerNs;
  fmt::format_to(Out(out), "{}.{:06}", time / kPsPerUs, time % kPsPerUs);
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte > 0x7e) {
      fmt::format_to(Out(out), "\\u{:04x}", byte);
    } else {
      out += c;
    }
  }
  out += '"';
}

// name=value
struct LogFields {
  std::string& out;
  void operator()(std::string_view name, u64 value, FieldFormat format, std::string_view) const {
    if (format == FieldFormat::kHex) {
      fmt::format_to(Out(out), " {}={:#x}", name, value);
    } else {
      fmt::format_to(Out(out), " {}={}", name, value);
    }
  }
  void operator()(std::string_view name, std::string_view value, FieldFormat,
                  std::string_view) const {
    fmt::format_to(Out(out), " {}={}", name, value);
  }
};

// ,"name":value; 64-bit numbers in hexadecimal are strings, since JSON readers may round them
struct JsonFields {
  std::string& out;
  void operator()(std::string_view name, u64 value, FieldFormat format, std::string_view) const {
    switch (format) {
      case FieldFormat::kHex:
        fmt::format_to(Out(out), ",\"{}\":\"{:#x}\"", name, value);
        break;
      case FieldFormat::kFlag:
        fmt::format_to(Out(out), ",\"{}\":{}", name, value != 0 ? "true" : "false");
        break;
      default:
        fmt::format_to(Out(out), ",\"{}\":{}", name, value);
    }
  }
  void operator()(std::string_view name, std::string_view value, FieldFormat,
                  std::string_view) const {
    fmt::format_to(Out(out), ",\"{}\":", name);
    append_json_string(out, value);
  }
};

template <class Event>
void format_log(std::string& out, const Event& event) {
  append_ns(out, event.stamp.time);
  fmt::format_to(Out(out), " cpu{} #{} {}", event.stamp.core, event.stamp.instruction,
                 Event::kInfo.name);
  event.fields(LogFields{out});
  out += '\n';
}

template <class Event>
void format_json_line(std::string& out, const Event& event) {
  fmt::format_to(Out(out), "{{\"event\":\"{}\",\"core\":{},\"time_ps\":{},\"instruction\":{}",
                 Event::kInfo.name, event.stamp.core, event.stamp.time, event.stamp.instruction);
  event.fields(JsonFields{out});
  out += "}\n";
}

template <class Event>
void format_perfetto(std::string& out, const Event& event) {
  fmt::format_to(Out(out),
                 ",\n{{\"name\":\"{}\",\"cat\":\"{}\",\"ph\":\"i\",\"s\":\"t\",\"pid\":1,"
                 "\"tid\":{},\"ts\":",
                 Event::kInfo.name, Event::kInfo.category, event.stamp.core);
  append_us(out, event.stamp.time);
  fmt::format_to(Out(out), ",\"args\":{{\"instruction\":{}", event.stamp.instruction);
  event.fields(JsonFields{out});
  out += "}}";
}

OutputFormat output_format(TraceFormat format) {
  if (format != TraceFormat::kPerfetto) return {};
  return {.header =
              "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n"
              "{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":1,\"args\":{\"name\":\"vtsim\"}}",
          .footer = "\n]}\n",
          .zstd = false};
}

bool is_at_or_after(const Stamp& stamp, const TraceWindow::Bound& bound) {
  return (bound.is_time ? stamp.time : stamp.instruction) >= bound.value;
}

}  // namespace

std::optional<TraceFormat> trace_format_of(const std::string& path) {
  if (path.ends_with(".log")) return TraceFormat::kLog;
  if (path.ends_with(".jsonl")) return TraceFormat::kJsonLines;
  if (path.ends_with(".perfetto.json")) return TraceFormat::kPerfetto;
  return std::nullopt;
}

std::vector<std::string> trace_categories() {
  std::set<std::string> names;
  Probes probes;
  for_each_probe(probes, [&]<class Event>(Probe<Event>&) { names.emplace(Event::kInfo.category); });
  return {names.begin(), names.end()};
}

std::string list_events() {
  std::string text = fmt::format("{:<16} {:<11} {}\n", "EVENT", "CATEGORY", "MEANING");
  Probes probes;
  for_each_probe(probes, [&]<class Event>(Probe<Event>&) {
    const EventInfo& info = Event::kInfo;
    text += fmt::format("{:<16} {:<11} {}\n", info.name, info.category, info.help);
    Event{}.fields([&](std::string_view name, auto, FieldFormat, std::string_view help) {
      text += fmt::format("  {:<26} {}\n", name, help);
    });
  });
  return text;
}

bool TraceWindow::contains(const Stamp& stamp) const {
  if (from && !is_at_or_after(stamp, *from)) return false;
  return !(to && is_at_or_after(stamp, *to));
}

template <class Event>
void TraceWriter::subscribe(Probe<Event>& probe) {
  const auto id = probe.subscribe([this](const Event& event) {
    if (!window_.contains(event.stamp)) return;
    record_.clear();
    switch (format_) {
      case TraceFormat::kLog:
        format_log(record_, event);
        break;
      case TraceFormat::kJsonLines:
        format_json_line(record_, event);
        break;
      case TraceFormat::kPerfetto:
        format_perfetto(record_, event);
        break;
    }
    file_.append(record_);
  });
  unsubscribe_.push_back([&probe, id] { probe.unsubscribe(id); });
}

TraceWriter::TraceWriter(Probes& probes, const std::vector<std::string>& categories,
                         const std::string& path, const TraceWindow& window)
    : format_(trace_format_of(path).value_or(TraceFormat::kLog)),
      window_(window),
      file_(path, output_format(format_)) {
  const auto wanted = [&](std::string_view category) {
    return std::any_of(categories.begin(), categories.end(),
                       [&](const std::string& name) { return name == category || name == "all"; });
  };
  for_each_probe(probes, [&]<class Event>(Probe<Event>& probe) {
    if (wanted(Event::kInfo.category)) subscribe(probe);
  });
}

TraceWriter::~TraceWriter() {
  for (const auto& unsubscribe : unsubscribe_) unsubscribe();
}

}  // namespace vtsim::observe
