#include "sim/observe/commit_log.h"

#include <fmt/format.h>

namespace vtsim::observe {

CommitLog::CommitLog(const Options& options) : first_(options.first), last_(options.last) {
  if (!options.path.empty() && options.path != "/dev/null") {
    file_ = std::make_unique<OutputFile>(
        options.path,
        OutputFormat{.header = {}, .footer = {}, .zstd = options.path.ends_with(".zst")});
  }
  if (file_ && options.disassembly) disassembler_ = std::make_unique<Disassembler>();
}

void CommitLog::add(const CommitRecord& record) {
  hash_.add(record);
  if (!file_) return;
  if (is_in_window(record)) {
    line_.clear();
    append_text(record, line_);
    if (disassembler_ && !record.event) {
      const std::span code(record.code.data(), record.length);
      line_ += " ; " + disassembler_->text(code, record.rip, record.code_bits);
    }
    line_ += '\n';
    file_->append(line_);
  }
  if (hash_.records() % kHashInterval == 0) write_hash();
}

void CommitLog::write_hash() {
  file_->append(fmt::format("# hash {} {:016x}\n", hash_.records(), hash_.value()));
}

void CommitLog::close() {
  if (!file_) return;
  write_hash();
  file_->close();
}

}  // namespace vtsim::observe
