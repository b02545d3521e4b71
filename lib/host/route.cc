#include "host/route.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

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

// The index of the outgoing interface in the kernel's answer; 0 where it has none.
std::uint32_t outgoing_interface(std::span<const std::byte> reply) {
  const auto header = take<nlmsghdr>(reply);
  if (!header || header->nlmsg_type != RTM_NEWROUTE || header->nlmsg_len > reply.size()) return 0;
  reply = reply.first(header->nlmsg_len);
  constexpr std::size_t kBody = NLMSG_LENGTH(0) + NLMSG_ALIGN(sizeof(rtmsg));
  if (reply.size() < kBody) return 0;
  reply = reply.subspan(kBody);
  while (const auto attribute = take<rtattr>(reply)) {
    if (attribute->rta_len < sizeof(rtattr) || attribute->rta_len > reply.size()) return 0;
    if (attribute->rta_type == RTA_OIF) {
      return take<std::uint32_t>(reply.first(attribute->rta_len).subspan(sizeof(rtattr))).value_or(0);
    }
    reply = reply.subspan(std::min<std::size_t>(RTA_ALIGN(attribute->rta_len), reply.size()));
  }
  return 0;
}

// By the routing table, or empty where rtnetlink is not to be had.
std::string interface_by_route(const IpAddress& remote) {
  if (remote.zone() != 0) {
    std::array<char, IF_NAMESIZE> name{};
    return ::if_indextoname(remote.zone(), name.data()) ? name.data() : "";
  }
  const Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!fd.valid()) return {};
  Request request;
  const std::size_t length = fill(request, remote);
  if (retry_eintr([&] { return ::send(fd.get(), &request, length, 0); }) < 0) return {};
  std::array<std::byte, 4096> reply;
  const ssize_t n = retry_eintr([&] { return ::recv(fd.get(), reply.data(), reply.size(), 0); });
  if (n <= 0) return {};
  const std::uint32_t index = outgoing_interface(std::span(reply).first(static_cast<std::size_t>(n)));
  std::array<char, IF_NAMESIZE> name{};
  return index != 0 && ::if_indextoname(index, name.data()) ? name.data() : "";
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
  Route route{.source = local_address(fd.get()).ip(), .interface = interface_by_route(ip.unmapped())};
  if (route.interface.empty()) route.interface = interface_of(route.source);
  return route;
}

}  // namespace pier
