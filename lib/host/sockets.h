// The sockets of this host's network namespace, by the best way there is.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "host/socket_info.h"

namespace pier {

struct SocketList {
  std::vector<SocketInfo> sockets;
  // Why some of it comes from /proc/net in place of sock_diag(7): one line, or empty. What is lost then:
  // which sockets are for IPv6 only, sockets that are merely bound, and the zone of link-local addresses.
  std::string fallback;
};

// Both families. ErrorKind::local when neither way is open. A host without IPv6 has no IPv6 sockets; that is
// no error.
[[nodiscard]] Result<SocketList> list_sockets(const SocketQuery& query);

}  // namespace pier
