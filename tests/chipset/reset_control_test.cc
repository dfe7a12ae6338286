#include "model/chipset/reset_control.h"

#include <catch2/catch.hpp>
#include <vector>

#include "model/chipset/port92.h"

using namespace vtsim;
using namespace vtsim::chipset;

namespace {

struct Log {
  std::vector<ResetKind> kinds;
  std::vector<Ps> times;
  ResetSink sink() {
    return [this](ResetKind kind, Ps now) {
      kinds.push_back(kind);
      times.push_back(now);
    };
  }
};
using Kinds = std::vector<ResetKind>;

}  // namespace

TEST_CASE("RST_CNT: RST_CPU resets as SYS_RST and FULL_RST say") {
  Log log;
  ResetControl control(log.sink());
  control.write(0, 1, 0x02, 10);
  control.write(0, 1, 0x0A, 11);
  CHECK(log.kinds.empty());
  control.write(0, 1, 0x04, 12);  // kvm-unit-tests' init: 0, then 4
  control.write(0, 1, 0x06, 13);  // Linux's reboot: 2, then 6
  control.write(0, 1, 0x0E, 14);
  CHECK(log.kinds == Kinds{ResetKind::kInit, ResetKind::kHard, ResetKind::kPowerCycle});
  CHECK(log.times == std::vector<Ps>{12, 13, 14});
}

TEST_CASE("RST_CNT: SYS_RST and FULL_RST read back, RST_CPU and the reserved bits do not") {
  Log log;
  ResetControl control(log.sink());
  control.write(0, 1, 0xFF, 0);
  CHECK(control.read(0, 1, 0) == 0x0A);
  control.reset(0);
  CHECK(control.read(0, 1, 0) == 0x00);
}

TEST_CASE("port 0x92: bit 0 going from 0 to 1 sends INIT and stays set") {
  Log log;
  Port92 port(log.sink());
  port.write(0, 1, 0x00, 5);
  CHECK(log.kinds.empty());
  port.write(0, 1, 0x01, 6);
  CHECK(log.kinds == Kinds{ResetKind::kInit});
  CHECK(port.read(0, 1, 6) == 0x01);
  port.write(0, 1, 0x01, 7);
  CHECK(log.kinds.size() == 1);
  port.write(0, 1, 0x00, 8);
  port.write(0, 1, 0x01, 9);
  CHECK(log.kinds.size() == 2);
}

TEST_CASE("port 0x92: a hard reset clears bit 0, which tells it from an INIT") {
  Log log;
  Port92 port(log.sink());
  port.write(0, 1, 0x03, 0);
  port.reset(1);
  CHECK(port.read(0, 1, 1) == 0x00);
  CHECK_FALSE(port.a20().level());
}

TEST_CASE("port 0x92: bit 1 drives A20, the reserved bits read as zero") {
  Log log;
  Port92 port(log.sink());
  std::vector<bool> levels;
  port.a20().connect([&](bool level, Ps) { levels.push_back(level); });
  port.write(0, 1, 0xFE, 0);
  CHECK(port.read(0, 1, 0) == 0x02);
  port.write(0, 1, 0x00, 0);
  CHECK(levels == std::vector<bool>{true, false});
  CHECK(log.kinds.empty());
}
