#include "sim/firmware_tables/smbios.h"

#include <algorithm>
#include <initializer_list>
#include <string_view>

#include "model/base/bits.h"
#include "model/base/check.h"
#include "sim/firmware_tables/byte_writer.h"

namespace vtsim::firmware_tables {
namespace {

constexpr u8 kMajor = 2;
constexpr u8 kMinor = 8;
constexpr u16 kNoHandle = 0xffff;       // "not provided"
constexpr u16 kNoErrorHandle = 0xfffe;  // no error information structure
constexpr u16 kChassisHandle = 0x300;
constexpr u16 kMemoryArrayHandle = 0x1000;
constexpr u8 kUnknown = 2;  // in most enumerations: 1 other, 2 unknown
constexpr std::string_view kMaker = "vtsim";
constexpr std::string_view kProduct = "Q35 (ICH9)";

enum class Type : u8 {
  kBios = 0,
  kSystem = 1,
  kBoard = 2,
  kChassis = 3,
  kProcessor = 4,
  kMemoryArray = 16,
  kMemoryDevice = 17,
  kMemoryArrayMap = 19,
  kBootInformation = 32,
  kEnd = 127,
};

// DSP0134 "Structure standards": a header, the formatted area, then the strings, which the
// formatted area names by number from 1.
class TableBuilder {
 public:
  using Strings = std::initializer_list<std::string_view>;

  void add(Type type, u16 handle, const ByteWriter& formatted, Strings strings = {}) {
    constexpr std::size_t kHeader = 4;
    const std::size_t start = out_.size();
    out_.byte(static_cast<u8>(type)).byte(kHeader + formatted.size()).word(handle);
    out_.bytes(formatted.data());
    for (std::string_view string : strings) out_.c_string(string);
    out_.zeros(strings.size() == 0 ? 2 : 1);
    largest_ = std::max(largest_, out_.size() - start);
    ++count_;
  }
  std::size_t largest() const { return largest_; }
  u16 count() const { return count_; }
  std::vector<u8> take() { return out_.take(); }

