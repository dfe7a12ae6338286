#include "sim/stats/registry.h"

#include <algorithm>

#include "model/base/check.h"

namespace vtsim::stats {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The digits that `text` begins with, without leading zeros.
std::string_view leading_number(std::string_view text) {
  std::size_t end = 0;
  while (end < text.size() && is_digit(text[end])) ++end;
  std::size_t begin = 0;
  while (begin + 1 < end && text[begin] == '0') ++begin;
  return text.substr(begin, end - begin);
}

std::string fill(std::string_view declared, const std::vector<std::string>& parts) {
  std::string name;
  std::size_t used = 0;
  std::size_t begin = 0;
  for (;;) {
    const std::size_t hole = declared.find("{}", begin);
    name += declared.substr(begin, hole - begin);
    if (hole == std::string_view::npos) break;
    SIM_CHECK(used < parts.size(), std::string(declared));
    name += parts[used++];
    begin = hole + 2;
  }
  SIM_CHECK(used == parts.size(), std::string(declared));
  return name;
}

}  // namespace

bool natural_less(std::string_view a, std::string_view b) {
  while (!a.empty() && !b.empty()) {
    if (is_digit(a.front()) && is_digit(b.front())) {
      const std::string_view x = leading_number(a);
      const std::string_view y = leading_number(b);
      if (x.size() != y.size()) return x.size() < y.size();
      if (x != y) return x < y;
      a.remove_prefix(static_cast<std::size_t>(x.data() + x.size() - a.data()));
      b.remove_prefix(static_cast<std::size_t>(y.data() + y.size() - b.data()));
      continue;
    }
    if (a.front() != b.front()) return a.front() < b.front();
    a.remove_prefix(1);
    b.remove_prefix(1);
  }
  return a.empty() && !b.empty();
}

u64 Snapshot::value(std::string_view name) const {
  for (const Entry& entry : entries) {
    if (entry.name == name) return entry.value;
  }
  return 0;
}

void Registry::add(std::string_view declared, const std::vector<std::string>& parts,
                   Getter getter) {
  const auto rows = declarations();
  const auto row = std::find_if(rows.begin(), rows.end(),
                                [&](const Declaration& d) { return d.name == declared; });
  SIM_CHECK(row != rows.end(), "statistic " + std::string(declared) + " is not declared");
  std::string name = fill(declared, parts);
  const auto place = std::lower_bound(
      statistics_.begin(), statistics_.end(), name,
      [](const Statistic& s, const std::string& n) { return natural_less(s.name, n); });
  SIM_CHECK(place == statistics_.end() || place->name != name, name + " is added twice");
  statistics_.insert(place, {std::move(name), &*row, std::move(getter)});
}

Snapshot Registry::snapshot(std::string label) const {
  Snapshot snapshot{std::move(label), {}};
  snapshot.entries.reserve(statistics_.size());
  for (const Statistic& s : statistics_) {
    snapshot.entries.push_back({s.name, s.declaration->unit, s.declaration->help, s.getter()});
  }
  return snapshot;
}

}  // namespace vtsim::stats
