// What a program run for a peer finds in its environment.
#pragma once

#include <string>
#include <vector>

#include "net/endpoint.h"
#include "relay/result.h"

namespace pier {

// This process's environment, each "NAME=value", without what is ours alone (LISTEN_*, NOTIFY_SOCKET) and
// what an outer pier or UCSPI server has set for its own peer, and with what is known of this one:
//
//   PIER_REMOTE_ADDR PIER_REMOTE_PORT PIER_LOCAL_ADDR PIER_LOCAL_PORT   an address without brackets; of a
//   Unix socket
//                                                                       the path, where it has one, and no
//                                                                       port
//   PIER_PROTO             tcp, udp, unix, unix-dgram, vsock
//   PROTO                  TCP, UDP, UNIX or VSOCK, and for the first two (UCSPI):
//   TCPREMOTEIP TCPREMOTEPORT TCPLOCALIP TCPLOCALPORT        UDPREMOTEIP … for UDP
//
// An IPv4 client of an IPv6 socket has its IPv4 address.
[[nodiscard]] std::vector<std::string> peer_environment(const Session& session);

}  // namespace pier
