#include "model/chipset/pic_8259.h"

#include <optional>

namespace vtsim::chipset {
namespace {

using Chip = Pic8259::Chip;
using Expects = Pic8259::Expects;

struct Icw1 {
  static constexpr Flag IC4{0};
  static constexpr Flag SNGL{1};
  static constexpr Flag ICW1{4};  // tells ICW1 from OCW2 and OCW3
};
struct Icw2 {
  static constexpr Field T7_T3{7, 3};
};
struct Icw4 {
  static constexpr Flag AEOI{1};
  static constexpr Flag SFNM{4};
};
struct Ocw2 {
  static constexpr Field LEVEL{2, 0};
  static constexpr Field COMMAND{7, 5};
};
struct Ocw3 {
  static constexpr Flag RIS{0};
  static constexpr Flag RR{1};
  static constexpr Flag POLL{2};
  static constexpr Flag OCW3{3};  // tells OCW3 from OCW2
  static constexpr Flag SMM{5};
  static constexpr Flag ESMM{6};
};
struct PollWord {
  static constexpr Flag INTERRUPT{7};
};

// 8259A data sheet, "Operation Command Word 2 (OCW2)": R, SL, EOI.
enum class Ocw2Command : u8 {
  kClearRotateInAutoEoi = 0b000,
  kNonSpecificEoi = 0b001,
  kNone = 0b010,
  kSpecificEoi = 0b011,
  kSetRotateInAutoEoi = 0b100,
  kRotateOnNonSpecificEoi = 0b101,
  kSetPriority = 0b110,
  kRotateOnSpecificEoi = 0b111,
};

constexpr unsigned kSpuriousLevel = 7;
constexpr u8 kSlaveNumber = Pic8259::kCascadeInput;

// ICH9, "ELCR1/ELCR2": IRQ0, 1, 2, 8 and 13 are always edge-triggered.
constexpr std::array<u8, 2> kElcrWritable{0xF8, 0xDE};

constexpr u8 input(unsigned level) { return static_cast<u8>(Flag{level}.mask()); }

// 0 is the highest priority.
unsigned rank(const Chip& chip, unsigned level) {
  return static_cast<unsigned>(Ocw2::LEVEL.get(level + 7 - chip.lowest_priority));
}

std::optional<unsigned> highest(const Chip& chip, unsigned levels) {
  std::optional<unsigned> best;
  for (unsigned level = 0; level < 8; ++level) {
    if (!bit(levels, level)) continue;
    if (!best || rank(chip, level) < rank(chip, *best)) best = level;
  }
  return best;
}

// "Special Mask Mode": levels in service that are masked hold nothing back, and a non-specific EOI
// does not see them.
u8 blocking(const Chip& chip) {
  return static_cast<u8>(chip.special_mask ? chip.in_service & ~chip.mask : chip.in_service);
}

bool has_slave(const Chip& chip, unsigned level) {
  return !chip.single && bit(chip.cascade, level);
}

// The request that INT stands for.
std::optional<unsigned> pending(const Chip& chip) {
  if (!chip.initialized) return {};
  const auto request = highest(chip, chip.requests() & ~chip.mask);
  if (!request) return {};
  const auto served = highest(chip, blocking(chip));
  if (!served || rank(chip, *request) < rank(chip, *served)) return request;
  // "The Special Fully Nest Mode": a slave in service may request again.
  const bool nests = chip.special_fully_nested && *request == *served && has_slave(chip, *request);
  return nests ? request : std::nullopt;
}

void begin_service(Chip& chip, unsigned level) {
  chip.edges &= static_cast<u8>(~input(level));
  if (!chip.auto_eoi) {
    chip.in_service |= input(level);
  } else if (chip.rotate_on_auto_eoi) {
    chip.lowest_priority = static_cast<u8>(level);
  }
}

// "Interrupt Sequence": no request by the time of INTA gives level 7, which is not in service.
u8 vector_of(Chip& chip, std::optional<unsigned> level) {
  if (level) begin_service(chip, *level);
  return static_cast<u8>(chip.vector_base | level.value_or(kSpuriousLevel));
}

// An input that falls takes its request back, unless it falls in the instant in which it rose: such
// a pulse stands for one that is long enough.
void set_input(Chip& chip, unsigned level, bool high, Ps now) {
  const u8 mask = input(level);
  if (high && !bit(chip.lines, level)) {
    chip.edges |= mask;
    chip.rose_at[level] = now;
  } else if (!high && chip.rose_at[level] != now) {
    chip.edges &= static_cast<u8>(~mask);
  }
  chip.lines = static_cast<u8>(high ? chip.lines | mask : chip.lines & ~mask);
}

// The slave's INT. No pulse: what the slave takes back is gone.
void set_cascade(Chip& master, bool high) {
  set_input(master, Pic8259::kCascadeInput, high, high ? kNever : 0);
}

void write_icw1(Chip& chip, Reg<Icw1> icw1) {
  Chip fresh;
  fresh.lines = chip.lines;
  fresh.rose_at = chip.rose_at;
  fresh.elcr = chip.elcr;
  fresh.vector_base = chip.vector_base;
  fresh.expects = Expects::kIcw2;
  fresh.single = icw1[Icw1::SNGL];
  fresh.wants_icw4 = icw1[Icw1::IC4];
  chip = fresh;
}

void write_ocw2(Chip& chip, u8 value) {
  const auto served = highest(chip, blocking(chip));
  const auto level = static_cast<unsigned>(Ocw2::LEVEL.get(value));
  const auto end = [&](unsigned ended) { chip.in_service &= static_cast<u8>(~input(ended)); };
  const auto make_lowest = [&](unsigned lowest) { chip.lowest_priority = static_cast<u8>(lowest); };
  switch (static_cast<Ocw2Command>(Ocw2::COMMAND.get(value))) {
    case Ocw2Command::kClearRotateInAutoEoi:
      chip.rotate_on_auto_eoi = false;
      break;
    case Ocw2Command::kSetRotateInAutoEoi:
      chip.rotate_on_auto_eoi = true;
      break;
    case Ocw2Command::kNonSpecificEoi:
      if (served) end(*served);
      break;
    case Ocw2Command::kRotateOnNonSpecificEoi:
      if (served) {
        end(*served);
        make_lowest(*served);
      }
      break;
    case Ocw2Command::kSpecificEoi:
      end(level);
      break;
    case Ocw2Command::kRotateOnSpecificEoi:
      end(level);
      make_lowest(level);
      break;
    case Ocw2Command::kSetPriority:
      make_lowest(level);
      break;
    case Ocw2Command::kNone:
      break;
  }
}

void write_ocw3(Chip& chip, Reg<Ocw3> ocw3) {
  if (ocw3[Ocw3::ESMM]) chip.special_mask = ocw3[Ocw3::SMM];
  // "OCW3": when P = 1 and RR = 1 the poll overrides the status read.
  if (ocw3[Ocw3::POLL]) {
    chip.polled = true;
  } else if (ocw3[Ocw3::RR]) {
    chip.reads_in_service = ocw3[Ocw3::RIS];
  }
}

}  // namespace

void Pic8259::write_command(Chip& chip, u8 value) {
  if (Reg<Icw1>(value)[Icw1::ICW1]) {
    write_icw1(chip, Reg<Icw1>(value));
  } else if (Reg<Ocw3>(value)[Ocw3::OCW3]) {
    write_ocw3(chip, Reg<Ocw3>(value));
  } else {
    write_ocw2(chip, value);
  }
}

void Pic8259::write_data(Chip& chip, u8 value) {
  const Expects last = chip.wants_icw4 ? Expects::kIcw4 : Expects::kOcw1;
  switch (chip.expects) {
    case Expects::kIcw2:
      chip.vector_base = static_cast<u8>(value & Icw2::T7_T3.mask());
      chip.expects = chip.single ? last : Expects::kIcw3;
      break;
    case Expects::kIcw3:
      chip.cascade = value;
      chip.expects = last;
      break;
    case Expects::kIcw4:
      chip.auto_eoi = Reg<Icw4>(value)[Icw4::AEOI];
      chip.special_fully_nested = Reg<Icw4>(value)[Icw4::SFNM];
      chip.expects = Expects::kOcw1;
      break;
    case Expects::kOcw1:
      chip.mask = value;
      return;
  }
  chip.initialized = chip.expects == Expects::kOcw1;
}

u8 Pic8259::poll(Chip& chip, Ps now) {
  chip.polled = false;
  const auto level = pending(chip);
  if (!level) return 0;
  begin_service(chip, *level);
  settle(now);
  return static_cast<u8>(PollWord::INTERRUPT.mask() | *level);
}

u8 Pic8259::read_byte(u64 offset, Ps now) {
  if (offset >= 4) return state_.chips[offset - 4].elcr;
  Chip& chip = state_.chips[offset / 2];
  if (chip.polled) return poll(chip, now);
  if (offset % 2 == 1) return chip.mask;
  return chip.reads_in_service ? chip.in_service : chip.requests();
}

void Pic8259::write_byte(u64 offset, u8 value, Ps now) {
  if (offset >= 4) {
    state_.chips[offset - 4].elcr = value & kElcrWritable[offset - 4];
  } else if (offset % 2 == 0) {
    write_command(state_.chips[offset / 2], value);
  } else {
    write_data(state_.chips[offset / 2], value);
  }
  settle(now);
}

void Pic8259::set_line(unsigned irq, bool level, Ps now) {
  if (irq == kCascadeInput) return;
  set_input(state_.chips[irq / 8], irq % 8, level, now);
  settle(now);
}

u8 Pic8259::acknowledge(Ps now) {
  const auto level = pending(master());
  u8 vector = vector_of(master(), level);
  if (level && has_slave(master(), *level)) {
    const bool answers = *level == kCascadeInput && slave().cascade == kSlaveNumber;
    vector = answers ? vector_of(slave(), pending(slave())) : u8{0xFF};  // nobody drives the bus
    set_cascade(master(), false);
  }
  interrupt_.set(false, now);
  settle(now);
  return vector;
}

void Pic8259::settle(Ps now) {
  set_cascade(master(), pending(slave()).has_value());
  interrupt_.set(pending(master()).has_value(), now);
}

void Pic8259::reset(Ps now) {
  for (Chip& chip : state_.chips) {
    const u8 lines = chip.lines;
    chip = Chip{};
    chip.lines = lines;
  }
  settle(now);
}

}  // namespace vtsim::chipset
