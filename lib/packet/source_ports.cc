#include "packet/source_ports.h"

#include <netinet/in.h>

#include "net/socket.h"

namespace pier {

Result<SourcePorts> SourcePorts::reserve(std::uint16_t fixed, std::size_t count) {
  SourcePorts ports;
  // One socket for both families, where the host has both.
  const auto bind_one = [&](Family family) -> Result<void> {
    auto fd = open_socket(Transport::tcp, domain_of(family));
    if (!fd) return std::unexpected(fd.error());
    if (family == Family::ipv6)
      if (auto set = set_option(*fd, IPPROTO_IPV6, IPV6_V6ONLY, 0, "IPV6_V6ONLY"); !set) return set;
    if (auto bound = bind_socket(*fd, {IpAddress::any(family), fixed}); !bound) return bound;
    ports.numbers_.push_back(local_address(fd->get()).port());
    ports.sockets_.push_back(std::move(*fd));
    return {};
  };
  for (std::size_t i = 0; i < (fixed != 0 ? 1 : count); ++i) {
    if (bind_one(Family::ipv6)) continue;
    if (auto bound = bind_one(Family::ipv4); !bound) return std::unexpected(bound.error());
  }
  return ports;
}

}  // namespace pier
