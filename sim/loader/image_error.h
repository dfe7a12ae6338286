#pragma once
// A guest image that cannot be loaded: the user's kind of failure. It names the file, the field of
// the file's format (or the option) that is wrong, and what is wrong with it.

#include <stdexcept>
#include <string>

namespace vtsim::loader {

class ImageError : public std::runtime_error {
 public:
  ImageError(std::string file, std::string field, const std::string& what)
      : std::runtime_error(file + ": " + field + ": " + what),
        file_(std::move(file)),
        field_(std::move(field)) {}

  const std::string& file() const { return file_; }
  const std::string& field() const { return field_; }

 private:
  std::string file_;
  std::string field_;
};

}  // namespace vtsim::loader
