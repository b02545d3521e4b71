#include "host/free_ports.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "net/address.h"
#include "net/socket.h"

namespace pier {
namespace {

// Where sd_listen_fds(3) begins to count.
constexpr int kFirstPassed = 3;

// Bound to every address of both families; on a host without IPv6, to those of IPv4.
Result<Fd> bind_everywhere(Transport transport, std::uint16_t port, StepSink* steps) {
  auto fd = open_socket(transport, AF_INET6, steps);
  if (fd) {
    if (auto both = set_option(*fd, IPPROTO_IPV6, IPV6_V6ONLY, 0, "IPV6_V6ONLY"); !both) {
      return std::unexpected(both.error());
    }
    const auto bound = bind_socket(*fd, {IpAddress::any(Family::ipv6), port}, steps);
    if (bound) return fd;
    // IPv6 is compiled in but switched off: not one address can be bound.
    if (bound.error().code != EADDRNOTAVAIL) return std::unexpected(bound.error());
  } else if (fd.error().code != EAFNOSUPPORT) {
    return fd;
  }
  fd = open_socket(transport, AF_INET, steps);
  if (!fd) return fd;
  const auto bound = bind_socket(*fd, {IpAddress::any(Family::ipv4), port}, steps);
  if (!bound) return std::unexpected(bound.error());
  return fd;
}

std::string number_text(std::size_t n) {
  return std::to_string(n);
}

}  // namespace

Result<bool> FreePorts::take_one(std::vector<Fd>& rejected, StepSink* steps) {
  auto tcp = bind_everywhere(Transport::tcp, 0, steps);
  if (!tcp) return std::unexpected(tcp.error());
  const std::uint16_t port = local_address(tcp->get()).port();
  auto udp = bind_everywhere(Transport::udp, port, steps);
  if (!udp && udp.error().code == EADDRINUSE) {
    rejected.push_back(std::move(*tcp));
    return false;
  }
  if (!udp) return std::unexpected(udp.error());
  ports_.push_back(port);
  held_.push_back({.tcp = std::move(*tcp), .udp = std::move(*udp)});
  return true;
}

Result<FreePorts> FreePorts::take(std::size_t count, StepSink* steps) {
  FreePorts ports;
  // Ports whose UDP half is taken stay bound until the end, so that the kernel does not offer them again.
  std::vector<Fd> rejected;
  while (ports.ports_.size() < count) {
    const auto taken = ports.take_one(rejected, steps);
    if (taken) continue;
    Error error = taken.error();
    if (error.code == EADDRINUSE) {
      error.op = "bind";
      error.subject = "port 0";
      error.why =
          "only " + number_text(ports.ports_.size()) + " ports are free for TCP and UDP in both families";
    }
    return std::unexpected(std::move(error));
  }
  return ports;
}

Result<void> FreePorts::pass_sockets() {
  const int end = kFirstPassed + static_cast<int>(held_.size());
  // First out of the way of the numbers they are to have, then to them.
  std::vector<Fd> sockets;
  for (Held& held : held_) {
    if (auto reuse = set_option(held.tcp, SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR"); !reuse) return reuse;
    Fd moved(::fcntl(held.tcp.get(), F_DUPFD_CLOEXEC, end));
    if (!moved.valid()) return system_error("fcntl", "", errno, ErrorKind::local);
    sockets.push_back(std::move(moved));
  }
  held_.clear();
  for (std::size_t i = 0; i < sockets.size(); ++i) {
    const int number = kFirstPassed + static_cast<int>(i);
    // A program expects blocking sockets; dup2 leaves the copy open across exec.
    const int flags = ::fcntl(sockets[i].get(), F_GETFL);
    if (flags < 0 || ::fcntl(sockets[i].get(), F_SETFL, flags & ~O_NONBLOCK) < 0 ||
        retry_eintr([&] { return ::dup2(sockets[i].get(), number); }) < 0) {
      return system_error("dup2", number_text(static_cast<std::size_t>(number)), errno, ErrorKind::local);
    }
  }
  return {};
}

Error FreePorts::run(const std::vector<std::string>& command) {
  if (const auto passed = pass_sockets(); !passed) return passed.error();
  ::setenv("LISTEN_FDS", number_text(ports_.size()).c_str(), 1);
  ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
  ::unsetenv("LISTEN_FDNAMES");  // of sockets that somebody passed to us
  ::setenv("PORT", number_text(ports_.front()).c_str(), 1);
  for (std::size_t i = 0; i < ports_.size(); ++i) {
    ::setenv(("PORT" + number_text(i + 1)).c_str(), number_text(ports_[i]).c_str(), 1);
  }
  std::signal(SIGPIPE, SIG_DFL);
  std::vector<char*> words;
  for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  ::execvp(words[0], words.data());
  return system_error("run", command.front(), errno, ErrorKind::local).error();
}

}  // namespace pier
