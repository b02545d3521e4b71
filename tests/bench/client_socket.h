// What the load generators share: sockets that connect to 127.0.0.1 from many source addresses, and an epoll
// set.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <vector>

#include "base/fd.h"

namespace bench {

// A fault of the bench itself: says so and ends.
[[noreturn]] inline void die(const char* call) {
  std::perror(call);
  std::exit(2);
}

inline double seconds_now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

inline void raise_descriptor_limit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

inline sockaddr_in address(std::uint32_t host, std::uint16_t port) {
  sockaddr_in result{};
  result.sin_family = AF_INET;
  result.sin_port = htons(port);
  result.sin_addr.s_addr = htonl(host);
  return result;
}

// A non-blocking socket that is connecting to 127.0.0.1:port. The sources take turns within 127.1.0.0/24: a
// session that ended in order keeps its port in TIME_WAIT, and one address has only some 28,000 of them.
inline pier::Fd connect_from_turn(unsigned turn, std::uint16_t port) {
  pier::Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) die("socket");
  const int on = 1;
  setsockopt(fd.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  const sockaddr_in source = address(0x7f010001 + turn % 250, 0);
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&source), sizeof source) != 0) die("bind");
  const sockaddr_in target = address(INADDR_LOOPBACK, port);
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&target), sizeof target) != 0 &&
      errno != EINPROGRESS)
    die("connect");
  return fd;
}

// epoll(7), level-triggered; the events carry an index of the caller's.
class Epoll {
 public:
  void add(int fd, std::size_t index, std::uint32_t events) { control(EPOLL_CTL_ADD, fd, index, events); }
  void change(int fd, std::size_t index, std::uint32_t events) { control(EPOLL_CTL_MOD, fd, index, events); }

  std::span<const epoll_event> wait(int milliseconds) {
    const int count = epoll_wait(set_.get(), events_.data(), static_cast<int>(events_.size()), milliseconds);
    if (count < 0 && errno != EINTR) die("epoll_wait");
    return {events_.data(), static_cast<std::size_t>(count < 0 ? 0 : count)};
  }

 private:
  void control(int operation, int fd, std::size_t index, std::uint32_t events) {
    epoll_event event{.events = events, .data = {.u64 = index}};
    if (epoll_ctl(set_.get(), operation, fd, &event) != 0) die("epoll_ctl");
  }

  pier::Fd set_{epoll_create1(EPOLL_CLOEXEC)};
  std::vector<epoll_event> events_ = std::vector<epoll_event>(512);
};

}  // namespace bench
