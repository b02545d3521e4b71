#include "out/progress.h"

#include <algorithm>
#include <cmath>

#include "base/utf8.h"

namespace pier {
namespace {

constexpr Duration kBetween = std::chrono::milliseconds(100);  // faster than that nobody reads

// The beginning of `text` that fits into so many columns, taking each character for one.
std::string_view first_columns(std::string_view text, std::size_t columns) {
  std::size_t at = 0;
  for (; columns > 0 && at < text.size(); --columns)
    at += std::max<std::size_t>(utf8_length(text.substr(at)), 1);
  return text.substr(0, at);
}

}  // namespace

bool Progress::due(TimePoint when) const {
  return style_.redraws && (!drawn_ || when - *drawn_ >= kBetween);
}

void Progress::draw(std::string_view line, TimePoint when) {
  if (!due(when)) return;
  drawn_ = when;
  const std::string shown = printable(line);
  // The last column is left free: a terminal may wrap when it is filled.
  const std::size_t room = style_.width > 1 ? style_.width - 1 : 1;
  write_("\r" + std::string(first_columns(shown, room)) +
         "\x1b[K");  // EL of ECMA-48: erase to the line's end
}

void Progress::erase() {
  if (!drawn_) return;
  drawn_.reset();
  write_("\r\x1b[K");
}

std::string progress_bar(double fraction, unsigned cells) {
  const double part = std::isnan(fraction) ? 0 : std::clamp(fraction, 0.0, 1.0);
  const auto full = static_cast<unsigned>(part * cells);
  std::string bar = "▕";
  for (unsigned i = 0; i < cells; ++i) bar += i < full ? "█" : " ";
  return bar + "▏";
}

}  // namespace pier
