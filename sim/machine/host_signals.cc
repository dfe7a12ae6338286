#include "sim/machine/host_signals.h"

namespace vtsim::machine {

namespace {

volatile std::sig_atomic_t g_arrived = 0;  // a handler has nowhere else to write to

extern "C" void remember(int signal) { g_arrived = signal; }

}  // namespace

HostSignals::HostSignals() {
  g_arrived = 0;
  struct sigaction action {};
  action.sa_handler = remember;
  sigaction(SIGINT, &action, &old_int_);
  sigaction(SIGTERM, &action, &old_term_);
  action.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &action, &old_pipe_);
}

HostSignals::~HostSignals() {
  sigaction(SIGINT, &old_int_, nullptr);
  sigaction(SIGTERM, &old_term_, nullptr);
  sigaction(SIGPIPE, &old_pipe_, nullptr);
}

int HostSignals::arrived() { return g_arrived; }

}  // namespace vtsim::machine
