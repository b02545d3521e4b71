#include "base/number.h"

#include <fmt/core.h>

#include <array>
#include <charconv>

namespace pier {
namespace {

bool all_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

struct Unit {
  std::string_view suffix;
  double factor;
};

// Digits with at most one dot among them; negative when they are too many. Exact to a double for what people
// type. std::from_chars would be the one reason, with std::llround, to load libm: a tenth of a program's
// start.
double decimal(std::string_view digits) {
  double value = 0;
  double scale = 1;
  bool fraction = false;
  for (const char c : digits) {
    if (c == '.') {
      fraction = true;
      continue;
    }
    value = value * 10 + (c - '0');
    if (fraction) scale *= 10;
  }
  return value < 1e300 && scale < 1e300 ? value / scale : -1;
}

// A decimal number with an optional fraction ("1.5", "250"), then one of the units. nullopt-like: negative.
template <std::size_t N>
double parse_scaled(std::string_view text, const std::array<Unit, N>& units) {
  const std::size_t end = text.find_first_not_of("0123456789.");
  const std::string_view number = text.substr(0, end);
  const std::string_view suffix = end == std::string_view::npos ? std::string_view() : text.substr(end);
  const std::size_t dot = number.find('.');
  const bool fits = dot == std::string_view::npos
                        ? all_digits(number)
                        : all_digits(number.substr(0, dot)) && all_digits(number.substr(dot + 1));
  if (!fits) return -1;
  const double value = decimal(number);
  if (value < 0) return -1;
  for (const Unit& unit : units)
    if (unit.suffix == suffix) return value * unit.factor;
  return -1;
}

}  // namespace

Result<std::uint64_t> parse_unsigned(std::string_view text, std::uint64_t min, std::uint64_t max,
                                     std::string_view what) {
  std::uint64_t value = 0;
  if (all_digits(text)) {
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    if (read.ec == std::errc() && value >= min && value <= max) return value;
  }
  if (max == UINT64_MAX)
    return usage_error(what, text, fmt::format("not a whole number of at least {}", min));
  return usage_error(what, text, fmt::format("not a number from {} to {}", min, max));
}

Result<std::uint16_t> parse_port_number(std::string_view text) {
  const auto number = parse_unsigned(text, 0, 65535, "port");
  if (!number) return std::unexpected(number.error());
  return static_cast<std::uint16_t>(*number);
}

Result<Duration> parse_duration(std::string_view text, std::string_view what) {
  constexpr std::array<Unit, 8> kUnits{{{"", 1e9},
                                        {"ns", 1},
                                        {"us", 1e3},
                                        {"ms", 1e6},
                                        {"s", 1e9},
                                        {"m", 60e9},
                                        {"h", 3600e9},
                                        {"d", 86400e9}}};
  const double ns = parse_scaled(text, kUnits);
  constexpr double kMost = 9.2e18;  // what 64 bits of nanoseconds hold
  if (ns < 0 || ns > kMost)
    return usage_error(what, text, "not a duration such as 250ms, 1.5s, 2m or 1h (a bare number is seconds)");
  return Duration(static_cast<Duration::rep>(ns + 0.5));
}

Result<std::uint64_t> parse_size(std::string_view text, std::string_view what) {
  constexpr std::array<Unit, 9> kUnits{{{"", 1},
                                        {"k", 1024},
                                        {"K", 1024},
                                        {"M", 1024.0 * 1024},
                                        {"m", 1024.0 * 1024},
                                        {"G", 1024.0 * 1024 * 1024},
                                        {"g", 1024.0 * 1024 * 1024},
                                        {"T", 1024.0 * 1024 * 1024 * 1024},
                                        {"t", 1024.0 * 1024 * 1024 * 1024}}};
  const double bytes = parse_scaled(text, kUnits);
  if (bytes < 0 || bytes > 9e18) return usage_error(what, text, "not a size such as 4096, 64k, 1M or 4G");
  return static_cast<std::uint64_t>(bytes);
}

Result<std::uint64_t> parse_rate(std::string_view text, std::string_view what) {
  constexpr std::array<Unit, 6> kUnits{{{"", 1}, {"k", 1e3}, {"K", 1e3}, {"M", 1e6}, {"m", 1e6}, {"G", 1e9}}};
  const double rate = parse_scaled(text, kUnits);
  if (rate < 1 || rate > 1e15) return usage_error(what, text, "not a rate such as 500, 10k or 1M a second");
  return static_cast<std::uint64_t>(rate);
}

std::string format_bytes(std::uint64_t bytes) {
  if (bytes < 1000) return fmt::format("{} B", bytes);
  constexpr std::string_view kUnits[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
  double value = static_cast<double>(bytes) / 1000;
  std::size_t unit = 0;
  while (value >= 999.95 && unit + 1 < std::size(kUnits)) {
    value /= 1000;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string format_duration(Duration d) {
  const double s = seconds(d);
  if (s < 0.1) return fmt::format("{:.1f} ms", s * 1e3);
  if (s < 10) return fmt::format("{:.2f} s", s);
  if (s < 600) return fmt::format("{:.1f} s", s);
  return fmt::format("{:.1f} min", s / 60);
}

std::string format_count(std::uint64_t n) {
  std::string digits = std::to_string(n);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, 1, ',');
  return digits;
}

}  // namespace pier
