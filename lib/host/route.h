// Which way the kernel would send: the interface and the source address of its route (rtnetlink(7)).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/error.h"
#include "net/address.h"

namespace pier {

struct Route {
  IpAddress source;                       // what a socket without an address of its own would get
  std::string interface;                  // "eth0", "lo"; empty where the kernel does not tell
  std::optional<IpAddress> gateway = {};  // the next router; nothing where the peer is on the link
  // The longest packet, in bytes, header included, that goes there in one piece as far as the kernel knows
  // now.
  std::optional<std::uint32_t> mtu = {};
};

// Asks the routing table; no packet is sent. The port counts for nothing. ErrorKind::failed when there is no
// route (code ENETUNREACH, EHOSTUNREACH…), ErrorKind::local when the question itself cannot be asked.
[[nodiscard]] Result<Route> route_to(const SocketAddress& remote);

}  // namespace pier
