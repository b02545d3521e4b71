// Which way the kernel would send: the interface and the source address of its route (rtnetlink(7)).
#pragma once

#include <string>

#include "base/error.h"
#include "net/address.h"

namespace pier {

struct Route {
  IpAddress source;       // what a socket without an address of its own would get
  std::string interface;  // "eth0", "lo"; empty where the kernel does not tell
};

// Asks the routing table; no packet is sent. The port counts for nothing. ErrorKind::failed when there is no
// route (code ENETUNREACH, EHOSTUNREACH…), ErrorKind::local when the question itself cannot be asked.
[[nodiscard]] Result<Route> route_to(const SocketAddress& remote);

}  // namespace pier
