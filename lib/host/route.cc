#include "host/route.h"

#include <net/if.h>
#include <netinet/in.h>

#include <array>
#include <cerrno>
#include <optional>

#include "base/fd.h"
#include "net/interfaces.h"
#include "net/rtnetlink.h"
#include "net/socket.h"

namespace pier {
namespace {

struct NextHop {
  std::uint32_t interface = 0;  // index; 0 where the kernel tells none
  std::optional<IpAddress> gateway;
};

// By the routing table; nothing where rtnetlink is not to be had.
NextHop ask_routes(const IpAddress& remote) {
  if (remote.zone() != 0) return {.interface = remote.zone(), .gateway = {}};
  const auto socket = RouteSocket::open();
  if (!socket) return {};
  rtmsg route{};
  route.rtm_family = static_cast<std::uint8_t>(domain_of(remote.family()));
  route.rtm_dst_len = static_cast<std::uint8_t>(8 * remote.bytes().size());
  RouteRequest request(RTM_GETROUTE, 0, route);
  request.attribute(RTA_DST, std::as_bytes(remote.bytes()));
  NextHop hop;
  (void)socket->ask(std::move(request), [&](const RouteEntry& entry) {
    const ByteView attributes = entry.attributes<rtmsg>();
    hop.interface = find_value<std::uint32_t>(attributes, RTA_OIF).value_or(0);
    hop.gateway = find_gateway(attributes, remote.family());
  });
  return hop;
}

std::string interface_name(std::uint32_t index) {
  std::array<char, IF_NAMESIZE> name{};
  return index != 0 && ::if_indextoname(index, name.data()) != nullptr ? name.data() : "";
}

// Of a connected socket: ip(7), ipv6(7).
std::optional<std::uint32_t> mtu_of(const Fd& fd, const SocketAddress& remote) {
  const bool ipv4 = remote.domain() == AF_INET;
  int mtu = 0;
  socklen_t size = sizeof mtu;
  const int code =
      ::getsockopt(fd.get(), ipv4 ? IPPROTO_IP : IPPROTO_IPV6, ipv4 ? IP_MTU : IPV6_MTU, &mtu, &size);
  return code == 0 && mtu > 0 ? std::optional(static_cast<std::uint32_t>(mtu)) : std::nullopt;
}

}  // namespace

Result<Route> route_to(const SocketAddress& remote) {
  // Connecting a datagram socket looks up the route and sends nothing (udp(7)). Any port will do, but 0.
  const IpAddress ip = remote.ip();
  const SocketAddress address(ip, remote.port() != 0 ? remote.port() : 9);
  const Fd fd(::socket(remote.domain(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return system_error("socket", remote.to_string(), errno, ErrorKind::local);
  if (::connect(fd.get(), address.data(), address.size()) != 0) {
    const int code = errno;
    return system_error("route to", ip.to_string(), code,
                        is_local_connect_fault(code) ? ErrorKind::local : ErrorKind::failed);
  }
  const NextHop hop = ask_routes(ip.unmapped());
  Route route{.source = local_address(fd.get()).ip(),
              .interface = interface_name(hop.interface),
              .gateway = hop.gateway,
              .mtu = mtu_of(fd, address)};
  if (route.interface.empty()) route.interface = interface_of(route.source);
  return route;
}

}  // namespace pier
