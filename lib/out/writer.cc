#include "out/writer.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "base/fd.h"

namespace pier {
namespace {

constexpr std::size_t kBlock = 64 * 1024;  // what a pipe takes at once by default (pipe(7))

// Waits until the descriptor takes something. Only here a blocked signal gets through and, having no handler,
// ends the program: a reader that has stalled must not keep it from ending. A signal is left waiting when
// there is room.
void wait_for_room(int fd) {
  pollfd wait{fd, POLLOUT, 0};
  sigset_t none;
  sigemptyset(&none);
  retry_eintr([&] { return ::ppoll(&wait, 1, nullptr, &none); });
}

// Writes all of it, and returns 0 or the errno of the failure. A descriptor that someone else made
// non-blocking (a terminal shared with another program) is waited for too.
int write_patiently(int fd, std::string_view text) {
  while (!text.empty()) {
    wait_for_room(fd);
    const ssize_t n = retry_eintr([&] { return ::write(fd, text.data(), text.size()); });
    if (n >= 0) {
      text.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno != EAGAIN) {
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
  if (failure_ == 0 && !buffer_.empty()) failure_ = write_patiently(fd_, buffer_);
  buffer_.clear();
}

}  // namespace pier
