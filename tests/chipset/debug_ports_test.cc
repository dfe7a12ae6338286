#include "model/chipset/debug_ports.h"

#include <catch2/catch.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "model/chipset/pc_testdev.h"

using namespace vtsim;
using namespace vtsim::chipset;

TEST_CASE("debug exit: a write of any size reports its value, a read gives zero") {
  std::vector<u32> values;
  DebugExit port([&](u32 value, Ps now) {
    values.push_back(value);
    CHECK(now == 7);
  });
  port.write(0, 1, 0x1FF, 7);
  port.write(0, 2, 0x12345, 7);
  port.write(0, 4, 0x89ABCDEF, 7);
  CHECK(values == std::vector<u32>{0xFF, 0x2345, 0x89ABCDEF});
  CHECK(port.read(0, 4, 7) == 0);
}

TEST_CASE("debug console: reads as 0xE9, passes on what is written") {
  std::string text;
  DebugConsole port([&](u8 byte, Ps) { text += static_cast<char>(byte); });
  CHECK(port.read(0, 1, 0) == 0xE9);
  for (const char c : std::string_view("SeaBIOS\n")) port.write(0, 1, static_cast<u8>(c), 0);
  CHECK(text == "SeaBIOS\n");
}

TEST_CASE("shutdown port: only the whole string powers off") {
  int count = 0;
  ShutdownPort port([&](Ps) { ++count; });
  const auto send = [&](std::string_view text) {
    for (const char c : text) port.write(0, 1, static_cast<u8>(c), 0);
  };
  send("Shutdow");
  CHECK(count == 0);
  send("Shutdown");
  CHECK(count == 1);
  send("shutdown");
  send("ShuShutdow");
  CHECK(count == 1);
  send("n");
  CHECK(count == 2);
}

TEST_CASE("POST code: reads as last written") {
  PostCodePort port;
  CHECK(port.read(0, 1, 0) == 0x00);
  port.write(0, 1, 0x5A, 0);
  CHECK(port.read(0, 1, 0) == 0x5A);
  CHECK(port.state().code == 0x5A);
}

TEST_CASE("pc-testdev: the latch is reached by byte, word and doubleword") {
  PcTestdev device([](unsigned, bool, Ps) {});
  device.write(0, 4, 0x12345678, 0);
  CHECK(device.read(0, 1, 0) == 0x78);
  CHECK(device.read(1, 2, 0) == 0x3456);
  device.write(3, 1, 0xAB, 0);
  device.write(0, 2, 0xFFFF1111, 0);
  CHECK(device.read(0, 4, 0) == 0xAB341111);
}

TEST_CASE("pc-testdev: the flush port takes writes and holds nothing") {
  PcTestdev device([](unsigned, bool, Ps) { FAIL("no interrupt line was written"); });
  device.write(0, 4, 0x11223344, 0);
  device.write(4, 4, 0x00400000, 0);
  CHECK(device.read(4, 4, 0) == 0xFFFFFFFF);
  CHECK(device.read(0, 4, 0) == 0x11223344);
}

TEST_CASE("pc-testdev: a byte to 0x2000 + n drives interrupt n") {
  std::vector<std::pair<unsigned, bool>> lines;
  PcTestdev device([&](unsigned line, bool level, Ps) { lines.emplace_back(line, level); });
  const u64 first = PcTestdev::kPorts[1].offset;
  device.write(first + 14, 1, 1, 0);
  device.write(first + 14, 1, 0, 0);
  device.write(first + 23, 1, 0x80, 0);
  CHECK(lines == std::vector<std::pair<unsigned, bool>>{{14, true}, {14, false}, {23, true}});
}

TEST_CASE("pc-testdev: its memory holds what is written, at every size, to the last byte") {
  PcTestdev device([](unsigned, bool, Ps) {});
  RegisterTarget& memory = device.memory();
  memory.write(0, 8, 0x1122334455667788, 0);
  CHECK(memory.read(2, 4, 0) == 0x33445566);
  memory.write(PcTestdev::kMemorySize - 1, 1, 0x5A, 0);
  CHECK(memory.read(PcTestdev::kMemorySize - 2, 2, 0) == 0x5A00);
  device.reset(0);
  CHECK(memory.read(0, 8, 0) == 0);
}
