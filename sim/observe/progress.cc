#include "sim/observe/progress.h"

#include <fmt/format.h>
#include <unistd.h>

namespace vtsim::observe {
namespace {

constexpr std::chrono::milliseconds kInterval{250};
constexpr double kMillion = 1e6;

void write_best_effort(int output, const std::string& text) {
  // A progress line that cannot be shown is no reason for anything.
  [[maybe_unused]] const ssize_t ignored = ::write(output, text.data(), text.size());
}

}  // namespace

std::string progress_line(const ProgressState& state, double mips) {
  constexpr u64 kPsPerMs = kPsPerSecond / 1000;
  std::string line = fmt::format("{:>6}.{:03} s simulated  {:>10.1f} M instructions  {:>7.1f} MIPS",
                                 state.time / kPsPerSecond, state.time % kPsPerSecond / kPsPerMs,
                                 static_cast<double>(state.instructions) / kMillion, mips);
  if (state.done) line += fmt::format("  {:>3.0f} %", 100 * *state.done);
  return line;
}

Progress::Progress(int output, bool enabled)
    : output_(output), enabled_(enabled), start_(Clock::now()), last_draw_(start_) {}

double Progress::host_seconds() const {
  return std::chrono::duration<double>(Clock::now() - start_).count();
}

double Progress::mips(u64 instructions) const {
  const double seconds = host_seconds();
  return seconds > 0 ? static_cast<double>(instructions) / kMillion / seconds : 0;
}

void Progress::update(const ProgressState& state) {
  if (!enabled_) return;
  const auto now = Clock::now();
  if (now - last_draw_ >= kInterval) draw(state, now);
}

void Progress::draw(const ProgressState& state, Clock::time_point now) {
  const double seconds = std::chrono::duration<double>(now - last_draw_).count();
  const double mips =
      static_cast<double>(state.instructions - last_instructions_) / kMillion / seconds;
  write_best_effort(output_, "\r" + progress_line(state, mips) + "\x1b[K");
  shown_ = true;
  last_draw_ = now;
  last_instructions_ = state.instructions;
}

void Progress::clear() {
  if (shown_) write_best_effort(output_, "\r\x1b[K");
  shown_ = false;
}

}  // namespace vtsim::observe
