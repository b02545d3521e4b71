#include "stream/line_input.h"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "base/fd.h"

namespace pier {

Result<std::optional<std::string>> LineInput::read(int fd) {
  for (;;) {
    std::string piece(most_ - begun_.size(), '\0');
    const ssize_t seen =
        retry_eintr([&] { return ::recv(fd, piece.data(), piece.size(), MSG_PEEK | MSG_DONTWAIT); });
    if (seen < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return std::nullopt;
    if (seen < 0) return system_error("recv", "", errno, ErrorKind::failed);
    if (seen == 0) return fail(ErrorKind::failed, "recv", "", "the other side ended in the middle");
    piece.resize(static_cast<std::size_t>(seen));
    const std::size_t end = piece.find('\n');
    if (end != std::string::npos) piece.resize(end + 1);
    // What was seen is there to be taken.
    if (retry_eintr([&] { return ::recv(fd, piece.data(), piece.size(), MSG_DONTWAIT); }) < 0)
      return system_error("recv", "", errno, ErrorKind::failed);
    begun_ += piece;
    if (end != std::string::npos) {
      std::string line = std::exchange(begun_, {});
      line.pop_back();
      return line;
    }
    if (begun_.size() >= most_) return fail(ErrorKind::failed, "recv", "", "a line without an end");
  }
}

}  // namespace pier
