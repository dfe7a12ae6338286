#include "sim/observe/console.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

namespace vtsim::observe {
namespace {

constexpr u8 kCtrlA = 1;
constexpr std::size_t kFlushBytes = 4096;
constexpr std::size_t kTailBytes = 2048;
constexpr std::size_t kMaxPending = 65'536;  // a paste that the guest does not read fast enough

constexpr std::string_view kHelp =
    "\r\nCtrl-A x  leave vtsim\r\nCtrl-A h  this help\r\nCtrl-A Ctrl-A  send Ctrl-A\r\n";

bool is_foreground(int fd) {
  const pid_t group = ::tcgetpgrp(fd);
  return group < 0 || group == ::getpgrp();
}

}  // namespace

EscapeFilter::Command EscapeFilter::put(u8 byte, std::deque<u8>& guest) {
  if (!after_escape_) {
    if (byte == kCtrlA) {
      after_escape_ = true;
    } else {
      guest.push_back(byte);
    }
    return Command::kNone;
  }
  after_escape_ = false;
  switch (byte) {
    case 'x':
      return Command::kLeave;
    case 'h':
    case '?':
      return Command::kHelp;
    case kCtrlA:
      guest.push_back(kCtrlA);
      break;
    default:
      break;
  }
  return Command::kNone;
}

RawTerminal::RawTerminal(int fd) : fd_(fd) {
  if (fd < 0 || !::isatty(fd) || !is_foreground(fd) || ::tcgetattr(fd, &saved_) != 0) return;
  termios raw = saved_;
  ::cfmakeraw(&raw);
  raw.c_oflag |= OPOST;  // vtsim's own messages end their lines with LF alone
  active_ = ::tcsetattr(fd, TCSANOW, &raw) == 0;
}

void RawTerminal::restore() {
  if (active_) ::tcsetattr(fd_, TCSANOW, &saved_);
  active_ = false;
}

Console::Console(int input, int output) : input_(input), output_(output), terminal_(input) {
  // A terminal in the background would stop us when we read it.
  if (input >= 0 && ::isatty(input) && !terminal_.active()) input_ = -1;
}

Console::~Console() { flush(); }

void Console::put(u8 byte) {
  if (output_ < 0) return;
  buffer_ += static_cast<char>(byte);
  if (byte == '\n' || buffer_.size() >= kFlushBytes) flush();
}

void Console::flush() {
  if (buffer_.empty()) return;
  tail_ += buffer_;
  if (tail_.size() > 2 * kTailBytes) tail_.erase(0, tail_.size() - kTailBytes);
  std::string_view rest = buffer_;
  while (!rest.empty() && error_.empty()) {
    const ssize_t written = ::write(output_, rest.data(), rest.size());
    if (written > 0) {
      rest.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {
      pollfd ready{output_, POLLOUT, 0};
      ::poll(&ready, 1, -1);
    } else if (errno != EINTR) {
      error_ = std::string("the console cannot be written: ") + std::strerror(errno);
    }
  }
  buffer_.clear();
}

void Console::poll_input() {
  if (input_ < 0 || pending_.size() >= kMaxPending) return;
  pollfd ready{input_, POLLIN, 0};
  if (::poll(&ready, 1, 0) > 0) read_input();
}

void Console::read_input() {
  std::array<u8, 1024> bytes{};
  const ssize_t count = ::read(input_, bytes.data(), bytes.size());
  if (count < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (count <= 0) {
    input_ = -1;  // end of the file, or the terminal has gone
    return;
  }
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    switch (escape_.put(bytes[i], pending_)) {
      case EscapeFilter::Command::kNone:
        break;
      case EscapeFilter::Command::kLeave:
        leave_requested_ = true;
        return;
      case EscapeFilter::Command::kHelp:
        show_help();
        break;
    }
  }
}

void Console::show_help() {
  if (output_ < 0) return;
  buffer_ += kHelp;
  flush();
}

std::optional<u8> Console::take() {
  if (pending_.empty()) return std::nullopt;
  const u8 byte = pending_.front();
  pending_.pop_front();
  return byte;
}

}  // namespace vtsim::observe
