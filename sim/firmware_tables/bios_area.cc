#include "sim/firmware_tables/bios_area.h"

#include <array>

#include "model/base/check.h"
#include "sim/firmware_tables/byte_writer.h"

namespace vtsim::firmware_tables {
namespace {

constexpr Hpa kVectors{0};
constexpr Hpa kDataArea{0x400};
constexpr u64 kSegmentBase = u64{kBiosSegment} << 4;
constexpr u16 kMasterHandler = 0xfee0;  // other interrupts of the first 8259
constexpr u16 kSlaveHandler = 0xfee8;   // those of the second

// clang-format off
constexpr u8 kTimerCode[] = {
    0x50,                                                  // push %ax
    0x1e,                                                  // push %ds
    0xb8, 0x40, 0x00,                                      // mov $0x40, %ax
    0x8e, 0xd8,                                            // mov %ax, %ds
    0x66, 0xff, 0x06, 0x6c, 0x00,                          // incl 0x6c          ticks since midnight
    0x66, 0x81, 0x3e, 0x6c, 0x00, 0xb0, 0x00, 0x18, 0x00,  // cmpl $0x1800b0, 0x6c: a day at 18.2 Hz
    0x72, 0x0e,                                            // jb 1f
    0x66, 0xc7, 0x06, 0x6c, 0x00, 0x00, 0x00, 0x00, 0x00,  // movl $0, 0x6c
    0xc6, 0x06, 0x70, 0x00, 0x01,                          // movb $1, 0x70      midnight has passed
    0xcd, 0x1c,                                            // 1: int $0x1c
    0xb0, 0x20,                                            // mov $0x20, %al     EOI
    0xe6, 0x20,                                            // out %al, $0x20
    0x1f,                                                  // pop %ds
    0x58,                                                  // pop %ax
    0xcf,                                                  // iret
};
constexpr u8 kMasterCode[] = {
    0x50,        // push %ax
    0xb0, 0x20,  // mov $0x20, %al
    0xe6, 0x20,  // out %al, $0x20
    0x58,        // pop %ax
    0xcf,        // iret
};
constexpr u8 kSlaveCode[] = {
    0x50,        // push %ax
    0xb0, 0x20,  // mov $0x20, %al
    0xe6, 0xa0,  // out %al, $0xa0
    0xe6, 0x20,  // out %al, $0x20
    0x58,        // pop %ax
    0xcf,        // iret
};
constexpr u8 kIretCode[] = {0xcf};
// clang-format on

static_assert(kBiosTimerHandler + sizeof kTimerCode <= kMasterHandler);
static_assert(kMasterHandler + sizeof kMasterCode <= kSlaveHandler);
static_assert(kSlaveHandler + sizeof kSlaveCode <= kBiosIret);

u16 handler_of(unsigned vector) {
  constexpr unsigned kInputs = 8;
  if (vector == kBiosIrq0Vector) return kBiosTimerHandler;
  if (vector > kBiosIrq0Vector && vector < kBiosIrq0Vector + kInputs) return kMasterHandler;
  if (vector >= kBiosIrq8Vector && vector < kBiosIrq8Vector + kInputs) return kSlaveHandler;
  return kBiosIret;
}

void place_code(GuestMemory& memory, u16 offset, std::span<const u8> code) {
  SIM_CHECK(memory.write(Hpa(kSegmentBase + offset), code));
}

}  // namespace

void place_bios_area(GuestMemory& memory) {
  constexpr unsigned kVectorCount = 256;
  constexpr std::size_t kDataAreaBytes = 0x100, kEbdaSegmentAt = 0x0e, kMemorySizeAt = 0x13;
  ByteWriter vectors;
  for (unsigned n = 0; n < kVectorCount; ++n) vectors.word(handler_of(n)).word(kBiosSegment);
  ByteWriter data;
  data.zeros(kDataAreaBytes);
  data.patch(kEbdaSegmentAt, kEbda.value >> 4, 2);
  data.patch(kMemorySizeAt, kEbda.value >> 10, 2);  // KiB of conventional memory
  SIM_CHECK(memory.write(kVectors, vectors.data()));
  SIM_CHECK(memory.write(kDataArea, data.data()));
  place_code(memory, kBiosTimerHandler, kTimerCode);
  place_code(memory, kMasterHandler, kMasterCode);
  place_code(memory, kSlaveHandler, kSlaveCode);
  place_code(memory, kBiosIret, kIretCode);
}

}  // namespace vtsim::firmware_tables
