#pragma once
// The guest's images, open for as long as a run lasts, so that a reset can load them again.

#include <optional>
#include <vector>

#include "sim/cli/run_options.h"
#include "sim/loader/loader.h"
#include "sim/loader/mapped_file.h"
#include "sim/machine/machine.h"
#include "sim/stats/result.h"

namespace vtsim::machine {

class GuestFiles {
 public:
  // Throws ImageError.
  explicit GuestFiles(const cli::GuestOptions& options);

  // Prepares the machine as firmware would and loads the guest. Throws ImageError.
  void load_into(Machine& machine, Ps now) const;

  std::vector<stats::Image> describe() const;  // with checksums

 private:
  cli::GuestOptions options_;
  std::optional<loader::MappedFile> kernel_;
  std::optional<loader::MappedFile> initrd_;
};

}  // namespace vtsim::machine
