// How full this host's ephemeral range is, and what of a host's stock for connections is scarcest.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "host/socket_info.h"
#include "ports/ephemeral.h"

namespace pier {

// One peer and how many different ports of the range we have connections to it from. A client's connection
// needs a port that has none to the same peer yet, so this is what the range bounds (ip(7),
// ip_local_port_range).
struct BusyPeer {
  SocketAddress address;
  std::size_t ports = 0;
};

// Something there is a limited number of.
struct Resource {
  std::string name;  // "tcp ports toward 10.0.0.5:5432"
  std::size_t used = 0;
  std::size_t limit = 0;  // not 0
};

struct PortUsage {
  std::size_t size = 0;           // ports the kernel may hand out
  std::size_t tcp = 0;            // of those, with a TCP socket: each once, however many share it
  std::size_t udp = 0;            // and with a UDP socket
  std::size_t time_wait = 0;      // TCP connections in time-wait, of any port
  std::vector<BusyPeer> busiest;  // at most three, the busiest first
  // Ports toward the busiest peer, ports of UDP, and, where this host tells them: time-wait connections,
  // entries of connection tracking, open files.
  std::vector<Resource> resources;
};

// `sockets`: those of TCP and UDP of this network namespace. `proc`: where /proc is.
[[nodiscard]] PortUsage port_usage(const HostPorts& host, std::span<const SocketInfo> sockets,
                                   const std::string& proc = "/proc");

// The one of which the largest share is used; of equals the first. There must be one.
[[nodiscard]] Resource scarcest(std::span<const Resource> resources);

}  // namespace pier
