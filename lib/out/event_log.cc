#include "out/event_log.h"

#include <fcntl.h>

#include "base/number.h"

namespace pier {

Result<std::unique_ptr<EventLog>> EventLog::open(const std::string& where, std::string_view program) {
  std::unique_ptr<EventLog> log;
  if (where.starts_with("fd:")) {
    const auto number = parse_unsigned(std::string_view(where).substr(3), 0, 1 << 20, "--events fd:");
    if (!number) return std::unexpected(number.error());
    const int fd = static_cast<int>(*number);
    if (fd < 2)
      return usage_error("--events", where,
                         "stdin and stdout carry the peer's bytes: use fd:2 or a higher one");
    const int flags = ::fcntl(fd, F_GETFD);
    if (flags < 0) return usage_error("--events", where, "no such open descriptor");
    if (fd > 2) ::fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
    log.reset(new EventLog(fd, Fd()));
  } else {
    if (where == "-")
      return usage_error("--events", where, "stdout carries the peer's bytes: give a file, or fd:N");
    Fd file(::open(where.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
    if (!file.valid()) return system_error("open", quoted(where), errno, ErrorKind::local);
    const int fd = file.get();
    log.reset(new EventLog(fd, std::move(file)));
  }
  JsonObject start("start");
  start.number("schema", 1).text("program", program).text("version", PIER_VERSION);
  log->write(start);
  return log;
}

}  // namespace pier
