// Multicast groups that a UDP socket hears: RFC 1112 and RFC 4291, ip(7) and ipv6(7).
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/fd.h"
#include "net/address.h"
#include "net/step.h"

namespace pier {

struct MulticastGroup {
  IpAddress group = {};        // without a zone
  std::string interface = {};  // by name; empty: the one that the routes have for the group

  // "239.1.2.3", "239.1.2.3%eth0", "ff02::fb%eth0". A usage error for an address that is no group, and for a
  // group of one link (ff02::/16) or one interface (ff01::/16) without an interface.
  [[nodiscard]] static Result<MulticastGroup> parse(std::string_view text);

  [[nodiscard]] std::string to_string() const;
  // As it is bound to: where the group is of one link, with that link. ErrorKind::local: no such interface.
  [[nodiscard]] Result<IpAddress> with_zone() const;
};

// Joins the groups that a socket bound to `bound` can hear: those of its family and, where it is bound to a
// group, that one. The socket hears no other group then, though others of this host be joined to it
// (IP_MULTICAST_ALL). ErrorKind::local, naming the group.
[[nodiscard]] Result<void> join_groups(const Fd& fd, const SocketAddress& bound,
                                       std::span<const MulticastGroup> groups, StepSink* steps = nullptr);

}  // namespace pier
