#include "model/chipset/pic_8259.h"

#include <catch2/catch.hpp>
#include <vector>

using namespace vtsim;
using namespace vtsim::chipset;

namespace {

constexpr u64 kMaster = 0, kSlave = 2, kElcr = 4;
constexpr Ps kNow = 1000;
constexpr Ps kLater = 2000;

// Initialized as PC firmware and Linux do: vectors 0x20 and 0x28, slave on IR2, 8086 mode.
struct Pair {
  Pic8259 pic;

  explicit Pair(u8 master_icw4 = 0x01, u8 slave_icw4 = 0x01) {
    initialize(kMaster, 0x20, 0x04, master_icw4);
    initialize(kSlave, 0x28, 0x02, slave_icw4);
  }
  void initialize(u64 chip, u8 base, u8 cascade, u8 icw4) {
    command(chip, 0x11);
    data(chip, base);
    data(chip, cascade);
    data(chip, icw4);
  }
  void command(u64 chip, u8 value) { pic.write(chip, 1, value, kNow); }
  void data(u64 chip, u8 value) { pic.write(chip + 1, 1, value, kNow); }
  u8 status(u64 chip) { return static_cast<u8>(pic.read(chip, 1, kNow)); }
  u8 mask(u64 chip) { return static_cast<u8>(pic.read(chip + 1, 1, kNow)); }
  u8 irr(u64 chip) {
    command(chip, 0x0A);
    return status(chip);
  }
  u8 isr(u64 chip) {
    command(chip, 0x0B);
    return status(chip);
  }
  void high(unsigned irq) { pic.set_line(irq, true, kNow); }
  void low(unsigned irq) { pic.set_line(irq, false, kLater); }
  void edge(unsigned irq) {
    low(irq);
    high(irq);
  }
  bool intr() { return pic.interrupt().level(); }
  unsigned ack() { return pic.acknowledge(kNow); }
};

}  // namespace

TEST_CASE("8259: a rising edge raises INTR and INTA gives the vector base plus the level") {
  Pair p;
  CHECK_FALSE(p.intr());
  p.high(4);
  CHECK(p.intr());
  CHECK(p.irr(kMaster) == 0x10);
  CHECK(p.ack() == 0x24);
  CHECK_FALSE(p.intr());
  CHECK(p.irr(kMaster) == 0x00);
  CHECK(p.isr(kMaster) == 0x10);
}

TEST_CASE("8259: only the bits 7:3 of ICW2 enter the vector") {
  Pair p;
  p.initialize(kMaster, 0x37, 0x04, 0x01);
  p.high(1);
  CHECK(p.ack() == 0x31);
}

TEST_CASE("8259: before ICW1-4 are complete nothing is requested") {
  Pic8259 pic;
  pic.set_line(0, true, kNow);
  CHECK_FALSE(pic.interrupt().level());
  pic.write(0, 1, 0x11, kNow);
  pic.write(1, 1, 0x20, kNow);
  pic.write(1, 1, 0x04, kNow);
  pic.set_line(0, false, kNow);
  pic.set_line(0, true, kNow);
  CHECK_FALSE(pic.interrupt().level());
  pic.write(1, 1, 0x01, kNow);
  CHECK(pic.interrupt().level());
}

TEST_CASE("8259: the mask register can be read back before the chip is initialized") {
  Pic8259 pic;  // Linux probes for the chip like this
  pic.write(1, 1, 0xFB, kNow);
  CHECK(pic.read(1, 1, kNow) == 0xFB);
}

TEST_CASE("8259: ICW1 clears masks, requests and service, and makes IR7 the lowest") {
  Pair p;
  p.command(kMaster, 0xC3);  // IR3 lowest
  p.command(kMaster, 0x68);  // special mask mode
  p.command(kMaster, 0x0B);
  p.data(kMaster, 0x02);
  p.high(0);
  p.ack();
  p.high(1);
  p.initialize(kMaster, 0x20, 0x04, 0x01);
  CHECK(p.status(kMaster) == 0x00);  // status read is IRR again
  CHECK(p.isr(kMaster) == 0x00);
  CHECK(p.mask(kMaster) == 0x00);
  // The edge sense is reset: an input that stayed high needs a new edge.
  CHECK_FALSE(p.intr());
  p.edge(1);
  p.edge(7);
  CHECK(p.ack() == 0x21);
}

