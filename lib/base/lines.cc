#include "base/lines.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "base/fd.h"

namespace pier {

Result<void> read_lines(int fd, const std::function<bool()>& before_read,
                        const std::function<void(std::string_view)>& line) {
  constexpr std::size_t kBlock = 64 * 1024;  // what a pipe holds by default (pipe(7))
  std::string buffer;
  std::size_t used = 0;  // of the buffer: the beginning of a line whose end has not been read
  while (before_read()) {
    if (buffer.size() < used + kBlock) buffer.resize(used + kBlock);
    const ssize_t got = retry_eintr([&] { return ::read(fd, buffer.data() + used, buffer.size() - used); });
    if (got < 0) return system_error("read", {}, errno, ErrorKind::local);
    if (got == 0) {
      if (used > 0) line(std::string_view(buffer.data(), used));
      return {};
    }
    std::string_view text(buffer.data(), used + static_cast<std::size_t>(got));
    // What was there before holds no newline.
    for (std::size_t from = used;; from = 0) {
      const std::size_t end = text.find('\n', from);
      if (end == std::string_view::npos) break;
      line(text.substr(0, end));
      text.remove_prefix(end + 1);
    }
    used = text.size();
    if (used > kLongestLine) return usage_error("line", text.substr(0, 40), "longer than 1 MiB");
    std::memmove(buffer.data(), text.data(), used);
  }
  return {};
}

}  // namespace pier
