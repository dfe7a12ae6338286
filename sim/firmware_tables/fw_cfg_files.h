#pragma once
// The tables as firmware fetches them from fw_cfg: the linker/loader protocol that SeaBIOS and OVMF
// share (QEMU, "docs/specs/fw_cfg" and "bios-linker-loader").

#include <string>
#include <vector>

#include "sim/firmware_tables/acpi.h"
#include "sim/firmware_tables/smbios.h"

namespace vtsim::firmware_tables {

struct FwCfgFile {
  std::string name;
  std::vector<u8> bytes;
};

// etc/acpi/tables, etc/acpi/rsdp and etc/table-loader, which tells how to link the two.
std::vector<FwCfgFile> acpi_fw_cfg_files(const AcpiImage& unlinked);
// etc/smbios/smbios-anchor and etc/smbios/smbios-tables.
std::vector<FwCfgFile> smbios_fw_cfg_files(const SmbiosImage& image);
// etc/e820: usable RAM only; firmware adds the rest.
FwCfgFile e820_fw_cfg_file(const MemoryLayout& layout);

}  // namespace vtsim::firmware_tables
