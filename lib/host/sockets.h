// The sockets of a network namespace, by the best way there is.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "host/socket_info.h"

namespace pier {

struct SocketList {
  std::vector<SocketInfo> sockets;
  // Why some of it comes from /proc/net in place of sock_diag(7): one line, or empty. What is lost then:
  // which sockets are for IPv6 only, sockets that are merely bound, Multipath TCP, queues, and the zone of
  // link-local addresses.
  std::string fallback;
};

// Of the network namespace of the calling thread; both families. ErrorKind::local when neither way is open. A
// host without IPv6, or without Unix sockets' diagnosis, has none of those; that is no error.
[[nodiscard]] Result<SocketList> list_sockets(const SocketQuery& query);

// Of the network namespace of a process, read from /proc/PID/net without entering it. ErrorKind::local when
// it is not to be read, such as after the process ended (ENOENT, EINVAL, ESRCH).
[[nodiscard]] Result<SocketList> list_sockets_of(pid_t pid, const SocketQuery& query);

}  // namespace pier
