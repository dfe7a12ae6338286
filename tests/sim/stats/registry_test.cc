#include "sim/stats/registry.h"

#include <catch2/catch.hpp>

#include "model/base/check.h"
#include "sim/stats/event_counters.h"

using namespace vtsim;
using namespace vtsim::stats;

TEST_CASE("statistics come in natural order of their names, whatever the order of adding") {
  Registry registry;
  for (const char* core : {"10", "2", "0"}) {
    registry.add("cpu{}.instructions", {core}, [core] { return std::stoull(core); });
  }
  registry.add("time", {}, [] { return u64{7}; });
  const Snapshot snapshot = registry.snapshot("end");
  CHECK(snapshot.label == "end");
  std::vector<std::string> names;
  for (const auto& entry : snapshot.entries) names.push_back(entry.name);
  CHECK(names == std::vector<std::string>{"cpu0.instructions", "cpu2.instructions",
                                          "cpu10.instructions", "time"});
  CHECK(snapshot.value("cpu10.instructions") == 10);
  CHECK(snapshot.value("nothing") == 0);
  CHECK(snapshot.entries[0].unit == "instructions");
}

TEST_CASE("a snapshot keeps its values when the counters go on") {
  u64 counter = 1;
  Registry registry;
  registry.add("instructions", {}, [&] { return counter; });
  const Snapshot first = registry.snapshot("marker 5");
  counter = 2;
  CHECK(first.value("instructions") == 1);
  CHECK(registry.snapshot("end").value("instructions") == 2);
}

TEST_CASE("an undeclared or repeated statistic, or a wrong number of parts, is a defect") {
  Registry registry;
  const auto getter = [] { return u64{0}; };
  CHECK_THROWS_AS(registry.add("cpu{}.nonsense", {"0"}, getter), SimDefect);
  CHECK_THROWS_AS(registry.add("cpu{}.cycles", {}, getter), SimDefect);
  CHECK_THROWS_AS(registry.add("time", {"0"}, getter), SimDefect);
  registry.add("time", {}, getter);
  CHECK_THROWS_AS(registry.add("time", {}, getter), SimDefect);
}

TEST_CASE("natural order compares digits as numbers") {
  CHECK(natural_less("cpu2.x", "cpu10.a"));
  CHECK_FALSE(natural_less("cpu10.a", "cpu2.x"));
  CHECK(natural_less("a", "ab"));
  CHECK_FALSE(natural_less("a", "a"));
  CHECK(natural_less("a99999999999999999999998", "a99999999999999999999999"));
}

TEST_CASE("events are counted by core and kind") {
  Probes probes;
  Registry registry;
  {
    const EventCounters counters(probes, 2);
    counters.add_to(registry);
    probes.exception.emit({.stamp = {.core = 1}, .vector = 14});
    probes.exception.emit({.stamp = {.core = 1}, .vector = 14});
    probes.exception.emit({.stamp = {.core = 1}, .vector = 6});
    probes.interrupt.emit({.stamp = {.core = 0}, .vector = 0x20});
    probes.bus_access.emit({.stamp = {.core = 0}, .space = "port"});
    probes.bus_access.emit({.stamp = {.core = 0}, .space = "mmio"});
    probes.bus_access.emit({.stamp = {.core = 0}, .space = "mmio"});
    probes.walk.emit({.stamp = {.core = 1}, .faulted = true, .references = 3});
    probes.walk.emit({.stamp = {.core = 1}, .references = 4});
    probes.core_state.emit({.stamp = {.core = 0}, .state = "halt"});
    probes.core_state.emit({.stamp = {.core = 0}, .state = "wake"});
    probes.marker.emit({.code = 5});
    const Snapshot s = registry.snapshot("end");
    CHECK(s.value("cpu1.exceptions") == 3);
    CHECK(s.value("cpu1.exception.page_fault") == 2);
    CHECK(s.value("cpu1.exception.invalid_opcode") == 1);
    CHECK(s.value("cpu0.exceptions") == 0);
    CHECK(s.value("cpu0.interrupts") == 1);
    CHECK(s.value("cpu0.port_accesses") == 1);
    CHECK(s.value("cpu0.mmio_accesses") == 2);
    CHECK(s.value("cpu1.walk.walks") == 2);
    CHECK(s.value("cpu1.walk.references") == 7);
    CHECK(s.value("cpu1.walk.faults") == 1);
    CHECK(s.value("cpu0.halts") == 1);
    CHECK(s.value("markers") == 1);
  }
  CHECK(probes.exception.empty());
  CHECK(probes.walk.empty());
}
