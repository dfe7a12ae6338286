#include "model/device/pci_testdev.h"

#include "model/base/bits.h"

namespace vtsim::device {
namespace {

constexpr PciIdentity kIdentity{.vendor = 0x1b36, .device = 0x0005, .class_code = 0xff'0000};

constexpr unsigned kTest = 0x00, kWidth = 0x01, kOffset = 0x04, kData = 0x08, kCount = 0x0c;
constexpr unsigned kName = 0x10;
constexpr u32 kWriteOffset = 0x60;  // behind the longest name
constexpr u32 kWriteData = 0xfa;

struct TestRow {
  std::string_view name;
  u8 width;
  bool matches_data;  // only writes of kWriteData count
};
constexpr TestRow kTests[] = {
    {"no-eventfd", 1, false},
    {"wildcard-eventfd", 1, false},
    {"datamatch-eventfd", 1, true},
};

constexpr u8 byte_of(u64 value, u64 index) {
  const unsigned low = static_cast<unsigned>(8 * index);
  return static_cast<u8>(bits(value, low + 7, low));
}

}  // namespace

PciTestdev::PciTestdev() : PciFunction("pci-testdev", kIdentity) {
  add_bar({.index = 0, .kind = BarKind::kMemory32, .bytes = 4096, .target = &memory_});
  add_bar({.index = 1, .kind = BarKind::kIo, .bytes = 256, .target = &ports_});
}

void PciTestdev::reset(Ps now) {
  PciFunction::reset(now);
  memory_.reset();
  ports_.reset();
}

u8 PciTestdev::Window::read_byte(u64 offset) const {
  if (state_.test >= std::size(kTests)) return 0;
  const TestRow& test = kTests[state_.test];
  if (offset == kTest) return state_.test;
  if (offset == kWidth) return test.width;
  if (offset >= kOffset && offset < kData) return byte_of(kWriteOffset, offset - kOffset);
  if (offset >= kData && offset < kCount) return byte_of(kWriteData, offset - kData);
  if (offset >= kCount && offset < kName) return byte_of(state_.count, offset - kCount);
  if (offset < kName) return 0;
  u64 at = offset - kName;
  for (std::string_view part : {prefix_, test.name, suffix_}) {
    if (at < part.size()) return static_cast<u8>(part[at]);
    at -= part.size();
  }
  return 0;
}

u64 PciTestdev::Window::read(u64 offset, unsigned size, Ps /*now*/) {
  u64 value = 0;
  for (unsigned i = 0; i < size; ++i) {
    value = Field{8 * i + 7, 8 * i}.put(value, read_byte(offset + i));
  }
  return value;
}

void PciTestdev::Window::write(u64 offset, unsigned size, u64 value, Ps /*now*/) {
  if (offset == kTest) {
    state_ = {.test = static_cast<u8>(value), .count = 0};
    return;
  }
  if (state_.test >= std::size(kTests) || offset != kWriteOffset) return;
  const TestRow& test = kTests[state_.test];
  if (size == test.width && (!test.matches_data || value == kWriteData)) ++state_.count;
}

}  // namespace vtsim::device
