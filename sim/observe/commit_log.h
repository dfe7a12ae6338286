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
    // Lines only for these instructions of a core; the hash is of all.
    u64 first = 0;
    u64 last = ~u64{0};
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
  bool is_in_window(const CommitRecord& record) const {
    return record.instruction >= first_ && record.instruction <= last_;
  }

  CommitHash hash_;
  std::unique_ptr<OutputFile> file_;
  std::unique_ptr<Disassembler> disassembler_;
  u64 first_;
  u64 last_;
  std::string line_;  // reused
};

}  // namespace vtsim::observe
