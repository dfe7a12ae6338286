#include "sim/observe/line_watch.h"

#include <catch2/catch.hpp>

using namespace vtsim;
using namespace vtsim::observe;

namespace {

Verdict feed(LineWatch& watch, const std::string& text, Ps now = 0) {
  for (const char c : text) watch.put(static_cast<u8>(c), now);
  return watch.verdict();
}

}  // namespace

TEST_CASE("a line matches when it ends, however it came") {
  LineWatch watch({"^Run /init$"}, {});
  CHECK(feed(watch, "[    1.0] Run /init\r\n") == Verdict::kNone);
  CHECK(feed(watch, "Run /in") == Verdict::kNone);
  CHECK(feed(watch, "it") == Verdict::kNone);
  CHECK(feed(watch, "\r") == Verdict::kNone);
  CHECK(feed(watch, "\n") == Verdict::kExpected);
  CHECK(watch.line() == "Run /init");
  CHECK(watch.pattern() == "^Run /init$");
}

TEST_CASE("patterns do not match across lines") {
  LineWatch watch({"a.*b"}, {});
  CHECK(feed(watch, "a\nb\n") == Verdict::kNone);
  CHECK(feed(watch, "a-b\n") == Verdict::kExpected);
}

TEST_CASE("a prompt matches after a pause, not before") {
  LineWatch watch({"# $"}, {});
  feed(watch, "/ # ", 100);
  CHECK(watch.poll(100 + LineWatch::kPause - 1) == Verdict::kNone);
  CHECK(watch.poll(100 + LineWatch::kPause) == Verdict::kExpected);
}

TEST_CASE("what is left when the run ends is a line too") {
  LineWatch watch({}, {"panic"});
  feed(watch, "Kernel panic");
  CHECK(watch.verdict() == Verdict::kNone);
  CHECK(watch.finish() == Verdict::kFailed);
}

TEST_CASE("every expectation has to match, in any order; one failure is enough") {
  LineWatch watch({"one", "two"}, {"bad"});
  CHECK(feed(watch, "two\n") == Verdict::kNone);
  CHECK(watch.missing() == std::vector<std::string>{"one"});
  CHECK(feed(watch, "one\n") == Verdict::kExpected);
  CHECK(feed(watch, "bad\n") == Verdict::kExpected);  // the first verdict stays
  LineWatch other({"one"}, {"bad"});
  CHECK(feed(other, "one bad\n") == Verdict::kFailed);
}

TEST_CASE("an empty line can be expected") {
  LineWatch watch({"^$"}, {});
  CHECK(feed(watch, "x\n") == Verdict::kNone);
  CHECK(feed(watch, "\n") == Verdict::kExpected);
}

TEST_CASE("binary output and endless lines cost little and match nothing by accident") {
  LineWatch watch({"(x+x+)+y"}, {"^secret$"});
  std::string noise;
  for (int i = 0; i < 256; ++i) {
    if (i != '\n') noise += static_cast<char>(i);
  }
  for (int i = 0; i < 1000; ++i) feed(watch, noise);
  feed(watch, std::string(1'000'000, 'x'));
  CHECK(feed(watch, "\n") == Verdict::kNone);
}

TEST_CASE("a broken pattern is told") {
  CHECK(LineWatch::check("a+b*").empty());
  CHECK_FALSE(LineWatch::check("a(").empty());
  CHECK_FALSE(LineWatch::check("(?<=x)y").empty());
}
