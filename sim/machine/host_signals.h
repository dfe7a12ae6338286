#pragma once
// Ctrl-C and SIGTERM as a flag that the run looks at between quanta.

#include <csignal>

namespace vtsim::machine {

class HostSignals {
 public:
  HostSignals();   // takes SIGINT and SIGTERM, ignores SIGPIPE
  ~HostSignals();  // gives them back
  HostSignals(const HostSignals&) = delete;
  HostSignals& operator=(const HostSignals&) = delete;

  static int arrived();  // the signal's number, or 0

 private:
  struct sigaction old_int_ {};
  struct sigaction old_term_ {};
  struct sigaction old_pipe_ {};
};

}  // namespace vtsim::machine
