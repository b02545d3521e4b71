// Lines from a descriptor, read in big blocks.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

#include "base/error.h"

namespace pier {

// A line longer than this is no line: a limit keeps a stream without newlines from filling the memory.
inline constexpr std::size_t kLongestLine = 1 << 20;

// Calls `line(text)` for each line of `fd` until its end, without the newline, which the last one need not
// have. Calls `before_read()` ahead of every read, the place to flush what a waiting reader should see;
// reading stops early, and without an error, when it returns false.
//
// An error of kind local, for whose subject the caller has the name, when the descriptor cannot be read, and
// of kind usage for a line that is too long.
[[nodiscard]] Result<void> read_lines(int fd, const std::function<bool()>& before_read,
                                      const std::function<void(std::string_view)>& line);

}  // namespace pier
