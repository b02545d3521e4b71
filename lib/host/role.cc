#include "host/role.h"

#include <algorithm>

namespace pier {
namespace {

std::uint32_t key(const SocketInfo& socket) {
  return (static_cast<std::uint32_t>(socket.transport) << 16) | socket.local.port();
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

Roles::Roles(std::span<const SocketInfo> sockets) {
  for (const SocketInfo& socket : sockets) {
    if (socket.waits_for_anyone()) waiting_[key(socket)].push_back(socket);
  }
}

std::optional<Role> Roles::of(const SocketInfo& socket) const {
  if (socket.waits_for_anyone()) return Role::server;
  const bool tcp = socket.transport == Transport::tcp;
  if (tcp && (socket.state == SocketState::bound || socket.state == SocketState::close)) return std::nullopt;
  if (tcp && socket.state == SocketState::syn_sent) return Role::client;
  if (tcp && (socket.state == SocketState::syn_recv || socket.state == SocketState::new_syn_recv)) {
    return Role::accepted;
  }
  const auto found = waiting_.find(key(socket));
  if (found == waiting_.end()) return Role::client;
  const bool came_in = std::ranges::any_of(
      found->second, [&](const SocketInfo& waiting) { return covers(waiting, socket.local.ip()); });
  return came_in ? Role::accepted : Role::client;
}

}  // namespace pier
