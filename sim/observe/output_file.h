#pragma once
// A growing result file that is valid whenever the process ends: it consists of whole records, and
// what has to stand at its end stands there after each write. A full disk or a closed pipe stops
// the writing, not the run.

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "model/base/types.h"

namespace vtsim::observe {

// The file cannot be created: the user's kind of failure, before the guest starts.
class OutputError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct OutputFormat {
  std::string header;  // written first
  std::string footer;  // kept at the end (of what can seek; of a pipe, written when it is closed)
  bool zstd = false;   // frames of whole records
};

class OutputFile {
 public:
  // Replaces the file. Throws OutputError.
  OutputFile(const std::string& path, OutputFormat format);
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  ~OutputFile();

  // Buffers one record (with its own line end or separator).
  void append(std::string_view record) {
    buffer_ += record;
    if (buffer_.size() >= kFlushBytes) flush();
  }
  void flush();
  void close();

  // The first failure, with the path in it; empty while all is well. Nothing is written after one.
  const std::string& error() const { return error_; }

 private:
  static constexpr std::size_t kFlushBytes = std::size_t{1} << 18;

  void write_records(std::string_view records);
  bool write_at_end(std::string_view bytes);
  bool write_pipe(std::string_view bytes);
  void fail();

  std::string path_;
  OutputFormat format_;
  int fd_ = -1;
  bool seekable_ = true;
  u64 end_of_records_ = 0;
  std::string buffer_;
  std::string error_;
};

}  // namespace vtsim::observe
