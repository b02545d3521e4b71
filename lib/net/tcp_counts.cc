#include "net/tcp_counts.h"

// Not <netinet/tcp.h>, whose tcp_info ends before the counts.
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace pier {
namespace {

// The states of include/net/tcp_states.h in which the peer's FIN has been taken, and the one after the end.
constexpr int kTimeWait = 6;
constexpr int kClose = 7;
constexpr int kCloseWait = 8;
constexpr int kLastAck = 9;
constexpr int kClosing = 11;

bool has_peers_end(int state) {
  return state == kTimeWait || state == kCloseWait || state == kLastAck || state == kClosing;
}

}  // namespace

std::optional<TcpCounts> tcp_counts(int fd) {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
      size < offsetof(tcp_info, tcpi_bytes_retrans) + sizeof info.tcpi_bytes_retrans)
    return std::nullopt;
  TcpCounts counts;
  counts.peer_ended = has_peers_end(info.tcpi_state);
  counts.over = info.tcpi_state == kClose;
  counts.received = info.tcpi_bytes_received;
  if (counts.peer_ended && counts.received > 0) --counts.received;  // the FIN is counted as a byte
  counts.sent = info.tcpi_bytes_sent - info.tcpi_bytes_retrans + info.tcpi_notsent_bytes;
  return counts;
}

}  // namespace pier
