#pragma once
// One line on the terminal that tells how far a run is. The only part of a run that looks at the
// host's clock, and nothing else sees it.

#include <chrono>
#include <optional>
#include <string>

#include "model/base/clock.h"

namespace vtsim::observe {

struct ProgressState {
  Ps time = 0;
  u64 instructions = 0;        // all cores together
  std::optional<double> done;  // 0 to 1, where an end is known
};

// "  12.345 s simulated   1234.5 M instructions    345.6 MIPS   42 %"
std::string progress_line(const ProgressState& state, double mips);

class Progress {
 public:
  // Writes to file descriptor `output` (standard error).
  Progress(int output, bool enabled);
  ~Progress() { clear(); }

  // Cheap; draws a few times a second.
  void update(const ProgressState& state);
  // Takes the line away, before something else is printed.
  void clear();
  // Million instructions a second of host time since the start.
  double mips(u64 instructions) const;
  double host_seconds() const;

 private:
  using Clock = std::chrono::steady_clock;

  void draw(const ProgressState& state, Clock::time_point now);

  int output_;
  bool enabled_;
  bool shown_ = false;
  Clock::time_point start_;
  Clock::time_point last_draw_;
  u64 last_instructions_ = 0;
};

}  // namespace vtsim::observe
