#include "sim/observe/commit_log.h"

#include <fmt/format.h>

namespace vtsim::observe {

CommitLog::CommitLog(const Options& options) {
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
  std::string line = to_text(record);
  if (disassembler_) {
    const std::span code(record.code.data(), record.length);
    line += " ; " + disassembler_->text(code, record.rip, record.code_bits);
  }
  file_->append(line + "\n");
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
