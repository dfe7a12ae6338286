#include "sim/loader/elf.h"

#include "model/base/bits.h"
#include "sim/loader/hex.h"

namespace vtsim::loader {
namespace {

constexpr u32 kMagic = 0x464c'457f;  // 7F 'E' 'L' 'F'
constexpr u8 kLittleEndian = 1;
constexpr u16 kExecutable = 2;
constexpr u16 kMachine386 = 3, kMachineX86_64 = 62;
constexpr u32 kLoad = 1, kNote = 4;
constexpr u32 kXenPhys32Entry = 18;  // Xen public/elfnote.h

// Offsets that differ between the two classes.
struct Format {
  unsigned word;  // bytes of an address or offset
  u16 header_bytes;
  u64 entry, phoff, phentsize, phnum;
  u16 program_header_bytes;
  u64 p_offset, p_vaddr, p_paddr, p_filesz, p_memsz, p_align;
};
constexpr Format kFormat32{4, 52, 24, 28, 42, 44, 32, 4, 8, 12, 16, 20, 28};
constexpr Format kFormat64{8, 64, 24, 32, 54, 56, 56, 8, 16, 24, 32, 40, 48};

void check_identity(const ImageReader& file) {
  file.require(file.u8_at(5, "e_ident[EI_DATA]") == kLittleEndian, "e_ident[EI_DATA]",
               "is not little-endian");
  file.require(file.u8_at(6, "e_ident[EI_VERSION]") == 1, "e_ident[EI_VERSION]", "is not 1");
  const u16 type = file.u16_at(16, "e_type");
  file.require(type == kExecutable, "e_type", "is not an executable (ET_EXEC)");
  const u16 machine = file.u16_at(18, "e_machine");
  file.require(machine == kMachine386 || machine == kMachineX86_64, "e_machine",
               "is neither i386 nor x86-64");
}

ElfSegment parse_segment(const ImageReader& file, const Format& format, u64 header) {
  const auto word = [&](u64 offset, const char* field) {
    return file.number(header + offset, format.word, field);
  };
  ElfSegment segment;
  segment.offset = word(format.p_offset, "p_offset");
  segment.virtual_address = word(format.p_vaddr, "p_vaddr");
  segment.physical_address = Hpa(word(format.p_paddr, "p_paddr"));
  segment.file_bytes = word(format.p_filesz, "p_filesz");
  segment.memory_bytes = word(format.p_memsz, "p_memsz");
  file.slice(segment.offset, segment.file_bytes, "p_offset");
  return segment;
}

void check_loadable(const ImageReader& file, const ElfSegment& segment) {
  file.require(segment.file_bytes <= segment.memory_bytes, "p_filesz", "is larger than p_memsz");
  file.require(segment.memory_bytes <= ~segment.physical_address.value, "p_memsz",
               "runs past the end of the address space");
}

// The PVH entry among the notes in [offset, offset + bytes), if there.
std::optional<u64> find_pvh_entry(const ImageReader& file, u64 offset, u64 bytes, u64 alignment) {
  const u64 end = offset + bytes;
  while (end - offset >= 12) {
    const u64 name_bytes = file.u32_at(offset, "n_namesz");
    const u64 value_bytes = file.u32_at(offset + 4, "n_descsz");
    const u32 type = file.u32_at(offset + 8, "n_type");
    const u64 name = offset + 12;
    const u64 value = name + align_up(name_bytes, alignment);
    const u64 next = value + align_up(value_bytes, alignment);
    file.require(value + value_bytes <= end, "n_descsz", "the note runs past its segment");
    const bool xen = name_bytes == 4 && file.u32_at(name, "n_name") == 0x006e'6558;  // "Xen"
    if (xen && type == kXenPhys32Entry) {
      file.require(value_bytes == 4 || value_bytes == 8, "XEN_ELFNOTE_PHYS32_ENTRY",
                   "is not 4 or 8 bytes");
      return file.number(value, static_cast<unsigned>(value_bytes), "XEN_ELFNOTE_PHYS32_ENTRY");
    }
    if (next >= end) break;
    offset = next;
  }
  return {};
}

}  // namespace

bool is_elf(const ImageReader& file) {
  return file.holds(0, 4) && file.u32_at(0, "e_ident") == kMagic;
}

ElfImage parse_elf(const ImageReader& file) {
  const u8 elf_class = file.u8_at(4, "e_ident[EI_CLASS]");
  file.require(elf_class == 1 || elf_class == 2, "e_ident[EI_CLASS]", "is neither 32 nor 64 bits");
  const Format& format = elf_class == 1 ? kFormat32 : kFormat64;
  file.slice(0, format.header_bytes, "ELF header");
  check_identity(file);
  ElfImage elf;
  elf.elf_class = static_cast<ElfImage::Class>(elf_class);
  elf.entry = file.number(format.entry, format.word, "e_entry");
  const u64 headers = file.number(format.phoff, format.word, "e_phoff");
  const u64 count = file.u16_at(format.phnum, "e_phnum");
  file.require(count != 0, "e_phnum", "is 0: there is nothing to load");
  file.require(file.u16_at(format.phentsize, "e_phentsize") == format.program_header_bytes,
               "e_phentsize", "is not the size of a program header");
  file.slice(headers, count * format.program_header_bytes, "e_phoff");
  for (u64 i = 0; i < count; ++i) {
    const u64 header = headers + i * format.program_header_bytes;
    const u32 type = file.u32_at(header, "p_type");
    if (type != kLoad && type != kNote) continue;
    const ElfSegment segment = parse_segment(file, format, header);
    if (type == kLoad) {
      check_loadable(file, segment);
      if (segment.memory_bytes != 0) elf.segments.push_back(segment);
    }
    if (type == kNote && !elf.pvh_entry) {
      const u64 align = file.number(header + format.p_align, format.word, "p_align") == 8 ? 8 : 4;
      elf.pvh_entry = find_pvh_entry(file, segment.offset, segment.file_bytes, align);
    }
  }
  file.require(!elf.segments.empty(), "e_phnum", "no segment is to be loaded (PT_LOAD)");
  return elf;
}

void place_elf(const ImageReader& file, const ElfImage& elf, Placement& placement) {
  for (std::size_t i = 0; i < elf.segments.size(); ++i) {
    placement.claim("segment " + std::to_string(i), elf.segments[i].physical_address,
                    elf.segments[i].memory_bytes);
  }
  for (const ElfSegment& segment : elf.segments) {
    placement.write(segment.physical_address,
                    file.slice(segment.offset, segment.file_bytes, "p_offset"));
    placement.zero(segment.physical_address + segment.file_bytes,
                   segment.memory_bytes - segment.file_bytes);
  }
}

Hpa physical_entry(const ImageReader& file, const ElfImage& elf, u64 address, const char* field) {
  for (const ElfSegment& segment : elf.segments) {
    if (Hpa(address) >= segment.physical_address &&
        Hpa(address) - segment.physical_address < segment.file_bytes) {
      return Hpa(address);
    }
  }
  for (const ElfSegment& segment : elf.segments) {
    const u64 offset = address - segment.virtual_address;
    if (address >= segment.virtual_address && offset < segment.file_bytes) {
      return segment.physical_address + offset;
    }
  }
  file.refuse(field, "the entry point " + hex(address) + " lies in no segment of the file");
}

}  // namespace vtsim::loader
