#include "out/sink.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/number.h"

namespace pier {

Result<Sink> open_sink(std::string_view flag, const std::string& where, bool stdout_is_free) {
  if (where.starts_with("fd:")) {
    const std::string what = std::string(flag) + " fd:";
    const auto number = parse_unsigned(std::string_view(where).substr(3), 0, 1 << 20, what);
    if (!number) return std::unexpected(number.error());
    const int fd = static_cast<int>(*number);
    if (fd < 2)
      return usage_error(flag, where, "stdin and stdout carry the peer's bytes: use fd:2 or a higher one");
    const int flags = ::fcntl(fd, F_GETFD);
    if (flags < 0) return usage_error(flag, where, "no such open descriptor");
    if (fd > 2) ::fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
    return Sink{fd};
  }
  if (where == "-") {
    if (stdout_is_free) return Sink{STDOUT_FILENO};
    return usage_error(flag, where, "stdout carries the peer's bytes: give a file, or fd:N");
  }
  Fd file(::open(where.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666));
  if (!file.valid()) return system_error("open", quoted(where), errno, ErrorKind::local);
  const int fd = file.get();
  return Sink{fd, std::move(file)};
}

}  // namespace pier
