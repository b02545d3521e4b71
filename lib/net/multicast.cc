#include "net/multicast.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "net/device.h"
#include "net/socket.h"

namespace pier {
namespace {

// Whether the address means another group on each link (RFC 4291, section 2.7: scopes 1 and 2).
bool is_of_one_link(const IpAddress& group) {
  return group.family() == Family::ipv6 && (group.bytes()[1] & 0x0fU) <= 2;
}

Result<void> join(const Fd& fd, const MulticastGroup& group, StepSink* steps) {
  unsigned index = 0;
  if (!group.interface.empty()) {
    const auto found = interface_index(group.interface);
    if (!found) return std::unexpected(found.error());
    index = *found;
  }
  const bool v4 = group.group.family() == Family::ipv4;
  const std::string name = v4 ? "IP_ADD_MEMBERSHIP" : "IPV6_JOIN_GROUP";
  int code = 0;
  if (v4) {
    ip_mreqn request{};
    std::memcpy(&request.imr_multiaddr, group.group.bytes().data(), sizeof request.imr_multiaddr);
    request.imr_ifindex = static_cast<int>(index);
    code = ::setsockopt(fd.get(), IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request) == 0 ? 0 : errno;
  } else {
    ipv6_mreq request{};
    std::memcpy(&request.ipv6mr_multiaddr, group.group.bytes().data(), sizeof request.ipv6mr_multiaddr);
    request.ipv6mr_interface = index;
    code = ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_JOIN_GROUP, &request, sizeof request) == 0 ? 0 : errno;
  }
  if (steps != nullptr)
    steps->step({.call = "setsockopt",
                 .fd = fd.get(),
                 .text = name + " " + group.to_string() + ": what is sent to the group comes here too",
                 .result = code == 0 ? "ok" : errno_text(code),
                 .fields = {{"option", name}, {"group", group.to_string()}}});
  if (code == 0) return {};
  Error error{ErrorKind::local, "join", group.to_string(), code, {}};
  if (code == ENODEV && group.interface.empty())
    error.why = "no route says by which interface; say it: " + group.to_string() + "%IF";
  return std::unexpected(error);
}

}  // namespace

Result<MulticastGroup> MulticastGroup::parse(std::string_view text) {
  const std::size_t percent = text.find('%');
  const auto address = IpAddress::parse(text.substr(0, percent));
  if (!address || !address->is_multicast())
    return usage_error("multicast group", text, "not a group such as 239.1.2.3 or ff02::fb%eth0");
  MulticastGroup group{*address, {}};
  if (percent != std::string_view::npos) {
    group.interface = text.substr(percent + 1);
    if (group.interface.empty())
      return usage_error("multicast group", text, "after % stands the name of an interface");
  } else if (is_of_one_link(*address)) {
    return usage_error("multicast group", text,
                       "such a group is of one link: say which, as in " + std::string(text) + "%eth0");
  }
  return group;
}

std::string MulticastGroup::to_string() const {
  return group.to_string() + (interface.empty() ? "" : "%" + interface);
}

Result<IpAddress> MulticastGroup::with_zone() const {
  if (!is_of_one_link(group)) return group;
  const auto index = interface_index(interface);
  if (!index) return std::unexpected(index.error());
  return IpAddress(group.family(), group.bytes(), *index);
}

Result<void> join_groups(const Fd& fd, const SocketAddress& bound, std::span<const MulticastGroup> groups,
                         StepSink* steps) {
  if (!bound.is_ip()) return {};
  const bool v4 = bound.domain() == AF_INET;
  bool any = false;
  for (const MulticastGroup& group : groups) {
    if (group.group.family() != bound.ip().family()) continue;
    const auto address = group.with_zone();
    if (!address) return std::unexpected(address.error());
    if (bound.ip().is_multicast() && bound.ip() != *address) continue;
    if (const auto joined = join(fd, group, steps); !joined) return joined;
    any = true;
  }
  if (!any) return {};
  // Only a kernel before 4.20 lacks the second, and then hears more.
  (void)(v4 ? set_option(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0, "IP_MULTICAST_ALL")
            : set_option(fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0, "IPV6_MULTICAST_ALL"));
  return {};
}

}  // namespace pier
