#include "stream/socket_stream.h"

#include <sys/socket.h>

#include <cerrno>

#include "net/socket.h"
#include "net/tcp_counts.h"

namespace pier {

Io SocketStream::read(std::span<std::byte> into) {
  return Io::of(retry_eintr([&] { return ::recv(fd_.get(), into.data(), into.size(), 0); }), true);
}

Io SocketStream::write(std::span<const std::byte> from) {
  return Io::of(retry_eintr([&] { return ::send(fd_.get(), from.data(), from.size(), MSG_NOSIGNAL); }),
                false);
}

void SocketStream::finish_writing() {
  ::shutdown(fd_.get(), SHUT_WR);
}

void SocketStream::abort() {
  reset_on_close(fd_.get());
}

std::size_t SocketStream::unacknowledged() const {
  // What a Unix socket has taken is in the peer's hands already.
  const SocketAddress here = local_address(fd_.get());
  return here.is_ip() ? unsent_bytes(fd_.get()) : 0;
}

int SocketStream::take_failure() {
  if (const int code = take_socket_error(fd_.get()); code != 0) return code;
  // A program that has the same socket may have taken the error: what it has sent is then unacknowledged for
  // ever.
  const auto counts = tcp_counts(fd_.get());
  return counts && counts->over && unacknowledged() != 0 ? ECONNRESET : 0;
}

void SocketStream::discard_input() {
  std::byte scratch[16384];
  // Bounded: a peer that sends without end must not keep us here.
  for (int rounds = 0; rounds < 256; ++rounds)
    if (::recv(fd_.get(), scratch, sizeof scratch, MSG_DONTWAIT) <= 0) return;
}

}  // namespace pier
