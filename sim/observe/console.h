#pragma once
// The host's end of the guest's serial port.

#include <termios.h>

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "model/base/types.h"

namespace vtsim::observe {

// Ctrl-A x leaves, Ctrl-A Ctrl-A sends Ctrl-A, Ctrl-A h tells; anything else after Ctrl-A is
// dropped.
class EscapeFilter {
 public:
  enum class Command { kNone, kLeave, kHelp };

  // Appends what is for the guest.
  Command put(u8 byte, std::deque<u8>& guest);

 private:
  bool after_escape_ = false;
};

// A terminal in raw mode for as long as it lives: keys reach the guest one by one, Ctrl-C too.
class RawTerminal {
 public:
  explicit RawTerminal(int fd);  // does nothing if `fd` is no terminal, or not ours to change
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;
  ~RawTerminal() { restore(); }

  bool active() const { return active_; }
  void restore();

 private:
  int fd_;
  bool active_ = false;
  termios saved_{};
};

class Console {
 public:
  // Each takes file descriptors that it does not own; -1: there is none.
  Console(int input, int output);
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;
  ~Console();

  // One byte from the guest. Written out at line ends and by flush().
  void put(u8 byte);
  void flush();

  // Looks at the host's input; to be called now and then. Never blocks.
  void poll_input();
  bool has_input() const { return !pending_.empty(); }
  std::optional<u8> take();  // the next byte for the guest

  bool leave_requested() const { return leave_requested_; }
  // Why output has ended early (a full disk, a closed pipe); empty: it has not.
  const std::string& error() const { return error_; }
  // Back to the terminal's own mode, before vtsim itself says something.
  void restore_terminal() { terminal_.restore(); }
  // The last lines of output, for messages.
  const std::string& tail() const { return tail_; }

 private:
  void read_input();
  void show_help();

  int input_;
  int output_;
  RawTerminal terminal_;
  EscapeFilter escape_;
  std::deque<u8> pending_;
  std::string buffer_;
  std::string tail_;
  std::string error_;
  bool leave_requested_ = false;
};

}  // namespace vtsim::observe
