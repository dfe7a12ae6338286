#include "sim/observe/output_file.h"

#include <fcntl.h>
#include <unistd.h>
#include <zstd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace vtsim::observe {
namespace {

constexpr int kZstdLevel = 1;  // the quickest: what is observed waits for it

std::string compress(std::string_view text) {
  std::string frame(ZSTD_compressBound(text.size()), '\0');
  const std::size_t size =
      ZSTD_compress(frame.data(), frame.size(), text.data(), text.size(), kZstdLevel);
  frame.resize(ZSTD_isError(size) ? 0 : size);
  return frame;
}

}  // namespace

OutputFile::OutputFile(const std::string& path, OutputFormat format)
    : path_(path), format_(std::move(format)) {
  constexpr mode_t kMode = 0666;  // less the umask
  fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kMode);
  if (fd_ < 0) throw OutputError(path + ": cannot be written: " + std::strerror(errno));
  seekable_ = ::lseek(fd_, 0, SEEK_CUR) >= 0;
  if (!format_.header.empty() || !format_.footer.empty()) write_records(format_.header);
}

OutputFile::~OutputFile() { close(); }

void OutputFile::flush() {
  if (buffer_.empty()) return;
  if (error_.empty()) write_records(format_.zstd ? compress(buffer_) : buffer_);
  buffer_.clear();
}

void OutputFile::close() {
  if (fd_ < 0) return;
  flush();
  if (!seekable_ && error_.empty() && !write_pipe(format_.footer)) fail();
  if (::close(fd_) != 0 && error_.empty()) fail();
  fd_ = -1;
}

void OutputFile::write_records(std::string_view records) {
  if (!seekable_) {
    if (!write_pipe(records)) fail();
    return;
  }
  if (write_at_end(std::string(records) + format_.footer)) {
    end_of_records_ += records.size();
    return;
  }
  fail();
  // The room of the old footer is still ours.
  const auto end = static_cast<off_t>(end_of_records_ + format_.footer.size());
  if (::ftruncate(fd_, end) == 0) write_at_end(format_.footer);
}

bool OutputFile::write_at_end(std::string_view bytes) {
  auto offset = static_cast<off_t>(end_of_records_);
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(fd_, bytes.data(), bytes.size(), offset);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    offset += written;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

bool OutputFile::write_pipe(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

void OutputFile::fail() { error_ = path_ + ": cannot be written: " + std::strerror(errno); }

}  // namespace vtsim::observe
