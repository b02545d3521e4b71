#include "scan/probe_connect.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

#include "net/device.h"
#include "net/icmp_error.h"
#include "net/socket.h"

namespace pier {
namespace {

using How = ConnectEnd::How;

Result<void> apply_source(const Fd& fd, PortProtocol protocol, Family family, const ProbeSource& source,
                          StepSink* steps) {
  if (!source.interface.empty()) {
    const Transport transport = protocol == PortProtocol::tcp ? Transport::tcp : Transport::udp;
    if (auto held = hold_to_interface(fd, transport, domain_of(family), source.interface, steps); !held)
      return held;
  }
  if (!source.address && source.port == 0) return {};
  if (source.port == 0 && protocol == PortProtocol::tcp) {
    // The port is then chosen on connecting, when one that is in use towards other targets will do (ip(7)).
    if (auto set = set_option(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, 1, "IP_BIND_ADDRESS_NO_PORT"); !set)
      return set;
  } else if (source.port != 0) {
    if (auto set = set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR"); !set) return set;
  }
  return bind_socket(fd, SocketAddress(source.address.value_or(IpAddress::any(family)), source.port), steps);
}

// Some messages tell of a packet's size and end nothing (RFC 1191, RFC 8201).
bool ends_the_attempt(const IcmpError& icmp) {
  return icmp.family == Family::ipv4 ? icmp.type != 3 || icmp.code != 4 : icmp.type != 2;
}

ConnectEnd connected(int fd, const SocketAddress& peer) {
  const SocketAddress own = local_address(fd);
  return {.how = How::later, .to_itself = own == peer, .to_this_host = own.is_ip() && own.ip() == peer.ip()};
}

}  // namespace

Result<void> check_source(const ProbeSource& source, PortProtocol protocol,
                          std::span<const Family> families) {
  for (const Family family : families)
    if (const auto fd = open_probe_socket(protocol, family, source); !fd) return std::unexpected(fd.error());
  return {};
}

Result<Fd> open_probe_socket(PortProtocol protocol, Family family, const ProbeSource& source,
                             StepSink* steps) {
  const bool tcp = protocol == PortProtocol::tcp;
  auto fd = open_socket(tcp ? Transport::tcp : Transport::udp, domain_of(family), steps);
  if (!fd) return fd;
  keep_icmp_errors(*fd, domain_of(family), true);
  if (tcp) reset_on_close(fd->get());
  if (auto applied = apply_source(*fd, protocol, family, source, steps); !applied)
    return std::unexpected(applied.error());
  return fd;
}

std::optional<ConnectEnd> begin_connect(const Fd& fd, const SocketAddress& target) {
  if (::connect(fd.get(), target.data(), target.size()) == 0) return connected(fd.get(), target);
  if (errno == EINPROGRESS) return std::nullopt;
  // A refusal can come that fast, and an ICMP error with it.
  const int code = errno;
  return ConnectEnd{.how = How::at_once, .code = code, .icmp = take_icmp_error(fd.get(), target)};
}

std::optional<ConnectEnd> connect_outcome(int fd, const SocketAddress& target, bool over) {
  ConnectEnd end{.how = How::later, .code = take_socket_error(fd)};
  if (end.code == 0) {
    const SocketAddress peer = peer_address(fd);
    if (peer.is_ip()) return connected(fd, peer);
    // No peer: not connected yet, or a reset has come since the line above.
    end.code = take_socket_error(fd);
  }
  // Only after SO_ERROR, which taking the last message off the queue would clear.
  end.icmp = take_icmp_error(fd, target);
  if (end.code != 0) return end;
  // An error that came within connect(2) itself is in the queue, and the attempt goes on in vain.
  if (end.icmp && ends_the_attempt(*end.icmp)) return end;
  if (!over) return std::nullopt;
  return ConnectEnd{.how = How::silence};
}

std::optional<ConnectEnd> connect_again(const Fd& fd, const SocketAddress& target) {
  if (::connect(fd.get(), target.data(), target.size()) == 0) {
    const ConnectEnd end = connected(fd.get(), target);
    const sockaddr nowhere{.sa_family = AF_UNSPEC, .sa_data = {}};
    (void)::connect(fd.get(), &nowhere, sizeof nowhere);
    return end;
  }
  const int code = errno;
  if (code == EALREADY || code == EINPROGRESS) return std::nullopt;
  if (code == ECONNABORTED) return ConnectEnd{.how = How::silence};
  return ConnectEnd{.how = How::later, .code = code, .icmp = take_icmp_error(fd.get(), target)};
}

}  // namespace pier
