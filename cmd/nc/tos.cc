#include "cmd/nc/tos.h"

#include <charconv>

namespace pier::nc {
namespace {

struct Keyword {
  std::string_view name;
  int value;
};
constexpr Keyword kKeywords[] = {
    {"lowcost", 0x02},  {"reliability", 0x04}, {"throughput", 0x08}, {"lowdelay", 0x10},
    {"critical", 0xa0}, {"inetcontrol", 0xc0}, {"netcontrol", 0xe0}, {"ef", 0xb8},
};
constexpr int kMost = 255;

bool is_digit_up_to(char c, char most) {
  return c >= '0' && c <= most;
}

}  // namespace

std::optional<int> parse_tos(std::string_view text) {
  for (const Keyword& one : kKeywords)
    if (text == one.name) return one.value;
  // RFC 2474: the code point is the upper six bits.
  if (text.size() == 3 && text.starts_with("cs") && is_digit_up_to(text[2], '7')) return (text[2] - '0') << 5;
  if (text.size() == 4 && text.starts_with("af") && is_digit_up_to(text[2], '4') &&
      is_digit_up_to(text[3], '3') && text[2] > '0' && text[3] > '0')
    return ((text[2] - '0') * 8 + (text[3] - '0') * 2) << 2;
  const bool hex = text.starts_with("0x");
  if (hex) text.remove_prefix(2);
  int value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value, hex ? 16 : 10);
  if (text.empty() || code != std::errc() || end != text.data() + text.size() || value < 0 || value > kMost)
    return std::nullopt;
  return value;
}

}  // namespace pier::nc
