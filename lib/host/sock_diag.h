// sock_diag(7): the kernel's own list of its sockets, over netlink. The only file that uses libmnl.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/error.h"
#include "host/socket_info.h"

namespace pier {

// The sockets of one transport (tcp or udp) and family in this network namespace. With `query.local_port` the
// kernel itself picks them, so that the cost does not grow with the number of connections of the host.
// A dump that the kernel says was disturbed (NLM_F_DUMP_INTR) is made again. ErrorKind::local when netlink is
// refused (EPERM, EACCES, EPROTONOSUPPORT) or this kernel has no inet_diag (ENOENT, EINVAL, EOPNOTSUPP).
[[nodiscard]] Result<std::vector<SocketInfo>> dump_sockets(Transport transport, Family family,
                                                           const SocketQuery& query);

enum class DiagReply { more, done };

// Reads one datagram of replies and appends its sockets. `bytes` must be aligned for a nlmsghdr. `sequence`
// and `port_id` are those of the request; 0 takes any. An error carries the errno the kernel told, EINTR for
// a disturbed dump, or EBADMSG for a message cut short.
[[nodiscard]] Result<DiagReply> parse_diag_replies(std::span<const std::byte> bytes, std::uint32_t sequence,
                                                   std::uint32_t port_id, Transport transport,
                                                   std::vector<SocketInfo>& sockets);

}  // namespace pier
