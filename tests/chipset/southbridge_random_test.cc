// Random port accesses on all ports of the southbridge's devices: nothing crashes (run it under the
// sanitizers), time goes on, a run repeats exactly, and a machine restored from the devices'
// states, the wires' levels and the events' deadlines goes on as the saved one does.

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <utility>
#include <vector>

#include "model/chipset/acpi_pm.h"
#include "model/chipset/i8042.h"
#include "model/chipset/pic_8259.h"
#include "model/chipset/pit_8254.h"
#include "model/chipset/port92.h"
#include "model/chipset/rtc_cmos.h"
#include "model/chipset/uart_16550.h"

using namespace vtsim;
using namespace vtsim::chipset;

namespace {

struct Machine {
  EventQueue events;
  std::vector<u64> log;  // all that software and the outside see
  ResetSink on_reset = [this](ResetKind kind, Ps) { log.push_back(100 + static_cast<u64>(kind)); };
  Pic8259 pic;
  Pit8254 pit{events};
  RtcCmos rtc{events, {}};
  AcpiPm pm{
      events,
      {},
      {.sleep = [this](SleepState state, Ps) { log.push_back(200 + static_cast<u64>(state)); },
       .wake = [this](Ps) { log.push_back(210); },
       .reset = on_reset}};
  Port92 port92{on_reset};
  ResetControl reset_control{on_reset};
  I8042 kbc{on_reset};
  Uart16550 com1{events, {}, [this](u8 byte, Ps) { log.push_back(300 + byte); }};
  Uart16550 com2{events,
                 {.name = "uart1",
                  .pacing = UartConfig::Pacing::kBaud,
                  .flow_control = UartConfig::FlowControl::kRts},
                 [this](u8 byte, Ps now) {
                   log.push_back(600 + byte);
                   log.push_back(now);
                 }};
  Ps now = 0;

  struct Row {
    RegisterTarget* device;
    PortRange ports;
  };
  std::vector<Row> rows;

  Machine() {
    const auto add = [&](RegisterTarget& device, const auto& table) {
      for (const PortRange& ports : table) rows.push_back({&device, ports});
    };
    add(pic, Pic8259::kPorts);
    add(pit, Pit8254::kPorts);
    add(rtc, RtcCmos::kPorts);
    add(pm, AcpiPm::kPorts);
    add(port92, Port92::kPorts);
    add(reset_control, ResetControl::kPorts);
    add(kbc, I8042::kPorts);
    rows.push_back({&com1, Uart16550::kPorts[0]});
    rows.push_back({&com2, Uart16550::kPorts[1]});
    connect();
  }
  Machine(const Machine&) = delete;

  std::vector<std::pair<Wire*, unsigned>> irqs() {
    return {{&pit.out0(), 0},
            {&kbc.keyboard_interrupt(), 1},
            {&com2.interrupt(), 3},
            {&com1.interrupt(), 4},
            {&rtc.interrupt(), 8},
            {&pm.sci(), 9},
            {&kbc.mouse_interrupt(), 12}};
  }
  void connect() {
    for (const auto& [wire, irq] : irqs()) {
      wire->connect([this, irq = irq](bool level, Ps when) {
        pic.set_line(irq, level, when);
        if (irq == 8) pm.set_rtc_line(level, when);
      });
    }
  }

  void restore(Machine& from) {
    auto to_irqs = irqs();
    const auto from_irqs = from.irqs();
    for (std::size_t i = 0; i < to_irqs.size(); ++i) {
      to_irqs[i].first->connect({});
      to_irqs[i].first->set(from_irqs[i].first->level(), from.now);
    }
    pic.interrupt().set(from.pic.interrupt().level(), from.now);
    connect();
    pic.restore(from.pic.state());
    pit.restore(from.pit.state());
    rtc.restore(from.rtc.state());
    pm.restore(from.pm.state());
    pm.tco().restore(from.pm.tco().state());
    port92.restore(from.port92.state());
    reset_control.restore(from.reset_control.state());
    kbc.restore(from.kbc.state());
    com1.restore(from.com1.state());
    com2.restore(from.com2.state());
    for (EventQueue::Id id = 0; id < events.size(); ++id) {
      events.schedule(id, from.events.deadline(id));
    }
    now = from.now;
  }

  void step(std::mt19937_64& random) {
    const auto below = [&](u64 limit) { return random() % limit; };
    now += below(4) == 0 ? below(2 * kPsPerSecond / 1000) : below(1'000'000);
    events.run_until(now);
    const Row& row = rows[below(rows.size())];
    const u64 first = below(row.ports.length);
    const u64 most = row.ports.length - first;
    const auto size = static_cast<unsigned>(most >= 4 ? u64{1} << below(3) : 1);
    const u64 value = random() & low_mask(8 * size);
    switch (below(8)) {
      case 0:
        if (pic.interrupt().level()) log.push_back(pic.acknowledge(now));
        break;
      case 1: {
        const std::vector<u8> bytes(below(40), static_cast<u8>(value));
        com1.receive(bytes, now);
        com2.receive(bytes, now);
        break;
      }
      case 2:
        kbc.key(std::vector<u8>{0xF0, static_cast<u8>(value)}, now);
        kbc.move_mouse(static_cast<i32>(below(800)) - 400, -300, 1, static_cast<u8>(below(32)),
                       now);
        break;
      case 3:
      case 4:
        log.push_back(row.device->read(row.ports.offset + first, size, now));
        break;
      default:
        row.device->write(row.ports.offset + first, size, value, now);
    }
  }
};

}  // namespace

TEST_CASE("random accesses: events stay in the future, equal seeds give equal runs") {
  for (const u64 seed : {1u, 2u, 3u, 4u}) {
    Machine a;
    Machine b;
    std::mt19937_64 random_a(seed);
    std::mt19937_64 random_b(seed);
    for (int i = 0; i < 20'000; ++i) {
      a.step(random_a);
      b.step(random_b);
      REQUIRE(a.events.next() > a.now);
    }
    CHECK((a.log == b.log));
    CHECK(a.log.size() > 1000);
  }
}

TEST_CASE("random accesses: states, levels and deadlines are all there is to save") {
  for (const u64 seed : {5u, 6u, 7u, 8u}) {
    Machine saved;
    std::mt19937_64 random(seed);
    for (int i = 0; i < 5'000; ++i) saved.step(random);
    saved.log.clear();

    Machine restored;
    restored.restore(saved);
    std::mt19937_64 again = random;
    for (int i = 0; i < 5'000; ++i) {
      saved.step(random);
      restored.step(again);
    }
    const auto parted =
        std::mismatch(saved.log.begin(), saved.log.end(), restored.log.begin(), restored.log.end());
    INFO("the logs part at entry " << parted.first - saved.log.begin());
    CHECK((parted.first == saved.log.end() && parted.second == restored.log.end()));
    CHECK(saved.log.size() > 300);
  }
}
