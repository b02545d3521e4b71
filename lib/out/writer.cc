#include "out/writer.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

#include "base/fd.h"

namespace pier {
namespace {

constexpr std::size_t kBlock = 64 * 1024;  // what a pipe takes at once by default (pipe(7))

// Writes all of it, and returns 0 or the errno of the failure. A descriptor that someone else made
// non-blocking (a terminal shared with another program) is waited for.
int write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = retry_eintr([&] { return ::write(fd, text.data(), text.size()); });
    if (n >= 0) {
      text.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno == EAGAIN) {
      pollfd wait{fd, POLLOUT, 0};
      if (retry_eintr([&] { return ::poll(&wait, 1, -1); }) < 0) return errno;
    } else {
      return errno;
    }
  }
  return 0;
}

}  // namespace

void Writer::put(std::string_view text) {
  if (failure_ != 0) return;
  buffer_ += text;
  if (buffer_.size() >= kBlock) flush();
}

void Writer::line(std::string_view text) {
  put(text);
  put("\n");
  if (line_flush_) flush();
}

void Writer::flush() {
  if (failure_ == 0 && !buffer_.empty()) failure_ = write_all(fd_, buffer_);
  buffer_.clear();
}

}  // namespace pier
