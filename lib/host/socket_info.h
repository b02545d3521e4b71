// What the kernel tells of a socket of one network namespace, whichever way it was asked (sock_diag(7) or
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
  Transport transport = Transport::tcp;  // tcp, udp, unix_stream (sequenced packets too) or unix_dgram
  Family family = Family::ipv4;          // of the socket: an IPv6 one may carry IPv4 (mapped addresses)
  SocketAddress local;
  SocketAddress remote;  // the wildcard address and port 0 where there is no peer; Unix: the peer's name
  SocketState state = SocketState::close;
  std::uint32_t uid = 0;       // of the process that made the socket
  std::uint64_t inode = 0;     // 0 when no process holds it: time-wait, closing, or not accepted yet
  std::optional<bool> v6only;  // an IPv6 socket without a peer: whether IPv4 is kept out; unknown from /proc
  bool mptcp = false;          // TCP that is, or is a part of, Multipath TCP (RFC 8684)
  bool seqpacket = false;      // Unix: sequenced packets (unix(7))
  std::uint64_t peer = 0;      // Unix: the inode of the other end; 0 for none or unknown

  // From sock_diag only.
  std::uint64_t cgroup = 0;     // id of the control group (version 2) it was made in; 0 for unknown
  std::uint32_t interface = 0;  // index of the only interface it uses (SO_BINDTODEVICE); 0 for any
  // Bytes not read yet, and sent but not acknowledged. Of a TCP or Unix listener: connections that wait to be
  // accepted, and how many may.
  std::optional<std::uint32_t> receive_queue;
  std::optional<std::uint32_t> send_queue;
  // With SocketQuery::details only.
  std::optional<std::uint32_t> memory;  // bytes that the kernel has taken for it
  std::optional<std::uint32_t> rtt_us;  // smoothed round-trip time of a TCP connection

  [[nodiscard]] bool is_unix() const { return local.is_unix(); }
  // A socket that listens, or one that takes datagrams from anyone: for a Unix one, by a name it has.
  [[nodiscard]] bool waits_for_anyone() const {
    if (!is_datagram(transport)) return state == SocketState::listen;
    return state == SocketState::close && (!is_unix() || !local.is_nameless());
  }
};

// "listen", "established", "time-wait"…; for datagrams "connected" and "unconnected".
[[nodiscard]] std::string_view state_name(const SocketInfo& socket);

// Whether a socket with this local address is asked when something arrives at `ip`: the same address, or the
// wildcard of its family, or `::` for IPv4 unless the socket is for IPv6 only.
[[nodiscard]] bool covers(const SocketInfo& socket, const IpAddress& ip);

// Which sockets to tell of.
struct SocketQuery {
  bool tcp = true;
  bool udp = true;
  bool unix_sockets = false;                // not with local_port: they have none
  std::optional<std::uint16_t> local_port;  // one port only; the kernel does the choosing where it can
  bool details = false;                     // memory and round-trip time too, which cost the kernel some work
};

}  // namespace pier
