#include "sim/firmware_tables/fw_cfg_files.h"

#include <string_view>

#include "sim/firmware_tables/byte_writer.h"

namespace vtsim::firmware_tables {
namespace {

constexpr std::string_view kTablesFile = "etc/acpi/tables";
constexpr std::string_view kRsdpFile = "etc/acpi/rsdp";
constexpr std::size_t kCommandBytes = 128;
constexpr std::size_t kFileNameBytes = 56;

enum class Command : u32 { kAllocate = 1, kAddPointer = 2, kAddChecksum = 3 };
enum class Zone : u8 { kHigh = 1, kFSegment = 2 };

std::string_view file_of(AcpiImage::Part part) {
  return part == AcpiImage::Part::kRsdp ? kRsdpFile : kTablesFile;
}

// One command; the rest of its 128 bytes is zero.
void add_command(ByteWriter& script, const ByteWriter& command) {
  script.bytes(command.data()).zeros(kCommandBytes - command.size());
}

ByteWriter command(Command kind, std::string_view file) {
  ByteWriter out;
  out.dword(static_cast<u32>(kind)).text(file, kFileNameBytes);
  return out;
}

std::vector<u8> linker_script(const AcpiImage& image) {
  constexpr u32 kRsdpAlignment = 16;
  ByteWriter script;
  add_command(script, command(Command::kAllocate, kRsdpFile)
                          .dword(kRsdpAlignment)
                          .byte(static_cast<u8>(Zone::kFSegment)));
  add_command(
      script,
      command(Command::kAllocate, kTablesFile).dword(kPageSize).byte(static_cast<u8>(Zone::kHigh)));
  for (const AcpiImage::Pointer& pointer : image.pointers) {
    add_command(script, command(Command::kAddPointer, file_of(pointer.in))
                            .text(kTablesFile, kFileNameBytes)
                            .dword(pointer.offset)
                            .byte(pointer.bytes));
  }
  for (const AcpiImage::Checksum& sum : image.checksums) {
    add_command(script, command(Command::kAddChecksum, file_of(sum.in))
                            .dword(sum.offset)
                            .dword(sum.start)
                            .dword(sum.length));
  }
  return script.take();
}

}  // namespace

std::vector<FwCfgFile> acpi_fw_cfg_files(const AcpiImage& unlinked) {
  return {{std::string(kTablesFile), unlinked.tables},
          {std::string(kRsdpFile), unlinked.rsdp},
          {"etc/table-loader", linker_script(unlinked)}};
}

std::vector<FwCfgFile> smbios_fw_cfg_files(const SmbiosImage& image) {
  return {{"etc/smbios/smbios-anchor", image.entry_point},
          {"etc/smbios/smbios-tables", image.structures}};
}

FwCfgFile e820_fw_cfg_file(const MemoryLayout& layout) {
  ByteWriter out;
  const auto usable = static_cast<u32>(RangeType::kUsable);
  out.qword(0).qword(layout.low_ram_bytes).dword(usable);
  if (layout.high_ram_bytes != 0) {
    out.qword(kFourGiB.value).qword(layout.high_ram_bytes).dword(usable);
  }
  return {"etc/e820", out.take()};
}

}  // namespace vtsim::firmware_tables
