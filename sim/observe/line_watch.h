#pragma once
// --expect and --fail-on: regular expressions (RE2's syntax) on the lines of the console.
//
// A line is tested when it ends, when nothing has followed it for kPause of simulated time (prompts
// have no line end), and when the run ends. So the verdict comes at the same instruction in every
// run, and does not depend on how output is cut into chunks. Line ends are LF, CR before it does
// not count; longer lines than kMaxLine are cut.

#include <memory>
#include <string>
#include <vector>

#include "model/base/clock.h"

namespace re2 {
class RE2;
}

namespace vtsim::observe {

enum class Verdict { kNone, kExpected, kFailed };

class LineWatch {
 public:
  static constexpr Ps kPause = 1'000'000'000;  // 1 ms
  static constexpr std::size_t kMaxLine = 4096;

  // What is wrong with a pattern; empty: nothing.
  static std::string check(const std::string& pattern);

  // All patterns have passed check().
  LineWatch(const std::vector<std::string>& expect, const std::vector<std::string>& fail_on);
  ~LineWatch();

  // kExpected once every --expect pattern has matched some line, in any order; kFailed as soon as a
  // --fail-on pattern matches. The first verdict stays.
  Verdict put(u8 byte, Ps now);
  Verdict poll(Ps now);  // at any time, as often as one likes
  Verdict finish();      // no more output will come

  Verdict verdict() const { return verdict_; }
  bool expects_something() const { return !expect_.empty(); }
  // The pattern and the line that decided.
  const std::string& pattern() const { return pattern_; }
  const std::string& line() const { return decisive_line_; }
  // --expect patterns that have not matched yet.
  std::vector<std::string> missing() const;

 private:
  struct Pattern {
    std::unique_ptr<re2::RE2> expression;
    bool matched = false;
  };

  Verdict test();

  std::vector<Pattern> expect_;
  std::vector<Pattern> fail_on_;
  std::string current_;
  bool is_tested_ = true;  // current_, as it is
  Ps last_output_ = 0;
  Verdict verdict_ = Verdict::kNone;
  std::string pattern_;
  std::string decisive_line_;
};

}  // namespace vtsim::observe
