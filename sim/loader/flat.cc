// A flat binary: no format at all. Placed and entered at --load-at.

#include "sim/loader/entry_points.h"
#include "sim/loader/protocols.h"

namespace vtsim::loader {

EntryState load_flat(const LoadRequest& request, const ImageReader& file, Placement& placement) {
  file.require(request.modules.empty(), "--initrd", "a flat binary takes no modules");
  file.require(request.command_line.empty(), "--append", "a flat binary takes no command line");
  file.require(file.size() != 0, "file", "is empty");
  const Hpa at = *request.load_at;
  placement.claim("flat binary", at, file.size());
  placement.write(at, file.slice(0, file.size(), "file"));
  if (at < firmware_tables::kOneMiB) return real_mode_entry(at);
  file.require(at < firmware_tables::kFourGiB, "--load-at", "is not below 4 GiB");
  return protected_mode_entry(at, placement);
}

}  // namespace vtsim::loader
