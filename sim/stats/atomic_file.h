#pragma once
// Files that are either the old one or the complete new one, whenever the process is killed.

#include <string>
#include <string_view>

namespace vtsim::stats {

// Writes beside `path` and renames. Returns an empty string, or what went wrong with the path in
// it; then the file at `path` is as it was. A path that is not a regular file (/dev/stdout, a pipe)
// is written to directly.
std::string write_atomically(const std::string& path, std::string_view content);

}  // namespace vtsim::stats
