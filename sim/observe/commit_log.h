#pragma once
// --commit-log: one line a retired instruction, and the rolling hash of all of them.

#include <memory>
#include <optional>
#include <string>

#include "sim/observe/commit_record.h"
#include "sim/observe/disassembler.h"
#include "sim/observe/output_file.h"

namespace vtsim::observe {

class CommitLog {
 public:
  // Every so many records a line "# hash <records> <hash>" stands in the log, to find quickly where
  // two logs part.
  static constexpr u64 kHashInterval = u64{1} << 20;

  struct Options {
    std::string path;  // .zst: compressed; empty or /dev/null: only the hash, much faster
    bool disassembly = false;
  };

  // Throws OutputError.
  explicit CommitLog(const Options& options);

  void add(const CommitRecord& record);
  // Writes the final hash line.
  void close();

  u64 hash() const { return hash_.value(); }
  u64 records() const { return hash_.records(); }
  std::string error() const { return file_ ? file_->error() : std::string(); }

 private:
  void write_hash();

  CommitHash hash_;
  std::unique_ptr<OutputFile> file_;
  std::unique_ptr<Disassembler> disassembler_;
};

}  // namespace vtsim::observe
