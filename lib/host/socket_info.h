// What the kernel tells of a socket of this network namespace, whichever way it was asked (sock_diag(7) or
// /proc/net).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "net/address.h"
#include "net/endpoint.h"

namespace pier {

// The kernel's numbers (include/net/tcp_states.h). UDP uses two of them: `established` for a socket that was
// connected to one peer, `close` for one that was not.
enum class SocketState : std::uint8_t {
  established = 1,
  syn_sent,
  syn_recv,
  fin_wait1,
  fin_wait2,
  time_wait,
  close,
  close_wait,
  last_ack,
  listen,
  closing,
  new_syn_recv,  // a handshake under way; sock_diag says syn_recv for it
  bound,         // bound, but neither listening nor connected; told since Linux 6.8, and only by sock_diag
};

struct SocketInfo {
  Transport transport = Transport::tcp;  // tcp or udp
  Family family = Family::ipv4;          // of the socket: an IPv6 one may carry IPv4 (mapped addresses)
  SocketAddress local;
  SocketAddress remote;  // the wildcard address and port 0 where there is no peer
  SocketState state = SocketState::close;
  std::uint32_t uid = 0;       // of the process that made the socket
  std::uint64_t inode = 0;     // 0 when no process holds it: time-wait, closing, or not accepted yet
  std::optional<bool> v6only;  // an IPv6 socket without a peer: whether IPv4 is kept out; unknown from /proc

  // A TCP socket that listens, or a UDP socket that takes datagrams from anyone.
  [[nodiscard]] bool waits_for_anyone() const {
    return transport == Transport::udp ? state == SocketState::close : state == SocketState::listen;
  }
};

// "listen", "established", "time-wait"…; for UDP "connected" and "unconnected".
[[nodiscard]] std::string_view state_name(const SocketInfo& socket);

// Whether a socket with this local address is asked when something arrives at `ip`: the same address, or the
// wildcard of its family, or `::` for IPv4 unless the socket is for IPv6 only.
[[nodiscard]] bool covers(const SocketInfo& socket, const IpAddress& ip);

// Which sockets to tell of.
struct SocketQuery {
  bool tcp = true;
  bool udp = true;
  std::optional<std::uint16_t> local_port;  // one port only; the kernel does the choosing where it can
};

}  // namespace pier
