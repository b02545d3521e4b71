#include "base/escapes.h"

#include <optional>

namespace pier {
namespace {

std::optional<unsigned> hex_digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a') + 10;
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A') + 10;
  return std::nullopt;
}

// The byte that begins at `rest`, behind the backslash, and how many characters stand for it.
struct Escape {
  char byte;
  std::size_t length;
};
std::optional<Escape> escape_at(std::string_view rest) {
  if (rest.empty()) return std::nullopt;
  switch (rest[0]) {
    case 'r':
      return Escape{'\r', 1};
    case 'n':
      return Escape{'\n', 1};
    case 't':
      return Escape{'\t', 1};
    case '0':
      return Escape{'\0', 1};
    case '\\':
      return Escape{'\\', 1};
    case 'x': {
      const auto high = rest.size() > 2 ? hex_digit(rest[1]) : std::nullopt;
      const auto low = high ? hex_digit(rest[2]) : std::nullopt;
      if (!low) return std::nullopt;
      return Escape{static_cast<char>(*high * 16 + *low), 3};
    }
    default:
      return std::nullopt;
  }
}

}  // namespace

Result<std::string> parse_escapes(std::string_view text, std::string_view what) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      bytes += text[i];
      continue;
    }
    const auto escape = escape_at(text.substr(i + 1));
    if (!escape)
      return usage_error(what, text, "after a backslash stands r, n, t, 0, xHH, or another backslash");
    bytes += escape->byte;
    i += escape->length;
  }
  return bytes;
}

}  // namespace pier
