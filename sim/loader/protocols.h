#pragma once
// One function a boot protocol, each in the file of its name. `matches` looks at the magic only;
// `load` checks everything and throws ImageError.

#include "sim/loader/image_reader.h"
#include "sim/loader/loader.h"

namespace vtsim::loader {

bool matches_bzimage(const ImageReader& file);
EntryState load_bzimage(const LoadRequest& request, const ImageReader& file, Placement& placement);

bool matches_multiboot1(const ImageReader& file);
EntryState load_multiboot1(const LoadRequest& request, const ImageReader& file,
                           Placement& placement);

bool matches_multiboot2(const ImageReader& file);
EntryState load_multiboot2(const LoadRequest& request, const ImageReader& file,
                           Placement& placement);

bool matches_pvh(const ImageReader& file);
EntryState load_pvh(const LoadRequest& request, const ImageReader& file, Placement& placement);
EntryState load_plain_elf(const LoadRequest& request, const ImageReader& file,
                          Placement& placement);

EntryState load_flat(const LoadRequest& request, const ImageReader& file, Placement& placement);

// What several protocols hand over.

// "kernel.elf console=ttyS0": the file's name without its folder, then the arguments. Multiboot
// kernels expect the name first; the folder stays out, so that runs are the same everywhere.
std::string command_line_with_name(const std::string& file, const std::string& arguments);

struct PlacedModule {
  Hpa base;
  u64 bytes = 0;
  std::string command_line;
};
// Each on a page of its own, lowest first, above 1 MiB.
std::vector<PlacedModule> place_modules(const LoadRequest& request, Placement& placement);

}  // namespace vtsim::loader
