#pragma once
// "Did you mean ...?"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vtsim::config {

// Insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b`.
std::size_t edit_distance(std::string_view a, std::string_view b);

// The candidate nearest to `name`, if one is near enough to be a likely slip (a third of its
// length, at least one edit), or begins with `name`. The first of equals.
std::optional<std::string> nearest_name(std::string_view name,
                                        const std::vector<std::string>& candidates);

}  // namespace vtsim::config
