#include "host/free_ports.h"

#include <netinet/in.h>

#include <cerrno>

#include "net/address.h"
#include "net/socket.h"

namespace pier {
namespace {

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

Result<bool> FreePorts::take_one(std::vector<Fd>& rejected, StepSink* steps,
                                 const std::set<std::uint16_t>& avoid) {
  auto tcp = bind_everywhere(Transport::tcp, 0, steps);
  if (!tcp) return std::unexpected(tcp.error());
  const std::uint16_t port = local_address(tcp->get()).port();
  if (avoid.contains(port)) {
    rejected.push_back(std::move(*tcp));
    return false;
  }
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

Result<FreePorts> FreePorts::take(std::size_t count, StepSink* steps, const std::set<std::uint16_t>& avoid) {
  FreePorts ports;
  // Ports that will not do stay bound until the end, so that the kernel does not offer them again.
  std::vector<Fd> rejected;
  while (ports.ports_.size() < count) {
    const auto taken = ports.take_one(rejected, steps, avoid);
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

}  // namespace pier
