#include "sim/config/platform_files.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>

#include "sim/config/config_error.h"
#include "sim/config/nearest_name.h"

namespace vtsim::config {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kExtension = ".yaml";

bool is_file(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

std::vector<std::string> split_path_list(const std::string& list) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  while (begin <= list.size()) {
    const std::size_t end = std::min(list.find(':', begin), list.size());
    if (end > begin) parts.push_back(list.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

}  // namespace

PlatformFiles PlatformFiles::standard() {
  if (const char* list = std::getenv("VTSIM_PLATFORMS"); list != nullptr && *list != '\0') {
    return PlatformFiles(split_path_list(list));
  }
  std::vector<std::string> candidates;
  std::error_code error;
  const fs::path executable = fs::read_symlink("/proc/self/exe", error);
  if (!error) {
    const fs::path above = executable.parent_path().parent_path();
    candidates.push_back((above / "share/vtsim/platforms").string());
    candidates.push_back((above / "platforms").string());
  }
  candidates.emplace_back(VTSIM_SOURCE_PLATFORMS);
  std::vector<std::string> roots;
  for (const std::string& root : candidates) {
    const bool known = std::find(roots.begin(), roots.end(), root) != roots.end();
    if (!known && fs::is_directory(root, error)) roots.push_back(root);
  }
  return PlatformFiles(std::move(roots));
}

std::string PlatformFiles::find(const std::string& path_or_name, std::string_view folder,
                                std::string_view what) const {
  if (is_file(path_or_name)) return path_or_name;
  const bool is_path = path_or_name.find('/') != std::string::npos;
  if (!is_path) {
    const std::string file =
        path_or_name.ends_with(kExtension) ? path_or_name : path_or_name + std::string(kExtension);
    for (const std::string& root : roots_) {
      const fs::path path = fs::path(root) / folder / file;
      if (is_file(path)) return path.lexically_normal().string();
    }
  }
  const auto known = names(folder);
  std::string list;
  for (const std::string& name : known) list += (list.empty() ? "" : ", ") + name;
  throw ConfigError({.file = {},
                     .line = 0,
                     .key = {},
                     .problem = "there is no " + std::string(what) + " '" + path_or_name + "'",
                     .expected = list.empty() ? "a YAML file" : "a YAML file or one of " + list,
                     .nearest = nearest_name(path_or_name, known).value_or("")});
}

std::string PlatformFiles::machine(const std::string& path_or_name) const {
  return find(path_or_name, "machines", "platform");
}

std::string PlatformFiles::core(const std::string& path_or_name) const {
  return find(path_or_name, "cores", "processor preset");
}

std::string PlatformFiles::extended(const std::string& name, const std::string& from) const {
  std::vector<fs::path> candidates = {fs::path(from).parent_path() / name};
  for (const std::string& root : roots_) candidates.push_back(fs::path(root) / name);
  for (const fs::path& path : candidates) {
    if (is_file(path)) return path.lexically_normal().string();
  }
  return {};
}

std::vector<std::string> PlatformFiles::names(std::string_view folder) const {
  std::set<std::string> found;
  for (const std::string& root : roots_) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(fs::path(root) / folder, error)) {
      if (entry.path().extension() == kExtension) found.insert(entry.path().stem().string());
    }
  }
  return {found.begin(), found.end()};
}

}  // namespace vtsim::config
