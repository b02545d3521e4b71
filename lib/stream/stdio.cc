#include "stream/stdio.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <climits>
#include <string>

namespace pier {
namespace {

bool ready(int fd, short events) {
  pollfd watched{fd, events, 0};
  return ::poll(&watched, 1, 0) == 1;
}

}  // namespace

StdioStream::StdioStream(int in, int out)
    : in_(in), out_(out), in_kind_(fd_kind(in)), out_kind_(fd_kind(out)) {
  if (out_kind_ == FdKind::pipe || out_kind_ == FdKind::terminal) {
    const std::string path = "/proc/self/fd/" + std::to_string(out);
    reopened_ = Fd(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
  }
}

Io StdioStream::read(std::span<std::byte> into) {
  if (in_kind_ == FdKind::socket)
    return Io::of(retry_eintr([&] { return ::recv(in_, into.data(), into.size(), MSG_DONTWAIT); }), true);
  const bool may_block = in_kind_ != FdKind::regular && in_kind_ != FdKind::null_device;
  if (may_block && !ready(in_, POLLIN)) return Io::again();
  return Io::of(retry_eintr([&] { return ::read(in_, into.data(), into.size()); }), true);
}

Io StdioStream::write(std::span<const std::byte> from) {
  if (out_kind_ == FdKind::socket)
    return Io::of(
        retry_eintr([&] { return ::send(out_, from.data(), from.size(), MSG_DONTWAIT | MSG_NOSIGNAL); }),
        false);
  // A pipe that poll calls writable takes PIPE_BUF bytes at once (pipe(7)); a blocking terminal is given as
  // little.
  const bool may_block = !reopened_.valid() && (out_kind_ == FdKind::pipe || out_kind_ == FdKind::terminal);
  if (may_block && !ready(out_, POLLOUT)) return Io::again();
  const std::size_t size = may_block ? std::min<std::size_t>(from.size(), PIPE_BUF) : from.size();
  return Io::of(retry_eintr([&] { return ::write(write_fd(), from.data(), size); }), false);
}

// A socket shared with others may be a blocking one, and splice(2) has no flag against that.
RawEnd StdioStream::raw_input() const {
  if (in_kind_ == FdKind::socket) return {};
  return {in_, in_kind_};
}

RawEnd StdioStream::raw_output() const {
  if (out_kind_ == FdKind::socket) return {};
  return {write_fd(), out_kind_};
}

}  // namespace pier
