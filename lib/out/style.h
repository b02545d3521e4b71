// Whether a stream is a terminal, how wide, and whether colours are wanted there.
#pragma once

#include <string>
#include <string_view>

namespace pier {

enum class ColorWish { automatic, always, never };

struct Style {
  bool terminal = false;
  bool color = false;
  bool redraws = false;  // a terminal that can go back to the start of a line and erase it: not TERM=dumb
  unsigned width = 80;   // columns; 80 when not a terminal

  // Looks at the descriptor, NO_COLOR, TERM=dumb and the user's wish (--color), the last of which wins.
  [[nodiscard]] static Style of(int fd, ColorWish wish = ColorWish::automatic);

  // The text in an ANSI style where colours are on, else as it is.
  [[nodiscard]] std::string bold(std::string_view text) const;
  [[nodiscard]] std::string green(std::string_view text) const;
  [[nodiscard]] std::string red(std::string_view text) const;
  [[nodiscard]] std::string yellow(std::string_view text) const;
  [[nodiscard]] std::string dim(std::string_view text) const;
};

}  // namespace pier