TEST_CASE("8259: with SNGL there is no ICW3 and no slave") {
  Pair p;
  p.command(kMaster, 0x13);
  p.data(kMaster, 0x40);
  p.data(kMaster, 0x01);
  p.high(8);
  CHECK(p.ack() == 0x42);
}

TEST_CASE("8259: without IC4 the functions of ICW4 are off") {
  Pair p(0x13);  // SFNM, AEOI
  p.command(kMaster, 0x10);
  p.data(kMaster, 0x20);
  p.data(kMaster, 0x04);
  p.data(kMaster, 0x00);  // this is OCW1 already
  p.high(3);
  CHECK(p.ack() == 0x23);
  CHECK(p.isr(kMaster) == 0x08);
}

TEST_CASE("8259: fully nested: IR0 is the highest, lower levels wait for the EOI") {
  Pair p;
  p.high(5);
  p.high(3);
  CHECK(p.ack() == 0x23);
  CHECK_FALSE(p.intr());
  p.high(0);  // higher: interrupts the handler
  CHECK(p.intr());
  CHECK(p.ack() == 0x20);
  CHECK(p.isr(kMaster) == 0x09);
  p.command(kMaster, 0x20);
  CHECK(p.isr(kMaster) == 0x08);
  CHECK_FALSE(p.intr());
  p.command(kMaster, 0x20);
  CHECK(p.isr(kMaster) == 0x00);
  CHECK(p.ack() == 0x25);
}

TEST_CASE("8259: a masked request stays in IRR and is seen when unmasked") {
  Pair p;
  p.data(kMaster, 0x10);
  p.high(4);
  CHECK_FALSE(p.intr());
  CHECK(p.irr(kMaster) == 0x10);
  p.data(kMaster, 0x00);
  CHECK(p.intr());
  CHECK(p.ack() == 0x24);
}

TEST_CASE("8259: an edge-triggered input must fall before it requests again") {
  Pair p;
  p.high(6);
  CHECK(p.ack() == 0x26);
  p.command(kMaster, 0x20);
  CHECK_FALSE(p.intr());
  p.edge(6);
  CHECK(p.intr());
}

TEST_CASE("8259: a level-triggered input requests as long as it is high") {
  Pair p;
  p.pic.write(kElcr, 1, 0x20, kNow);
  p.high(5);
  CHECK(p.ack() == 0x25);
  CHECK(p.irr(kMaster) == 0x20);
  CHECK_FALSE(p.intr());
  p.command(kMaster, 0x20);
  CHECK(p.intr());
  p.low(5);
  CHECK_FALSE(p.intr());
}

TEST_CASE("8259: ELCR keeps the bits that ISA needs edge-triggered at zero") {
  Pair p;
  p.pic.write(kElcr, 2, 0xFFFF, kNow);
  CHECK(p.pic.read(kElcr, 2, kNow) == 0xDEF8);
}

TEST_CASE("8259: an input that falls before INTA gives the spurious IR7, not in service") {
  Pair p;
  p.high(4);
  p.low(4);
  CHECK_FALSE(p.intr());
  CHECK(p.ack() == 0x27);
  CHECK(p.isr(kMaster) == 0x00);
}

TEST_CASE("8259: a pulse of no length is one request, at master and slave") {
  Pair p;
  for (const unsigned irq : {0u, 8u}) {
    p.pic.set_line(irq, true, kNow);
    p.pic.set_line(irq, false, kNow);
    CHECK(p.intr());
    CHECK(p.ack() == 0x20 + irq);
    CHECK_FALSE(p.intr());
    if (irq == 8) p.command(kSlave, 0x20);
    p.command(kMaster, 0x20);
    CHECK_FALSE(p.intr());
  }
}

TEST_CASE("8259: a request that the slave takes back leaves none at the master") {
  Pair p;
  p.high(10);
  p.data(kSlave, 0xFF);
  CHECK_FALSE(p.intr());
  CHECK(p.irr(kMaster) == 0x00);
}

TEST_CASE("8259: a request masked before INTA gives the spurious IR7") {
  Pair p;
  p.high(4);
  p.data(kMaster, 0x10);
  CHECK(p.ack() == 0x27);
  CHECK(p.isr(kMaster) == 0x00);
}

