#include "host/sockets.h"

#include <cerrno>
#include <iterator>

#include "host/proc_net.h"
#include "host/sock_diag.h"

namespace pier {
namespace {

Result<void> add(SocketList& list, Transport transport, Family family, const SocketQuery& query) {
  auto found = dump_sockets(transport, family, query);
  if (!found) {
    const Error why = found.error();
    found = read_proc_net(transport, family, query);
    const bool no_ipv6 = !found && family == Family::ipv6 && found.error().code == ENOENT;
    if (no_ipv6) return {};
    if (!found) return std::unexpected(found.error());
    list.fallback = why.message();
  }
  list.sockets.insert(list.sockets.end(), std::make_move_iterator(found->begin()),
                      std::make_move_iterator(found->end()));
  return {};
}

}  // namespace

Result<SocketList> list_sockets(const SocketQuery& query) {
  SocketList list;
  for (const Transport transport : {Transport::tcp, Transport::udp}) {
    if (transport == Transport::tcp ? !query.tcp : !query.udp) continue;
    for (const Family family : {Family::ipv4, Family::ipv6}) {
      if (const auto added = add(list, transport, family, query); !added) {
        return std::unexpected(added.error());
      }
    }
  }
  return list;
}

}  // namespace pier