 private:
  ByteWriter out_;
  std::size_t largest_ = 0;
  u16 count_ = 0;
};

ByteWriter bios_information() {
  constexpr u16 kStartSegment = 0xf000;
  constexpr u8 kRomBlocks = 0;  // of 64 KiB, less one
  constexpr u64 kCharacteristicsNotSupported = Flag{3}.mask();
  constexpr u8 kTargetedContentDistribution = 4;
  ByteWriter out;
  out.byte(1).byte(2).word(kStartSegment).byte(3).byte(kRomBlocks);
  out.qword(kCharacteristicsNotSupported).byte(0).byte(kTargetedContentDistribution);
  out.byte(0).byte(1).byte(0xff).byte(0xff);  // release 0.1; no embedded controller
  return out;
}

ByteWriter system_information() {
  constexpr u8 kPowerSwitch = 6;
  ByteWriter out;
  out.byte(1).byte(2).byte(3).byte(0).zeros(16).byte(kPowerSwitch).byte(0).byte(0);
  return out;
}

ByteWriter baseboard() {
  constexpr u8 kHostingBoard = 1, kMotherboard = 10;
  ByteWriter out;
  out.byte(1).byte(2).byte(0).byte(0).byte(0).byte(kHostingBoard).byte(0).word(kChassisHandle);
  out.byte(kMotherboard).byte(0);
  return out;
}

ByteWriter chassis() {
  constexpr u8 kOther = 1, kSafe = 3;
  ByteWriter out;
  out.byte(1).byte(kOther).byte(0).byte(0).byte(0).byte(kSafe).byte(kSafe).byte(kSafe);
  out.byte(kUnknown).dword(0).byte(0).byte(0).byte(0).byte(0).byte(0);
  return out;
}

ByteWriter processor(const SmbiosConfig& config) {
  constexpr u8 kCentral = 3, kOther = 1, kPopulatedAndEnabled = 0x41;
  constexpr u16 k64Bit = Flag{2}.mask();
  const u32 cores = std::min<u32>(config.cores, 0xff);
  ByteWriter out;
  out.byte(1).byte(kCentral).byte(kOther).byte(2);
  out.dword(config.cpuid_signature).dword(config.cpuid_features);
  out.byte(3).byte(0).word(0).word(config.mhz).word(config.mhz);
  out.byte(kPopulatedAndEnabled).byte(kOther).word(kNoHandle).word(kNoHandle).word(kNoHandle);
  out.byte(0).byte(0).byte(0).byte(cores).byte(cores).byte(cores).word(k64Bit).word(kOther);
  return out;
}

ByteWriter memory_array(u64 bytes) {
  constexpr u8 kSystemBoard = 3, kSystemMemory = 3, kNoEcc = 3;
  constexpr u32 kSeeExtended = 0x8000'0000;
  const u64 kib = bytes >> 10;
  ByteWriter out;
  out.byte(kSystemBoard).byte(kSystemMemory).byte(kNoEcc);
  out.dword(std::min<u64>(kib, kSeeExtended)).word(kNoErrorHandle).word(1);
  out.qword(kib >= kSeeExtended ? bytes : 0);
  return out;
}

ByteWriter memory_device(u64 bytes) {
  constexpr u8 kDimm = 9, kDdr4 = 0x1a;
  constexpr u16 kWidth = 64, kOther = Flag{1}.mask(), kSeeExtended = 0x7fff;
  const u64 mib = bytes >> 20;
  ByteWriter out;
  out.word(kMemoryArrayHandle).word(kNoErrorHandle).word(kWidth).word(kWidth);
  out.word(std::min<u64>(mib, kSeeExtended)).byte(kDimm).byte(0).byte(1).byte(0);
  out.byte(kDdr4).word(kOther).word(0).byte(2).byte(0).byte(0).byte(0).byte(0);
  out.dword(mib >= kSeeExtended ? mib : 0).word(0).word(0).word(0).word(0);
  return out;
}

ByteWriter memory_map(Hpa base, u64 bytes) {
  constexpr u32 kSeeExtended = 0xffff'ffff;
  const u64 last = base.value + bytes - 1;
  const bool extended = (last >> 10) >= kSeeExtended;
  ByteWriter out;
  out.dword(extended ? kSeeExtended : base.value >> 10);
  out.dword(extended ? kSeeExtended : last >> 10);
  out.word(kMemoryArrayHandle).byte(1);
  out.qword(extended ? base.value : 0).qword(extended ? last : 0);
  return out;
}

ByteWriter boot_information() {
  ByteWriter out;
  out.zeros(6).byte(0);
  return out;
}

TableBuilder structures(const SmbiosConfig& config, const MemoryLayout& layout) {
  TableBuilder table;
  table.add(Type::kBios, 0, bios_information(), {kMaker, "1.0", "01/01/2025"});
  table.add(Type::kSystem, 0x100, system_information(), {kMaker, kProduct, "1.0"});
  table.add(Type::kBoard, 0x200, baseboard(), {kMaker, kProduct});
  table.add(Type::kChassis, kChassisHandle, chassis(), {kMaker});
  table.add(Type::kProcessor, 0x400, processor(config),
            {"CPU 0", kMaker, config.processor_name.empty() ? "x86-64" : config.processor_name});
  table.add(Type::kMemoryArray, kMemoryArrayHandle, memory_array(layout.ram_bytes()));
  table.add(Type::kMemoryDevice, 0x1100, memory_device(layout.ram_bytes()), {"DIMM 0", kMaker});
  table.add(Type::kMemoryArrayMap, 0x1300, memory_map(Hpa(0), layout.low_ram_bytes));
  if (layout.high_ram_bytes != 0) {
    table.add(Type::kMemoryArrayMap, 0x1301, memory_map(kFourGiB, layout.high_ram_bytes));
  }
  table.add(Type::kBootInformation, 0x2000, boot_information());
  table.add(Type::kEnd, 0x7f00, {});
  return table;
}

// DSP0134 "SMBIOS 2.1 (32-bit) Entry Point".
constexpr std::size_t kChecksumOffset = 0x04;
constexpr std::size_t kIntermediate = 0x10;
constexpr std::size_t kIntermediateChecksumOffset = 0x15;
constexpr std::size_t kTableAddressOffset = 0x18;
constexpr u8 kEntryPointBytes = 0x1f;

}  // namespace

void SmbiosImage::link(Hpa structures_address) {
  ByteWriter out;
  out.bytes(entry_point);
  out.patch(kTableAddressOffset, structures_address.value, 4);
  out.patch(kIntermediateChecksumOffset, 0, 1);
  out.patch(kChecksumOffset, 0, 1);
  const std::span<const u8> bytes = out.data();
  out.patch(kIntermediateChecksumOffset, checksum_of(bytes.subspan(kIntermediate)), 1);
  out.patch(kChecksumOffset, checksum_of(bytes), 1);
  entry_point = out.take();
}

SmbiosImage build_smbios(const SmbiosConfig& config, const MemoryLayout& layout) {
  TableBuilder table = structures(config, layout);
  const u16 count = table.count();
  const std::size_t largest = table.largest();
  SmbiosImage image;
  image.structures = table.take();
  ByteWriter out;
  out.text("_SM_", 4).byte(0).byte(kEntryPointBytes).byte(kMajor).byte(kMinor).word(largest);
  out.byte(0).zeros(5).text("_DMI_", 5).byte(0).word(image.structures.size()).dword(0).word(count);
  out.byte(kMajor << 4 | kMinor);
  image.entry_point = out.take();
  image.link(Hpa(0));
  return image;
}

void place_smbios(const SmbiosConfig& config, const MemoryLayout& layout, GuestMemory& memory) {
  const Hpa table = kSmbiosArea + align_up(kEntryPointBytes, 16);
  SmbiosImage image = build_smbios(config, layout);
  SIM_CHECK(image.structures.size() <= kOneMiB - table);
  image.link(table);
  SIM_CHECK(memory.write(kSmbiosArea, image.entry_point));
  SIM_CHECK(memory.write(table, image.structures));
}

}  // namespace vtsim::firmware_tables
