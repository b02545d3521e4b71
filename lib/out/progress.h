// One line that tells how far a long run is, redrawn in place on a terminal.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "out/style.h"

namespace pier {

// Draws nothing where the style's stream is not a terminal that can redraw, and at most ten times a second.
// The time is the caller's: nothing here looks at a clock. The line is erased when the Progress is destroyed.
class Progress {
 public:
  // `write` sends bytes to the terminal, unchanged and at once.
  Progress(const Style& style, std::function<void(std::string_view)> write)
      : style_(style), write_(std::move(write)) {}
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() { erase(); }

  // Whether a draw() now would be seen; spares the caller from making a text that is not.
  [[nodiscard]] bool due(TimePoint when) const;
  // Shows `line`, cut to the terminal's width, in place of the last one. Control characters in it are shown
  // as \xNN.
  void draw(std::string_view line, TimePoint when);
  // Takes the line away, as before another message; the next draw() is due at once.
  void erase();

 private:
  Style style_;
  std::function<void(std::string_view)> write_;
  std::optional<TimePoint> drawn_;
};

// "▕██████    ▏" with `cells` cells between the ends, filled for `fraction` of the whole (0 to 1; more and
// less are taken for these).
[[nodiscard]] std::string progress_bar(double fraction, unsigned cells);

}  // namespace pier
