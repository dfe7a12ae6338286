#include "sim/observe/trace_writer.h"

#include <sys/resource.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <nlohmann/json.hpp>

#include "sim/observe/markers.h"
#include "tests/sim/support/temporary_files.h"

using namespace vtsim;
using namespace vtsim::observe;
using vtsim::test::TemporaryFiles;

namespace {

ExceptionEvent page_fault(u64 instruction, Ps time) {
  return {.stamp = {.core = 1, .time = time, .instruction = instruction},
          .vector = 14,
          .has_error_code = true,
          .error_code = 2,
          .cs = 8,
          .rip = 0xffffffff81000000,
          .cr2 = 0x1000};
}

// Limits the size of files that this process can write, as a full disk would.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() { ::setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

}  // namespace

TEST_CASE("a text trace has one line an event, with the declared fields") {
  const TemporaryFiles files;
  Probes probes;
  {
    TraceWriter trace(probes, {"exception"}, files.path("t.log"), {});
    probes.exception.emit(page_fault(17, 1'234'567));
    probes.interrupt.emit({});  // not asked for
  }
  CHECK(files.read("t.log") ==
        "1234.567 cpu1 #17 exception vector=14 has_error_code=1 error_code=0x2 cs=0x8 "
        "rip=0xffffffff81000000 cr2=0x1000\n");
  CHECK(probes.exception.empty());
}

TEST_CASE("nobody listens to what is not traced") {
  const TemporaryFiles files;
  Probes probes;
  const TraceWriter trace(probes, {"marker"}, files.path("t.log"), {});
  CHECK(probes.exception.empty());
  CHECK_FALSE(probes.marker.empty());
}

TEST_CASE("JSON lines keep 64-bit values exactly") {
  const TemporaryFiles files;
  Probes probes;
  {
    TraceWriter trace(probes, {"all"}, files.path("t.jsonl"), {});
    probes.exception.emit(page_fault(1, 2));
    probes.interrupt.emit({.stamp = {}, .vector = 32, .source = "external", .rip = 5});
  }
  std::istringstream lines(files.read("t.jsonl"));
  std::string line;
  REQUIRE(std::getline(lines, line));
  const auto first = nlohmann::json::parse(line);
  CHECK(first["event"] == "exception");
  CHECK(first["core"] == 1);
  CHECK(first["rip"] == "0xffffffff81000000");
  CHECK(first["has_error_code"] == true);
  REQUIRE(std::getline(lines, line));
  CHECK(nlohmann::json::parse(line)["source"] == "external");
}

TEST_CASE("a Perfetto trace is valid JSON, with and without events") {
  const TemporaryFiles files;
  Probes probes;
  { const TraceWriter trace(probes, {"all"}, files.path("empty.perfetto.json"), {}); }
  CHECK(nlohmann::json::parse(files.read("empty.perfetto.json"))["traceEvents"].size() == 1);
  {
    TraceWriter trace(probes, {"all"}, files.path("t.perfetto.json"), {});
    probes.exception.emit(page_fault(1, 1'500'000));
  }
  const auto json = nlohmann::json::parse(files.read("t.perfetto.json"));
  REQUIRE(json["traceEvents"].size() == 2);
  CHECK(json["traceEvents"][1]["name"] == "exception");
  CHECK(json["traceEvents"][1]["tid"] == 1);
  CHECK(json["traceEvents"][1]["ts"] == 1.5);
}

TEST_CASE("a window cuts by instruction and by time: from included, to excluded") {
  const TraceWindow::Bound ten{false, 10};
  const TraceWindow::Bound twenty_ps{true, 20};
  const TraceWindow window{ten, twenty_ps};
  CHECK_FALSE(window.contains({.core = 0, .time = 0, .instruction = 9}));
  CHECK(window.contains({.core = 0, .time = 19, .instruction = 10}));
  CHECK_FALSE(window.contains({.core = 0, .time = 20, .instruction = 10}));
  CHECK(TraceWindow{}.contains({}));
}

TEST_CASE("a full disk leaves a valid trace of whole records") {
  const TemporaryFiles files;
  Probes probes;
  std::string error;
  {
    const FileSizeLimit limit(1'000'000);
    TraceWriter trace(probes, {"all"}, files.path("t.perfetto.json"), {});
    for (u64 i = 0; i < 20'000; ++i) probes.exception.emit(page_fault(i, i));
    trace.close();
    error = trace.error();
  }
  CHECK(error.find("cannot be written") != std::string::npos);
  const auto json = nlohmann::json::parse(files.read("t.perfetto.json"));
  const std::size_t events = json["traceEvents"].size();
  CHECK(events > 1000);
  CHECK(events < 20'000);
  CHECK(json["traceEvents"][events - 1]["args"]["instruction"] == events - 2);
}

TEST_CASE("a trace that is looked at before its end is valid already") {
  const TemporaryFiles files;
  Probes probes;
  TraceWriter trace(probes, {"all"}, files.path("t.perfetto.json"), {});
  for (u64 i = 0; i < 10'000; ++i) probes.exception.emit(page_fault(i, i));
  const auto json = nlohmann::json::parse(files.read("t.perfetto.json"));
  CHECK(json["traceEvents"].size() > 1000);
}

TEST_CASE("a file that cannot be made is refused at once") {
  Probes probes;
  CHECK_THROWS_AS(TraceWriter(probes, {"all"}, "/no/such/t.log", {}), OutputError);
}

TEST_CASE("the format follows from the name") {
  CHECK(trace_format_of("a.log") == TraceFormat::kLog);
  CHECK(trace_format_of("a.jsonl") == TraceFormat::kJsonLines);
  CHECK(trace_format_of("a.perfetto.json") == TraceFormat::kPerfetto);
  CHECK_FALSE(trace_format_of("a.json").has_value());
}

TEST_CASE("events are listed with their categories and fields") {
  const std::string list = list_events();
  CHECK(list.find("exception        exception") != std::string::npos);
  CHECK(list.find("  error_code") != std::string::npos);
  CHECK(list.find("RDMSR or WRMSR") != std::string::npos);
  for (const std::string& category : trace_categories()) {
    CHECK(list.find(category) != std::string::npos);
  }
}

TEST_CASE("markers go to the handlers of their code, unknown ones elsewhere") {
  Probes probes;
  std::string seen;
  {
    MarkerDispatcher markers(probes.marker);
    markers.on(Marker::kStop,
               [&](const MarkerEvent& e) { seen += "stop" + std::to_string(e.rax); });
    markers.on(Marker::kRegionBegin, [&](const MarkerEvent&) { seen += "begin"; });
    markers.on_unknown([&](const MarkerEvent& e) { seen += "?" + std::to_string(e.code); });
    probes.marker.emit({.code = 7, .rax = 3});
    probes.marker.emit({.code = 2});
    probes.marker.emit({.code = 99});
    probes.marker.emit({.code = 1});
  }
  CHECK(seen == "stop3?99begin");
  CHECK(probes.marker.empty());
  CHECK(list_markers().find("5  dump_statistics") != std::string::npos);
}
