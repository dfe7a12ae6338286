#pragma once
// The third kind of failure: a defect of ours. The other two are architectural events (records that
// the model returns) and ConfigError (the user's, thrown by sim/ before a guest starts).

#include <stdexcept>
#include <string>

namespace vtsim {

// Ends the run with exit status 10 and a text that says how to report it.
class SimDefect : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

[[noreturn]] inline void sim_defect(const char* condition, const char* file, int line,
                                    const std::string& detail = {}) {
  throw SimDefect(std::string(file) + ":" + std::to_string(line) + ": " + condition +
                  (detail.empty() ? "" : ": " + detail));
}

}  // namespace vtsim

#define SIM_CHECK(condition, ...)                                             \
  ((condition) ? static_cast<void>(0)                                         \
               : ::vtsim::sim_defect(#condition, __FILE__, __LINE__ __VA_OPT__(, ) __VA_ARGS__))
