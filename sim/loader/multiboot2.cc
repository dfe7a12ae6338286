// Multiboot2 Specification version 2.0.

#include <algorithm>
#include <array>

#include "sim/firmware_tables/byte_writer.h"
#include "sim/loader/entry_points.h"
#include "sim/loader/multiboot_image.h"

namespace vtsim::loader {
namespace {

using firmware_tables::ByteWriter;
using firmware_tables::MemoryRange;

constexpr u32 kHeaderMagic = 0xe852'50d6;
constexpr u32 kBootMagic = 0x36d7'6289;
constexpr u64 kFixedHeaderBytes = 16;

// "Tags of the Multiboot2 header".
enum class HeaderTag : u16 {
  kEnd = 0,
  kInformationRequest = 1,
  kAddress = 2,
  kEntryAddress = 3,
  kConsoleFlags = 4,
  kFramebuffer = 5,
  kModuleAlignment = 6,
  kEfiBootServices = 7,
  kEfi32Entry = 8,
  kEfi64Entry = 9,
  kRelocatable = 10,
};
struct TagFlags {
  static constexpr Flag OPTIONAL{0};
};

// "Boot information format": the tags that are handed over.
enum class InfoTag : u32 {
  kEnd = 0,
  kCommandLine = 1,
  kLoaderName = 2,
  kModule = 3,
  kBasicMemory = 4,
  kMemoryMap = 6,
  kAcpiNewRsdp = 15,
};
constexpr u32 kProvided[] = {1, 2, 3, 4, 6, 15};

// Only what concerns a machine with BIOS-like boot. An EFI entry is an offer that is not taken; a
// relocatable image is placed where it prefers.
constexpr HeaderTag kUnderstood[] = {
    HeaderTag::kInformationRequest, HeaderTag::kAddress,         HeaderTag::kEntryAddress,
    HeaderTag::kModuleAlignment,    HeaderTag::kEfiBootServices, HeaderTag::kEfi32Entry,
    HeaderTag::kEfi64Entry,         HeaderTag::kRelocatable,
};

struct Header {
  std::optional<LoadAddresses> addresses;
  std::optional<u64> entry;
};

std::optional<u64> header_offset(const ImageReader& file) {
  return find_header(file, {.magic = kHeaderMagic, .dwords = 4, .alignment = 8, .search = 32768});
}

void check_request(const ImageReader& file, u64 tag, u64 bytes) {
  for (u64 at = tag + 8; at + 4 <= tag + bytes; at += 4) {
    const u32 wanted = file.u32_at(at, "information request tag");
    const bool provided =
        std::find(std::begin(kProvided), std::end(kProvided), wanted) != std::end(kProvided);
    if (!provided) {
      file.refuse(
          "information request tag",
          "requires information of type " + std::to_string(wanted) + ", which is not available");
    }
  }
}

LoadAddresses address_tag(const ImageReader& file, u64 header, u64 tag) {
  LoadAddresses addresses;
  addresses.header_offset = header;
  addresses.header = file.u32_at(tag + 8, "header_addr");
  addresses.load = file.u32_at(tag + 12, "load_addr");
  addresses.load_end = file.u32_at(tag + 16, "load_end_addr");
  addresses.bss_end = file.u32_at(tag + 20, "bss_end_addr");
  return addresses;
}

void read_tag(const ImageReader& file, u64 header, u64 tag, u64 bytes, Header& out) {
  const auto type = static_cast<HeaderTag>(file.u16_at(tag, "header tag"));
  const bool optional = Reg<TagFlags>(file.u16_at(tag + 2, "header tag"))[TagFlags::OPTIONAL];
  const bool understood =
      std::find(std::begin(kUnderstood), std::end(kUnderstood), type) != std::end(kUnderstood);
  if (!understood && !optional) {
    file.refuse("header tag", "requires a feature that is not available (type " +
                                  std::to_string(static_cast<u16>(type)) + ")");
  }
  if (type == HeaderTag::kInformationRequest && !optional) check_request(file, tag, bytes);
  if (type == HeaderTag::kAddress) out.addresses = address_tag(file, header, tag);
  if (type == HeaderTag::kEntryAddress) out.entry = file.u32_at(tag + 8, "entry_addr");
}

Header parse_header(const ImageReader& file, u64 header) {
  constexpr u32 kI386 = 0;
  file.require(file.u32_at(header + 4, "architecture") == kI386, "architecture", "is not i386");
  const u64 length = file.u32_at(header + 8, "header_length");
  file.slice(header, length, "header_length");
  Header out;
  u64 at = header + kFixedHeaderBytes;
  while (at + 8 <= header + length) {
    const u64 bytes = file.u32_at(at + 4, "header tag");
    if (static_cast<HeaderTag>(file.u16_at(at, "header tag")) == HeaderTag::kEnd) return out;
    file.require(bytes >= 8 && at + bytes <= header + length, "header tag", "runs past the header");
    read_tag(file, header, at, bytes, out);
    at = align_up(at + bytes, 8);
  }
  file.refuse("header tag", "the terminating tag is missing");
}

Hpa place_image(const ImageReader& file, u64 offset, Placement& placement) {
  const Header header = parse_header(file, offset);
  if (!header.addresses) return place_multiboot_elf(file, header.entry, placement);
  file.require(header.entry.has_value(), "entry_addr", "an address tag needs an entry address tag");
  const PlacedRange range = place_by_addresses(file, *header.addresses, placement);
  return entry_within(file, range, *header.entry, "entry_addr");
}

void add_tag(ByteWriter& out, InfoTag type, const ByteWriter& content) {
  out.dword(static_cast<u32>(type)).dword(8 + content.size()).bytes(content.data()).align(8);
}

ByteWriter string_content(const std::string& text) {
  ByteWriter content;
  content.c_string(text);
  return content;
}

ByteWriter memory_map_content(const firmware_tables::MemoryLayout& layout) {
  constexpr u32 kEntryBytes = 24, kVersion = 0;
  ByteWriter content;
  content.dword(kEntryBytes).dword(kVersion);
  for (const MemoryRange& range : layout.ranges) {
    content.qword(range.base.value).qword(range.bytes);
    content.dword(static_cast<u32>(range.type)).dword(0);
  }
  return content;
}

void add_rsdp(ByteWriter& out, Hpa rsdp, const Placement& placement) {
  std::array<u8, 36> bytes;
  if (rsdp == Hpa(0) || !placement.memory().read(rsdp, bytes)) return;
  ByteWriter content;
  content.bytes(bytes);
  add_tag(out, InfoTag::kAcpiNewRsdp, content);
}

// Holds no pointer to itself, so its bytes do not depend on where it goes.
std::vector<u8> information(const LoadRequest& request, const std::vector<PlacedModule>& modules,
                            const Placement& placement) {
  ByteWriter out;
  out.dword(0).dword(0);
  add_tag(out, InfoTag::kCommandLine,
          string_content(command_line_with_name(request.file, request.command_line)));
  add_tag(out, InfoTag::kLoaderName, string_content(kLoaderName));
  for (const PlacedModule& module : modules) {
    ByteWriter content;
    content.dword(module.base.value).dword((module.base + module.bytes).value);
    content.c_string(module.command_line);
    add_tag(out, InfoTag::kModule, content);
  }
  const BasicMemory memory = basic_memory(placement.layout());
  ByteWriter basic;
  basic.dword(memory.lower_kib).dword(memory.upper_kib);
  add_tag(out, InfoTag::kBasicMemory, basic);
  add_tag(out, InfoTag::kMemoryMap, memory_map_content(placement.layout()));
  add_rsdp(out, request.rsdp, placement);
  add_tag(out, InfoTag::kEnd, {});
  out.patch(0, out.size(), 4);
  return out.take();
}

}  // namespace

bool matches_multiboot2(const ImageReader& file) { return header_offset(file).has_value(); }

EntryState load_multiboot2(const LoadRequest& request, const ImageReader& file,
                           Placement& placement) {
  const Hpa entry = place_image(file, *header_offset(file), placement);
  const std::vector<u8> info = information(request, place_modules(request, placement), placement);
  const Hpa base = placement.claim_lowest("multiboot information", info.size(), kPageSize);
  placement.write(base, info);
  EntryState state = protected_mode_entry(entry, placement);
  state.gpr[kRax] = kBootMagic;
  state.gpr[kRbx] = base.value;
  return state;
}

}  // namespace vtsim::loader
