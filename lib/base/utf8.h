// UTF-8 as RFC 3629 defines it: just enough to show foreign bytes safely.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace pier {

// The length in bytes (1 to 4) of the well-formed UTF-8 sequence that `text` begins with; 0 when it begins
// with none (also for empty text).
[[nodiscard]] std::size_t utf8_length(std::string_view text);

// `text` with control characters and bytes that are not UTF-8 as \xNN: one line, whatever was in it.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace pier
