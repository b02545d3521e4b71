// What a user can set on a socket before it is used: buffers, segments, delays, congestion control, marks.
// socket(7), tcp(7), ip(7), ipv6(7).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "net/endpoint.h"
#include "net/step.h"

namespace pier {

struct SocketOptions {
  std::optional<int> send_buffer = {};     // bytes asked for; the kernel doubles them for its own bookkeeping
  std::optional<int> receive_buffer = {};  // as above; also bounds the window that TCP will ever offer
  std::optional<int> segment = {};         // TCP_MAXSEG: bytes of data in a segment, 88 to 32767
  bool no_delay = false;                   // TCP_NODELAY: small writes are not held back
  bool keep_alive = false;                 // SO_KEEPALIVE: a silent TCP peer is asked whether it is there
  std::string congestion = {};  // TCP_CONGESTION: a name such as "cubic"; empty: this host's default
  std::optional<int> ttl = {};  // 1 to 255: IP_TTL or IPV6_UNICAST_HOPS, and over UDP that of multicast too
  std::optional<int> tos = {};  // 0 to 255: IP_TOS or IPV6_TCLASS, as the socket's family is
  std::optional<int> least_ttl =
      {};  // 0 to 255: IP_MINTTL or IPV6_MINHOPCOUNT: what has fewer left is dropped
  std::string md5_key =
      {};              // TCP: segments from and to every address are signed with it (RFC 2385); empty: not
  bool debug = false;  // SO_DEBUG; CAP_NET_ADMIN may be needed (socket(7))
  bool broadcast = false;  // SO_BROADCAST: datagrams to broadcast addresses are allowed

  [[nodiscard]] bool any() const;
};

// Sets them on a socket that is neither connected nor listening: the window and the segment size are settled
// with the first packets, and what a TCP listener has its accepted sockets inherit. An option that
// `transport` does not have is left out. Each call is told to `steps` with the value that the kernel then
// has. ErrorKind:: local: a congestion control that this kernel lacks or keeps for others (the error names
// those it has), or what setsockopt(2) says.
[[nodiscard]] Result<void> set_options(const Fd& fd, Transport transport, int domain,
                                       const SocketOptions& options, StepSink* steps = nullptr);

// A sentence for each buffer that net.core.wmem_max or rmem_max will cut.
[[nodiscard]] std::vector<std::string> cut_buffers(const SocketOptions& options);

}  // namespace pier
