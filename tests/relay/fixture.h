// Real sockets and pipes around a relay, and a loop that ends by itself if the relay does not.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "base/fd.h"
#include "event/loop.h"

namespace pier {

struct FdPair {
  Fd first, second;
};

inline FdPair make_pipe() {
  int fds[2];
  EXPECT_EQ(::pipe2(fds, O_CLOEXEC), 0);
  return {Fd(fds[0]), Fd(fds[1])};
}

inline FdPair make_socketpair() {
  int fds[2];
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
  return {Fd(fds[0]), Fd(fds[1])};
}

// Two ends of a TCP connection over loopback: a reset exists only there. Both are non-blocking.
inline FdPair make_tcp_pair() {
  Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  EXPECT_EQ(::bind(listener.get(), generic, size), 0);
  EXPECT_EQ(::listen(listener.get(), 1), 0);
  EXPECT_EQ(::getsockname(listener.get(), generic, &size), 0);
  Fd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(::connect(client.get(), generic, size), 0);
  Fd server(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  for (const int fd : {client.get(), server.get()}) ::fcntl(fd, F_SETFL, O_NONBLOCK);
  return {std::move(client), std::move(server)};
}

inline void put(const Fd& fd, const std::string& text) {
  ASSERT_EQ(::write(fd.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
}

// Everything up to the end, blocking.
inline std::string take_all(const Fd& fd) {
  ::fcntl(fd.get(), F_SETFL, 0);
  std::string all;
  char buffer[65536];
  for (ssize_t n; (n = ::read(fd.get(), buffer, sizeof buffer)) > 0;)
    all.append(buffer, static_cast<std::size_t>(n));
  return all;
}

inline void reset(Fd& fd) {
  const linger hard{1, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  fd.reset();
}

// A hanging relay fails its test in place of the whole run.
inline void run_guarded(Loop& loop) {
  const Timer guard = loop.timer(Deadline::after(std::chrono::seconds(60)), [&loop] {
    ADD_FAILURE() << "the loop did not end";
    loop.stop();
  });
  loop.run();
}

}  // namespace pier
