#pragma once
// Where platform files are found.

#include <string>
#include <string_view>
#include <vector>

namespace vtsim::config {

class PlatformFiles {
 public:
  // Directories that hold cores/, chipsets/ and machines/; earlier ones win.
  explicit PlatformFiles(std::vector<std::string> roots) : roots_(std::move(roots)) {}

  // What the vtsim program uses: VTSIM_PLATFORMS alone if it is set (directories separated by ':'),
  // otherwise share/vtsim/platforms beside the executable's directory, platforms/ beside it (a
  // build tree in the source tree), and the source tree's platforms/.
  static PlatformFiles standard();

  const std::vector<std::string>& roots() const { return roots_; }

  // A machine: a path, or a name of machines/. Throws ConfigError with the nearest name.
  std::string machine(const std::string& path_or_name) const;
  // A processor preset: a path, or a name of cores/.
  std::string core(const std::string& path_or_name) const;
  // What `extends: name` in the file `from` means: beside that file, or below a root.
  // Empty: there is no such file.
  std::string extended(const std::string& name, const std::string& from) const;

  // Names without .yaml, sorted, each once.
  std::vector<std::string> machines() const { return names("machines"); }
  std::vector<std::string> cores() const { return names("cores"); }

 private:
  std::vector<std::string> names(std::string_view folder) const;
  std::string find(const std::string& path_or_name, std::string_view folder,
                   std::string_view what) const;

  std::vector<std::string> roots_;
};

}  // namespace vtsim::config