TEST_CASE("8259: a slave's lost request gives IR15 with only the master's IR2 in service") {
  Pair p;
  p.high(10);
  // The slave's request vanishes between the two INTA cycles.
  Pic8259::State state = p.pic.state();
  state.chips[1].edges = 0;
  p.pic.restore(state);
  CHECK(p.ack() == 0x2F);
  CHECK(p.isr(kMaster) == 0x04);
  CHECK(p.isr(kSlave) == 0x00);
}

TEST_CASE("8259: the slave answers the second INTA and both chips are in service") {
  Pair p;
  p.high(12);
  CHECK(p.intr());
  CHECK(p.irr(kMaster) == 0x04);
  CHECK(p.ack() == 0x2C);
  CHECK(p.isr(kMaster) == 0x04);
  CHECK(p.isr(kSlave) == 0x10);
  p.command(kSlave, 0x20);
  p.command(kMaster, 0x20);
  CHECK(p.isr(kMaster) == 0x00);
  CHECK(p.isr(kSlave) == 0x00);
}

TEST_CASE("8259: a slave that waits behind its own service requests again after both EOIs") {
  Pair p;
  p.high(9);
  CHECK(p.ack() == 0x29);
  p.high(14);
  CHECK_FALSE(p.intr());
  p.command(kSlave, 0x20);
  p.command(kMaster, 0x20);
  CHECK(p.intr());
  CHECK(p.ack() == 0x2E);
}

TEST_CASE("8259: IR2 of the master outranks IR3, so IRQ8-15 stand between IRQ1 and IRQ3") {
  Pair p;
  p.high(3);
  p.high(15);
  p.high(1);
  CHECK(p.ack() == 0x21);
  p.command(kMaster, 0x20);
  CHECK(p.ack() == 0x2F);
}

TEST_CASE("8259: without SFNM a slave in service cannot interrupt itself; with SFNM it can") {
  for (const u8 icw4 : {u8{0x01}, u8{0x11}}) {
    Pair p(icw4);
    p.high(12);
    CHECK(p.ack() == 0x2C);
    p.high(8);
    CHECK(p.intr() == (icw4 == 0x11));
    p.high(3);  // SFNM opens IR2 only, not what ranks below it
    if (icw4 == 0x11) {
      CHECK(p.ack() == 0x28);
    }
    CHECK_FALSE(p.intr());
  }
}

TEST_CASE("8259: non-specific EOI ends the highest level in service, specific EOI any") {
  Pair p;
  p.high(5);
  p.ack();
  p.high(2);
  p.high(1);
  p.ack();
  CHECK(p.isr(kMaster) == 0x22);
  p.command(kMaster, 0x65);  // specific EOI of IR5
  CHECK(p.isr(kMaster) == 0x02);
  p.command(kMaster, 0x20);
  CHECK(p.isr(kMaster) == 0x00);
}

TEST_CASE("8259: set priority: the level named becomes the lowest") {
  Pair p;
  p.command(kMaster, 0xC4);  // IR4 lowest, IR5 highest
  p.high(0);
  p.high(4);
  p.high(6);
  CHECK(p.ack() == 0x26);
  p.command(kMaster, 0x20);
  CHECK(p.ack() == 0x20);
  p.command(kMaster, 0x20);
  CHECK(p.ack() == 0x24);
}

TEST_CASE("8259: rotate on non-specific EOI makes the ended level the lowest") {
  Pair p;
  p.high(0);
  CHECK(p.ack() == 0x20);
  p.command(kMaster, 0xA0);
  p.edge(0);
  p.high(7);
  CHECK(p.ack() == 0x27);
}

TEST_CASE("8259: rotate on specific EOI makes the level named the lowest") {
  Pair p;
  p.high(3);
  CHECK(p.ack() == 0x23);
  p.command(kMaster, 0xE3);
  CHECK(p.isr(kMaster) == 0x00);
  p.edge(3);
  p.high(4);
  CHECK(p.ack() == 0x24);
}

TEST_CASE("8259: automatic EOI leaves nothing in service") {
  Pair p(0x03);
  p.high(3);
  CHECK(p.ack() == 0x23);
  CHECK(p.isr(kMaster) == 0x00);
  p.high(5);
  CHECK(p.ack() == 0x25);
}

