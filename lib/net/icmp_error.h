// What ICMP said about a socket's packets, as the kernel keeps it in the socket's error queue: ip(7) and
// ipv6(7), IP_RECVERR and IPV6_RECVERR; for TCP since Linux 5.10.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/fd.h"
#include "net/address.h"

namespace pier {

struct IcmpError {
  Family family = Family::ipv4;  // ICMP (RFC 792) or ICMPv6 (RFC 4443)
  std::uint8_t type = 0;
  std::uint8_t code = 0;
  bool from_this_host = false;  // sent by our own end, which is not the target's
  bool from_target = true;      // or else from a router or firewall on the way
};

// "icmp 3/13 (administratively prohibited)"; the name by RFC 792, 1122, 1812 or 4443 where there is one.
[[nodiscard]] std::string describe(const IcmpError& icmp);

// Whether this is what the kernel itself says when nobody answers ARP or neighbour discovery for the address.
[[nodiscard]] bool is_no_neighbour(const IcmpError& icmp);

// Destination unreachable, code port: for UDP, and nothing else, the answer of a port where nobody listens.
[[nodiscard]] bool is_port_unreachable(const IcmpError& icmp);

// Has the kernel keep such errors for take_icmp_error(), or no longer. `domain` is AF_INET or AF_INET6; other
// sockets have none. For TCP they then end an established connection too: for the time of connecting only.
// Where the kernel refuses, the queue stays empty, and reasons are less exact; that is all. For sockets other
// than of TCP, send(2) then says ENOBUFS where the transmit queue is full, in place of throwing the packet
// away as if it had been sent.
void keep_icmp_errors(const Fd& fd, int domain, bool keep);

// Takes the oldest error from the queue; nullopt where there is none. Reading it clears the socket's pending
// SO_ERROR, which is to be asked first. `target` is whom the packets were for.
[[nodiscard]] std::optional<IcmpError> take_icmp_error(int fd, const SocketAddress& target);

}  // namespace pier
