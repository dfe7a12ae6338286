#pragma once
// A file mapped read-only. Throws ImageError when it cannot be opened, is no regular file or is
// empty.

#include <span>
#include <string>

#include "model/base/types.h"

namespace vtsim::loader {

class MappedFile {
 public:
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  MappedFile& operator=(MappedFile&&) = delete;

  std::span<const u8> bytes() const { return bytes_; }

 private:
  std::span<const u8> bytes_;
};

}  // namespace vtsim::loader