TEST_CASE("8259: rotate in automatic EOI mode rotates at INTA until it is cleared") {
  Pair p(0x03);
  p.command(kMaster, 0x80);
  p.high(0);
  CHECK(p.ack() == 0x20);
  p.edge(0);
  p.high(7);
  CHECK(p.ack() == 0x27);
  CHECK(p.ack() == 0x20);
  p.command(kMaster, 0x00);
  p.command(kMaster, 0xC7);
  p.edge(0);
  CHECK(p.ack() == 0x20);
  p.edge(0);
  p.edge(7);
  CHECK(p.ack() == 0x20);
}

TEST_CASE("8259: special mask mode lets lower levels in while a masked level is in service") {
  Pair p;
  p.high(1);
  p.ack();
  p.high(6);
  p.data(kMaster, 0x02);
  CHECK_FALSE(p.intr());
  p.command(kMaster, 0x68);
  CHECK(p.intr());
  CHECK(p.ack() == 0x26);
  // "An IS bit that is masked by an IMR bit will not be cleared by a non-specific EOI".
  p.command(kMaster, 0x20);
  CHECK(p.isr(kMaster) == 0x02);
  p.command(kMaster, 0x20);
  CHECK(p.isr(kMaster) == 0x02);
  p.command(kMaster, 0x61);
  CHECK(p.isr(kMaster) == 0x00);
  p.command(kMaster, 0x48);  // back to normal
  CHECK_FALSE(p.pic.state().chips[0].special_mask);
}

TEST_CASE("8259: OCW3 without ESMM leaves the special mask mode") {
  Pair p;
  p.command(kMaster, 0x68);
  p.command(kMaster, 0x2A);  // SMM without ESMM, RR
  p.command(kMaster, 0x0A);
  CHECK(p.pic.state().chips[0].special_mask);
}

TEST_CASE("8259: OCW3 chooses IRR or ISR for all reads that follow") {
  Pair p;
  p.high(4);
  p.ack();
  p.high(5);
  p.command(kMaster, 0x0B);
  CHECK(p.status(kMaster) == 0x10);
  CHECK(p.status(kMaster) == 0x10);
  p.command(kMaster, 0x0A);
  CHECK(p.status(kMaster) == 0x20);
}

TEST_CASE("8259: poll: one read acknowledges the highest request and tells its level") {
  Pair p;
  p.high(6);
  p.command(kMaster, 0x0C);
  CHECK(p.status(kMaster) == 0x86);
  CHECK_FALSE(p.intr());
  CHECK(p.isr(kMaster) == 0x40);
  p.command(kMaster, 0x0C);
  CHECK(p.status(kMaster) == 0x00);
  CHECK(p.irr(kMaster) == 0x00);
}

TEST_CASE("8259: INTR shows an edge for each request, as an I/O APIC's ExtINT pin needs") {
  Pair p;
  std::vector<bool> levels;
  p.pic.interrupt().connect([&](bool level, Ps) { levels.push_back(level); });
  p.high(4);
  p.high(1);
  p.ack();
  p.high(0);
  CHECK(levels == std::vector<bool>{true, false, true});
}

TEST_CASE("8259: a word access reaches command and data port, the lowest first") {
  Pair p;
  p.pic.write(kMaster, 2, 0x550B, kNow);
  CHECK(p.mask(kMaster) == 0x55);
  p.high(1);
  p.ack();
  CHECK(p.pic.read(kMaster, 2, kNow) == 0x5502);
}

TEST_CASE("8259: a slave of another number than 2 does not answer INTA") {
  Pair p;
  p.initialize(kSlave, 0x28, 0x03, 0x01);
  p.high(8);
  CHECK(p.ack() == 0xFF);
}

TEST_CASE("8259: reset forgets programming and keeps the inputs' levels") {
  Pair p;
  p.pic.write(kElcr, 1, 0x20, kNow);
  p.high(5);
  p.pic.reset(kNow);
  CHECK_FALSE(p.intr());
  CHECK(p.pic.read(kElcr, 1, kNow) == 0x00);
  CHECK(p.pic.state().chips[0].lines == 0x20);
  p.initialize(kMaster, 0x20, 0x04, 0x01);
  CHECK_FALSE(p.intr());
}
