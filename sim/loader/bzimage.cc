// The Linux boot protocol, 2.10 and later. linux/Documentation/arch/x86/boot "The Linux/x86 Boot
// Protocol": "64-bit Boot Protocol", or "32-bit Boot Protocol" for kernels without a 64-bit entry.

#include <algorithm>

#include "sim/firmware_tables/byte_writer.h"
#include "sim/loader/entry_points.h"
#include "sim/loader/hex.h"
#include "sim/loader/protocols.h"

namespace vtsim::loader {
namespace {

using firmware_tables::ByteWriter;
using firmware_tables::MemoryRange;

// The setup header's fields, at the same offsets in the file and in boot_params.
constexpr u64 kSetupSects = 0x1f1, kSysSize = 0x1f4, kBootFlag = 0x1fe, kJump = 0x200;
constexpr u64 kHeader = 0x202, kVersion = 0x206, kTypeOfLoader = 0x210, kLoadFlags = 0x211;
constexpr u64 kRamdiskImage = 0x218, kRamdiskSize = 0x21c, kCmdLinePtr = 0x228;
constexpr u64 kInitrdAddrMax = 0x22c, kKernelAlignment = 0x230, kRelocatable = 0x234;
constexpr u64 kXLoadFlags = 0x236, kCmdlineSize = 0x238, kPrefAddress = 0x258, kInitSize = 0x260;
// boot_params "The Zero Page".
constexpr u64 kBootParamsBytes = 4096;
constexpr u64 kAcpiRsdpAddr = 0x070, kE820Entries = 0x1e8, kE820Table = 0x2d0;
constexpr u64 kMaxE820Entries = 128;

constexpr u32 kHdrS = 0x5372'6448;
constexpr u16 kOldestVersion = 0x020a;  // pref_address and init_size exist
constexpr u16 kXLoadFlagsVersion = 0x020c;
constexpr u8 kUndefinedLoader = 0xff;
constexpr u64 kSector = 512;
constexpr u64 kEntry64 = 0x200;  // of the 64-bit entry in the protected-mode kernel

struct Flags {  // loadflags and xloadflags
  static constexpr Flag LOADED_HIGH{0};
  static constexpr Flag KERNEL_64{0};
};

struct Kernel {
  u64 payload_offset = 0;  // of the protected-mode kernel in the file
  u64 payload_bytes = 0;
  u64 init_size = 0;
  Hpa preferred;
  u64 alignment = 0;
  bool relocatable = false;
  bool has_64bit_entry = false;
  u64 initrd_max = 0;
  u64 command_line_max = 0;
};

Kernel parse(const ImageReader& file) {
  const u16 version = file.u16_at(kVersion, "version");
  file.require(version >= kOldestVersion, "version",
               "the boot protocol is older than 2.10 (Linux 2.6.31)");
  file.require(Reg<Flags>(file.u8_at(kLoadFlags, "loadflags"))[Flags::LOADED_HIGH], "loadflags",
               "LOADED_HIGH is clear: this is a zImage");
  Kernel kernel;
  const u64 sectors = file.u8_at(kSetupSects, "setup_sects");
  kernel.payload_offset = ((sectors == 0 ? 4 : sectors) + 1) * kSector;
  kernel.payload_bytes = u64{file.u32_at(kSysSize, "syssize")} * 16;
  file.require(kernel.payload_bytes > kEntry64, "syssize", "leaves the entry point outside");
  file.slice(kernel.payload_offset, kernel.payload_bytes, "syssize");
  kernel.init_size = file.u32_at(kInitSize, "init_size");
  file.require(kernel.init_size != 0, "init_size", "is 0");
  kernel.preferred = Hpa(file.u64_at(kPrefAddress, "pref_address"));
  kernel.alignment = file.u32_at(kKernelAlignment, "kernel_alignment");
  file.require(kernel.alignment >= kPageSize && (kernel.alignment & (kernel.alignment - 1)) == 0,
               "kernel_alignment", "is not a power of two of at least 4096");
  kernel.relocatable = file.u8_at(kRelocatable, "relocatable_kernel") != 0;
  kernel.has_64bit_entry = version >= kXLoadFlagsVersion &&
                           Reg<Flags>(file.u16_at(kXLoadFlags, "xloadflags"))[Flags::KERNEL_64];
  kernel.initrd_max = file.u32_at(kInitrdAddrMax, "initrd_addr_max");
  kernel.command_line_max = file.u32_at(kCmdlineSize, "cmdline_size");
  return kernel;
}

// At its preferred address where that is free, otherwise, if it can move, as low as possible. The
// whole of init_size is claimed: the kernel unpacks itself there.
Hpa place_kernel(const ImageReader& file, const Kernel& kernel, Placement& placement) {
  const u64 bytes = std::max(kernel.init_size, kernel.payload_bytes);
  Hpa base = kernel.preferred;
  if (kernel.relocatable && !placement.is_free(base, bytes)) {
    base = placement.claim_lowest("kernel (init_size)", bytes, kernel.alignment,
                                  firmware_tables::kOneMiB);
  } else {
    placement.claim("kernel (init_size)", base, bytes);
  }
  file.require(base + bytes <= firmware_tables::kFourGiB, "pref_address", "is not below 4 GiB");
  placement.write(base, file.slice(kernel.payload_offset, kernel.payload_bytes, "syssize"));
  return base;
}

Hpa place_command_line(const LoadRequest& request, const ImageReader& file, const Kernel& kernel,
                       Placement& placement) {
  if (request.command_line.size() > kernel.command_line_max) {
    file.refuse("cmdline_size",
                "the command line has " + std::to_string(request.command_line.size()) +
                    " characters; this kernel takes " + std::to_string(kernel.command_line_max));
  }
  ByteWriter text;
  text.c_string(request.command_line);
  const Hpa base = placement.claim_lowest("command line", text.size(), 16);
  placement.write(base, text.data());
  return base;
}

Hpa place_initrd(const Module& initrd, const Kernel& kernel, Placement& placement) {
  const Hpa limit = std::min(Hpa(kernel.initrd_max + 1), firmware_tables::kFourGiB);
  const Hpa base =
      placement.claim_highest("initrd " + initrd.file, initrd.bytes.size(), kPageSize, limit);
  placement.write(base, initrd.bytes);
  return base;
}

void add_e820(ByteWriter& params, const ImageReader& file, const Placement& placement) {
  const auto& ranges = placement.layout().ranges;
  file.require(ranges.size() <= kMaxE820Entries, "e820_table", "has more than 128 ranges");
  params.patch(kE820Entries, ranges.size(), 1);
  u64 at = kE820Table;
  for (const MemoryRange& range : ranges) {
    params.patch(at, range.base.value, 8);
    params.patch(at + 8, range.bytes, 8);
    params.patch(at + 16, static_cast<u32>(range.type), 4);
    at += 20;
  }
}

// The zero page: all zero (no video mode, no setup_data) but for the setup header, copied up to
// where its jump says it ends, and what is set here.
ByteWriter boot_params(const ImageReader& file) {
  const u64 header_end = kHeader + file.u8_at(kJump + 1, "jump");
  file.require(header_end <= kE820Table, "jump", "the setup header is longer than boot_params has");
  ByteWriter params;
  params.zeros(kSetupSects);
  params.bytes(file.slice(kSetupSects, header_end - kSetupSects, "jump"));
  params.zeros(kBootParamsBytes - params.size());
  params.patch(kTypeOfLoader, kUndefinedLoader, 1);
  return params;
}

}  // namespace

bool matches_bzimage(const ImageReader& file) {
  return file.holds(0, kVersion) && file.u16_at(kBootFlag, "boot_flag") == 0xaa55 &&
         file.u32_at(kHeader, "header") == kHdrS;
}

EntryState load_bzimage(const LoadRequest& request, const ImageReader& file, Placement& placement) {
  file.require(request.modules.size() <= 1, "--initrd", "Linux takes one initial RAM disk");
  const Kernel kernel = parse(file);
  const Hpa base = place_kernel(file, kernel, placement);
  ByteWriter params = boot_params(file);
  params.patch(kCmdLinePtr, place_command_line(request, file, kernel, placement).value, 4);
  if (!request.modules.empty()) {
    const Module& initrd = request.modules.front();
    params.patch(kRamdiskImage, place_initrd(initrd, kernel, placement).value, 4);
    params.patch(kRamdiskSize, initrd.bytes.size(), 4);
  }
  params.patch(kAcpiRsdpAddr, request.rsdp.value, 8);
  add_e820(params, file, placement);
  const Hpa zero_page = placement.claim_lowest("boot_params", kBootParamsBytes, kPageSize);
  placement.write(zero_page, params.data());
  EntryState state = kernel.has_64bit_entry ? long_mode_entry(base + kEntry64, placement)
                                            : protected_mode_entry(base, placement);
  state.gpr[kRsi] = zero_page.value;
  return state;
}

}  // namespace vtsim::loader
