#pragma once
// Loads a guest image into memory and tells where the boot core starts. What the image is, is read
// from the file, in this order: bzImage, multiboot 2, multiboot 1, ELF with a PVH note, plain ELF;
// anything is a flat binary when `load_at` is given, and nothing is one without.
//
//   kind         entered in             registers                          modules
//   bzImage      64-bit mode            RSI = boot_params                  one: the initial RAM
//   disk
//                (32-bit where the kernel has no 64-bit entry)
//   multiboot 1  32-bit protected mode  EAX = 2BADB002h, EBX = information any
//   multiboot 2  32-bit protected mode  EAX = 36D76289h, EBX = information any
//   PVH          32-bit protected mode  EBX = hvm_start_info               any
//   ELF64        64-bit mode            RDI = hvm_start_info               any
//   ELF32        32-bit protected mode  EBX = hvm_start_info               any
//   flat         below 1 MiB real mode, otherwise 32-bit protected mode    none
//
// Interrupts are off everywhere. 64-bit mode has the low 4 GiB mapped to themselves and no more.
// Neither a stack is given (but in real mode) nor any BIOS service. Every range is checked
// against the memory map and against all others before anything is written to it.

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sim/loader/entry_state.h"
#include "sim/loader/image_error.h"
#include "sim/loader/placement.h"

namespace vtsim::loader {

struct Module {
  std::string file;  // its base name is what the guest sees, followed by the arguments
  std::string arguments;
  std::span<const u8> bytes;
};

struct LoadRequest {
  std::string file;
  std::span<const u8> image;
  std::vector<Module> modules;
  std::string command_line;
  std::optional<Hpa> load_at;
  Hpa rsdp;  // where the ACPI tables begin; 0: there are none
};

enum class ImageKind : u8 {
  kBzImage,
  kMultiboot1,
  kMultiboot2,
  kPvh,
  kElf,
  kFlat,
};
const char* image_kind_name(ImageKind kind);

struct LoadedImage {
  ImageKind kind = ImageKind::kFlat;
  EntryState entry;
  std::vector<Placement::Claim> claims;  // what lies where, for messages and traces
};

// Throws ImageError; guest memory may have been written to by then.
LoadedImage load_image(const LoadRequest& request, const firmware_tables::MemoryLayout& layout,
                       firmware_tables::GuestMemory& memory);

}  // namespace vtsim::loader
