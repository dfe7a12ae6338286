#include "sim/observe/line_watch.h"

#include <re2/re2.h>

namespace vtsim::observe {
namespace {

re2::RE2::Options options() {
  re2::RE2::Options result(re2::RE2::Latin1);  // consoles send any byte
  result.set_log_errors(false);
  return result;
}

}  // namespace

std::string LineWatch::check(const std::string& pattern) {
  const re2::RE2 expression(pattern, options());
  return expression.ok() ? std::string() : expression.error();
}

LineWatch::LineWatch(const std::vector<std::string>& expect,
                     const std::vector<std::string>& fail_on) {
  for (const auto& text : expect) {
    expect_.push_back({std::make_unique<re2::RE2>(text, options())});
  }
  for (const auto& text : fail_on) {
    fail_on_.push_back({std::make_unique<re2::RE2>(text, options())});
  }
}

LineWatch::~LineWatch() = default;

Verdict LineWatch::put(u8 byte, Ps now) {
  if (verdict_ != Verdict::kNone || (expect_.empty() && fail_on_.empty())) return verdict_;
  last_output_ = now;
  const bool ends = byte == '\n';
  if (!ends) {
    current_ += static_cast<char>(byte);
    is_tested_ = false;
  }
  if (!ends && current_.size() < kMaxLine) return verdict_;
  if (ends && !current_.empty() && current_.back() == '\r') {
    current_.pop_back();
    is_tested_ = false;
  }
  // An empty line is a line too.
  if (ends && current_.empty()) is_tested_ = false;
  test();
  current_.clear();
  is_tested_ = true;
  return verdict_;
}

Verdict LineWatch::poll(Ps now) {
  if (!is_tested_ && now >= last_output_ + kPause) test();
  return verdict_;
}

Verdict LineWatch::finish() {
  if (!is_tested_) test();
  return verdict_;
}

Verdict LineWatch::test() {
  if (is_tested_ || verdict_ != Verdict::kNone) return verdict_;
  is_tested_ = true;
  const auto decide = [this](Verdict verdict, const Pattern& pattern) {
    verdict_ = verdict;
    pattern_ = pattern.expression->pattern();
    decisive_line_ = current_;
  };
  for (const Pattern& pattern : fail_on_) {
    if (!re2::RE2::PartialMatch(current_, *pattern.expression)) continue;
    decide(Verdict::kFailed, pattern);
    return verdict_;
  }
  bool all = !expect_.empty();
  const Pattern* last = nullptr;
  for (Pattern& pattern : expect_) {
    if (!pattern.matched && re2::RE2::PartialMatch(current_, *pattern.expression)) {
      pattern.matched = true;
      last = &pattern;
    }
    all = all && pattern.matched;
  }
  if (all && last != nullptr) decide(Verdict::kExpected, *last);
  return verdict_;
}

std::vector<std::string> LineWatch::missing() const {
  std::vector<std::string> patterns;
  for (const Pattern& pattern : expect_) {
    if (!pattern.matched) patterns.push_back(pattern.expression->pattern());
  }
  return patterns;
}

}  // namespace vtsim::observe
