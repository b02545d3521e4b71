#include "event/race_socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <cerrno>

#include "base/number.h"
#include "net/device.h"
#include "net/icmp_error.h"
#include "net/options.h"
#include "net/socket.h"
#include "ports/ephemeral.h"

namespace pier {
namespace {

// What an attempt to reach `target` is bound to first.
std::optional<SocketAddress> source_of(const RacePlan& plan, const SocketAddress& target) {
  if (plan.source || !plan.source_port || !target.is_ip()) return plan.source;
  return SocketAddress(IpAddress::any(target.ip().family()), *plan.source_port);
}

Result<void> bind_source(const Fd& fd, const std::optional<SocketAddress>& source, const RacePlan& plan) {
  if (!source) {
    if (plan.transport != Transport::unix_dgram) return {};
    sockaddr_storage nameless{};
    nameless.ss_family = AF_UNIX;
    return bind_socket(fd, SocketAddress::from(nameless, sizeof(sa_family_t)), plan.steps);
  }
  Result<void> set;
  if (source->is_ip() && source->port() == 0)
    set = set_option(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1, "IP_BIND_ADDRESS_NO_PORT");
  else if (plan.transport == Transport::tcp)
    set = set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR");
  if (!set) return set;
  return bind_socket(fd, *source, plan.steps);
}

Result<Fd> open_socket_as(const RacePlan& plan, const SocketAddress& target) {
  const int protocol = plan.mptcp && plan.transport == Transport::tcp ? IPPROTO_MPTCP : 0;
  auto fd = open_socket(plan.transport, target.domain(), plan.steps, protocol);
  if (!fd) return fd;
  if (const auto set = set_options(*fd, plan.transport, target.domain(), plan.options, plan.steps); !set)
    return std::unexpected(set.error());
  if (!plan.interface.empty()) {
    const auto held = hold_to_interface(*fd, plan.transport, target.domain(), plan.interface, plan.steps);
    if (!held) return std::unexpected(held.error());
  }
  if (plan.fast_open) {
    if (const auto set = set_option(*fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1, "TCP_FASTOPEN_CONNECT"); !set)
      return std::unexpected(set.error());
  }
  if (!is_datagram(plan.transport)) keep_icmp_errors(*fd, target.domain(), true);
  return fd;
}

}  // namespace

Result<AttemptSocket> open_for_attempt(const RacePlan& plan, const SocketAddress& target) {
  auto fd = open_socket_as(plan, target);
  if (!fd) return std::unexpected(fd.error());
  const auto source = source_of(plan, target);
  if (const auto bound = bind_source(*fd, source, plan); !bound) return std::unexpected(bound.error());
  return AttemptSocket{std::move(*fd), source ? SocketFile(*source) : SocketFile()};
}

Error no_port_error(const SocketAddress& target, const SocketAddress& local, Duration tried) {
  Error error{ErrorKind::local, "connect", target.to_string(), EADDRNOTAVAIL, {}};
  const bool fixed = local.is_ip() && local.port() != 0;
  const PortRange range = read_host_ports().ephemeral;
  const std::string from = local.is_ip() && !local.ip().is_any() ? " of " + local.ip().to_string() : "";
  error.why = fixed ? "the last connection from " + local.to_string() + " there is not over yet"
                    : "no port" + from + " is free towards it: all of " + std::to_string(range.first) + "-" +
                          std::to_string(range.last) + " are in use or in TIME_WAIT";
  error.why += ", for " + format_duration(tried);
  return error;
}

std::string success_text(const RacePlan& plan, int fd, const SocketAddress& local, bool deferred,
                         Duration took) {
  std::string text = is_datagram(plan.transport) ? "the peer is fixed, and nothing is sent yet"
                     : deferred                  ? "the first bytes will go with the SYN (TCP Fast Open)"
                                                 : "connected in " + format_duration(took);
  if (plan.mptcp) text += speaks_mptcp(fd) ? " by MPTCP" : " by plain TCP: the peer has no MPTCP";
  if (local.is_ip()) {
    const bool chosen = (plan.source ? plan.source->port() : plan.source_port.value_or(0)) == 0;
    text += (chosen ? "; the kernel gave us port " : "; from port ") + std::to_string(local.port());
  }
  return text;
}

}  // namespace pier
