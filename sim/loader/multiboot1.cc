// Multiboot Specification version 0.6.96.

#include "sim/firmware_tables/byte_writer.h"
#include "sim/loader/entry_points.h"
#include "sim/loader/multiboot_image.h"

namespace vtsim::loader {
namespace {

using firmware_tables::ByteWriter;
using firmware_tables::MemoryRange;

constexpr u32 kHeaderMagic = 0x1bad'b002;
constexpr u32 kBootMagic = 0x2bad'b002;

struct HeaderFlags {
  static constexpr Field MUST_UNDERSTAND{15, 3};  // none of these is defined
  static constexpr Flag ADDRESSES{16};
};
struct InfoFlags {
  static constexpr Flag MEMORY{0};
  static constexpr Flag COMMAND_LINE{2};
  static constexpr Flag MODULES{3};
  static constexpr Flag MEMORY_MAP{6};
  static constexpr Flag LOADER_NAME{9};
};

constexpr u64 kInfoBytes = 88;  // up to the VBE fields, which stay out
constexpr u64 kModuleBytes = 16;
constexpr u64 kMapEntryBytes = 24;  // `size` and the 20 bytes that it counts

std::optional<u64> header_offset(const ImageReader& file) {
  return find_header(file, {.magic = kHeaderMagic, .dwords = 3, .alignment = 4, .search = 8192});
}

Hpa place_image(const ImageReader& file, u64 header, Placement& placement) {
  const Reg<HeaderFlags> flags(file.u32_at(header + 4, "flags"));
  file.require(flags[HeaderFlags::MUST_UNDERSTAND] == 0, "flags",
               "require a feature that is not known (bits 15:3)");
  if (!flags[HeaderFlags::ADDRESSES]) return place_multiboot_elf(file, {}, placement);
  LoadAddresses addresses;
  addresses.header_offset = header;
  addresses.header = file.u32_at(header + 12, "header_addr");
  addresses.load = file.u32_at(header + 16, "load_addr");
  addresses.load_end = file.u32_at(header + 20, "load_end_addr");
  addresses.bss_end = file.u32_at(header + 24, "bss_end_addr");
  const PlacedRange range = place_by_addresses(file, addresses, placement);
  return entry_within(file, range, file.u32_at(header + 28, "entry_addr"), "entry_addr");
}

// The information structure with all it points to in one block.
class Information {
 public:
  Information(const LoadRequest& request, const Placement& placement,
              std::vector<PlacedModule> modules)
      : request_(request), placement_(placement), modules_(std::move(modules)) {}

  std::vector<u8> at(Hpa base) const {
    const auto& ranges = placement_.layout().ranges;
    const u64 module_list = base.value + kInfoBytes;
    const u64 map = module_list + modules_.size() * kModuleBytes;
    const u64 map_bytes = ranges.size() * kMapEntryBytes;
    ByteWriter text;
    const auto string = [&](const std::string& value) {
      const u64 address = map + map_bytes + text.size();
      text.c_string(value);
      return address;
    };
    const BasicMemory memory = basic_memory(placement_.layout());
    ByteWriter out;
    out.dword(flags()).dword(memory.lower_kib).dword(memory.upper_kib).dword(0);
    out.dword(string(command_line_with_name(request_.file, request_.command_line)));
    out.dword(modules_.size()).dword(modules_.empty() ? 0 : module_list).zeros(16);
    out.dword(map_bytes).dword(map).zeros(12).dword(string(kLoaderName));
    out.zeros(kInfoBytes - out.size());
    for (const PlacedModule& module : modules_) {
      out.dword(module.base.value).dword((module.base + module.bytes).value);
      out.dword(string(module.command_line)).dword(0);
    }
    for (const MemoryRange& range : ranges) {
      out.dword(kMapEntryBytes - 4).qword(range.base.value).qword(range.bytes);
      out.dword(static_cast<u32>(range.type));
    }
    out.bytes(text.data());
    return out.take();
  }

 private:
  u64 flags() const {
    return Reg<InfoFlags>()
        .with(InfoFlags::MEMORY, 1)
        .with(InfoFlags::COMMAND_LINE, 1)
        .with(InfoFlags::MODULES, !modules_.empty())
        .with(InfoFlags::MEMORY_MAP, 1)
        .with(InfoFlags::LOADER_NAME, 1)
        .value;
  }

  const LoadRequest& request_;
  const Placement& placement_;
  std::vector<PlacedModule> modules_;
};

}  // namespace

bool matches_multiboot1(const ImageReader& file) { return header_offset(file).has_value(); }

EntryState load_multiboot1(const LoadRequest& request, const ImageReader& file,
                           Placement& placement) {
  const Hpa entry = place_image(file, *header_offset(file), placement);
  const Information information(request, placement, place_modules(request, placement));
  const u64 bytes = information.at(Hpa(0)).size();
  const Hpa base = placement.claim_lowest("multiboot information", bytes, kPageSize);
  placement.write(base, information.at(base));
  EntryState state = protected_mode_entry(entry, placement);
  state.gpr[kRax] = kBootMagic;
  state.gpr[kRbx] = base.value;
  return state;
}

}  // namespace vtsim::loader
