// Strict numbers, durations, sizes and rates as a user types them, and the same values as people read them.
//
// Strict: decimal digits only, no sign, no blanks, no 0x, nothing after. A parser's error quotes the text and
// says what would fit.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"

namespace pier {

// A whole number from `min` to `max`, both included. `what` names it in the error: "port", "--retries".
[[nodiscard]] Result<std::uint64_t> parse_unsigned(std::string_view text, std::uint64_t min,
                                                   std::uint64_t max, std::string_view what);

// A port, 0 to 65535.
[[nodiscard]] Result<std::uint16_t> parse_port_number(std::string_view text);

// `250ms`, `1.5s`, `2m`, `1h`, `10us`; a bare number is seconds. At most about 292 years; not negative.
[[nodiscard]] Result<Duration> parse_duration(std::string_view text, std::string_view what = "duration");

// Bytes: `64k`, `1M`, `4G`, `2T`, powers of 1024; a bare number is bytes.
[[nodiscard]] Result<std::uint64_t> parse_size(std::string_view text, std::string_view what = "size");

// Per second: `10k`, `1M`, powers of 1000; at least 1.
[[nodiscard]] Result<std::uint64_t> parse_rate(std::string_view text, std::string_view what = "rate");

// "48.2 MB", "512 B": powers of 1000, three significant digits.
[[nodiscard]] std::string format_bytes(std::uint64_t bytes);
// "0.3 ms", "2.0 s", "5 min": for people; three units are enough.
[[nodiscard]] std::string format_duration(Duration d);
// "1,234,567"
[[nodiscard]] std::string format_count(std::uint64_t n);

}  // namespace pier
