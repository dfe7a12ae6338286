// ELF executables that are entered with an hvm_start_info: by the PVH protocol when they have its
// note, at e_entry otherwise. Xen "x86/HVM direct boot ABI" and public/arch-x86/hvm/start_info.h.

#include "sim/firmware_tables/byte_writer.h"
#include "sim/loader/elf.h"
#include "sim/loader/entry_points.h"
#include "sim/loader/protocols.h"

namespace vtsim::loader {
namespace {

using firmware_tables::ByteWriter;
using firmware_tables::MemoryRange;

constexpr u32 kStartMagic = 0x336e'c578;
constexpr u32 kVersionWithMemoryMap = 1;
constexpr u64 kStartInfoBytes = 56;
constexpr u64 kModuleEntryBytes = 32;
constexpr u64 kMemoryMapEntryBytes = 24;

u64 strings_bytes(const LoadRequest& request, const std::vector<PlacedModule>& modules) {
  u64 bytes = request.command_line.size() + 1;
  for (const PlacedModule& module : modules) bytes += module.command_line.size() + 1;
  return bytes;
}

// One block: hvm_start_info, module list, memory map, strings.
Hpa place_start_info(const LoadRequest& request, Placement& placement) {
  const std::vector<PlacedModule> modules = place_modules(request, placement);
  const auto& ranges = placement.layout().ranges;
  const u64 module_list = kStartInfoBytes;
  const u64 memory_map = module_list + modules.size() * kModuleEntryBytes;
  const u64 strings = memory_map + ranges.size() * kMemoryMapEntryBytes;
  const Hpa base = placement.claim_lowest("hvm_start_info",
                                          strings + strings_bytes(request, modules), kPageSize);
  ByteWriter text;
  const auto string = [&](const std::string& value) {
    const u64 at = (base + strings + text.size()).value;
    text.c_string(value);
    return at;
  };
  ByteWriter out;
  out.dword(kStartMagic).dword(kVersionWithMemoryMap).dword(0).dword(modules.size());
  out.qword(modules.empty() ? 0 : (base + module_list).value).qword(string(request.command_line));
  out.qword(request.rsdp.value).qword((base + memory_map).value).dword(ranges.size()).dword(0);
  for (const PlacedModule& module : modules) {
    out.qword(module.base.value).qword(module.bytes).qword(string(module.command_line)).qword(0);
  }
  for (const MemoryRange& range : ranges) {
    out.qword(range.base.value).qword(range.bytes).dword(static_cast<u32>(range.type)).dword(0);
  }
  out.bytes(text.data());
  placement.write(base, out.data());
  return base;
}

}  // namespace

bool matches_pvh(const ImageReader& file) {
  return is_elf(file) && parse_elf(file).pvh_entry.has_value();
}

EntryState load_pvh(const LoadRequest& request, const ImageReader& file, Placement& placement) {
  const ElfImage elf = parse_elf(file);
  place_elf(file, elf, placement);
  const Hpa entry = physical_entry(file, elf, *elf.pvh_entry, "XEN_ELFNOTE_PHYS32_ENTRY");
  file.require(entry < firmware_tables::kFourGiB, "XEN_ELFNOTE_PHYS32_ENTRY", "is not below 4 GiB");
  EntryState state = protected_mode_entry(entry, placement);
  state.gpr[kRbx] = place_start_info(request, placement).value;
  return state;
}

EntryState load_plain_elf(const LoadRequest& request, const ImageReader& file,
                          Placement& placement) {
  const ElfImage elf = parse_elf(file);
  place_elf(file, elf, placement);
  const Hpa entry = physical_entry(file, elf, elf.entry, "e_entry");
  file.require(entry < firmware_tables::kFourGiB, "e_entry", "is not below 4 GiB");
  const bool wide = elf.elf_class == ElfImage::Class::k64;
  EntryState state =
      wide ? long_mode_entry(entry, placement) : protected_mode_entry(entry, placement);
  state.gpr[wide ? kRdi : kRbx] = place_start_info(request, placement).value;
  return state;
}

}  // namespace vtsim::loader
