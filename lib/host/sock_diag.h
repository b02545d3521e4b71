// sock_diag(7): the kernel's own list of its sockets, over netlink. The only files that use libmnl are
// sock_diag*.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/error.h"
#include "host/socket_info.h"

namespace pier {

// One netlink socket of the network namespace it was made in, for several dumps. ErrorKind::local when
// netlink is refused (EPERM, EACCES, EPROTONOSUPPORT) or this kernel has no such list (ENOENT, EINVAL,
// EOPNOTSUPP). A dump that the kernel says was disturbed (NLM_F_DUMP_INTR) is made again.
class SockDiag {
 public:
  SockDiag();
  ~SockDiag();
  SockDiag(const SockDiag&) = delete;
  SockDiag& operator=(const SockDiag&) = delete;

  // The sockets of one transport (tcp or udp) and family. With `query.local_port` the kernel itself picks
  // them, so that the cost of reading does not grow with the number of connections of the host.
  [[nodiscard]] Result<std::vector<SocketInfo>> inet(Transport transport, Family family,
                                                     const SocketQuery& query);
  // The Multipath TCP sockets of one family, as above; those of TCP that carry them are told by inet(), with
  // the same inode. Kernels before 5.9 have none.
  [[nodiscard]] Result<std::vector<SocketInfo>> mptcp(Family family, const SocketQuery& query);
  // The Unix sockets, each with the name of its peer where that has one.
  [[nodiscard]] Result<std::vector<SocketInfo>> unix_sockets();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// inet() of a netlink socket of its own.
[[nodiscard]] Result<std::vector<SocketInfo>> dump_sockets(Transport transport, Family family,
                                                           const SocketQuery& query);

enum class DiagReply { more, done };

// Reads one datagram of replies and appends its sockets. `bytes` must be aligned for a nlmsghdr. `sequence`
// and `port_id` are those of the request; 0 takes any. `transport`: what was asked for, tcp, udp or
// unix_stream (for every kind of Unix socket). An error carries the errno the kernel told, EINTR for a
// disturbed dump, or EBADMSG for a message cut short.
[[nodiscard]] Result<DiagReply> parse_diag_replies(std::span<const std::byte> bytes, std::uint32_t sequence,
                                                   std::uint32_t port_id, Transport transport,
                                                   std::vector<SocketInfo>& sockets);

}  // namespace pier
