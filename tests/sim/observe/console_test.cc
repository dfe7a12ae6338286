#include "sim/observe/console.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <csignal>

#include "sim/observe/progress.h"
#include "tests/sim/support/temporary_files.h"

using namespace vtsim;
using namespace vtsim::observe;

namespace {

struct Pipe {
  Pipe() { REQUIRE(::pipe(ends.data()) == 0); }
  ~Pipe() {
    for (const int fd : ends) {
      if (fd >= 0) ::close(fd);
    }
  }
  void close_read() { ::close(std::exchange(ends[0], -1)); }
  void close_write() { ::close(std::exchange(ends[1], -1)); }
  void send(const std::string& text) {
    REQUIRE(::write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }
  std::string receive() {
    std::array<char, 4096> bytes{};
    const ssize_t count = ::read(ends[0], bytes.data(), bytes.size());
    return {bytes.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0))};
  }
  std::array<int, 2> ends{-1, -1};
};

std::string taken(Console& console) {
  std::string text;
  while (const auto byte = console.take()) text += static_cast<char>(*byte);
  return text;
}

}  // namespace

TEST_CASE("output is written at line ends and when flushed") {
  Pipe out;
  Console console(-1, out.ends[1]);
  for (const char c : std::string("ab\ncd")) console.put(static_cast<u8>(c));
  CHECK(out.receive() == "ab\n");
  console.flush();
  CHECK(out.receive() == "cd");
  CHECK(console.tail() == "ab\ncd");
}

TEST_CASE("input reaches the guest, Ctrl-A commands do not") {
  Pipe in;
  Console console(in.ends[0], -1);
  console.poll_input();
  CHECK_FALSE(console.has_input());
  in.send("ls\x01\x01\x01zq");
  console.poll_input();
  CHECK(taken(console) == "ls\x01q");
  in.send(std::string("a\x01"));
  console.poll_input();
  in.send("xb");
  console.poll_input();
  CHECK(console.leave_requested());
  CHECK(taken(console) == "a");
}

TEST_CASE("the end of input is not an error") {
  Pipe in;
  Console console(in.ends[0], -1);
  in.send("x");
  in.close_write();
  for (int i = 0; i < 3; ++i) console.poll_input();
  CHECK(taken(console) == "x");
  CHECK(console.error().empty());
  CHECK_FALSE(console.leave_requested());
}

TEST_CASE("a closed pipe and a full disk are told, and output goes on being dropped") {
  ::signal(SIGPIPE, SIG_IGN);
  Pipe out;
  out.close_read();
  Console console(-1, out.ends[1]);
  console.put('\n');
  CHECK(console.error() == "the console cannot be written: Broken pipe");
  console.put('\n');
  const int full = ::open("/dev/full", O_WRONLY);
  REQUIRE(full >= 0);
  {
    Console other(-1, full);
    other.put('\n');
    CHECK(other.error().find("No space") != std::string::npos);
  }
  ::close(full);
}

TEST_CASE("the progress line tells time, instructions, speed and how far") {
  CHECK(progress_line({.time = 12'345'678'901'234, .instructions = 1'234'500'000, .done = 0.42},
                      345.6) ==
        "    12.345 s simulated      1234.5 M instructions    345.6 MIPS   42 %");
  CHECK(progress_line({}, 0).find('%') == std::string::npos);
}
