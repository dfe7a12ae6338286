#pragma once
// The user's kind of failure: something in a platform file or on the command line is not as it
// should be. Ends the process with status 2 before a guest starts.

#include <exception>
#include <string>
#include <utility>

namespace vtsim::config {

class ConfigError : public std::exception {
 public:
  struct Parts {
    std::string file;      // path, or the option ("--set"); empty: no file is concerned
    int line = 0;          // from 1; 0: unknown or not a file
    std::string key;       // full dotted key; empty: the file as a whole
    std::string problem;   // what is wrong: "unknown parameter"
    std::string expected;  // what would be right: "an integer from 1 to 64"; may be empty
    std::string nearest;   // the nearest valid name; may be empty
  };

  explicit ConfigError(Parts parts) : parts_(std::move(parts)), text_(compose(parts_)) {}

  const Parts& parts() const { return parts_; }
  // file:line: key: problem; expected ...; did you mean ...?
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  static std::string compose(const Parts& p) {
    std::string text = p.file;
    if (p.line > 0) text += ":" + std::to_string(p.line);
    if (!text.empty()) text += ": ";
    if (!p.key.empty()) text += p.key + ": ";
    text += p.problem;
    if (!p.expected.empty()) text += "; expected " + p.expected;
    if (!p.nearest.empty()) text += "; did you mean '" + p.nearest + "'?";
    return text;
  }

  Parts parts_;
  std::string text_;
};

}  // namespace vtsim::config
