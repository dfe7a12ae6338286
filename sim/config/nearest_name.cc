#include "sim/config/nearest_name.h"

#include <algorithm>
#include <numeric>

namespace vtsim::config {
namespace {

constexpr std::size_t kLongestName = 128;  // longer ones have no likely slip, and cost square time

// What people forget first: sse42 for sse4_2, HPET for hpet.
std::string squashed(std::string_view name) {
  std::string text;
  for (const char c : name) {
    if (c == '_' || c == '-') continue;
    text += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return text;
}

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(last.begin(), last.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substitution = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, substitution});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before_last[j - 2] + 1);
      }
    }
    before_last.swap(last);
    last.swap(row);
  }
  return last[b.size()];
}

std::optional<std::string> nearest_name(std::string_view name,
                                        const std::vector<std::string>& candidates) {
  if (name.empty() || name.size() > kLongestName) return std::nullopt;
  const std::string plain = squashed(name);
  for (const std::string& candidate : candidates) {
    if (squashed(candidate) == plain) return candidate;
  }
  const std::string* best = nullptr;
  std::size_t best_distance = std::max<std::size_t>(1, name.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const std::size_t distance = edit_distance(name, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = &candidate;
    }
  }
  if (best == nullptr && name.size() >= 3) {
    const auto begins = std::find_if(candidates.begin(), candidates.end(),
                                     [&](const std::string& c) { return c.starts_with(name); });
    if (begins != candidates.end()) best = &*begins;
  }
  return best == nullptr ? std::nullopt : std::optional(*best);
}

}  // namespace vtsim::config
