// How much has gone through a TCP connection, as the kernel counts it: for a socket that others read and
// write.
#pragma once

#include <cstdint>
#include <optional>

namespace pier {

struct TcpCounts {
  std::uint64_t received = 0;  // bytes that arrived in order, read by somebody or not
  std::uint64_t sent = 0;      // bytes that the kernel took to send
  bool peer_ended = false;     // its end has arrived
  bool over = false;  // both ends are over, in order or by a reset: nothing more will be acknowledged
};

// TCP_INFO (tcp(7)); nothing for any other socket.
[[nodiscard]] std::optional<TcpCounts> tcp_counts(int fd);

}  // namespace pier
