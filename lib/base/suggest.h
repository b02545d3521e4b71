// "Did you mean": the nearest of some names to one that was mistyped.
#pragma once

#include <span>
#include <string_view>

namespace pier {

// The number of single-character insertions, deletions, substitutions and swaps of neighbours that turn `a`
// into `b` (the restricted Damerau-Levenshtein distance).
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

// The name nearest to `typed`, or empty when none is near enough to be worth offering (more than a third of
// the longer word differs, and `typed` is not the beginning of the name).
[[nodiscard]] std::string_view nearest(std::string_view typed, std::span<const std::string_view> names);

}  // namespace pier
