// Real sockets and child processes for the tests of lib/host.
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <string>
#include <utility>

#include "base/fd.h"
#include "net/address.h"

namespace pier::test {

inline SocketAddress name_of(const Fd& fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  EXPECT_EQ(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&storage), &length), 0);
  return SocketAddress::from(storage, length);
}

// A socket of SOCK_STREAM or SOCK_DGRAM, bound; empty when this host has no such family.
inline Fd bound(int type, const SocketAddress& address, bool v6only = false, bool reuse_port = false) {
  Fd fd(::socket(address.domain(), type | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return {};
  const int only = v6only;
  if (address.domain() == AF_INET6) ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only);
  const int reuse = reuse_port;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &reuse, sizeof reuse);
  if (::bind(fd.get(), address.data(), address.size()) != 0) return {};
  return fd;
}

inline Fd listener(const SocketAddress& address, bool v6only = false, bool reuse_port = false) {
  Fd fd = bound(SOCK_STREAM, address, v6only, reuse_port);
  if (fd.valid() && ::listen(fd.get(), 16) != 0) return {};
  return fd;
}

// An address of the loopback that this test process has for itself: a port number that another test uses, or
// that is in time-wait after one, is at another address.
inline IpAddress own_ip() {
  static const auto pid = static_cast<std::uint32_t>(::getpid());
  return IpAddress::v4((127U << 24) + (1U << 16) + pid);
}

// On that address for IPv4; IPv6 has but one.
inline SocketAddress loopback(Family family, std::uint16_t port = 0) {
  return {family == Family::ipv4 ? own_ip() : IpAddress::loopback(family), port};
}

inline Fd connected_to(const SocketAddress& address, int type = SOCK_STREAM) {
  const bool ipv4 = address.domain() == AF_INET;
  Fd fd = bound(type, ipv4 ? loopback(Family::ipv4) : SocketAddress(IpAddress::any(Family::ipv6), 0));
  EXPECT_EQ(::connect(fd.get(), address.data(), address.size()), 0);
  return fd;
}

// A forked child. It runs `work`, sends the text that this returns, and stays until the parent lets it go.
class Child {
 public:
  explicit Child(const std::function<std::string()>& work) {
    std::array<int, 2> told{};
    std::array<int, 2> hold{};
    EXPECT_EQ(::pipe(told.data()), 0);
    EXPECT_EQ(::pipe(hold.data()), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(told[0]);
      ::close(hold[1]);
      const std::string text = work() + '\n';
      if (::write(told[1], text.data(), text.size()) < 0) ::_exit(1);
      char byte = 0;
      ::_exit(::read(hold[0], &byte, 1) == 0 ? 0 : 1);  // the parent's end is closed when it lets go
    }
    ::close(told[1]);
    ::close(hold[0]);
    hold_ = Fd(hold[1]);
    const Fd reader(told[0]);
    for (char byte = 0; ::read(reader.get(), &byte, 1) == 1 && byte != '\n';) text_ += byte;
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    hold_.reset();
    int status = 0;
    ::waitpid(pid_, &status, 0);
  }

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  pid_t pid_ = 0;
  Fd hold_;
  std::string text_;
};

}  // namespace pier::test
