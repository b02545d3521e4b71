#include "out/style.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

namespace pier {
namespace {

std::string wrapped(bool color, std::string_view code, std::string_view text) {
  if (!color) return std::string(text);
  return "\x1b[" + std::string(code) + "m" + std::string(text) + "\x1b[0m";
}

}  // namespace

Style Style::of(int fd, ColorWish wish) {
  Style style;
  style.terminal = ::isatty(fd) == 1;
  winsize size{};
  if (style.terminal && ::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) style.width = size.ws_col;
  const char* const no_color = std::getenv("NO_COLOR");
  const char* const term = std::getenv("TERM");
  const bool dumb = term != nullptr && std::string_view(term) == "dumb";
  const bool plain = dumb || (no_color != nullptr && *no_color != '\0');
  style.redraws = style.terminal && !dumb;
  style.color = wish == ColorWish::always || (wish == ColorWish::automatic && style.terminal && !plain);
  return style;
}

std::string Style::bold(std::string_view text) const {
  return wrapped(color, "1", text);
}
std::string Style::green(std::string_view text) const {
  return wrapped(color, "32", text);
}
std::string Style::red(std::string_view text) const {
  return wrapped(color, "31", text);
}
std::string Style::yellow(std::string_view text) const {
  return wrapped(color, "33", text);
}
std::string Style::dim(std::string_view text) const {
  return wrapped(color, "2", text);
}

}  // namespace pier
