#include "sim/machine/guest_files.h"

#include "sim/firmware_tables/memory_layout.h"
#include "sim/stats/checksum.h"

namespace vtsim::machine {

GuestFiles::GuestFiles(const cli::GuestOptions& options) : options_(options) {
  if (!options.kernel.empty()) kernel_.emplace(options.kernel);
  if (!options.initrd.empty()) initrd_.emplace(options.initrd);
}

void GuestFiles::load_into(Machine& machine, Ps now) const {
  const Hpa rsdp = machine.prepare_without_firmware(now);
  if (!kernel_) return;
  loader::LoadRequest request{.file = options_.kernel,
                              .image = kernel_->bytes(),
                              .modules = {},
                              .command_line = options_.append,
                              .load_at = {},
                              .rsdp = rsdp};
  if (options_.load_at) request.load_at = Hpa(*options_.load_at);
  if (initrd_)
    request.modules.push_back({.file = options_.initrd, .arguments = {}, .bytes = initrd_->bytes()});
  const auto layout = firmware_tables::q35_memory_layout(machine.config().memory.bytes);
  machine.start_at(loader::load_image(request, layout, machine.memory()).entry);
}

std::vector<stats::Image> GuestFiles::describe() const {
  std::vector<stats::Image> images;
  const auto add = [&](const char* role, const std::string& path, const loader::MappedFile& file) {
    images.push_back({.role = role,
                      .path = path,
                      .bytes = file.bytes().size(),
                      .sha256 = stats::sha256(file.bytes())});
  };
  if (kernel_) add("kernel", options_.kernel, *kernel_);
  if (initrd_) add("initrd", options_.initrd, *initrd_);
  return images;
}

}  // namespace vtsim::machine
