#include "host/sockets.h"

#include <fmt/core.h>

#include <cerrno>
#include <iterator>
#include <unordered_set>

#include "host/proc_net.h"
#include "host/sock_diag.h"

namespace pier {
namespace {

// The entry of this thread: /proc/net itself is that of the process's first thread.
constexpr std::string_view kOwnNet = "/proc/thread-self/net";

void append(SocketList& list, std::vector<SocketInfo>& more) {
  if (list.sockets.empty()) {
    list.sockets = std::move(more);
    return;
  }
  list.sockets.insert(list.sockets.end(), std::make_move_iterator(more.begin()),
                      std::make_move_iterator(more.end()));
}

// Reads a table of `folder`. What the kernel was built without has no file, and no sockets.
Result<void> add_table(SocketList& list, std::string_view folder, Transport transport, Family family,
                       const SocketQuery& query) {
  auto found = transport == Transport::unix_stream ? read_proc_net_unix(folder)
                                                   : read_proc_net(folder, transport, family, query);
  const bool optional = family == Family::ipv6 || transport == Transport::unix_stream;
  if (!found && optional && found.error().code == ENOENT) return {};
  if (!found) return std::unexpected(found.error());
  append(list, *found);
  return {};
}

Result<void> add(SocketList& list, SockDiag& diag, Transport transport, Family family,
                 const SocketQuery& query) {
  auto found =
      transport == Transport::unix_stream ? diag.unix_sockets() : diag.inet(transport, family, query);
  if (found) {
    append(list, *found);
    return {};
  }
  const std::string why = found.error().message();
  const std::size_t before = list.sockets.size();
  if (auto read = add_table(list, kOwnNet, transport, family, query); !read) return read;
  if (list.sockets.size() > before || transport != Transport::unix_stream) list.fallback = why;
  return {};
}

// The sockets of Multipath TCP carry the same inode as the TCP connections below them.
void mark_mptcp(SocketList& list, SockDiag& diag, const SocketQuery& query) {
  std::unordered_set<std::uint64_t> inodes;
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    const auto found = diag.mptcp(family, query);
    if (!found) return;  // a kernel without it
    for (const SocketInfo& socket : *found)
      if (socket.inode != 0) inodes.insert(socket.inode);
  }
  if (inodes.empty()) return;
  for (SocketInfo& socket : list.sockets)
    if (socket.transport == Transport::tcp) socket.mptcp = inodes.contains(socket.inode);
}

// Calls `add` for each table the query asks for.
template <class Add>
Result<SocketList> every_table(const SocketQuery& query, Add add_one) {
  SocketList list;
  for (const Transport transport : {Transport::tcp, Transport::udp}) {
    if (transport == Transport::tcp ? !query.tcp : !query.udp) continue;
    for (const Family family : {Family::ipv4, Family::ipv6}) {
      if (const auto added = add_one(list, transport, family); !added) return std::unexpected(added.error());
    }
  }
  if (query.unix_sockets && !query.local_port) {
    if (const auto added = add_one(list, Transport::unix_stream, Family::ipv4); !added)
      return std::unexpected(added.error());
  }
  return list;
}

}  // namespace

Result<SocketList> list_sockets(const SocketQuery& query) {
  SockDiag diag;
  auto list = every_table(query, [&](SocketList& into, Transport transport, Family family) {
    return add(into, diag, transport, family, query);
  });
  if (list && query.tcp && list->fallback.empty()) mark_mptcp(*list, diag, query);
  return list;
}

Result<SocketList> list_sockets_of(pid_t pid, const SocketQuery& query) {
  const std::string folder = fmt::format("/proc/{}/net", pid);
  auto list = every_table(query, [&](SocketList& into, Transport transport, Family family) {
    return add_table(into, folder, transport, family, query);
  });
  if (list) list->fallback = "another network namespace: " + folder;
  return list;
}

}  // namespace pier
