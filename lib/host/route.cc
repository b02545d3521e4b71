#include "host/route.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <span>

#include "base/fd.h"
#include "net/interfaces.h"
#include "net/socket.h"

namespace pier {
namespace {

// RTM_GETROUTE for one destination: header, route, and one attribute with the address.
struct Request {
  nlmsghdr header{};
  rtmsg route{};
  rtattr attribute{};
  std::array<std::uint8_t, 16> address{};
};

std::size_t fill(Request& request, const IpAddress& remote) {
  const auto bytes = remote.bytes();
  request.route.rtm_family = static_cast<std::uint8_t>(domain_of(remote.family()));
  request.route.rtm_dst_len = static_cast<std::uint8_t>(8 * bytes.size());
  request.attribute.rta_type = RTA_DST;
  request.attribute.rta_len = static_cast<std::uint16_t>(sizeof request.attribute + bytes.size());
  std::memcpy(request.address.data(), bytes.data(), bytes.size());
  const std::size_t length = offsetof(Request, address) + bytes.size();
  request.header.nlmsg_type = RTM_GETROUTE;
  request.header.nlmsg_flags = NLM_F_REQUEST;
  request.header.nlmsg_len = static_cast<std::uint32_t>(length);
  return length;
}

template <class Value>
std::optional<Value> take(std::span<const std::byte> bytes) {
  if (bytes.size() < sizeof(Value)) return std::nullopt;
  Value value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

struct NextHop {
  std::uint32_t interface = 0;  // index; 0 where the kernel tells none
  std::optional<IpAddress> gateway;
};

std::optional<IpAddress> address_of(Family family, std::span<const std::byte> bytes) {
  const std::size_t size = family == Family::ipv4 ? 4 : 16;
  if (bytes.size() < size) return std::nullopt;
  std::array<std::uint8_t, 16> copy{};
  std::memcpy(copy.data(), bytes.data(), size);
  return IpAddress(family, std::span(copy).first(size));
}

// RTA_VIA: an address of the other family, with that before it.
std::optional<IpAddress> via_of(std::span<const std::byte> bytes) {
  const auto family = take<std::uint16_t>(bytes);
  if (!family || (*family != AF_INET && *family != AF_INET6)) return std::nullopt;
  return address_of(*family == AF_INET ? Family::ipv4 : Family::ipv6, bytes.subspan(sizeof *family));
}

// The way out in the kernel's answer.
NextHop next_hop(std::span<const std::byte> reply, Family family) {
  NextHop hop;
  const auto header = take<nlmsghdr>(reply);
  if (!header || header->nlmsg_type != RTM_NEWROUTE || header->nlmsg_len > reply.size()) return hop;
  reply = reply.first(header->nlmsg_len);
  constexpr std::size_t kBody = NLMSG_LENGTH(0) + NLMSG_ALIGN(sizeof(rtmsg));
  if (reply.size() < kBody) return hop;
  reply = reply.subspan(kBody);
  while (const auto attribute = take<rtattr>(reply)) {
    if (attribute->rta_len < sizeof(rtattr) || attribute->rta_len > reply.size()) return hop;
    const auto value = reply.first(attribute->rta_len).subspan(sizeof(rtattr));
    if (attribute->rta_type == RTA_OIF) hop.interface = take<std::uint32_t>(value).value_or(0);
    if (attribute->rta_type == RTA_GATEWAY) hop.gateway = address_of(family, value);
    if (attribute->rta_type == RTA_VIA) hop.gateway = via_of(value);
    reply = reply.subspan(std::min<std::size_t>(RTA_ALIGN(attribute->rta_len), reply.size()));
  }
  return hop;
}

// By the routing table; nothing where rtnetlink is not to be had.
NextHop ask_routes(const IpAddress& remote) {
  if (remote.zone() != 0) return {.interface = remote.zone(), .gateway = {}};
  const Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!fd.valid()) return {};
  Request request;
  const std::size_t length = fill(request, remote);
  if (retry_eintr([&] { return ::send(fd.get(), &request, length, 0); }) < 0) return {};
  std::array<std::byte, 4096> reply;
  const ssize_t n = retry_eintr([&] { return ::recv(fd.get(), reply.data(), reply.size(), 0); });
  if (n <= 0) return {};
  return next_hop(std::span(reply).first(static_cast<std::size_t>(n)), remote.family());
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
