// Who is who at the two ends of a socket: who was waiting, and who went out.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "host/socket_info.h"

namespace pier {

enum class Role : std::uint8_t {
  server,    // waits to be contacted: TCP listening, UDP without a peer of its own
  accepted,  // came in through a port that somebody here waits on
  client,    // went out
};

[[nodiscard]] std::string_view to_string(Role role);

// Tells the role of each of a list of sockets. The list must hold every socket that waits on the local ports
// in question: all of them, or those of one port (SocketQuery::local_port).
//
// A connection is `accepted` when something waits on its local address and port. It is a conclusion, not a
// record: the kernel forgets who began, so a connection that outlives its listener looks like a client's.
class Roles {
 public:
  explicit Roles(std::span<const SocketInfo> sockets);

  // nullopt for a socket that is bound and nothing more: it has no role yet.
  [[nodiscard]] std::optional<Role> of(const SocketInfo& socket) const;

 private:
  std::unordered_map<std::uint32_t, std::vector<SocketInfo>> waiting_;  // by transport and local port
};

}  // namespace pier
