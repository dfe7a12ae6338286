#include "model/base/event_queue.h"

#include <catch2/catch.hpp>
#include <string>

using namespace vtsim;

TEST_CASE("events fire by deadline, then by the order in which they were added") {
  EventQueue queue;
  std::string fired;
  const auto a = queue.add("a", [&](Ps) { fired += 'a'; });
  const auto b = queue.add("b", [&](Ps) { fired += 'b'; });
  queue.schedule(b, 10);
  queue.schedule(a, 10);
  CHECK(queue.next() == 10);
  queue.run_until(9);
  CHECK(fired.empty());
  queue.schedule(b, 5);
  queue.run_until(10);
  CHECK(fired == "ba");
  CHECK(queue.next() == kNever);
}

TEST_CASE("an event that reschedules itself sees its own deadlines as now") {
  EventQueue queue;
  std::vector<Ps> times;
  EventQueue::Id tick = queue.add("tick", [&](Ps now) {
    times.push_back(now);
    queue.schedule(tick, now + 3);
  });
  queue.schedule(tick, 1);
  queue.run_until(8);
  CHECK(times == std::vector<Ps>{1, 4, 7});
  CHECK(queue.next() == 10);
}

TEST_CASE("moving the first deadline later uncovers the next one") {
  EventQueue queue;
  const auto a = queue.add("a", [](Ps) {});
  const auto b = queue.add("b", [](Ps) {});
  queue.schedule(a, 3);
  queue.schedule(b, 7);
  queue.cancel(a);
  CHECK(queue.next() == 7);
}

TEST_CASE("the listener hears of a first deadline that moves earlier, and of no other change") {
  EventQueue queue;
  std::vector<Ps> heard;
  queue.on_earlier([&](Ps next) { heard.push_back(next); });
  const auto a = queue.add("a", [](Ps) {});
  const auto b = queue.add("b", [](Ps) {});
  queue.schedule(a, 10);
  queue.schedule(b, 20);
  queue.schedule(b, 10);
  queue.schedule(a, 30);
  queue.schedule(a, 4);
  CHECK(heard == std::vector<Ps>{10, 4});
}
