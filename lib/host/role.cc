#include "host/role.h"

#include <algorithm>

namespace pier {
namespace {

std::uint32_t key(const SocketInfo& socket) {
  return (static_cast<std::uint32_t>(socket.transport) << 16) | socket.local.port();
}

bool contains(PortRange range, std::uint16_t port) {
  return port >= range.first && port <= range.last;
}

}  // namespace

std::string_view to_string(Role role) {
  switch (role) {
    case Role::server:
      return "server";
    case Role::accepted:
      return "accepted";
    case Role::client:
      return "client";
  }
  return "client";
}

Roles::Roles(std::span<const SocketInfo> sockets, std::optional<PortRange> ephemeral)
    : ephemeral_(ephemeral) {
  for (const SocketInfo& socket : sockets) {
    if (!socket.waits_for_anyone()) continue;
    if (socket.is_unix())
      waiting_names_.insert(socket.local.path());
    else
      waiting_[key(socket)].push_back(socket);
  }
}

RoleTold Roles::tell(const SocketInfo& socket) const {
  if (socket.waits_for_anyone())
    return {Role::server, is_datagram(socket.transport) ? "it takes datagrams from anyone" : "it listens"};
  if (socket.is_unix()) return tell_unix(socket);
  if (socket.transport != Transport::tcp) return tell_by_ports(socket);
  switch (socket.state) {
    case SocketState::bound:
    case SocketState::close:
      return {std::nullopt, "it is bound and no more: it neither listens nor is connected"};
    case SocketState::syn_sent:
      return {Role::client, "it asks for a connection"};
    case SocketState::syn_recv:
    case SocketState::new_syn_recv:
      return {Role::accepted, "somebody asks it for a connection"};
    default:
      return tell_by_ports(socket);
  }
}

RoleTold Roles::tell_by_ports(const SocketInfo& socket) const {
  const auto found = waiting_.find(key(socket));
  if (found != waiting_.end()) {
    const bool came_in = std::ranges::any_of(
        found->second, [&](const SocketInfo& waiting) { return covers(waiting, socket.local.ip()); });
    if (came_in) return {Role::accepted, "something waits on its local port"};
  }
  if (ephemeral_ && !contains(*ephemeral_, socket.local.port()) &&
      contains(*ephemeral_, socket.remote.port()))
    return {Role::accepted,
            "its port is none the kernel hands out, and the peer's is: its listener has gone"};
  return {Role::client, "nothing waits on its local port"};
}

RoleTold Roles::tell_unix(const SocketInfo& socket) const {
  const bool named = !socket.local.is_nameless();
  if (named && waiting_names_.contains(socket.local.path()) && socket.state == SocketState::established)
    return {Role::accepted, "something waits at its name"};
  if (!socket.remote.is_nameless()) return {Role::client, "its peer has a name that somebody waits at"};
  if (socket.peer != 0) return {std::nullopt, "a pair: neither end has a name"};
  if (named) return {std::nullopt, "it is bound and no more: it neither listens nor is connected"};
  return {std::nullopt, "it has neither a name nor a peer"};
}

}  // namespace pier
