#include "sim/loader/loader.h"

#include "sim/loader/elf.h"
#include "sim/loader/protocols.h"

namespace vtsim::loader {
namespace {

using Matches = bool (*)(const ImageReader&);
using Load = EntryState (*)(const LoadRequest&, const ImageReader&, Placement&);

struct Protocol {
  ImageKind kind;
  const char* name;
  Matches matches;
  Load load;
};

bool only_on_request(const ImageReader&) { return false; }

// In the order in which they are tried; indexed by ImageKind through image_kind_name().
constexpr Protocol kProtocols[] = {
    {ImageKind::kBzImage, "bzImage", matches_bzimage, load_bzimage},
    {ImageKind::kMultiboot2, "multiboot 2", matches_multiboot2, load_multiboot2},
    {ImageKind::kMultiboot1, "multiboot 1", matches_multiboot1, load_multiboot1},
    {ImageKind::kPvh, "ELF with a PVH note", matches_pvh, load_pvh},
    {ImageKind::kElf, "plain ELF", is_elf, load_plain_elf},
    {ImageKind::kFlat, "flat binary", only_on_request, load_flat},
};

const Protocol& protocol_of(const LoadRequest& request, const ImageReader& file) {
  for (const Protocol& protocol : kProtocols) {
    const bool chosen =
        request.load_at ? protocol.kind == ImageKind::kFlat : protocol.matches(file);
    if (chosen) return protocol;
  }
  file.refuse("magic",
              "is neither a bzImage nor a multiboot 1 or 2 image nor an ELF executable (a flat "
              "binary needs --load-at)");
}

}  // namespace

const char* image_kind_name(ImageKind kind) {
  for (const Protocol& protocol : kProtocols) {
    if (protocol.kind == kind) return protocol.name;
  }
  return "unknown";
}

LoadedImage load_image(const LoadRequest& request, const firmware_tables::MemoryLayout& layout,
                       firmware_tables::GuestMemory& memory) {
  const ImageReader file(request.file, request.image);
  const Protocol& protocol = protocol_of(request, file);
  Placement placement(request.file, layout, memory);
  LoadedImage loaded;
  loaded.kind = protocol.kind;
  loaded.entry = protocol.load(request, file, placement);
  loaded.claims = placement.claims();
  return loaded;
}

std::string command_line_with_name(const std::string& file, const std::string& arguments) {
  const std::string name = file.substr(file.find_last_of('/') + 1);
  return arguments.empty() ? name : name + " " + arguments;
}

std::vector<PlacedModule> place_modules(const LoadRequest& request, Placement& placement) {
  std::vector<PlacedModule> placed;
  for (const Module& module : request.modules) {
    const Hpa base = placement.claim_lowest("module " + module.file, module.bytes.size(), kPageSize,
                                            firmware_tables::kOneMiB);
    placement.write(base, module.bytes);
    placed.push_back(
        {base, module.bytes.size(), command_line_with_name(module.file, module.arguments)});
  }
  return placed;
}

}  // namespace vtsim::loader
